"""In which order a plan is written.

Kinds that others need come first, workloads in the middle, admission webhooks last (a webhook whose
workload is not up yet would refuse everything after it), deletions after all writes in reverse.
The order is that of Helm's and Flux's install order, shortened to what matters.
"""

from pipeline_gitops.plans.changes import Change, Plan
from pipeline_gitops.views import Action

_RANKS: dict[str, int] = {
    "Namespace": 0,
    "CustomResourceDefinition": 1,
    "PriorityClass": 2,
    "RuntimeClass": 2,
    "StorageClass": 2,
    "IngressClass": 2,
    "ResourceQuota": 3,
    "LimitRange": 3,
    "NetworkPolicy": 3,
    "ServiceAccount": 4,
    "ClusterRole": 4,
    "Role": 4,
    "ClusterRoleBinding": 5,
    "RoleBinding": 5,
    "Secret": 6,
    "ConfigMap": 6,
    "PersistentVolume": 6,
    "PersistentVolumeClaim": 7,
    "Service": 8,
    "ValidatingAdmissionPolicy": 20,
    "ValidatingAdmissionPolicyBinding": 21,
    "MutatingAdmissionPolicy": 20,
    "MutatingAdmissionPolicyBinding": 21,
    "MutatingWebhookConfiguration": 21,
    "ValidatingWebhookConfiguration": 21,
    "APIService": 21,
}
_WORKLOADS = 10

# What must be there before the next wave can be sent at all: a namespace to write into, a kind to
# write instances of.
AWAITED = frozenset({"Namespace", "CustomResourceDefinition"})


def waves(plan: Plan) -> tuple[tuple[Change, ...], ...]:
    """The plan's creates, updates and replacements in waves; within one, any order will do."""
    ranked: dict[int, list[Change]] = {}
    for change in plan.changes:
        if change.action is not Action.DELETE:
            ranked.setdefault(rank(change), []).append(change)
    return tuple(tuple(ranked[key]) for key in sorted(ranked))


def pruning(plan: Plan) -> tuple[tuple[Change, ...], ...]:
    """The plan's deletions in waves, users before what they use."""
    ranked: dict[int, list[Change]] = {}
    for change in plan.changes:
        if change.action is Action.DELETE:
            ranked.setdefault(rank(change), []).append(change)
    return tuple(tuple(ranked[key]) for key in sorted(ranked, reverse=True))


def rank(change: Change) -> int:
    """Place of a change in the order of kinds."""
    return _RANKS.get(change.id.kind, _WORKLOADS)
