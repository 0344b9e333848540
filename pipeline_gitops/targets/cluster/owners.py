"""Who else owns a field that we want to set, and what follows from it.

A conflict is decided per field, by its owner: taken from people and from the tools that applied
before us, left where an autoscaler sets it, refused otherwise.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from pipeline_gitops.documents import Body, Json, at, bodies, mapping, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.plans import FieldOwner
from pipeline_gitops.targets.cluster.statuses import Cause
from pipeline_gitops.views import Refusal

TAKEN, LEFT, REFUSED = "taken", "left", "refused"

REPLICAS = ".spec.replicas"

# The field managers of people at a keyboard, and of what applied before server-side apply did
# (https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply).
_TAKEN = re.compile(
    r"kubectl(-.*)?|oc|helm|before-first-apply|k9s|lens|freelens|headlamp|dashboard|Mozilla",
    re.IGNORECASE,
)
# The server's words: conflict with "N" with subresource "scale" using apps/v1 at TIME
_CONFLICT = re.compile(
    r'conflict with "(?P<manager>(?:[^"\\]|\\.)*)"'
    r'(?: with subresource "(?P<subresource>[^"]*)")?'
    r"(?P<updated> using \S+)?(?: at (?P<time>\S+))?"
)


def decide(
    conflicts: Iterable[Cause], live: Body, is_scaled: Callable[[], bool]
) -> tuple[FieldOwner, ...]:
    """A decision for each conflict. *is_scaled*: whether an autoscaler sets the replicas."""
    decided = []
    for conflict in conflicts:
        found = _CONFLICT.search(conflict.message)
        manager = found["manager"] if found else "somebody else"
        if conflict.field == REPLICAS and is_scaled():
            decision = LEFT
        elif _TAKEN.fullmatch(manager):
            decision = TAKEN
        else:
            decision = REFUSED
        since = (found["time"] or _since(live, found)) if found else ""
        decided.append(
            FieldOwner(path=conflict.field, owner=manager, since=since, decision=decision)
        )
    return tuple(sorted(set(decided), key=lambda owner: (owner.path, owner.owner)))


def _since(live: Body, found: re.Match[str]) -> str:
    """When the owner last wrote; "" where the server does not keep it, as for `scale`."""
    operation = "Update" if found["updated"] else "Apply"
    times = [
        text(entry, "time")
        for entry in bodies(live, "metadata", "managedFields")
        if text(entry, "manager") == found["manager"]
        and text(entry, "operation") == operation
        and text(entry, "subresource") == (found["subresource"] or "")
    ]
    return max(times, default="")


def refusal(id: ObjectId, owners: Sequence[FieldOwner]) -> Refusal | None:
    """Why we will not write, if a field is neither to be taken nor to be left."""
    refused = [owner for owner in owners if owner.decision == REFUSED]
    if not refused:
        return None
    listed = "; ".join(
        f"{owner.path} is set by {owner.owner}" + (f" since {owner.since}" if owner.since else "")
        for owner in refused
    )
    return Refusal(
        rule="field-conflict",
        message=f"{id}: {listed}",
        cure="leave these fields out of the manifest, or stop the other one from setting them",
        id=id,
    )


def is_taking(owners: Iterable[FieldOwner]) -> bool:
    """Whether the write has to be forced."""
    return any(owner.decision == TAKEN for owner in owners)


def without_left(body: Body, owners: Iterable[FieldOwner]) -> Body:
    """What to send so that a field that is left to its owner stays as it is."""
    if all(owner.decision != LEFT for owner in owners):
        return body
    spec = {key: value for key, value in mapping(body, "spec").items() if key != "replicas"}
    return {**body, "spec": spec}


def targets(autoscaler: Body, id: ObjectId) -> bool:
    """Whether a HorizontalPodAutoscaler scales that workload."""
    reference: Json = at(autoscaler, "spec", "scaleTargetRef")
    group = text(reference, "apiVersion").rpartition("/")[0]
    return (group, text(reference, "kind"), text(reference, "name")) == (
        id.group,
        id.kind,
        id.name,
    )
