"""How a commit becomes what a target holds. Read from the top: it is the story of a deployment.

    survey -> plan -> guard -> claim -> apply wave by wave -> watch -> prune -> settle

Nothing is written that was not shown: whenever the target moved under us, it is surveyed again, and
the new plan must be included in the one that was shown. Except for objects of a deploy that never
ended: it may have been alive until its claim was taken over, so their changes are shown anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pipeline_gitops import inventories, plans
from pipeline_gitops.errors import Fault, InterruptedFault, Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Stamp
from pipeline_gitops.pipeline import cards, executions, reviews, rollouts, successions
from pipeline_gitops.pipeline.cards import Background
from pipeline_gitops.pipeline.executions import Execution, Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.pipeline.successions import Ancestry, Compare
from pipeline_gitops.plans import Outcome, Plan, State, Survey
from pipeline_gitops.ports import Clock, Journal, Repository, Stale, Target
from pipeline_gitops.views import (
    FaultView,
    Refusal,
    Result,
    WrittenView,
)

LOOK_BACK = timedelta(hours=1)  # the API server forgets events after one hour
ATTEMPTS = 5  # a target that moves under us more often than this is being fought over


def deploy(
    order: Order,
    target: Target,
    *,
    repository: Repository,
    clock: Clock,
    journal: Journal,
    compare: Compare = successions.unknown,
) -> Result:
    """Makes the target hold what the order says, and tells what came of it.

    *compare* asks the forge how two commits relate, where the clone cannot tell.
    """
    result = replace(reviews.checked(order.prepared), target=target.name)
    if order.prepared.rejected:
        return result
    ancestry = Ancestry(repository, compare)
    try:
        return _deploy(order, target, result, ancestry, clock, journal)
    except Fault as fault:
        return reviews.failed(result, fault)


def _deploy(
    order: Order, target: Target, plain: Result, ancestry: Ancestry, clock: Clock, journal: Journal
) -> Result:
    started = clock.now()
    shown: Plan | None = None
    mine: tuple[int, Claim] | None = None  # our last claim, by its number
    unsettled: frozenset[ObjectId] = frozenset()  # what deploys that never ended may have written
    written: tuple[Outcome, ...] = ()
    result = plain
    for _ in range(ATTEMPTS):
        # First of all, whatever happened: somebody newer may have come.
        inventory = target.inventory()
        succession = successions.decide(inventory, order, ancestry)
        newer = succession.superseded_by or _twin(inventory, order, mine)
        if newer:
            return _superseded(result, order, newer, written)
        if succession.refusal:
            return _refused(result, (succession.refusal,), written)
        order = succession.order
        if inventory.claim and (inventory.epoch, inventory.claim) != mine:
            unsettled |= inventory.claim.all
        plan, survey = reviews.against_target(order.prepared, target, journal, inventory)
        plan = plans.without_run(plan, order.ran)
        shown = plans.reshown(shown, plan, unsettled) if shown else plan
        refusals = _refusals(order, plan, survey, shown)
        result = _shown(plain, shown, target.name, order.prepared)
        if refusals:
            return _refused(result, refusals, written)
        journal.say(_announcement(plan, target.name))
        mine = inventory.epoch + 1, inventories.claim_on(inventory, order.stamp, plan.ids)
        try:
            execution = executions.execute(order, target, plan, survey, clock, journal)
        except Stale:
            journal.say(f"{target.name} moved meanwhile, looking again")
            continue
        written = (*written, *execution.outcomes)
        order = _after(order, written)
        if execution.stale or any(one.state is State.STALE for one in execution.outcomes):
            journal.say("an object changed meanwhile, looking again")
            continue
        newer = _newer(order, target, ancestry, execution)
        if newer:
            return _superseded(result, order, newer, written)
        result = _finished(_holding(result, order), execution, written)
        return _explained(result, target, execution, order, started, journal)
    return _refused(result, (_moving(target.name),), written)


def _after(order: Order, written: Sequence[Outcome]) -> Order:
    """The order, for another attempt after these writes."""
    touched = frozenset(outcome.id for outcome in written)
    return replace(order, ran=executions.ran(written), touched=touched)


def _moving(target: str) -> Refusal:
    return Refusal(
        rule="moving-target",
        message=f"{target} changed {ATTEMPTS} times while it was being deployed to",
        cure="let one deploy run at a time, and run this one again",
    )


def _newer(order: Order, target: Target, ancestry: Ancestry, execution: Execution) -> Stamp | None:
    """The newer deploy that writes were refused for, if there is one: its objects, its policies."""
    if execution.fault or executions.all_done(execution.outcomes):
        return None
    return successions.decide(target.inventory(), order, ancestry).superseded_by


def _twin(inventory: Inventory, order: Order, mine: tuple[int, Claim] | None) -> Stamp | None:
    """Another run of the same commit that came after us: two would take over from each other."""
    claim = inventory.claim
    if claim is None or mine is None or (inventory.epoch, claim) == mine:
        return None
    return claim.stamp if claim.stamp.revision == order.stamp.revision else None


def _superseded(result: Result, order: Order, newer: Stamp, written: Sequence[Outcome]) -> Result:
    ended = "was not deployed any further" if written else "was not deployed"
    notice = f"{newer.revision[:7]} is newer and already deployed; this commit {ended}"
    if newer.revision == order.stamp.revision:
        notice = "another run of this commit has taken over: how that one ends is what counts"
    return replace(
        result,
        notices=(notice,),
        written=_views(written),
        verdict=Verdict.SUPERSEDED,
    )


def _refused(result: Result, refusals: tuple[Refusal, ...], written: Sequence[Outcome]) -> Result:
    verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
    return replace(result, refusals=refusals, written=_views(written), verdict=verdict)


def _refusals(order: Order, plan: Plan, survey: Survey, shown: Plan) -> tuple[Refusal, ...]:
    found = reviews.refusals(plan, survey, order.prepared, order.confirmation)
    beyond = tuple(
        Refusal(
            rule="not-as-shown",
            message=f"{id} would now change otherwise than shown: it moved meanwhile",
            cure="run the deploy again, it shows the new plan first",
            id=id,
        )
        for id in plans.exceeding(shown, plan)
    )
    return (*found, *beyond)


def _shown(result: Result, plan: Plan, compared: str, prepared: Prepared) -> Result:
    return replace(
        result,
        plans=(reviews.view(plan, compared, prepared.places),),
        dangers=reviews.dangers(plan),
        notices=(*result.notices, *reviews.plan_notices(plan)),
    )


def _announcement(plan: Plan, target: str) -> str:
    if not plan.changes:
        return f"{target}: nothing to change, {len(plan.unchanged)} objects are as wanted"
    return f"{target}: {len(plan.changes)} changes, {len(plan.unchanged)} objects are as wanted"


def _holding(result: Result, order: Order) -> Result:
    if not (order.course.rollback and order.held):
        return result
    held = f"{order.held[:7]} is held: a newer commit, or `deploy --release`, lifts that"
    return replace(result, notices=(*result.notices, held))


def _finished(result: Result, execution: Execution, written: Sequence[Outcome]) -> Result:
    rollout = execution.rollout
    result = replace(result, written=_views(written), rollout=rollout)
    if execution.fault:
        return _cut_short(result, execution.fault, written)
    if not executions.all_done(execution.outcomes) and executions.may_stand(written):
        return replace(result, verdict=Verdict.PARTIAL)
    if rollout is not None and not rollouts.healthy(rollout):
        return replace(result, verdict=Verdict.UNHEALTHY)
    if not executions.all_done(execution.outcomes):
        return replace(result, verdict=Verdict.REFUSED)
    return result


def _explained(
    result: Result,
    target: Target,
    execution: Execution,
    order: Order,
    started: datetime,
    journal: Journal,
) -> Result:
    """The result with a card for each object that does not run."""
    rollout = result.rollout
    if execution.fault or rollout is None or target.runtime is None:
        return result
    background = Background(
        # What was broken before has its reasons before: a deploy that wrote nothing looks back.
        since=started if result.written else started - LOOK_BACK,
        places=order.prepared.places,
        wanted={manifest.id: manifest.body for manifest in order.prepared.set.manifests},
    )
    found = cards.cards(target.runtime, rollout, background, journal, execution.cards)
    return replace(result, cards=found)


def _cut_short(result: Result, fault: Fault, written: Sequence[Outcome]) -> Result:
    if isinstance(fault, InterruptedFault) or not executions.may_stand(written):
        return reviews.failed(result, fault)
    # Part of the plan stands: that is what the exit code must say, whatever broke afterwards.
    said = FaultView(message=fault.what, cure=fault.cure, verdict=Verdict.PARTIAL)
    return replace(result, fault=said, verdict=Verdict.PARTIAL)


def _views(outcomes: Iterable[Outcome]) -> tuple[WrittenView, ...]:
    return tuple(
        WrittenView(
            id=outcome.id,
            action=outcome.action,
            state=outcome.state.value,
            message=outcome.message,
        )
        for outcome in outcomes
    )
