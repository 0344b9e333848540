"""Who else owns a field that we want to set, and what follows from it.

A conflict is decided per field, by its owner: taken from people and from the tools that applied
before us, left where a controller sets it, refused otherwise. The environment's own rules
(`policy.fieldOwners`) come first.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline_gitops.config import FieldRule
from pipeline_gitops.documents import Body, at, mapping, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import is_secret
from pipeline_gitops.patterns import pattern
from pipeline_gitops.plans import FieldOwner
from pipeline_gitops.targets.cluster.api.statuses import Cause
from pipeline_gitops.targets.cluster.fields import fieldsets
from pipeline_gitops.targets.cluster.fields.fieldsets import APPLY, UPDATE, Path
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import FieldConflict, Refusal

TAKEN, LEFT, REFUSED = "taken", "left", "refused"

REPLICAS = ".spec.replicas"
HANDOVER = "pipeline-gitops-handover"  # keeps a field until its next owner takes it

LONGEST = 60  # of a value in a message

# The field managers of people at a keyboard, and of what applied before server-side apply did
# (https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply).
_TAKEN = pattern(
    rf"kubectl(-.*)?|oc|helm|before-first-apply|{HANDOVER}"
    "|k9s|lens|freelens|headlamp|dashboard|Mozilla",
    re.IGNORECASE,
)
# Certificates that a controller fills in where a manifest has a placeholder
# (https://cert-manager.io/docs/concepts/ca-injector/).
_CA_BUNDLE = pattern(
    r"\.webhooks\[.*\]\.clientConfig\.caBundle"
    r"|\.spec\.conversion\.webhook\.clientConfig\.caBundle"
    r"|\.spec\.caBundle"
)
_CA_BUNDLES = {
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
}
_CLUSTER_ROLE = ("rbac.authorization.k8s.io", "ClusterRole")
# What controllers count in; it gets into a manifest that was exported from a cluster.
_COUNTERS = {
    ".metadata.annotations.deployment.kubernetes.io/revision",
    ".metadata.annotations.deprecated.daemonset.template.generation",
}
# The server's words: conflict with "N" with subresource "scale" using apps/v1 at TIME
_CONFLICT = pattern(
    r'conflict with "(?P<manager>(?:[^"\\]|\\.)*)"'
    r'(?: with subresource "(?P<subresource>[^"]*)")?'
    r"(?P<updated> using \S+)?(?: at (?P<time>\S+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One object, as we want it and as it is. *is_scaled*: whether an autoscaler sets its
    replicas."""

    id: ObjectId
    sent: Body
    live: Body
    rules: Sequence[FieldRule] = ()
    retired: Collection[str] = ()  # managers of a tool from which the object is taken over
    is_scaled: Callable[[], bool]


def decide(conflicts: Iterable[Cause], dispute: Dispute) -> tuple[FieldOwner, ...]:
    """A decision for each conflict. A field that is left to one of its owners is left to all."""
    decided = {_decided(conflict, dispute) for conflict in conflicts}
    left = {owner.path for owner in decided if owner.decision == LEFT}
    settled = [
        replace(owner, decision=LEFT) if owner.path in left and owner.decision == TAKEN else owner
        for owner in decided
    ]
    return tuple(sorted(settled, key=lambda owner: (owner.path, owner.owner)))


def _decided(conflict: Cause, dispute: Dispute) -> FieldOwner:
    found = _CONFLICT.search(conflict.message)
    manager = found["manager"] if found else "somebody else"
    path = fieldsets.resolve(conflict.field, dispute.live, dispute.sent)
    decision = _decision(conflict.field, manager, dispute)
    if decision == LEFT and (path is None or not fieldsets.has(dispute.sent, path)):
        decision = REFUSED  # what cannot be found in the manifest cannot be taken out of it
    return FieldOwner(
        path=conflict.field,
        owner=manager,
        since=(found["time"] or _since(dispute.live, found)) if found else "",
        decision=decision,
        ours=shown(dispute.sent, path),
        theirs=shown(dispute.live, path),
    )


def _decision(path: str, manager: str, dispute: Dispute) -> str:
    for rule in dispute.rules:
        if _matches(rule.manager, manager) and is_about(rule, dispute.id, path):
            return TAKEN if rule.decision == "take" else LEFT
    if path == REPLICAS and dispute.is_scaled():
        return LEFT
    if manager in dispute.retired or _TAKEN.fullmatch(manager):
        return TAKEN
    return LEFT if _is_controllers(path, dispute) else REFUSED


