"""The table of fixed fields, row by row, against what the real control plane says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kind
from pipeline_gitops.manifests import group_of
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.survey import immutables
from tests.contract.clusters import Cluster, definition, deploy, preview
from tests.contract.fixed_fields import claim, job, pod

pytestmark = pytest.mark.cluster

Body = dict[str, Any]
Said = tuple[tuple[str, str], str, str]  # the kind, the reason of a cause, and its field

APPS, RBAC, STORAGE = "apps/v1", "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1"
DEVICES = "resource.k8s.io/v1"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An object, how it is wanted, and the fields that our plan has to name."""

    before: Body
    after: Body
    fields: str


def change(api: str, kind: str, before: Body, after: Body, fields: str) -> Row:
    """The row of an object with these fields."""
    made = {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}}
    return Row(before={**made, **before}, after={**made, **after}, fields=fields)


def spec(api: str, kind: str, before: Body, after: Body, fields: str) -> Row:
    """The row of an object with these specs."""
    return change(api, kind, {"spec": before}, {"spec": after}, fields)


def template(app: str = "a", policy: str = "Always") -> Body:
    containers = [{"name": "web", "image": "web:1"}]
    labels = {"labels": {"app": app}}
    return {"metadata": labels, "spec": {"containers": containers, "restartPolicy": policy}}


def workload(kind: str) -> Row:
    """Another selector."""
    first, second = (
        {"selector": {"matchLabels": {"app": app}}, "template": template(app)} for app in "ab"
    )
    return spec(APPS, kind, first, second, "spec.selector")


def batch(before: Body, after: Body, fields: str) -> Row:
    first, second = ({"template": template(policy="Never"), **one} for one in (before, after))
    return spec("batch/v1", "Job", first, second, fields)


def indexed(before: Body, after: Body, fields: str) -> Row:
    """A Job whose pods have an index each."""
    common = {"completionMode": "Indexed", "completions": 2, "parallelism": 2}
    return batch({**common, **before}, {**common, **after}, fields)


def volume(before: Body, after: Body, fields: str) -> Row:
    """A volume that no claim takes."""
    common = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "of-nobody",
    }
    return spec("v1", "PersistentVolume", {**common, **before}, {**common, **after}, fields)


def driven(before: Body, after: Body, fields: str) -> Row:
    """A volume of a CSI driver."""
    source = {"csi": {"driver": "csi.example.com", "volumeHandle": "a"}}
    return volume({**source, **before}, {**source, **after}, fields)


def port(before: Body, after: Body, fields: str) -> Row:
    common: Body = {"ports": [{"port": 80}]}
    return spec("v1", "Service", {**common, **before}, {**common, **after}, fields)


def near(zone: str) -> Body:
    expression = {"key": "zone", "operator": "In", "values": [zone]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}


def sealed(kind: str, data: str, before: str, after: str) -> Row:
    first, second = ({"immutable": True, data: {"key": value}} for value in (before, after))
    return change("v1", kind, first, second, data)


def bound(kind: str) -> Row:
    first, second = (
        {"roleRef": {"apiGroup": group_of(RBAC), "kind": "ClusterRole", "name": role}}
        for role in ("view", "edit")
    )
    return change(RBAC, kind, first, second, "roleRef")


