"""What a deploy adds to what ResourceQuotas count.

A dry run tries every object alone, so ten that do not fit together pass one by one; and what makes
pods is taken whatever its pods would need (https://kubernetes.io/docs/concepts/policy/resource-quotas/).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction

from pipeline_gitops.documents import Body, Json, at, bodies, items, mapping, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.plans import Sight, references
from pipeline_gitops.targets.cluster.survey import quantities
from pipeline_gitops.values import dataclass

QUOTA = ("", "ResourceQuota")

Amounts = Mapping[str, Fraction]

_COUNTED = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_SCALED = frozenset({("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet")})
_ONE = Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """More than a quota allows. *by*: the objects that add to it."""

    quota: str
    resource: str
    left: Fraction
    added: Fraction
    by: tuple[ObjectId, ...]

    def __str__(self) -> str:
        return (
            f"the quota {self.quota} allows {quantities.said(self.left)} more {self.resource}, "
            f"this deploy adds {quantities.said(self.added)}"
        )


def counted(sight: Sight, plural: str) -> Amounts:
    """What a change adds for sure, by the names that quotas have for it."""
    id, before, after = sight.id, sight.before, sight.after
    if after is None or not id.namespace:
        return {}
    found: dict[str, Fraction] = defaultdict(Fraction)
    if before is None:
        found[f"count/{plural}.{id.group}" if id.group else f"count/{plural}"] += 1
        if not id.group and plural in _COUNTED:
            found[plural] += 1
    for sign, body in ((1, after), (-1, before)):
        for name, amount in _own(id, body or {}):
            found[name] += sign * amount
    return {name: amount for name, amount in found.items() if amount > 0}


def _own(id: ObjectId, body: Body) -> Iterator[tuple[str, Fraction]]:
    if id.group_kind == ("", "Service"):
        ports = Fraction(len(items(body, "spec", "ports")))
        match text(body, "spec", "type"):
            case "LoadBalancer":
                yield "services.loadbalancers", _ONE
                if at(body, "spec", "allocateLoadBalancerNodePorts") is not False:
                    yield "services.nodeports", ports
            case "NodePort":
                yield "services.nodeports", ports
    if id.group_kind == ("", "PersistentVolumeClaim"):
        size = quantities.parse(at(body, "spec", "resources", "requests", "storage"))
        if size is not None:
            yield "requests.storage", size
            named = text(body, "spec", "storageClassName")
            if named:
                yield f"{named}.storageclass.storage.k8s.io/requests.storage", size


def asked_of_pods(sight: Sight) -> Amounts:
    """What the pods of a change's object will ask for beyond those that it has."""
    found: dict[str, Fraction] = defaultdict(Fraction)
    for sign, body in ((1, sight.after), (-1, sight.before)):
        if sight.after is not None and body is not None:
            for name, amount in _of_pods(sight.id, body):
                found[name] += sign * amount
    return {name: amount for name, amount in found.items() if amount > 0}


def _of_pods(id: ObjectId, body: Body) -> Iterator[tuple[str, Fraction]]:
    count = _count(id, body)
    spec = references.pod_spec(id, body)
    if not count or spec is None:
        return
    if id.group_kind != ("", "Pod"):  # else it is counted for sure
        yield "pods", count
        yield "count/pods", count
    for name in _COMPUTE:
        requests, limits = _per_pod(spec, "requests", name), _per_pod(spec, "limits", name)
        yield name, count * requests
        yield f"requests.{name}", count * requests
        yield f"limits.{name}", count * limits


def _count(id: ObjectId, body: Body) -> Fraction:
    """How many pods an object makes; 0 where that hangs on nodes, or on the time."""
    path: tuple[str, ...] = ()
    if id.group_kind in _SCALED:
        path = ("spec", "replicas")
    elif id.group_kind == ("batch", "Job"):
        path = ("spec", "parallelism")
    elif id.group_kind != ("", "Pod"):
        return Fraction(0)
    count = at(body, *path) if path else 1
    return Fraction(count) if isinstance(count, int) else _ONE


def _per_pod(spec: Json, what: str, name: str) -> Fraction:
    running = [_of_container(one, what, name) for one in bodies(spec, "containers")]
    starting = [Fraction(0)]
    for one in bodies(spec, "initContainers"):
        amount = _of_container(one, what, name)
        (running if text(one, "restartPolicy") == "Always" else starting).append(amount)
    return max(sum(running, Fraction(0)), *starting)


def _of_container(container: Body, what: str, name: str) -> Fraction:
    resources = mapping(container, "resources")
    said = at(resources, what, name)
    if said is None and what == "requests":  # the server's default for it
        said = at(resources, "limits", name)
    return quantities.parse(said) or Fraction(0)


def excesses(quotas: Iterable[Body], added: Mapping[ObjectId, Amounts]) -> Iterator[Excess]:
    """What does not fit into the quotas of one namespace, all together."""
    total: dict[str, Fraction] = defaultdict(Fraction)
    for amounts in added.values():
        for name, amount in amounts.items():
            total[name] += amount
    for quota in quotas:
        if items(quota, "spec", "scopes") or mapping(quota, "spec", "scopeSelector"):
            continue  # counts only some of the pods
        for name, hard in mapping(quota, "spec", "hard").items():
            limit = quantities.parse(hard)
            used = quantities.parse(at(quota, "status", "used", name))
            if limit is None or used is None or not 0 < total[name] > limit - used:
                continue
            by = tuple(sorted(id for id, amounts in added.items() if amounts.get(name)))
            yield Excess(
                quota=text(quota, "metadata", "name"),
                resource=name,
                left=max(limit - used, Fraction(0)),
                added=total[name],
                by=by,
            )
