"""How a plan is carried out: claimed, written wave by wave, watched, pruned, settled."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from pipeline_gitops import inventories, plans
from pipeline_gitops.errors import Fault
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.pipeline import rollouts
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.plans import Change, Confirmation, Outcome, Plan, State, Survey
from pipeline_gitops.ports import Clock, Journal, Target, Writing
from pipeline_gitops.views import Action, RolloutView


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to deploy, and under which conditions."""

    prepared: Prepared
    stamp: Stamp
    confirmation: Confirmation = Confirmation()
    wait: bool = True
    deadline: float = 0.0  # on the clock's elapsed seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What came of a plan: writes, health, and what cut it short, if anything."""

    outcomes: tuple[Outcome, ...] = ()
    rollout: RolloutView | None = None
    fault: Fault | None = None


def execute(
    order: Order, target: Target, plan: Plan, survey: Survey, clock: Clock, journal: Journal
) -> Execution:
    """Claim, write, watch, prune, settle. Raises Stale where claim or settling lost a race."""
    if not plan.changes and _is_recorded(survey, order):
        # Whether it runs is still a question: green means running.
        return Execution(rollout=_rollout(order, target, clock, journal))
    claimed = inventories.claimed(survey.inventory, order.stamp, plan.ids)
    with target.claim(claimed) as writing:
        execution = _write(order, target, plan, writing, clock, journal)
        if execution.fault or not all_done(execution.outcomes):
            return execution  # the claim stays: it names everything that may have been written
        try:
            writing.settle(_settled(claimed, order.stamp, survey, execution.outcomes))
        except Fault as fault:
            if target.runtime is None:
                raise  # a branch is pushed when it settles, so nothing is written yet
            return replace(execution, fault=fault)
    return execution


def _is_recorded(survey: Survey, order: Order) -> bool:
    inventory = survey.inventory
    nothing_to_forget = not survey.gone and inventory.claim is None
    return nothing_to_forget and inventory.stamp == order.stamp


def _write(
    order: Order, target: Target, plan: Plan, writing: Writing, clock: Clock, journal: Journal
) -> Execution:
    """Writes wave by wave up to the first thing that was not done, watches, prunes when healthy."""
    outcomes: list[Outcome] = []
    rollout: RolloutView | None = None
    try:
        for wave in plans.waves(plan):
            _apply(wave, writing, outcomes, clock, journal)
            if not all_done(outcomes):
                return Execution(outcomes=tuple(outcomes))
            _await(wave, order, target, clock, journal)
        rollout = _rollout(order, target, clock, journal)
        if rollout is None or rollouts.healthy(rollout):
            for wave in plans.pruning(plan):
                _apply(wave, writing, outcomes, clock, journal)
                if not all_done(outcomes):
                    break
    except Fault as fault:
        return Execution(outcomes=tuple(outcomes), rollout=rollout, fault=fault)
    return Execution(outcomes=tuple(outcomes), rollout=rollout)


def _apply(
    wave: Sequence[Change],
    writing: Writing,
    outcomes: list[Outcome],
    clock: Clock,
    journal: Journal,
) -> None:
    """Adds the wave's outcomes one by one: what is written stays known, whatever ends the wave."""
    clock.sleep(0)  # no new wave once we were asked to stop
    with closing(writing.apply(wave)) as stream:
        for outcome in stream:
            outcomes.append(outcome)
            journal.say(f"{outcome.action.value} {outcome.id}: {_said(outcome)}")


def _await(
    wave: Sequence[Change], order: Order, target: Target, clock: Clock, journal: Journal
) -> None:
    """Waits for what the next wave cannot be sent without: namespaces and definitions."""
    awaited = [change.id for change in wave if change.id.kind in plans.AWAITED]
    if not awaited or target.runtime is None:
        return
    rollouts.watch(target.runtime, awaited, clock=clock, deadline=order.deadline, journal=journal)


def _rollout(order: Order, target: Target, clock: Clock, journal: Journal) -> RolloutView | None:
    if target.runtime is None or not order.wait:
        return None
    return rollouts.watch(
        target.runtime,
        order.prepared.set.ids,
        clock=clock,
        deadline=order.deadline,
        journal=journal,
    )


def _settled(
    claimed: Inventory, stamp: Stamp, survey: Survey, outcomes: Iterable[Outcome]
) -> Inventory:
    outcomes = tuple(outcomes)
    receipts = {**dict(survey.receipts), **{outcome.id: outcome.receipt for outcome in outcomes}}
    deleted = {outcome.id for outcome in outcomes if outcome.action is Action.DELETE}
    return inventories.settled(
        claimed, stamp, receipts=receipts, gone=frozenset(deleted) | survey.gone
    )


def all_done(outcomes: Iterable[Outcome]) -> bool:
    """Whether every write has happened."""
    return all(outcome.state is State.DONE for outcome in outcomes)


def may_stand(outcomes: Iterable[Outcome]) -> bool:
    """Whether part of a plan is, or may be, in the target."""
    return any(outcome.state in (State.DONE, State.UNKNOWN) for outcome in outcomes)


def _said(outcome: Outcome) -> str:
    return f"{outcome.state.value}: {outcome.message}" if outcome.message else outcome.state.value
