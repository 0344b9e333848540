"""Which fields cannot change once an object exists, and what its successor looks like.

A server says "Invalid" about much: a policy's denial, a webhook's, a misspelt value. It counts as a
fixed field only where three things agree: the answer is the server's own validation of that object,
its cause stands in the table of that kind, and what is wanted differs from what is there in that
very field. For StatefulSets, claims and Pods the server names only `spec`; there the field is what
we find ourselves beyond those that may change
(https://kubernetes.io/docs/reference/kubernetes-api/).
"""

import base64
from collections.abc import Iterable, Iterator, Mapping

from pipeline_gitops.documents import Body, Json, at, bodies, items, mapping, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import SERVER_FIELDS, is_secret
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER
from pipeline_gitops.targets.cluster.api.statuses import ApiError, Cause
from pipeline_gitops.targets.cluster.fields import fieldsets, foresight
from pipeline_gitops.targets.cluster.fields.fieldsets import FieldSet
from pipeline_gitops.targets.cluster.records.receipts import is_custom
from pipeline_gitops.values import dataclass

INVALID, FORBIDDEN = "FieldValueInvalid", "FieldValueForbidden"

# Deleting one of these deletes more than itself: no annotation and no policy makes that an update.
NEVER_REPLACED: Mapping[tuple[str, str], str] = {
    ("", "Namespace"): "everything in it would go with it",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "every object of the kind would go too",
}

_GroupKind = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """One cause that means a fixed field.

    *fields* are those that it may be about, the cause's own when there are none. *mutable*: of a
    whole spec, what may change all the same ("containers.*.image").
    """

    reason: str
    cause: str
    fields: tuple[str, ...] = ()
    mutable: tuple[str, ...] | None = None


def _fixed(reason: str, *causes: str) -> tuple[Rule, ...]:
    return tuple(Rule(reason, cause) for cause in causes)


_SELECTOR = _fixed(INVALID, "spec.selector")
_ROLE = _fixed(INVALID, "roleRef")
_SEALED = _fixed(FORBIDDEN, "data", "immutable")
_POD = (
    "activeDeadlineSeconds",
    "terminationGracePeriodSeconds",
    "tolerations",
    "schedulingGates",
    "containers.*.image",
    "initContainers.*.image",
)
_JOB = (
    "spec.template",
    "spec.template.spec",  # while it is suspended
    "spec.completions",
    "spec.completionMode",
    "spec.selector",
    "spec.backoffLimitPerIndex",
    "spec.podFailurePolicy",
    "spec.successPolicy",
    "spec.managedBy",
)
_STATEFUL = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)

_VOLUME = (  # all but what the volume is: that field has the name of its kind
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
)
_CLAIM = (Rule(INVALID, "spec", mutable=()),)
# Some causes lack the first part of the path, and one is misspelt: a server says them so.
_VOLUME_MODE = Rule(INVALID, "volumeMode", ("spec.volumeMode",))

