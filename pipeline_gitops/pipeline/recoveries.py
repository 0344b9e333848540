"""A deploy that goes back by itself where it does not run: both are deploys, told in one result.

    deploy -> does not run -> render the last good revision -> deploy what changed since -> hold

The way back has time of its own: the deploy that failed may have used up all of its own.
"""

from collections.abc import Callable
from dataclasses import replace

from pipeline_gitops.errors import Fault
from pipeline_gitops.pipeline import deploys, rollbacks, successions
from pipeline_gitops.pipeline.deploys import Ended
from pipeline_gitops.pipeline.executions import Course, Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.pipeline.rollbacks import Goal
from pipeline_gitops.pipeline.successions import Compare
from pipeline_gitops.plans import Confirmation
from pipeline_gitops.ports import Clock, Journal, Repository, Target
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Result, RollbackView, Severity

# What is deleted was created since, and takes nothing else along: nobody has to be asked for it.
_BY_ITSELF = Confirmation(by="rollback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An older revision, rendered for where the environment goes today. *deadline*: of the way
    back, on the clock's elapsed seconds."""

    prepared: Prepared
    target: Target
    deadline: float


Prepare = Callable[[str], Ready]  # by revision; raises Fault where it cannot be had


def deploy(
    order: Order,
    target: Target,
    *,
    repository: Repository,
    clock: Clock,
    journal: Journal,
    compare: Compare = successions.unknown,
    prepare: Prepare | None = None,
) -> Result:
    """Deploys, and where that does not run, goes back. *prepare* None: it stays as it is."""

    def run(order: Order, target: Target) -> Ended:
        return deploys.run(
            order, target, repository=repository, clock=clock, journal=journal, compare=compare
        )

    ended = run(order, target)
    if prepare is None or ended.inventory is None:
        return ended.result
    goal = rollbacks.goal(order.stamp, ended.result, ended.inventory, ended.epoch)
    if goal is None:
        return ended.result
    began = clock.elapsed()
    view = _back(goal, order, ended.result, run, prepare, journal)
    view = replace(view, seconds=round(clock.elapsed() - began, 1))
    return rollbacks.told(ended.result, view)


def _back(
    goal: Goal,
    order: Order,
    failed: Result,
    run: Callable[[Order, Target], Ended],
    prepare: Prepare,
    journal: Journal,
) -> RollbackView:
    fault = rollbacks.obstacle(goal, failed.environment, committed=order.committed)
    if fault:
        return rollbacks.impossible("", failed, fault)
    journal.say(
        f"{failed.environment} does not run: rolling back to {goal.revision[:7]}", Severity.WARNING
    )
    try:
        ready = prepare(goal.revision)
    except Fault as error:
        return rollbacks.impossible(goal.revision, failed, error)
    ended = run(_order(goal, order, ready), ready.target)
    return RollbackView(
        revision=goal.revision, result=ended.result, held=ended.held, left=ended.left
    )


def _order(goal: Goal, failed: Order, ready: Ready) -> Order:
    return Order(
        prepared=ready.prepared,
        stamp=replace(failed.stamp, revision=goal.revision),
        confirmation=_BY_ITSELF,
        wait=True,
        deadline=ready.deadline,
        course=Course(rollback=True, since=goal.since),
        leaving=goal.leaving,
    )
