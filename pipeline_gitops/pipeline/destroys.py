"""How an environment is taken down: everything it owns deleted, users before what they use.

    survey of nothing wanted -> plan -> guard -> claim -> delete wave by wave -> wait -> retire

The inventory goes last: a run that is killed in between and started again goes on where it stopped.
"""

from contextlib import closing
from dataclasses import replace

from pipeline_gitops import inventories, plans
from pipeline_gitops.config import Environment
from pipeline_gitops.errors import Fault, InterruptedFault, Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.pipeline import executions, reviews
from pipeline_gitops.pipeline.watching import rollouts
from pipeline_gitops.plans import Intent, Outcome, Plan, State, Survey
from pipeline_gitops.ports import Clock, Journal, Runtime, Stale, Target, Writing
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import (
    FaultView,
    HealthView,
    Refusal,
    Result,
    RolloutView,
)

ATTEMPTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to take down, and what was said to confirm it."""

    environment: Environment
    stamp: Stamp
    intent: Intent
    deadline: float  # on the clock's elapsed seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What came of one try. *left*: what is deleted, but not gone at the deadline."""

    outcomes: tuple[Outcome, ...] = ()
    left: tuple[HealthView, ...] = ()
    fault: Fault | None = None
    stale: bool = False  # somebody else claimed the target, or left something there


def destroy(order: Order, target: Target, *, clock: Clock, journal: Journal) -> Result:
    """Deletes all that an environment owns, and tells what came of it."""
    result = Result(environment=order.environment.name, target=target.name)
    try:
        return _destroy(order, target, result, clock, journal)
    except Fault as fault:
        return reviews.failed(result, fault)


def _destroy(
    order: Order, target: Target, result: Result, clock: Clock, journal: Journal
) -> Result:
    shown: Plan | None = None
    written: tuple[Outcome, ...] = ()
    for _ in range(ATTEMPTS):
        inventory = target.inventory()
        if not _is_there(inventory):
            return replace(result, notices=(*result.notices, "nothing is deployed there"))
        survey = target.survey(ManifestSet(), inventory)
        reviews.hide(journal, (sight.before for sight in survey.sights))
        plan = plans.compute(survey, prune=True)
        if shown is None:
            shown = plan
            result = _shown(result, plan, inventory, target.name)
        refusals = _refusals(order, plan, shown)
        if refusals:
            verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
            return replace(
                result, refusals=refusals, written=executions.views(written), verdict=verdict
            )
        try:
            done = _carry_out(order, target, plan, survey, clock, journal)
        except Stale:
            journal.say(f"{target.name} moved meanwhile, looking again")
            continue
        written = (*written, *done.outcomes)
        if done.stale or any(outcome.state is State.STALE for outcome in done.outcomes):
            journal.say(f"{target.name} changed meanwhile, looking again")
            continue
        return _finished(result, done, written)
    refusal = Refusal(
        rule="moving-target",
        message=f"{target.name} changed {ATTEMPTS} times while it was being taken down",
        cure="stop what deploys to it, and run this again",
    )
    verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
    return replace(result, refusals=(refusal,), written=executions.views(written), verdict=verdict)


def _is_there(inventory: Inventory) -> bool:
    return bool(inventory.stamp or inventory.claim or inventory.members)


def _shown(result: Result, plan: Plan, inventory: Inventory, name: str) -> Result:
    return replace(
        result,
        objects=len(inventory.members),
        plans=(reviews.view(plan, name, {}),),
        dangers=reviews.dangers(plan),
        notices=reviews.plan_notices(plan),
    )


def _refusals(order: Order, plan: Plan, shown: Plan) -> tuple[Refusal, ...]:
    environment = order.environment
    guarded = plans.guard_destruction(
        plan,
        environment.policy,
        environment=environment.name,
        protected=environment.protected,
        intent=order.intent,
    )
    beyond = tuple(
        Refusal(
            rule="not-as-shown",
            message=f"{id} would now be deleted as well: it was not shown",
            cure="run it again, it shows the new plan first",
            id=id,
        )
        for id in plans.exceeding(shown, plan)
        if id not in shown.ids
    )
    return (*plan.refusals, *guarded, *beyond)


def _carry_out(
    order: Order, target: Target, plan: Plan, survey: Survey, clock: Clock, journal: Journal
) -> _Done:
    """Claim, delete, wait, retire. Raises Stale where it lost a race for the inventory."""
    journal.say(f"{target.name}: {len(plan.changes)} objects to delete")
    claimed = inventories.claimed(survey.inventory, order.stamp, plan.ids)
    outcomes: list[Outcome] = []
    with target.claim(claimed) as writing:
        try:
            ordered = plans.schedule(plan, ManifestSet())
            for wave in (*ordered.first, *ordered.last):
                _delete(wave, writing, outcomes, clock, journal)
                if not executions.all_done(outcomes):
                    return _Done(outcomes=tuple(outcomes))
                left = _await(target.runtime, wave.ids, order.deadline, clock, journal)
                if left:
                    return _Done(outcomes=tuple(outcomes), left=left)
            left = _await(target.runtime, survey.gone, order.deadline, clock, journal, begun=True)
            if not left:
                writing.retire()
        except Fault as fault:
            return _Done(outcomes=tuple(outcomes), fault=fault)
        except Stale:
            return _Done(outcomes=tuple(outcomes), stale=True)
    return _Done(outcomes=tuple(outcomes), left=left)


def _delete(
    wave: plans.Wave,
    writing: Writing,
    outcomes: list[Outcome],
    clock: Clock,
    journal: Journal,
) -> None:
    clock.sleep(0)  # no new wave once we were asked to stop
    with closing(writing.apply(wave.changes)) as stream:
        for outcome in stream:
            outcomes.append(outcome)
            said = f": {outcome.message}" if outcome.message else ""
            journal.say(f"{outcome.action.value} {outcome.id}: {outcome.state.value}{said}")


def _await(
    runtime: Runtime | None,
    ids: frozenset[ObjectId],
    deadline: float,
    clock: Clock,
    journal: Journal,
    *,
    begun: bool = False,
) -> tuple[HealthView, ...]:
    """What of *ids* is still there at the deadline. *begun*: only what is on its way out counts."""
    if runtime is None or not ids:
        return ()
    return rollouts.until_gone(
        runtime, ids, clock=clock, deadline=deadline, journal=journal, begun=begun
    )


def _finished(result: Result, done: _Done, written: tuple[Outcome, ...]) -> Result:
    result = replace(result, written=executions.views(written))
    stands = executions.may_stand(written)
    if done.fault:
        if isinstance(done.fault, InterruptedFault) or not stands:
            return reviews.failed(result, done.fault)
        said = FaultView(message=done.fault.what, cure=done.fault.cure, verdict=Verdict.PARTIAL)
        return replace(result, fault=said, verdict=Verdict.PARTIAL)
    if not executions.all_done(done.outcomes):
        return replace(result, verdict=Verdict.PARTIAL if stands else Verdict.REFUSED)
    if done.left:
        rollout = RolloutView(objects=done.left, timed_out=True)
        return replace(result, rollout=rollout, verdict=Verdict.UNHEALTHY)
    gone = "everything that this environment owned is gone, its inventory included"
    return replace(result, notices=(*result.notices, gone))
