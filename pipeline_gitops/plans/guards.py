"""What a plan may not do without somebody saying so.

Mass deletion by accident (an emptied overlay, a renamed path) and deletions that take data or other
people's objects along are refused unless they were confirmed; refused means before any write.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_gitops.config import Policy
from pipeline_gitops.plans.changes import Change, Plan
from pipeline_gitops.views import Action, Refusal

# Deleting one of these deletes more than itself: volumes with data, everything in a namespace,
# every instance of a kind.
DANGEROUS = frozenset(
    {
        "CustomResourceDefinition",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "StatefulSet",
    }
)
FLOOR = 3  # a percentage of a small inventory never allows less than this

_CONFIRM = (
    "confirm it: --confirm-deletes, the merge-request label pipeline-gitops/confirm-deletes, "
    "or a commit trailer 'Confirm-Deletes: {environment}'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Whether, and by what, dangerous deletes were confirmed."""

    by: str = ""  # "--confirm-deletes", "label", "trailer"; "" = not

    def __bool__(self) -> bool:
        return bool(self.by)


def allowance(policy: Policy, members: int) -> int:
    """How many deletions pass unconfirmed, of *members* objects in the inventory."""
    deletes = policy.max_deletes
    if deletes.number is not None:
        return deletes.number
    return max(FLOOR, -(-members * deletes.percent // 100))


def guard(
    plan: Plan,
    policy: Policy,
    *,
    environment: str,
    members: int,
    wanted: int,
    confirmation: Confirmation,
) -> tuple[Refusal, ...]:
    """Refusals of a plan that deletes too much; none when it was confirmed.

    *members*: objects in the inventory before; *wanted*: objects that the environment renders.
    """
    if confirmation:
        return ()
    cure = _CONFIRM.format(environment=environment)
    return tuple(_refusals(plan, policy, members, wanted, cure))


def _refusals(
    plan: Plan, policy: Policy, members: int, wanted: int, cure: str
) -> Iterator[Refusal]:
    deletes = [change for change in plan.changes if change.action is Action.DELETE]
    if deletes and not wanted:
        yield Refusal(
            rule="empty-render",
            message=f"nothing was rendered, which would delete all {len(deletes)} objects",
            cure=f"look at the environment's path, or {cure}",
        )
        return
    allowed = allowance(policy, members)
    if len(deletes) > allowed:
        yield Refusal(
            rule="max-deletes",
            message=f"{len(deletes)} of {members} objects would be deleted, {allowed} are allowed",
            cure=f"raise policy.maxDeletes, or {cure}",
        )
    for change in deletes:
        if is_dangerous(change):
            yield Refusal(
                rule="dangerous-delete",
                message=f"{change.id} would be deleted, and with it what it holds",
                cure=cure,
                id=change.id,
            )


def is_dangerous(change: Change) -> bool:
    """Whether a change deletes something that takes more than itself along."""
    return change.action is Action.DELETE and change.id.kind in DANGEROUS
