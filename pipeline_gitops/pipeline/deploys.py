"""How a commit becomes what a target holds. Read from the top: it is the story of a deployment.

    survey -> plan -> guard -> claim -> apply wave by wave -> watch -> prune -> settle

Nothing is written that was not shown: whenever the target moved under us, it is surveyed again, and
the new plan must be included in the one that was shown. Except for objects of a deploy that never
ended: it may have been alive until its claim was taken over, so their changes are shown anew.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pipeline_gitops import inventories, plans
from pipeline_gitops.errors import Fault, InterruptedFault, Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.pipeline import executions, reviews, rollbacks, successions
from pipeline_gitops.pipeline.executions import Execution, Order
from pipeline_gitops.pipeline.merge_requests import bindings
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.pipeline.successions import Ancestry, Compare
from pipeline_gitops.pipeline.watching import cards, rollouts
from pipeline_gitops.pipeline.watching.cards import Background
from pipeline_gitops.plans import Outcome, Plan, State, Survey
from pipeline_gitops.ports import Clock, Journal, Repository, Stale, Target
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import (
    FaultView,
    LeftView,
    Refusal,
    Result,
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
    return run(
        order, target, repository=repository, clock=clock, journal=journal, compare=compare
    ).result


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a deploy ended, and what it takes to go back from there.

    *inventory*: as it was found last, before its own claim. *epoch*: from which on others came.
    """

    result: Result
    inventory: Inventory | None = None
    epoch: int = 0
    held: str = ""  # the revision that it holds
    left: tuple[LeftView, ...] = ()  # what a rollback of its own accord does not touch


def run(
    order: Order,
    target: Target,
    *,
    repository: Repository,
    clock: Clock,
    journal: Journal,
    compare: Compare = successions.unknown,
) -> Ended:
    """The same, with what follows from it."""
    result = replace(reviews.checked(order.prepared), target=target.name)
    if order.prepared.rejected:
        return Ended(result=result)
    ancestry = Ancestry(repository, compare)
    try:
        return _Deploy(order, target, result, ancestry, clock, journal).ended()
    except Fault as fault:
        return Ended(result=reviews.failed(result, fault))