def device(before: str, after: str, *, templated: bool) -> Row:
    first, second = (
        {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": name}}]}}
        for name in (before, after)
    )
    if templated:
        kind = "ResourceClaimTemplate"
        return spec(DEVICES, kind, {"spec": first}, {"spec": second}, "spec.spec")
    return spec(DEVICES, "ResourceClaim", first, second, "spec.devices")


def ignored(action: str) -> Body:
    conditions = [{"type": "DisruptionTarget"}]
    return {"podFailurePolicy": {"rules": [{"action": action, "onPodConditions": conditions}]}}


def stored(before: Body, after: Body, fields: str) -> Row:
    common = {"provisioner": "csi.example.com"}
    return change(STORAGE, "StorageClass", {**common, **before}, {**common, **after}, fields)


def attributed(before: Body, after: Body, fields: str) -> Row:
    kind, common = "VolumeAttributesClass", {"driverName": "csi.example.com"}
    return change(STORAGE, kind, {**common, **before}, {**common, **after}, fields)


def defined(before: Body, after: Body, fields: str) -> Row:
    """A definition; its group is put in later, and is the name's end."""
    first = definition("GROUP")
    second = {**first, "spec": {**first["spec"], **after}}
    return Row(before={**first, "spec": {**first["spec"], **before}}, after=second, fields=fields)


NAMES = {"plural": "widgets", "singular": "widget"}
INIT = {"name": "first", "image": "web:1"}
ROWS = (
    workload("Deployment"),
    workload("DaemonSet"),
    workload("ReplicaSet"),
    spec(
        APPS,
        "StatefulSet",
        {"selector": {"matchLabels": {"app": "a"}}, "template": template(), "serviceName": "a"},
        {"selector": {"matchLabels": {"app": "a"}}, "template": template(), "serviceName": "b"},
        "spec.serviceName",
    ),
    Row(before=job("a:1"), after=job("a:2"), fields="spec.template"),
    Row(
        before=job("a:1", suspend=True), after=job("a:2", suspend=True), fields="spec.template.spec"
    ),
    batch({"completions": 1}, {"completions": 2}, "spec.completions"),
    batch(
        {"completions": 1}, {"completions": 1, "completionMode": "Indexed"}, "spec.completionMode"
    ),
    batch({}, {"manualSelector": True, "selector": {"matchLabels": {"app": "a"}}}, "spec.selector"),
    batch({"managedBy": "example.com/a"}, {"managedBy": "example.com/b"}, "spec.managedBy"),
    batch(ignored("Ignore"), ignored("Count"), "spec.podFailurePolicy"),
    indexed({"backoffLimitPerIndex": 1}, {"backoffLimitPerIndex": 2}, "spec.backoffLimitPerIndex"),
    indexed(
        {"successPolicy": {"rules": [{"succeededCount": 1}]}},
        {"successPolicy": {"rules": [{"succeededIndexes": "0"}]}},
        "spec.successPolicy",
    ),
    Row(before=claim(), after=claim(storageClassName="other"), fields="spec.storageClassName"),
    Row(before=claim(), after=claim(volumeMode="Block"), fields="spec.volumeMode"),
    volume({"hostPath": {"path": "/a"}}, {"hostPath": {"path": "/b"}}, "spec.hostPath"),
    volume(
        {"hostPath": {"path": "/a"}},
        {"nfs": {"server": "nas", "path": "/b"}},
        "spec.hostPath, spec.nfs",
    ),
    driven({}, {"csi": {"driver": "csi.example.com", "volumeHandle": "b"}}, "spec.csi"),
    driven({}, {"volumeMode": "Block"}, "spec.volumeMode"),
    driven({"nodeAffinity": near("a")}, {"nodeAffinity": near("b")}, "spec.nodeAffinity"),
    driven({"nodeAffinity": near("a")}, {}, "spec.nodeAffinity"),
    driven({"volumeAttributesClassName": "fast"}, {}, "spec.volumeAttributesClassName"),
    Row(before=pod("a"), after=pod("b"), fields="spec.containers"),
    spec(
        "v1",
        "Pod",
        {"containers": [{"name": "web", "image": "web:1"}]},
        {"containers": [{"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"}]},
        "spec.containers",
    ),
    spec(
        "v1",
        "Pod",
        {"containers": [{"name": "web", "image": "web:1"}]},
        {"containers": [{"name": "web", "image": "web:1"}], "initContainers": [INIT]},
        "spec.initContainers",
    ),
    port({}, {"clusterIP": "None"}, "spec.clusterIP"),
    port(
        {"type": "LoadBalancer", "loadBalancerClass": "example.com/a"},
        {"type": "LoadBalancer", "loadBalancerClass": "example.com/b"},
        "spec.loadBalancerClass",
    ),
    port({"ipFamilies": ["IPv4"]}, {"ipFamilies": ["IPv6"]}, "spec.ipFamilies"),
    port(
        {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
        {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32767},
        "spec.healthCheckNodePort",
    ),
    bound("RoleBinding"),
    bound("ClusterRoleBinding"),
    sealed("ConfigMap", "data", "a", "b"),
    sealed("ConfigMap", "binaryData", "MQ==", "Mg=="),
    sealed("Secret", "data", "MQ==", "Mg=="),
    change("v1", "ConfigMap", {"immutable": True}, {"immutable": False}, "immutable"),
    change("v1", "Secret", {"immutable": True}, {"immutable": False}, "immutable"),
    change("v1", "Secret", {"type": "example.com/a"}, {"type": "example.com/b"}, "type"),
    spec(
        "v1",
        "ResourceQuota",
        {"hard": {"pods": "1k"}, "scopes": ["Terminating"]},
        {"hard": {"pods": "1k"}, "scopes": ["NotTerminating"]},
        "spec.scopes",
    ),
    stored({}, {"provisioner": "other.example.com"}, "provisioner"),
    stored({"parameters": {"a": "1"}}, {"parameters": {"a": "2"}}, "parameters"),
    stored({}, {"reclaimPolicy": "Retain"}, "reclaimPolicy"),
    stored({}, {"volumeBindingMode": "WaitForFirstConsumer"}, "volumeBindingMode"),
    spec(STORAGE, "CSIDriver", {}, {"attachRequired": False}, "spec.attachRequired"),
    spec(
        STORAGE,
        "CSIDriver",
        {"volumeLifecycleModes": ["Persistent"]},
        {"volumeLifecycleModes": ["Ephemeral"]},
        "spec.volumeLifecycleModes",
    ),
    attributed({"parameters": {"a": "1"}}, {"parameters": {"a": "2"}}, "parameters"),
    attributed(
        {"parameters": {"a": "1"}},
        {"parameters": {"a": "1"}, "driverName": "other.example.com"},
        "driverName",
    ),
    spec(
        "networking.k8s.io/v1",
        "IngressClass",
        {"controller": "example.com/a"},
        {"controller": "example.com/b"},
        "spec.controller",
    ),
    change(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        {"addressType": "IPv4", "endpoints": []},
        {"addressType": "IPv6", "endpoints": []},
        "addressType",
    ),
    change("scheduling.k8s.io/v1", "PriorityClass", {"value": 1}, {"value": 2}, "value"),
    change(
        "scheduling.k8s.io/v1",
        "PriorityClass",
        {"value": 1, "preemptionPolicy": "Never"},
        {"value": 1, "preemptionPolicy": "PreemptLowerPriority"},
        "preemptionPolicy",
    ),
    change("node.k8s.io/v1", "RuntimeClass", {"handler": "a"}, {"handler": "b"}, "handler"),
    device("a", "b", templated=False),
    device("a", "b", templated=True),
    defined({}, {"scope": "Cluster"}, "spec.scope"),
    defined({}, {"names": {**NAMES, "kind": "Gadget"}}, "spec.names.kind"),
)


def named(row: Row, number: int, suffix: str) -> Row:
    """The row, of an object that is the only one of its name."""

    def of(body: Body) -> Body:
        name = f"row-{number}-{suffix}"
        if body["kind"] == "CustomResourceDefinition":
            group = f"{name}.example.com"
            told = {**body["spec"], "group": group}
            return {**body, "metadata": {"name": f"widgets.{group}"}, "spec": told}
        if body["kind"] == "CSIDriver":
            name = f"{name}.example.com"
        return {**body, "metadata": {**body["metadata"], "name": name}}

    return Row(before=of(row.before), after=of(row.after), fields=row.fields)


@pytest.fixture
def rows(cluster: Cluster) -> Iterator[Mapping[str, Row]]:
    """All rows, deployed as they are before, by name."""
    suffix = cluster.namespace[-8:]
    made = [named(row, number, suffix) for number, row in enumerate(ROWS)]
    deploy(cluster, *(row.before for row in made))
    yield {row.before["metadata"]["name"]: row for row in made}
    for row in made:
        path, kind = address(cluster, row.before)
        if not kind.namespaced:
            cluster.send("DELETE", path)


def address(cluster: Cluster, body: Body) -> tuple[str, Kind]:
    """The path of an object, and its kind."""
    kind = cluster.target().kinds().get(group_of(body["apiVersion"]), body["kind"])
    assert kind is not None
    root = f"{'apis' if '/' in body['apiVersion'] else 'api'}/{body['apiVersion']}"
    place = f"/namespaces/{cluster.namespace}" if kind.namespaced else ""
    return f"{root}{place}/{kind.plural}/{body['metadata']['name']}", kind


def test_plan_names_the_field(cluster: Cluster, rows: Mapping[str, Row], said: list[Said]) -> None:
    """Each change is refused by its fields before any write; each rule is a server's own word."""
    plan = preview(cluster, *(row.after for row in rows.values()))

    found = {refusal.id.name: refusal.message for refusal in plan.refusals if refusal.id}
    assert {name: named_in(message) for name, message in found.items()} == {
        name: row.fields for name, row in rows.items()
    }
    assert set(said) == {
        (group_kind, rule.reason, rule.cause)
        for group_kind, rules in immutables.RULES.items()
        for rule in rules
    }


def named_in(message: str) -> str:
    """The fields that a refusal is about."""
    return message.partition(": ")[2].partition(" cannot change once it exists")[0]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[Said]:
    """What the server says to the survey, cause by cause, as it comes."""
    heard: list[Said] = []
    judge = immutables.changed

    def listening(id: ObjectId, error: ApiError, live: Any, wanted: Any) -> tuple[str, ...]:
        heard.extend(
            (id.group_kind, cause.reason, cause.field.partition("[")[0]) for cause in error.causes
        )
        return judge(id, error, live, wanted)

    monkeypatch.setattr(immutables, "changed", listening)
    return heard