# Every row was seen on a server (1.36); what is missing here is no fixed field to us.
RULES: Mapping[_GroupKind, tuple[Rule, ...]] = {
    ("", "Service"): (
        Rule(INVALID, "spec.clusterIPs", ("spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies")),
        Rule(INVALID, "spec.loadBalancerClass"),
        Rule(FORBIDDEN, "spec.healthCheckNodePort"),
    ),
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "ReplicaSet"): _SELECTOR,
    ("apps", "StatefulSet"): (Rule(FORBIDDEN, "spec", mutable=_STATEFUL),),
    ("batch", "Job"): _fixed(INVALID, *_JOB),
    ("", "PersistentVolumeClaim"): (
        Rule(FORBIDDEN, "spec", mutable=("resources", "volumeAttributesClassName")),
        _VOLUME_MODE,
    ),
    ("", "PersistentVolume"): (
        Rule(FORBIDDEN, "spec.persistentvolumesource", ("spec",), mutable=_VOLUME),
        Rule(INVALID, "nodeAffinity", ("spec.nodeAffinity",)),
        Rule(FORBIDDEN, "spec.volumeAttributesClassName"),
        _VOLUME_MODE,
    ),
    ("", "Pod"): tuple(
        Rule(FORBIDDEN, cause, ("spec",), mutable=_POD)
        for cause in ("spec", "spec.containers", "spec.initContainers")
    ),
    ("rbac.authorization.k8s.io", "RoleBinding"): _ROLE,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _ROLE,
    ("", "ConfigMap"): (*_SEALED, *_fixed(FORBIDDEN, "binaryData")),
    ("", "Secret"): (*_SEALED, *_fixed(INVALID, "type")),
    ("storage.k8s.io", "StorageClass"): _fixed(
        INVALID, "provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"
    ),
    ("storage.k8s.io", "CSIDriver"): (
        Rule(INVALID, "spec.attachedRequired", ("spec.attachRequired",)),
        Rule(INVALID, "spec.volumeLifecycleModes"),
    ),
    ("storage.k8s.io", "VolumeAttributesClass"): _fixed(FORBIDDEN, "driverName", "parameters"),
    ("networking.k8s.io", "IngressClass"): _fixed(INVALID, "spec.controller"),
    ("discovery.k8s.io", "EndpointSlice"): _fixed(INVALID, "addressType"),
    ("", "ResourceQuota"): _fixed(INVALID, "spec.scopes"),
    ("resource.k8s.io", "ResourceClaim"): _CLAIM,
    ("resource.k8s.io", "ResourceClaimTemplate"): _CLAIM,
    ("scheduling.k8s.io", "PriorityClass"): (
        *_fixed(FORBIDDEN, "value"),
        *_fixed(INVALID, "preemptionPolicy"),
    ),
    ("node.k8s.io", "RuntimeClass"): _fixed(INVALID, "handler"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _fixed(
        INVALID, "spec.scope", "spec.names.kind"
    ),
}


def changed(id: ObjectId, error: ApiError, live: Body, wanted: Body) -> tuple[str, ...]:
    """The fixed fields that an update was refused for; none when that is not (only) why.

    About a custom kind the rule's words are its author's: whether it is about the change or about
    the value alone, only a creation tells.
    """
    if not error.is_validation_of(id) or not error.causes:
        return ()
    found: list[str] = []
    for cause in error.causes:
        fields = tuple(_fields(id, cause, live, _as_stored(wanted)))
        if not fields:  # something else is wrong as well
            return ()
        found += fields
    return tuple(dict.fromkeys(found))


def _fields(id: ObjectId, cause: Cause, live: Body, wanted: Body) -> Iterator[str]:
    named = cause.field.partition("[")[0]
    owned = fieldsets.owned(live, FIELD_MANAGER)
    rules = RULES.get(id.group_kind)
    if rules is None:
        if is_custom(wanted) and cause.reason == INVALID:
            path = named if named in wanted or "." in named else ""
            yield from _moved(path, live, wanted, owned)
        return
    for rule in rules:
        if (rule.reason, rule.cause) != (cause.reason, named):
            continue
        for name in rule.fields or (rule.cause,):
            if rule.mutable is None:
                yield from _moved(name, live, wanted, owned)
            else:
                yield from _moved_but(name, rule.mutable, live, wanted, owned)


def _moved(name: str, live: Body, wanted: Body, owned: FieldSet) -> Iterator[str]:
    """The field, if it is wanted otherwise than it is; "" stands for all but the metadata."""
    if not name:
        for key in sorted({*wanted, *live} - {"apiVersion", "kind", "metadata", "status"}):
            yield from _moved(key, live, wanted, owned)
        return
    path = tuple(name.split("."))
    dropped = _dropped(tuple(f"f:{key}" for key in path), live, wanted, owned)
    if dropped or _says_otherwise(at(wanted, *path), at(live, *path)):
        yield name