def is_about(rule: FieldRule, id: ObjectId, path: str) -> bool:
    """Whether a rule speaks of that field."""
    kinds = ("", id.kind, f"{id.kind}.{id.group}")
    return rule.kind in kinds and any(_matches(pattern, path) for pattern in rule.fields)


def _matches(pattern: str, words: str) -> bool:
    parts = map(re.escape, pattern.split("*"))
    return bool(re.fullmatch(".*".join(parts), words, re.DOTALL))


def _is_controllers(path: str, dispute: Dispute) -> bool:
    """Whether a field is known to be a controller's, whichever controller it is here."""
    kind = dispute.id.group_kind
    if kind in _CA_BUNDLES and _CA_BUNDLE.fullmatch(path):
        return True
    # The rules of an aggregated role are made out of other roles
    # (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles).
    if kind == _CLUSTER_ROLE and path == ".rules":
        return at(dispute.sent, "aggregationRule") is not None
    return path in _COUNTERS


def _since(live: Body, found: re.Match[str]) -> str:
    """When the owner last wrote; "" where the server does not keep it, as for `scale`."""
    operation = UPDATE if found["updated"] else APPLY
    times = [
        text(entry, "time")
        for entry in fieldsets.entries(live)
        if text(entry, "manager") == found["manager"]
        and text(entry, "operation") == operation
        and text(entry, "subresource") == (found["subresource"] or "")
    ]
    return max(times, default="")


def shown(body: Body, path: Path | None) -> str:
    """A field's value in short, without what a Secret holds; "" where it has none."""
    found = fieldsets.value(body, path) if path else None
    if found is None:
        return ""
    if is_secret(body):
        return "[masked]"
    written = json.dumps(found, ensure_ascii=False, default=_plain)
    return written if len(written) <= LONGEST else f"{written[:LONGEST]} ..."


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def refusal(id: ObjectId, owners: Sequence[FieldOwner]) -> Refusal | None:
    """Why we will not write, if a field is neither to be taken nor to be left."""
    refused = [owner for owner in owners if owner.decision == REFUSED]
    if not refused:
        return None
    return Refusal(
        rule="field-conflict",
        message=f"{id}: {_listed(refused)}",
        cure="leave these fields out of the manifest, stop the other one from setting them, or say "
        "in policy.fieldOwners who decides",
        id=id,
        conflicts=tuple(
            FieldConflict(
                field=owner.path,
                owner=owner.owner,
                since=owner.since,
                ours=owner.ours,
                theirs=owner.theirs,
            )
            for owner in refused
        ),
    )


def _listed(refused: Sequence[FieldOwner]) -> str:
    """The first of them in a sentence: all stand in the table."""
    first = refused[0]
    said = f"{first.path} is set by {first.owner}"
    if first.theirs and first.ours:
        said += f" ({first.theirs} there, {first.ours} here)"
    return said if len(refused) == 1 else f"{said}, and {len(refused) - 1} more"


def is_taking(owners: Iterable[FieldOwner]) -> bool:
    """Whether the write has to be forced."""
    return any(owner.decision == TAKEN for owner in owners)


def is_leaving(owners: Iterable[FieldOwner]) -> bool:
    """Whether a field stays as somebody else wants it: what we wrote is not all that decides."""
    return any(owner.decision == LEFT for owner in owners)


def without_left(body: Body, owners: Iterable[FieldOwner], live: Body) -> Body:
    """What to send so that a field that is left to its owner stays as it is."""
    for owner in owners:
        path = fieldsets.resolve(owner.path, live, body) if owner.decision == LEFT else None
        if path:
            body = fieldsets.without(body, path)
    return body


# -- autoscalers -------------------------------------------------------------------------------

AUTOSCALERS = (("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject"))


def targets(autoscaler: Body, id: ObjectId) -> bool:
    """Whether a HorizontalPodAutoscaler or a KEDA ScaledObject scales that workload."""
    reference = mapping(autoscaler, "spec", "scaleTargetRef")
    version, kind = text(reference, "apiVersion"), text(reference, "kind")
    if text(autoscaler, "kind") == "ScaledObject":
        # https://keda.sh/docs/latest/reference/scaledobject-spec/#scaletargetref
        version, kind = version or "apps/v1", kind or "Deployment"
    group = version.rpartition("/")[0]
    return (group, kind, text(reference, "name")) == (id.group, id.kind, id.name)
