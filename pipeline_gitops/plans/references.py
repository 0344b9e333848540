"""What an object names that has to be there before it: read from its manifest.

Names only, whether or not they are in the set. What Kubernetes resolves later by itself (an
Ingress and its Service, a Service and its pods) orders nothing.
"""

from collections.abc import Iterable, Iterator, Mapping

from pipeline_gitops.documents import Body, Json, at, bodies, mapping, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import group_of

RBAC = "rbac.authorization.k8s.io"
CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")

# Where a kind keeps its pod template. Custom workloads (Argo Rollouts, Knative) follow the first.
_PODS = (
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
)
# Of the core group only these hold pods. What pods refer to holds none: else a stray field in a
# ConfigMap could make two of them wait for each other, and their deletion would never begin.
_CORE = frozenset({"Pod", "PodTemplate", "ReplicationController"})
_WEBHOOKS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
# Of kinds whose field names another workload; KEDA leaves kind and version to a default.
_TARGETS = (("spec", "scaleTargetRef"), ("spec", "targetRef"))


def named(id: ObjectId, body: Body) -> frozenset[ObjectId]:
    """Everything that the object needs in order to be taken, or to start."""
    return frozenset(
        [
            *_of_pods(id, body),
            *_of_bindings(id, body),
            *_of_scalers(id, body),
            *services(id, body),
        ]
    )


def pod_spec(id: ObjectId, body: Body) -> Json:
    """The specification of the pods that the object makes, or is."""
    if not id.group and id.kind not in _CORE:
        return None
    if id.group_kind == ("", "Pod"):
        return at(body, "spec")
    return next((found for path in _PODS if (found := at(body, *path)) is not None), None)


def _of_pods(id: ObjectId, body: Body) -> Iterator[ObjectId]:
    spec = pod_spec(id, body)
    if not isinstance(spec, Mapping):
        return
    for kind, name in _in_namespace(spec):
        if name:
            yield ObjectId("", kind, id.namespace, name)
    if id.group_kind == ("apps", "StatefulSet") and (name := text(body, "spec", "serviceName")):
        yield ObjectId("", "Service", id.namespace, name)
    if name := text(spec, "priorityClassName"):
        yield ObjectId("scheduling.k8s.io", "PriorityClass", "", name)
    if name := text(spec, "runtimeClassName"):
        yield ObjectId("node.k8s.io", "RuntimeClass", "", name)


def _in_namespace(spec: Json) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", text(spec, "serviceAccountName") or text(spec, "serviceAccount")
    for secret in bodies(spec, "imagePullSecrets"):
        yield "Secret", text(secret, "name")
    for volume in bodies(spec, "volumes"):
        yield "ConfigMap", text(volume, "configMap", "name")
        yield "Secret", text(volume, "secret", "secretName")
        yield "PersistentVolumeClaim", text(volume, "persistentVolumeClaim", "claimName")
        yield "Secret", text(volume, "csi", "nodePublishSecretRef", "name")
        for source in bodies(volume, "projected", "sources"):
            yield "ConfigMap", text(source, "configMap", "name")
            yield "Secret", text(source, "secret", "name")
    for key in ("initContainers", "containers"):
        for container in bodies(spec, key):
            yield from _of_environment(container)


def _of_environment(container: Body) -> Iterator[tuple[str, str]]:
    for source in bodies(container, "envFrom"):
        yield "ConfigMap", text(source, "configMapRef", "name")
        yield "Secret", text(source, "secretRef", "name")
    for variable in bodies(container, "env"):
        yield "ConfigMap", text(variable, "valueFrom", "configMapKeyRef", "name")
        yield "Secret", text(variable, "valueFrom", "secretKeyRef", "name")


def _of_bindings(id: ObjectId, body: Body) -> Iterator[ObjectId]:
    if id.group != RBAC or not id.kind.endswith("RoleBinding"):
        return
    kind = text(body, "roleRef", "kind")
    namespace = id.namespace if kind == "Role" else ""
    yield ObjectId(RBAC, kind, namespace, text(body, "roleRef", "name"))
    for subject in bodies(body, "subjects"):
        if text(subject, "kind") == "ServiceAccount":
            namespace = text(subject, "namespace") or id.namespace
            yield ObjectId("", "ServiceAccount", namespace, text(subject, "name"))


def _of_scalers(id: ObjectId, body: Body) -> Iterator[ObjectId]:
    for path in _TARGETS:
        target = mapping(body, *path)
        if name := text(target, "name"):
            group = group_of(text(target, "apiVersion") or "apps/v1")
            yield ObjectId(group, text(target, "kind") or "Deployment", id.namespace, name)


def services(id: ObjectId, body: Body) -> Iterator[ObjectId]:
    """Services that the API server itself calls because of this object."""
    called: Iterable[Json] = ()
    if id.kind in _WEBHOOKS:
        called = [at(hook, "clientConfig", "service") for hook in bodies(body, "webhooks")]
    elif id.group_kind == ("apiregistration.k8s.io", "APIService"):
        called = [at(body, "spec", "service")]
    for service in called:
        if name := text(service, "name"):
            yield ObjectId("", "Service", text(service, "namespace"), name)


def is_selected(service: Body, workload: Body) -> bool:
    """Whether a Service sends to the pods of a workload."""
    selector = mapping(service, "spec", "selector")
    labels = mapping(workload, "spec", "template", "metadata", "labels")
    same_namespace = text(service, "metadata", "namespace") == text(
        workload, "metadata", "namespace"
    )
    return bool(selector) and same_namespace and selector.items() <= labels.items()