def _moved_but(
    name: str, mutable: Iterable[str], live: Body, wanted: Body, owned: FieldSet
) -> Iterator[str]:
    """The fields below *name* that are wanted otherwise, but for those that may change."""
    whole = {path for path in mutable if "." not in path}
    parts = [path.split(".") for path in mutable if "." in path]
    for key in sorted({*mapping(wanted, name), *mapping(live, name)} - whole):
        below = [path[1:] for path in parts if path[0] == key]
        said, there = _without(at(wanted, name, key), below), _without(at(live, name, key), below)
        # What may change in an item may go with it as well: then the items themselves tell.
        dropped = not below and _dropped((f"f:{name}", f"f:{key}"), live, wanted, owned)
        if dropped or _says_otherwise(said, there):
            yield f"{name}.{key}"


def _says_otherwise(said: Json, there: Json) -> bool:
    """Whether a manifest that leaves to the server what it does not say wants another value."""
    return said is not None and not foresight.covers(there, said)


def _dropped(path: fieldsets.Path, live: Body, wanted: Body, owned: FieldSet) -> bool:
    """Whether an apply would take away something of ours at or below *path*."""
    return any(
        fieldsets.value(wanted, one) is None and fieldsets.value(live, one) is not None
        for one in owned
        if one[: len(path)] == path
    )


def _without(value: Json, paths: Iterable[list[str]]) -> Json:
    for path in paths:
        value = _cut(value, path)
    return value


def _cut(value: Json, path: list[str]) -> Json:
    first, rest = path[0], path[1:]
    if first == "*" and isinstance(value, list | tuple):
        return [_cut(item, rest) for item in value]
    if not isinstance(value, Mapping) or first not in value:
        return value
    if not rest:
        return {key: part for key, part in value.items() if key != first}
    return {**value, first: _cut(value[first], rest)}


def _as_stored(wanted: Body) -> Body:
    """A Secret as it comes back: `stringData` is write-only."""
    if not is_secret(wanted):
        return wanted
    given = mapping(wanted, "stringData")
    written = {
        key: base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
        for key, value in given.items()
        if isinstance(value, str)
    }
    kept = {key: value for key, value in wanted.items() if key != "stringData"}
    return {**kept, "data": {**mapping(wanted, "data"), **written}} if given else kept


# -- the successor ---------------------------------------------------------------------------------

