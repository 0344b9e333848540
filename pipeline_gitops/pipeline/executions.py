"""How a plan is carried out: claimed, written wave by wave, watched, pruned, settled.

Hooks run before and after the rest. A deploy that stops says of every write that it did not try.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import field, replace
from itertools import chain

from pipeline_gitops import inventories, plans
from pipeline_gitops.errors import Fault
from pipeline_gitops.hints import HookDelete, HookPhase
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Receipt, Stamp
from pipeline_gitops.manifests import vanishes
from pipeline_gitops.pipeline.merge_requests.inquiries import Look
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.pipeline.watching import cards, rollouts
from pipeline_gitops.pipeline.watching.waits import Waits
from pipeline_gitops.plans import (
    Change,
    Confirmation,
    Outcome,
    Plan,
    Schedule,
    Sight,
    State,
    Survey,
    Wave,
)
from pipeline_gitops.ports import Clock, Journal, Stale, Target, Writing
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, CardView, Health, HealthView, RolloutView, WrittenView

# Which deletion policy of a hook applies to how it ended.
_ENDED = {Health.CURRENT: HookDelete.SUCCEEDED, Health.FAILED: HookDelete.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Which order between deploys is wanted, where it is not simply forwards."""

    allow_diverged: bool = False  # also where nothing tells which deploy is newer
    release: bool = False  # also what a rollback holds
    rollback: bool = False  # backwards, and hold what is left
    since: int = 0  # of a rollback that nobody asked for: the epoch of the deploy that failed

    @property
    def automatic(self) -> bool:
        """Whether a failed deploy began it: only what changed since the last good one is undone."""
        return self.since > 0


FORWARDS = Course()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to deploy, and under which conditions."""

    prepared: Prepared
    stamp: Stamp
    confirmation: Confirmation = Confirmation()
    wait: bool = True
    deadline: float = 0.0  # on the clock's elapsed seconds
    course: Course = FORWARDS
    leaving: str = ""  # the revision that a rollback found
    held: str = ""  # the revision that is held from this deploy on
    look: Look | None = field(default=None, repr=False)  # what was reviewed; None: not held to it
    committed: bool = True  # the commit is all of it: what runs now can be made of it again
    ran: Mapping[ObjectId, bool] = field(default_factory=dict)  # hooks so far; whether still there
    touched: frozenset[ObjectId] = frozenset()  # what earlier attempts of this deploy have written


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of a plan: writes, health, and what cut it short, if anything."""

    outcomes: tuple[Outcome, ...] = ()
    rollout: RolloutView | None = None
    fault: Fault | None = None
    stale: bool = False  # all is written, but the target moved before it was recorded
    owes: bool = False  # something did not run that hooks wait for: they still have to run
    epoch: int = 0  # of its claim; 0 = it needed none
    cards: tuple[CardView, ...] = ()  # of hooks that were deleted since they failed


def execute(
    order: Order, target: Target, plan: Plan, survey: Survey, clock: Clock, journal: Journal
) -> Execution:
    """Claim, write, watch, prune, settle. Raises Stale where nothing was written for a race."""
    if not plan.changes and _is_recorded(survey, order):
        # Whether it runs is still a question: green means running.
        waits = _waits(order, target, survey, plan, clock, journal)
        rollout = waits.rollout(()) if order.wait else None
        if not _is_good(order, rollout) or survey.inventory.good == order.stamp:
            return Execution(rollout=rollout)
        # It was not well when it was written, and is now: that is worth two writes.
    claim = claimed(order, plan, survey.inventory)
    with target.claim(claim) as writing:
        execution = _Run(order, target, plan, survey, writing, clock, journal).execution()
        execution = replace(execution, epoch=claim.epoch)
        if execution.fault or execution.owes or not all_done(execution.outcomes):
            return execution  # the claim stays: it names everything that may have been written
        try:
            writing.settle(_settled(claim, order, plan, survey, execution))
        except (Fault, Stale) as error:
            if target.runtime is None:
                raise  # a branch is pushed when it settles, so nothing is written yet
            if isinstance(error, Stale):
                return replace(execution, stale=True)
            return replace(execution, fault=error)
    return execution