class _Deploy:
    """One deploy, in as many attempts as it takes."""

    def __init__(
        self,
        order: Order,
        target: Target,
        plain: Result,
        ancestry: Ancestry,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._order = order
        self._target = target
        self._plain = plain
        self._ancestry = ancestry
        self._clock = clock
        self._journal = journal
        self._started = clock.now()
        self._shown: Plan | None = None
        self._mine: Inventory | None = None  # as we claimed it last
        self._unsettled: frozenset[ObjectId] = frozenset()  # deploys that never ended wrote it
        self._epoch = 0  # of our last claim
        self._written: tuple[Outcome, ...] = ()
        self._left: tuple[LeftView, ...] = ()
        self._result = plain

    def ended(self) -> Ended:
        for _ in range(ATTEMPTS):
            # First of all, whatever happened: somebody newer may have come.
            inventory = self._target.inventory()
            result = self._stopped(inventory) or self._planned(inventory)
            if result:
                return Ended(
                    result=result,
                    inventory=inventory,
                    epoch=self._epoch or inventory.epoch,
                    held=self._order.held if self._epoch else inventory.held,
                    left=self._left,
                )
        return Ended(result=self._refused((_moving(self._target.name),)))

    def _stopped(self, inventory: Inventory) -> Result | None:
        """What stands against a deploy as such, whatever it would change."""
        succession = successions.decide(inventory, self._order, self._ancestry)
        newer = succession.superseded_by or _overtaken(inventory, self._order, self._mine)
        if newer:
            return _superseded(self._result, self._order, newer, self._written)
        if succession.refusal:
            return self._refused((succession.refusal,))
        self._order = succession.order
        return None

    def _planned(self, inventory: Inventory) -> Result | None:
        """What comes of this attempt; None where the target moved: look again."""
        if inventory.claim and not _is_mine(inventory, self._mine):
            self._unsettled |= inventory.claim.all
        plan, survey = self._plan(inventory)
        self._shown = plans.reshown(self._shown, plan, self._unsettled) if self._shown else plan
        before = inventories.previous(inventory, self._order.stamp.revision)
        held = bindings.bind(plan, self._order.prepared.environment, self._order.look, before)
        refusals = (*_refusals(self._order, plan, survey, self._shown), *held.refusals)
        plain = replace(self._plain, previous=before)
        shown = _shown(plain, self._shown, self._target, self._order.prepared)
        self._result = bindings.bound(shown, held)
        if refusals:
            return self._refused(refusals)
        self._journal.say(_announcement(plan, self._target.name))
        return self._carried_out(plan, survey)

    def _plan(self, inventory: Inventory) -> tuple[Plan, Survey]:
        prepared = self._order.prepared
        plan, survey = reviews.against_target(prepared, self._target, self._journal, inventory)
        plan = plans.without_run(plan, self._order.ran)
        if self._order.course.automatic:
            plan, self._left = rollbacks.limited(plan, inventory)
        return plan, survey

    def _carried_out(self, plan: Plan, survey: Survey) -> Result | None:
        order, target = self._order, self._target
        self._mine = executions.claimed(order, plan, survey.inventory)
        try:
            execution = self._executed(plan, survey)
        except Stale:
            self._journal.say(f"{target.name} moved meanwhile, looking again")
            return None
        self._written = (*self._written, *execution.outcomes)
        self._epoch = execution.epoch
        self._order = _after(order, self._written)
        if execution.stale or any(one.state is State.STALE for one in execution.outcomes):
            self._journal.say("an object changed meanwhile, looking again")
            return None
        newer = _newer(order, target, self._ancestry, execution)
        if newer:
            return _superseded(self._result, order, newer, self._written)
        result = _finished(_holding(self._result, order), execution, self._written)
        return _explained(result, target, execution, order, self._started, self._journal)

    def _executed(self, plan: Plan, survey: Survey) -> Execution:
        order = self._order
        if self._left:
            kept = rollbacks.watched(order.prepared.set, self._left)
            order = replace(order, prepared=replace(order.prepared, set=kept))
        return executions.execute(order, self._target, plan, survey, self._clock, self._journal)

    def _refused(self, refusals: tuple[Refusal, ...]) -> Result:
        return _refused(self._result, refusals, self._written)


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


def _is_mine(inventory: Inventory, mine: Inventory | None) -> bool:
    return mine is not None and (inventory.epoch, inventory.claim) == (mine.epoch, mine.claim)


def _overtaken(inventory: Inventory, order: Order, mine: Inventory | None) -> Stamp | None:
    """Who came after us and is not newer: two runs of a commit would take over from each other.

    A rollback that nobody asked for gives way to everybody: it was meant for what failed.
    """
    if _is_mine(inventory, mine):
        return None
    if order.course.automatic:
        return inventory.newest if inventory.epoch != order.course.since else None
    claim = inventory.claim
    if claim is None or mine is None:
        return None
    return claim.stamp if claim.stamp.revision == order.stamp.revision else None


def _superseded(result: Result, order: Order, newer: Stamp, written: Sequence[Outcome]) -> Result:
    ended = "was not deployed any further" if written else "was not deployed"
    notice = f"{newer.revision[:7]} is newer and already deployed; this commit {ended}"
    if newer.revision == order.stamp.revision:
        notice = "another run of this commit has taken over: how that one ends is what counts"
    if order.course.automatic:
        notice = f"a deploy of {newer.revision[:7]} came in between: nothing is rolled back over it"
    return replace(
        result,
        notices=(notice,),
        written=executions.views(written),
        verdict=Verdict.SUPERSEDED,
    )


def _refused(result: Result, refusals: tuple[Refusal, ...], written: Sequence[Outcome]) -> Result:
    verdict = Verdict.PARTIAL if executions.may_stand(written) else Verdict.REFUSED
    return replace(result, refusals=refusals, written=executions.views(written), verdict=verdict)


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


def _shown(result: Result, plan: Plan, target: Target, prepared: Prepared) -> Result:
    course = reviews.order_of(plan, prepared, target)
    return replace(
        result,
        plans=(reviews.view(plan, target.name, prepared.places, course),),
        dangers=reviews.dangers(plan),
        notices=(*result.notices, *reviews.plan_notices(plan)),
    )


def _announcement(plan: Plan, target: str) -> str:
    changes = f"changes: {len(plan.changes)}" if plan.changes else "nothing to change"
    return f"{target}: {changes}, as wanted: {len(plan.unchanged)}"


def _holding(result: Result, order: Order) -> Result:
    if not (order.course.rollback and order.held):
        return result
    held = f"{order.held[:7]} is held: a newer commit, or `deploy --release`, lifts that"
    return replace(result, notices=(*result.notices, held))


def _finished(result: Result, execution: Execution, written: Sequence[Outcome]) -> Result:
    rollout = execution.rollout
    result = replace(result, written=executions.views(written), rollout=rollout)
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