_SHORTEST_CUT = 30  # no kind's names are bound to less
_ADDRESSES = ("clusterIP", "clusterIPs", "healthCheckNodePort")
# The job controller makes them out of the uid, unless `manualSelector` says otherwise.
_GENERATED = frozenset(
    {
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
    }
)
_BOUND = frozenset({"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An object of another name by which a creation is tried. *unproven*: what it cannot tell."""

    body: Body
    unproven: str = ""


def probe(sent: Body, live: Body, suffix: str) -> Probe:
    """What to create in a dry run while the old object still stands.

    What only one object can have is left out, and is unproven where the old one does not have it.
    """
    name = text(sent, "metadata", "name")
    ending = f"-probe-{suffix}"
    start = name[: max(len(name), _SHORTEST_CUT) - len(ending)].rstrip("-.")
    body: Body = {**sent, "metadata": {**mapping(sent, "metadata"), "name": f"{start}{ending}"}}
    if (text(sent, "apiVersion"), text(sent, "kind")) != ("v1", "Service"):
        return Probe(body=body)
    spec = {
        key: value
        for key, value in mapping(sent, "spec").items()
        # "None" is no address: a headless Service stays one.
        if key not in _ADDRESSES or value in ("None", ["None"], ("None",))
    }
    if "ports" in spec:
        spec["ports"] = [
            {key: value for key, value in port.items() if key != "nodePort"}
            for port in bodies(sent, "spec", "ports")
        ]
    freed = set(_unique(live))
    asked = [word for word in _unique(sent) if word not in freed]
    unproven = f"whether {', '.join(asked)} is free" if asked else ""
    return Probe(body={**body, "spec": spec}, unproven=unproven)


def _unique(service: Body) -> Iterator[str]:
    """What no two Services can have."""
    addresses = (at(service, "spec", "clusterIP"), *items(service, "spec", "clusterIPs"))
    for address in dict.fromkeys(addresses):
        if isinstance(address, str) and address not in ("", "None"):
            yield f"clusterIP {address}"
    ports = [at(port, "nodePort") for port in bodies(service, "spec", "ports")]
    for port in (*ports, at(service, "spec", "healthCheckNodePort")):
        if isinstance(port, int) and port:
            yield f"nodePort {port}"


def successor(sent: Body, stored: Body) -> Body:
    """What the new object will be, out of the answer to its probe: the same at every look."""
    name = text(sent, "metadata", "name")
    renamed = _renamed(stored, text(stored, "metadata", "name"), name)
    made = mapping(foresight.updated({}, mapping(renamed), sent))
    kept = {
        key: value
        for key, value in mapping(made, "metadata").items()
        if key in ("name", "namespace", "labels", "annotations", "finalizers")
    }
    body: Body = {**{k: v for k, v in made.items() if k != "status"}, "metadata": kept}
    if text(sent, "kind") == "Pod":  # the server mounts a token under a name that it makes up
        return foresight.created(sent, body)
    return _ungenerated(body)


def _renamed(value: Json, old: str, new: str) -> Json:
    """The value with the probe's name, which the server may have copied, replaced by the real."""
    if isinstance(value, Mapping):
        return {key: _renamed(part, old, new) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_renamed(part, old, new) for part in value]
    return new if value == old else value


def _ungenerated(body: Body) -> Body:
    if text(body, "kind") != "Job" or at(body, "spec", "manualSelector") is True:
        return body
    template = mapping(body, "spec", "template")
    metadata = mapping(template, "metadata")
    labels = {k: v for k, v in mapping(metadata, "labels").items() if k not in _GENERATED}
    spec = {key: value for key, value in mapping(body, "spec").items() if key != "selector"}
    spec["template"] = {**template, "metadata": {**metadata, "labels": labels}}
    return {**body, "spec": spec}


def restorable(live: Body) -> Body:
    """An object that is gone, as it can be created again."""
    metadata = {k: v for k, v in mapping(live, "metadata").items() if k not in SERVER_FIELDS}
    if "annotations" in metadata:
        given = mapping(metadata, "annotations")
        # A claim that says it is bound to a volume that is not its any more is lost for good.
        metadata["annotations"] = {k: v for k, v in given.items() if k not in _BOUND}
    kept = {key: value for key, value in live.items() if key != "status"}
    return _ungenerated({**kept, "metadata": metadata})


def user(live: Body, pods: Iterable[Body]) -> str:
    """What uses an object that the server lets go only once nothing does; "" for nothing.

    Deleted all the same it would stay, on its way out for good: no deletion can be taken back
    (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection).
    *pods*: those beside it.
    """
    match text(live, "kind"):
        case "PersistentVolume" if text(live, "status", "phase") == "Bound":
            claim = mapping(live, "spec", "claimRef")
            return f"PersistentVolumeClaim {text(claim, 'namespace')}/{text(claim, 'name')}"
        case "PersistentVolumeClaim":
            name = text(live, "metadata", "name")
            return next((_named(pod) for pod in pods if _mounts(pod, name)), "")
        case "ResourceClaim":
            users = bodies(live, "status", "reservedFor")
            return next((f"{text(one, 'resource')} {text(one, 'name')}" for one in users), "")
        case _:
            return ""


def _named(pod: Body) -> str:
    return f"Pod {text(pod, 'metadata', 'namespace')}/{text(pod, 'metadata', 'name')}"


def _mounts(pod: Body, claim: str) -> bool:
    """Whether a pod on a node names a claim. Before it has a node it holds nothing."""
    return bool(text(pod, "spec", "nodeName")) and any(
        text(volume, "persistentVolumeClaim", "claimName") == claim
        for volume in bodies(pod, "spec", "volumes")
    )


def keeps_pods(live: Body, sent: Body) -> bool:
    """Whether the successor takes over the pods: those of a StatefulSet with the same selector."""
    if text(live, "kind") != "StatefulSet":
        return False
    selector = mapping(live, "spec", "selector")
    labels = mapping(live, "spec", "template", "metadata", "labels")
    wanted = mapping(sent, "spec", "template", "metadata", "labels")
    return selector == mapping(sent, "spec", "selector") and all(
        wanted.get(key) == labels.get(key) for key in mapping(selector, "matchLabels")
    )
