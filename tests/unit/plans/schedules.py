"""Sets of manifests, and the order in which they would be written."""

from typing import Any

from pipeline_gitops import plans
from pipeline_gitops.documents import Document
from pipeline_gitops.ids import Place
from pipeline_gitops.kinds import Kind, Kinds
from pipeline_gitops.manifests import ManifestSet, resolve
from pipeline_gitops.plans import Plan, Schedule, Sight, Wave
from tests.unit.plans.bodies import survey

OURS, ARGO, HELM, KAPP = (
    "pipeline-gitops.dev",
    "argocd.argoproj.io",
    "helm.sh",
    "kapp.k14s.io",
)
CLUSTER_SCOPED = Kinds.of(
    Kind(group=group, kind=kind, plural="", namespaced=False, versions=("v1",))
    for group, kind in [
        ("", "Namespace"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ]
)
VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "CronJob": "batch/v1",
    "Job": "batch/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "Ingress": "networking.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
    "Widget": "example.com/v1",
}


def body(kind: str, name: str = "a", spec: Any = None, **annotations: str) -> dict[str, Any]:
    """*annotations*: `wave="1"` is ours, `ARGO__sync_wave="1"` Argo CD's."""
    named = {}
    for key, value in annotations.items():
        prefix, _, rest = key.rpartition("__")
        prefix = {"": OURS, "ARGO": ARGO, "HELM": HELM, "KAPP": KAPP}[prefix]
        named[f"{prefix}/{rest.replace('_', '-')}"] = value
    metadata = {"name": name, "annotations": named}
    made = {"apiVersion": VERSIONS.get(kind, "v1"), "kind": kind, "metadata": metadata}
    return made if spec is None else {**made, "spec": spec}


def pods(**spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    return {"template": {"metadata": {"labels": labels}, "spec": {"containers": [], **spec}}}


def set_of(*bodies: dict[str, Any]) -> ManifestSet:
    documents = [
        Document(body=one, place=Place("all.yaml", n), number=n) for n, one in enumerate(bodies)
    ]
    return resolve(documents, CLUSTER_SCOPED, "shop")[0]


def creating(desired: ManifestSet) -> Plan:
    sights = [Sight(id=m.id, after=m.body, send=m) for m in desired.manifests]
    return plans.compute(survey(*sights), prune=True)


def deleting(desired: ManifestSet) -> Plan:
    sights = [Sight(id=m.id, before=m.body) for m in desired.manifests]
    return plans.compute(survey(*sights), prune=True)


def scheduled(*bodies: dict[str, Any]) -> Schedule:
    desired = set_of(*bodies)
    return plans.schedule(creating(desired), desired)


def names(waves: tuple[Wave, ...]) -> list[list[str]]:
    return [[f"{change.id.kind} {change.id.name}" for change in wave.changes] for wave in waves]


def needs(waves: tuple[Wave, ...]) -> list[set[str]]:
    return [{f"{id.kind} {id.name}" for id in wave.needs} for wave in waves]