def claimed(order: Order, plan: Plan, inventory: Inventory) -> Inventory:
    """The inventory as this order claims it."""
    return inventories.claimed(
        inventory,
        order.stamp,
        plan.ids,
        held=order.held,
        created=[change.id for change in plan.changes if change.action is Action.CREATE],
        automatic=order.course.automatic,
    )


def _is_good(order: Order, rollout: RolloutView | None) -> bool:
    """Whether a later deploy can go back to this one: all of it ran, and a commit has all of it."""
    return order.committed and rollout is not None and rollouts.healthy(rollout)


def _is_recorded(survey: Survey, order: Order) -> bool:
    inventory = survey.inventory
    nothing_to_forget = not survey.gone and inventory.claim is None
    return nothing_to_forget and (inventory.stamp, inventory.held) == (order.stamp, order.held)


def _waits(
    order: Order, target: Target, survey: Survey, plan: Plan, clock: Clock, journal: Journal
) -> Waits:
    return Waits(
        order.prepared,
        target.runtime,
        survey,
        plan,
        deadline=order.deadline,
        clock=clock,
        journal=journal,
        ran=order.ran,
        touched=order.touched,
    )


class _Halted(Exception):
    """The deploy goes no further. *why* "": the outcomes say it."""

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why


class _Run:
    """Carries out one plan, up to the first thing that was not done, or does not run."""

    def __init__(
        self,
        order: Order,
        target: Target,
        plan: Plan,
        survey: Survey,
        writing: Writing,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._order = order
        self._plan = plan
        self._writing = writing
        self._clock = clock
        self._journal = journal
        self._waits = _waits(order, target, survey, plan, clock, journal)
        self._runtime = target.runtime
        self._leftovers = {change.id: change for change in plan.leftovers}
        self._outcomes: list[Outcome] = []
        self._cards: list[CardView] = []
        self._schedule = Schedule()
        self._owes = False

    def execution(self) -> Execution:
        """What came of it. A fault ends it, and is part of it."""
        fault: Fault | None = None
        rollout: RolloutView | None = None
        try:
            self._schedule = self._scheduled()
            rollout = self._carry_out()
        except _Halted as halted:
            if halted.why:
                self._owes = True
                self._skip(halted.why)
                rollout = self._waits.seen()
            self._lament()
        except Fault as error:
            fault = error
        return Execution(
            outcomes=tuple(self._outcomes),
            rollout=rollout,
            fault=fault,
            owes=self._owes,
            cards=tuple(self._cards),
        )

    def _scheduled(self) -> Schedule:
        if self._runtime is not None:
            return plans.schedule(self._plan, self._order.prepared.set)
        # Where nothing runs, order and hooks are up to whoever applies the files.
        writes = [change for change in self._plan.changes if change.action is not Action.DELETE]
        deletes = [change for change in self._plan.changes if change.action is Action.DELETE]
        return Schedule(main=_one(writes), last=_one(deletes))

    def _carry_out(self) -> RolloutView | None:
        schedule = self._schedule
        self._hooks(schedule.before, HookPhase.BEFORE)
        for wave in schedule.first:
            self._apply(wave.changes)
            self._until_gone(wave.ids)
        for wave in schedule.main:
            self._send(wave)
        if self._order.wait:
            rollout = self._waits.rollout(self._with_hooks())
            if rollout and not rollouts.healthy(rollout):
                self._owes = bool(schedule.after)
                self._lament()
                return rollout
            self._hooks(schedule.after, HookPhase.AFTER)
            self._tidy(schedule.main)
        elif schedule.after:
            self._journal.say("hooks of after the deploy do not run: nobody waits until it runs")
        for wave in schedule.last:
            self._apply(wave.changes)
        return self._waits.seen() if self._order.wait else None

    # -- writes ------------------------------------------------------------------------------------

    def _send(self, wave: Wave) -> None:
        if wave.needs:
            self._need(wave.needs)
        leftovers = [self._leftovers[id] for id in sorted(wave.ids) if id in self._leftovers]
        if leftovers:
            self._apply(leftovers)
            self._until_gone(frozenset(change.id for change in leftovers))
        self._apply(wave.changes)

    def _apply(self, changes: Sequence[Change]) -> None:
        """Keeps the outcomes one by one: what is written stays known, whatever ends the wave."""
        self._clock.sleep(0)  # no new wave once we were asked to stop
        sent = {change.id: change for change in changes}
        with closing(self._writing.apply(changes)) as stream:
            for outcome in stream:
                self._outcomes.append(outcome)
                if outcome.id in sent:  # not so the namespace that the claim needed
                    self._waits.wrote(sent[outcome.id], outcome)
                said = f"{outcome.action.value} {outcome.id}: {_said(outcome)}"
                self._journal.say(said)
        if not all_done(self._outcomes):
            raise _Halted

    def _skip(self, why: str) -> None:
        """Says of every write that was not tried that it was not, and why."""
        if not why:
            return
        tried = {outcome.id for outcome in self._outcomes}
        schedule = self._schedule
        for wave in (*schedule.before, *schedule.main, *schedule.after):
            for change in wave.changes:
                if change.id not in tried:
                    self._outcomes.append(
                        Outcome(
                            id=change.id,
                            action=change.action,
                            state=State.SKIPPED,
                            message=f"not sent: {why}",
                        )
                    )

    # -- waits -------------------------------------------------------------------------------------

    def _need(self, ids: Iterable[ObjectId]) -> None:
        """Waits until all of them run; the deploy ends where one does not."""
        views = self._waits.until_healthy(ids)
        sick = [view for view in views if view.health is not Health.CURRENT]
        if sick:
            raise _Halted(f"{sick[0].id}: {sick[0].sentence or sick[0].health.value}")

    def _until_gone(self, ids: frozenset[ObjectId]) -> None:
        left = self._waits.until_gone(ids)
        if left:
            held = left[0]
            raise _Halted(f"{held.id} was deleted, and is still there: {held.sentence}")

    # -- hooks -------------------------------------------------------------------------------------

    def _hooks(self, waves: Sequence[Wave], phase: HookPhase) -> None:
        """Runs the hooks of one phase, and waits for them, those of an earlier attempt as well."""
        for wave in waves:
            self._send(wave)
        ids = _ids(waves) | self._waits.ran(phase)
        if not ids:
            return
        try:
            self._need(ids)
        except _Halted:
            self._tidy(waves)
            raise
        self._tidy(waves)

    def _with_hooks(self) -> frozenset[ObjectId]:
        """Hooks that run with the rest of the set, and are watched with it."""
        sent = _ids(self._schedule.main) & frozenset(self._waits.hooks)
        return sent | self._waits.ran(HookPhase.WITH)

    def _tidy(self, waves: Sequence[Wave]) -> None:
        """Deletes hooks that ended, as their policies say; of failed ones the evidence is kept."""
        seen = self._waits.seen()
        hooks = self._waits.hooks
        ended = [
            view
            for view in (seen.objects if seen else ())
            if view.id in _ids(waves)
            and view.id in hooks
            and _ENDED.get(view.health) in hooks[view.id].delete
        ]
        self._keep_evidence(view for view in ended if view.health is Health.FAILED)
        live = self._waits.live(frozenset(view.id for view in ended))
        if live:
            self._apply([Change(Sight(id=id, before=live[id])) for id in sorted(live)])

    def _keep_evidence(self, views: Iterable[HealthView]) -> None:
        failed = RolloutView(objects=tuple(views))
        if self._runtime is not None and failed.objects:
            background = self._waits.background
            self._cards += cards.cards(self._runtime, failed, background, self._journal)

    def _lament(self) -> None:
        """Runs the hooks of a failed deploy, unless it is only looked at again."""
        stale = any(outcome.state is State.STALE for outcome in self._outcomes)
        if stale or not self._schedule.failed:
            return
        try:
            self._hooks(self._schedule.failed, HookPhase.FAILED)
        except _Halted as halted:
            self._journal.say(f"a hook of the failed deploy did not run: {halted.why}")


def _ids(waves: Iterable[Wave]) -> frozenset[ObjectId]:
    return frozenset(chain.from_iterable(wave.ids for wave in waves))


def _one(changes: Sequence[Change]) -> tuple[Wave, ...]:
    return (Wave(changes=tuple(changes)),) if changes else ()


def _settled(
    claimed: Inventory, order: Order, plan: Plan, survey: Survey, execution: Execution
) -> Inventory:
    last = {outcome.id: outcome.action for outcome in execution.outcomes}
    deleted = {id for id, action in last.items() if action is Action.DELETE}
    # Hooks of a phase that did not come, and that no earlier deploy left behind.
    left = {change.id for change in plan.leftovers}
    untried = {id for id in plan.ids if id not in last and id not in left}
    untried -= {change.id for change in plan.changes if change.action is Action.DELETE}
    return inventories.settled(
        claimed,
        order.stamp,
        receipts=_receipts(order, survey, execution),
        gone=frozenset(deleted | untried) | survey.gone,
        good=_is_good(order, execution.rollout),
        finished=frozenset(id for id in _complete(survey, execution) if _vanishes(order, id)),
    )


def _receipts(order: Order, survey: Survey, execution: Execution) -> Mapping[ObjectId, Receipt]:
    """What the target learnt. A Job that its TTL deletes has a receipt only once it is complete.

    So that it is gone later says that it is done, and not that it has to run again.
    """
    written = {outcome.id: outcome.receipt for outcome in execution.outcomes}
    receipts = {**dict(survey.receipts), **written}
    complete = _complete(survey, execution)
    return {
        id: receipt if id in complete or not _vanishes(order, id) else Receipt("")
        for id, receipt in receipts.items()
    }


def _complete(survey: Survey, execution: Execution) -> frozenset[ObjectId]:
    """What was seen to be well, or was complete before."""
    views = execution.rollout.objects if execution.rollout else ()
    return survey.completed | {view.id for view in views if view.health is Health.CURRENT}


def _vanishes(order: Order, id: ObjectId) -> bool:
    manifest = order.prepared.set.get(id) if id.kind == "Job" else None
    return manifest is not None and vanishes(manifest.body)


def ran(written: Iterable[Outcome]) -> Mapping[ObjectId, bool]:
    """What was created so far, and whether it is still there."""
    made: dict[ObjectId, bool] = {}
    for outcome in written:
        if outcome.state is not State.DONE:
            continue
        if outcome.action is Action.CREATE:
            made[outcome.id] = True
        elif outcome.id in made:
            made[outcome.id] = outcome.action is not Action.DELETE
    return made


def all_done(outcomes: Iterable[Outcome]) -> bool:
    """Whether every write has happened."""
    return all(outcome.state is State.DONE for outcome in outcomes)


def views(outcomes: Iterable[Outcome]) -> tuple[WrittenView, ...]:
    """What may be said of what was written."""
    return tuple(
        WrittenView(
            id=outcome.id,
            action=outcome.action,
            state=outcome.state.value,
            message=outcome.message,
        )
        for outcome in outcomes
    )


def may_stand(outcomes: Iterable[Outcome]) -> bool:
    """Whether part of a plan is, or may be, in the target."""
    return any(outcome.state in (State.DONE, State.UNKNOWN) for outcome in outcomes)


def _said(outcome: Outcome) -> str:
    return f"{outcome.state.value}: {outcome.message}" if outcome.message else outcome.state.value
