"""Fields that leave the manifest because somebody else sets them from now on.

A field that we own alone goes with the apply that does not have it, and comes back with its
default: `replicas` taken out for an autoscaler would scale to 1. So another manager of ours owns it
first, with the value that it has; whoever sets it next takes it from there
(https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership).
"""

from collections.abc import Sequence

from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.plans import FieldOwner
from pipeline_gitops.targets.cluster.fields import fieldsets, owners
from pipeline_gitops.targets.cluster.fields.fieldsets import FieldSet
from pipeline_gitops.targets.cluster.fields.owners import Dispute

HANDED = "handed over"


def handed(released: FieldSet, dispute: Dispute) -> FieldSet:
    """Which of the fields that would go are somebody else's from now on."""
    live = dispute.live
    return frozenset(
        path
        for path in released
        if _is_left(fieldsets.said(path), dispute)
        and fieldsets.has(live, path)
        and fieldsets.resolve(fieldsets.said(path), live) == path  # the plan names it by its text
        # With an item of a list that goes, all of it goes.
        and not any(path[:length] in released for length in range(1, len(path)))
    )


def _is_left(words: str, dispute: Dispute) -> bool:
    for rule in dispute.rules:
        # A rule for whatever a manager owns says nothing about a field that it does not own yet.
        if "*" not in rule.fields and owners.is_about(rule, dispute.id, words):
            return rule.decision == "leave"
    return words == owners.REPLICAS and dispute.is_scaled()


def described(paths: FieldSet, live: Body) -> tuple[FieldOwner, ...]:
    """The fields that are handed over, as a plan shows them."""
    return tuple(
        FieldOwner(
            path=fieldsets.said(path),
            owner=owners.HANDOVER,
            decision=HANDED,
            theirs=owners.shown(live, path),
        )
        for path in sorted(paths)
    )


def notes(dropped: FieldSet, after: Body) -> tuple[str, ...]:
    """What a plan says of replicas that nobody sets any more."""
    if not any(fieldsets.said(path) == owners.REPLICAS for path in dropped):
        return ()
    return (
        "replicas left the manifest and no autoscaler targets it: back to the default, "
        f"{at(after, 'spec', 'replicas')}",
    )


def body(live: Body, handed: Sequence[FieldOwner]) -> Body:
    """What the hand-over manager applies: those fields with the values that they have."""
    made: Body = {
        "apiVersion": text(live, "apiVersion"),
        "kind": text(live, "kind"),
        "metadata": {
            key: value for key in ("name", "namespace") if (value := text(live, "metadata", key))
        },
    }
    for owner in handed:
        path = fieldsets.resolve(owner.path, live)
        if path:
            made = fieldsets.put(made, path, fieldsets.value(live, path))
    return made
