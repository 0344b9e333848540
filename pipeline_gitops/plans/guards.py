"""What a plan may not do without somebody saying so.

Mass deletion by accident (an emptied overlay, a renamed path) and deletions that take data or other
people's objects along are refused unless they were confirmed; what lies outside of the
environment's scope is refused whoever confirms. Refused means before any write.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from pipeline_gitops.config import Policy, Scope
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.plans.changes import Change, Plan
from pipeline_gitops.values import dataclass
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
# Created anew, these are empty.
_HOLDING = frozenset({"PersistentVolume", "PersistentVolumeClaim"})
FLOOR = 3  # a percentage of a small inventory never allows less than this

_CONFIRM = (
    "confirm it: --confirm-deletes, the merge-request label pipeline-gitops/confirm-deletes, "
    "or a commit trailer 'Confirm-Deletes: {environment}'"
)
_NAMESPACE = ("", "Namespace")


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
    kinds: Kinds | None = None,
) -> tuple[Refusal, ...]:
    """Refusals of a plan that leaves its scope, or deletes too much without a confirmation.

    *members*: objects in the inventory before; *wanted*: objects that the environment renders;
    *kinds*: which kinds live in namespaces, where the identities alone do not tell.
    """
    outside = tuple(_outside(plan, policy.scope, kinds or Kinds()))
    if confirmation:
        return outside
    cure = _CONFIRM.format(environment=environment)
    return (*outside, *_deletions(plan, policy, members, wanted, cure))


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What somebody said who wants to destroy an environment."""

    confirmed: str = ""  # the environment's name once more
    takes_more: bool = False  # what takes more than itself along, too
    protected: bool = False  # a protected environment, too


def guard_destruction(
    plan: Plan, policy: Policy, *, environment: str, protected: bool, intent: Intent
) -> tuple[Refusal, ...]:
    """Refusals of a plan that deletes all that an environment owns."""
    return (
        *_outside(plan, policy.scope, Kinds()),
        *_unconfirmed(len(plan.changes), environment, protected, intent),
        *(() if intent.takes_more else _dangers(plan, "confirm it with --confirm-deletes")),
        *_blind(plan),
    )


def _unconfirmed(
    count: int, environment: str, protected: bool, intent: Intent
) -> Iterator[Refusal]:
    if protected and not intent.protected:
        yield Refusal(
            rule="protected",
            message=f"environment {environment} is protected",
            cure="say --protected as well, if it is meant",
        )
    if intent.confirmed != environment:
        said = f", not {intent.confirmed}" if intent.confirmed else ""
        yield Refusal(
            rule="not-confirmed",
            message=f"{count} objects of environment {environment}{said} would be deleted",
            cure=f"confirm it with --confirm {environment}",
        )


def _blind(plan: Plan) -> Iterator[Refusal]:
    if plan.blind:
        yield Refusal(
            rule="blind",
            message=f"{', '.join(plan.blind)} cannot be read at the moment: "
            "what is there of it would be left and forgotten",
            cure="see whether its API service is available: kubectl get apiservices",
        )


# -- deletions -------------------------------------------------------------------------------------


def _deletions(
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
    yield from _dangers(plan, cure)


def _dangers(plan: Plan, cure: str) -> Iterator[Refusal]:
    for change in plan.changes:
        if is_dangerous(change):
            yield Refusal(
                rule="dangerous-delete",
                message=f"{change.id} would be deleted, and with it what it holds",
                cure=cure,
                id=change.id,
            )


def is_dangerous(change: Change) -> bool:
    """Whether a change deletes something that takes more than itself along."""
    if change.action is Action.REPLACE:
        return change.id.kind in _HOLDING
    return change.action is Action.DELETE and change.id.kind in DANGEROUS


# -- scope -----------------------------------------------------------------------------------------


def _outside(plan: Plan, scope: Scope, kinds: Kinds) -> Iterator[Refusal]:
    for change in plan.changes:
        lacking = _lacking(change.id, scope, kinds)
        if lacking:
            yield Refusal(
                rule="out-of-scope",
                message=f"{change.id} is outside of what this environment may write",
                cure=f"{lacking}, or take the object out of the environment",
                id=change.id,
            )


def _lacking(id: ObjectId, scope: Scope, kinds: Kinds) -> str:
    """What an object's scope lacks for it to be written; "" for nothing."""
    kind = kinds.get(*id.group_kind)
    namespaced = bool(id.namespace) or (kind is not None and kind.namespaced)
    if namespaced:
        if _allows(scope.namespaces, id.namespace):
            return ""
        named = id.namespace or "the namespace that metadata.namespace should name"
        return f"add {named} to policy.scope.namespaces"
    # A namespace is entered by its name as well: who may create any could take over any.
    if id.group_kind == _NAMESPACE and not _allows(scope.namespaces, id.name):
        return f"add {id.name} to policy.scope.namespaces"
    kinds_allowed = scope.cluster_kinds
    full = f"{id.kind}.{id.group}" if id.group else id.kind
    if kinds_allowed is None or {id.kind, full} & set(kinds_allowed):
        return ""
    return f"add {full} to policy.scope.clusterKinds"


def _allows(patterns: tuple[str, ...] | None, name: str) -> bool:
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
