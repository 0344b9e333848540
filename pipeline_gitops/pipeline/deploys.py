"""How a commit becomes what a target holds. Read from the top: it is the story of a deployment.

    survey -> plan -> guard -> claim -> apply wave by wave -> watch -> prune -> settle

Nothing is written that was not shown: whenever the target moved under us, it is surveyed again, and
the new plan must be included in the one that was shown.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pipeline_gitops import inventories, plans
from pipeline_gitops.errors import Fault, InterruptedFault, Verdict
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.pipeline import executions, reviews, rollouts
from pipeline_gitops.pipeline.executions import Execution, Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.plans import Outcome, Plan, State, Survey
from pipeline_gitops.ports import Clock, Journal, Repository, Stale, Target
from pipeline_gitops.views import (
    CardView,
    FaultView,
    Refusal,
    Result,
    WrittenView,
)

LOOK_BACK = timedelta(hours=1)  # the API server forgets events after one hour
ATTEMPTS = 5  # a target that moves under us more often than this is being fought over


def deploy(
    order: Order, target: Target, *, repository: Repository, clock: Clock, journal: Journal
) -> Result:
    """Makes the target hold what the order says, and tells what came of it."""
    result = replace(reviews.checked(order.prepared), target=target.name)
    if order.prepared.rejected:
        return result
    try:
        return _deploy(order, target, result, repository, clock, journal)
    except Fault as fault:
        return reviews.failed(result, fault)


def _deploy(
    order: Order,
    target: Target,
    result: Result,
    repository: Repository,
    clock: Clock,
    journal: Journal,
) -> Result:
    started = clock.now()
    shown: Plan | None = None
    written: tuple[Outcome, ...] = ()
    for _ in range(ATTEMPTS):
        inventory = target.inventory()
        if _is_superseded(inventory, order.stamp, repository):
            return _superseded(result, inventory, written)
        plan, survey = reviews.against_target(order.prepared, target, journal)
        refusals = _refusals(order, plan, survey, shown)
        if shown is None:
            shown = plan
            result = _shown(result, plan, target.name, order.prepared)
        if refusals:
            verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
            return replace(result, refusals=refusals, written=_views(written), verdict=verdict)
        journal.say(_announcement(plan, target.name))
        try:
            execution = executions.execute(order, target, plan, survey, clock, journal)
        except Stale:
            journal.say(f"{target.name} moved meanwhile, looking again")
            continue
        written = (*written, *execution.outcomes)
        if any(outcome.state is State.STALE for outcome in execution.outcomes):
            journal.say("an object changed meanwhile, looking again")
            continue
        return _finished(result, target, execution, written, started)
    refusal = Refusal(
        rule="moving-target",
        message=f"{target.name} changed {ATTEMPTS} times while it was being deployed to",
        cure="let one deploy run at a time, and run this one again",
    )
    verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
    return replace(result, refusals=(refusal,), written=_views(written), verdict=verdict)


def _is_superseded(inventory: Inventory, stamp: Stamp, repository: Repository) -> bool:
    recorded = inventory.claim.stamp if inventory.claim else inventory.stamp
    if recorded is None or recorded.revision == stamp.revision:
        return False
    ancestor = repository.is_ancestor(stamp.revision, recorded.revision)
    if ancestor is None and repository.is_ancestor(recorded.revision, stamp.revision):
        ancestor = False
    return inventories.superseded(recorded, stamp, mine_is_ancestor=ancestor)


def _superseded(result: Result, inventory: Inventory, written: Sequence[Outcome]) -> Result:
    newer = inventory.claim.stamp if inventory.claim else inventory.stamp
    revision = newer.revision[:7] if newer else "a newer commit"
    return replace(
        result,
        notices=(f"{revision} is newer and already deployed; this commit was not deployed",),
        written=_views(written),
        verdict=Verdict.SUPERSEDED,
    )


def _refusals(order: Order, plan: Plan, survey: Survey, shown: Plan | None) -> tuple[Refusal, ...]:
    found = reviews.refusals(plan, survey, order.prepared, order.confirmation)
    if shown is None:
        return found
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
        notices=(*result.notices, *reviews.blind_notices(plan)),
    )


def _announcement(plan: Plan, target: str) -> str:
    if not plan.changes:
        return f"{target}: nothing to change, {len(plan.unchanged)} objects are as wanted"
    return f"{target}: {len(plan.changes)} changes, {len(plan.unchanged)} objects are as wanted"


def _finished(
    result: Result,
    target: Target,
    execution: Execution,
    written: Sequence[Outcome],
    started: datetime,
) -> Result:
    rollout = execution.rollout
    result = replace(result, written=_views(written), rollout=rollout)
    if execution.fault:
        return _cut_short(result, execution.fault, written)
    if not executions.all_done(execution.outcomes):
        verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
        return replace(result, verdict=verdict)
    if rollout is None or rollouts.healthy(rollout):
        return result
    cards: tuple[CardView, ...] = ()
    if target.runtime is not None:
        # What was broken before has its reasons before: a deploy that wrote nothing looks back.
        since = started if written else started - LOOK_BACK
        cards = rollouts.cards(target.runtime, rollout, since)
    return replace(result, cards=cards, verdict=Verdict.UNHEALTHY)


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
