"""Where a failed deploy goes back to, and which changes on that way may be made unasked.

Nobody has looked at such a rollback before it is made. So it undoes what deploys have changed since
the last good one and leaves what anybody else did; it starts nothing that runs to an end (a
migration back is not the migration forth run once more), and it takes away nothing that holds data
or that others may have come to use.
"""

import shlex
from dataclasses import replace

from pipeline_gitops import hints, plans
from pipeline_gitops.errors import Fault, RefusedFault, Verdict, worst
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.pipeline.watching import rollouts
from pipeline_gitops.plans import Change, Plan, State
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, FaultView, LeftView, Result, RollbackView

# Whatever happens to them, it is more than a change of what was written.
_NEVER = {
    ("batch", "Job"): "a Job runs once",
    ("", "PersistentVolumeClaim"): "it holds data",
    ("", "PersistentVolume"): "it holds data",
    ("", "Namespace"): "it holds other objects",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "objects of its kind may need it so",
}
_ALL_SAID = frozenset({State.DONE.value, State.SKIPPED.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A rollback to make: to *revision* ("" = there is none), from *leaving*.

    *since*: the epoch of the deploy that failed; whoever claims after it goes first.
    """

    revision: str
    leaving: str
    since: int


def goal(failed: Stamp, result: Result, inventory: Inventory, epoch: int) -> Goal | None:
    """What a deploy that ended so has to go back to; None where nothing follows.

    *inventory*: as that deploy found it. *epoch*: of its claim, or of the inventory without one.
    """
    claim = inventory.claim
    is_held = any(refusal.rule == "held" for refusal in result.refusals)
    if is_held and claim is not None and claim.automatic:
        # Its run was killed: this one is called to finish what it began, and may.
        return Goal(revision=claim.stamp.revision, leaving=inventory.held, since=inventory.epoch)
    if not _runs_badly(result):
        return None
    good = inventory.good.revision if inventory.good else ""
    return Goal(revision=good, leaving=failed.revision, since=epoch)


def _runs_badly(result: Result) -> bool:
    """Whether a deploy ended because of what does not run, and of nothing else."""
    if result.fault or result.rollout is None or rollouts.healthy(result.rollout):
        return False
    if result.verdict is Verdict.UNHEALTHY:
        return True
    # A wave or a hook did not get well, so that the rest was not sent.
    states = {written.state for written in result.written}
    return result.verdict is Verdict.PARTIAL and states <= _ALL_SAID


def obstacle(goal: Goal, environment: str, *, committed: bool) -> Fault | None:
    """Why there is nothing to go back to. *committed*: what failed was that commit, and no more."""
    if not goal.revision:
        return RefusedFault(
            f"no deploy of {environment} is recorded after which everything ran: "
            "there is nothing to go back to",
            "push a fix: the first deploy after which everything runs is recorded",
        )
    if committed and goal.revision == goal.leaving:
        return RefusedFault(
            f"{goal.revision[:7]} is the last good revision itself: it ran before, "
            "so what stops it now is not in the commit",
            "remove the cause that is named above, then deploy it again: "
            f"pipeline-gitops deploy --environment {shlex.quote(environment)}",
        )
    return None


# -- what may be changed ---------------------------------------------------------------------------


def limited(plan: Plan, inventory: Inventory) -> tuple[Plan, tuple[LeftView, ...]]:
    """The part of a plan that may be carried out unasked, and why the rest is left."""
    reasons = {change.id: _reason(change, inventory) for change in plan.changes}
    made = tuple(change for change in plan.changes if not reasons[change.id])
    ids = {change.id for change in made}
    left = tuple(
        LeftView(id=change.id, action=change.action, why=reasons[change.id])
        for change in plan.changes
        if change.id not in ids
    )
    refusals = tuple(change.sight.refusal for change in made if change.sight.refusal)
    return replace(plan, changes=made, leftovers=(), refusals=refusals), left


def _reason(change: Change, inventory: Inventory) -> str:
    """Why a change is not made; "" where it is."""
    if plans.hook_of(change) or _was_hook(change):
        return "hooks do not run in a rollback that nobody asked for"
    if change.id.group_kind in _NEVER:
        return _NEVER[change.id.group_kind]
    if change.id not in inventory.changed:
        return "no deploy has changed it since: somebody else did"
    return _why_kept(change, inventory) if change.action is Action.DELETE else ""


def _was_hook(change: Change) -> bool:
    before = change.sight.before
    return before is not None and hints.of(before).hook is not None


def _why_kept(change: Change, inventory: Inventory) -> str:
    if change.id not in inventory.created:
        return "it was there before"
    if change.sight.before is not None and hints.of(change.sight.before).keep:
        return "it is annotated to be kept"
    if plans.is_dangerous(change):
        return "it takes more along than itself"
    return ""


def watched(set_: ManifestSet, left: tuple[LeftView, ...]) -> ManifestSet:
    """What has to run after the rollback: what it left is not of that revision."""
    others: frozenset[ObjectId] = frozenset(view.id for view in left)
    kept = tuple(manifest for manifest in set_.manifests if manifest.id not in others)
    return replace(set_, manifests=kept)


# -- what is told of it ----------------------------------------------------------------------------


def told(result: Result, rollback: RollbackView) -> Result:
    """A deploy's result, with what came of its rollback. The failure stays what it is."""
    after = rollback.result.verdict
    if result.verdict is Verdict.REFUSED:  # only finished what another run began
        return replace(result, rollback=rollback, verdict=worst([result.verdict, after]))
    ended = after if after in (Verdict.INTERRUPTED, Verdict.TERMINATED) else result.verdict
    return replace(result, rollback=rollback, verdict=ended)


def impossible(revision: str, result: Result, fault: Fault) -> RollbackView:
    """What is told where it was not even tried. *revision* "": there is nothing to go back to."""
    said = FaultView(message=fault.what, cure=fault.cure, verdict=fault.verdict)
    ended = Result(
        environment=result.environment, target=result.target, fault=said, verdict=fault.verdict
    )
    return RollbackView(revision=revision, result=ended)
