"""Which refusals mean a fixed field, and what the successor of an object looks like."""

from typing import Any

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.survey import immutables
from pipeline_gitops.targets.cluster.survey.immutables import FORBIDDEN, INVALID

CANARY = "c4n4ry"


def error(
    kind: str, *causes: tuple[str, str], message: str = "", reason: str = "Invalid", code: int = 422
) -> ApiError:
    """A refusal of an update of the object `x`, with causes of (reason, field)."""
    listed = [
        {"reason": why, "field": where, "message": f"Invalid value: {CANARY}: field is immutable"}
        for why, where in causes
    ]
    answer = {
        "reason": reason,
        "message": message or f'{kind} "x" is invalid',
        "details": {"name": "x", "kind": kind, "causes": listed},
    }
    return ApiError(code, answer, asked="PATCH /x", secret=False)


def body(api: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, **fields}


def changed(refusal: ApiError, live: Any, wanted: Any) -> tuple[str, ...]:
    group = live["apiVersion"].rpartition("/")[0]
    return immutables.changed(ObjectId(group, live["kind"], "shop", "x"), refusal, live, wanted)


def spec(api: str, kind: str, **fields: Any) -> dict[str, Any]:
    return body(api, kind, spec=fields)


def owning(live: dict[str, Any], *paths: tuple[str, ...]) -> dict[str, Any]:
    """The live object, of which we own these fields."""
    fields: dict[str, Any] = {}
    for path in paths:
        node = fields
        for key in path:
            node = node.setdefault(f"f:{key}", {})
    entry = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    return {**live, "metadata": {**live["metadata"], "managedFields": [entry]}}


APPS, BATCH, CORE = "apps/v1", "batch/v1", "v1"
RBAC, STORAGE = "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1"
A, B = {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}
CONTAINERS = [{"name": "c", "image": "x:1", "command": ["a"]}]
OTHERS = [{"name": "c", "image": "x:2", "command": ["b"]}]

# The causes are those that a server of Kubernetes 1.36 gave.
TABLE = [
    (INVALID, "spec.selector", spec(APPS, "Deployment", selector=A), {"selector": B}, ""),
    (INVALID, "spec.selector", spec(APPS, "DaemonSet", selector=A), {"selector": B}, ""),
    (INVALID, "spec.selector", spec(APPS, "ReplicaSet", selector=A), {"selector": B}, ""),
    (
        FORBIDDEN,
        "spec",
        spec(APPS, "StatefulSet", serviceName="a", replicas=1),
        {"serviceName": "b", "replicas": 2},
        "spec.serviceName",
    ),
    (INVALID, "spec.template", spec(BATCH, "Job", template={"a": 1}), {"template": {"a": 2}}, ""),
    (INVALID, "spec.completions", spec(BATCH, "Job", completions=1), {"completions": 2}, ""),
    (
        FORBIDDEN,
        "spec",
        spec(CORE, "PersistentVolumeClaim", storageClassName="a"),
        {"storageClassName": "b"},
        "spec.storageClassName",
    ),
    (
        FORBIDDEN,
        "spec",
        spec(CORE, "Pod", containers=CONTAINERS),
        {"containers": OTHERS},
        "spec.containers",
    ),
    (
        INVALID,
        "spec.clusterIPs[0]",
        spec(CORE, "Service", clusterIP="10.0.0.1"),
        {"clusterIP": "None"},
        "spec.clusterIP",
    ),
    (
        INVALID,
        "spec.controller",
        spec("networking.k8s.io/v1", "IngressClass", controller="a"),
        {"controller": "b"},
        "",
    ),
    (
        INVALID,
        "spec.scope",
        spec("apiextensions.k8s.io/v1", "CustomResourceDefinition", scope="a"),
        {"scope": "b"},
        "",
    ),
    (INVALID, "spec.size", spec("example.com/v1", "Widget", size=1), {"size": 2}, ""),
]


@pytest.mark.parametrize(
    ("reason", "cause", "live", "wanted", "field"),
    TABLE,
    ids=lambda value: value["kind"] if isinstance(value, dict) and "kind" in value else None,
)
class TestTable:
    """Per kind: the cause that the server gives, and the change that must be seen beside it."""

    def test_fixed_field(self, reason: str, cause: str, live: Any, wanted: Any, field: str) -> None:
        """Cause and change agree: the field is named."""
        found = changed(error(live["kind"], (reason, cause)), live, {**live, "spec": wanted})

        assert found == (field or cause,)

    def test_without_a_change_of_our_own(
        self, reason: str, cause: str, live: Any, wanted: Any, field: str
    ) -> None:
        """The server's word alone is not enough: what is wanted must be another value."""
        assert changed(error(live["kind"], (reason, cause)), live, live) == ()

    def test_other_reason(
        self, reason: str, cause: str, live: Any, wanted: Any, field: str
    ) -> None:
        """The same field for another reason is another mistake."""
        refusal = error(live["kind"], ("FieldValueRequired", cause))

        assert changed(refusal, live, {**live, "spec": wanted}) == ()

    def test_beside_another_mistake(
        self, reason: str, cause: str, live: Any, wanted: Any, field: str
    ) -> None:
        """What is wrong otherwise as well would be wrong in a new object, too."""
        refusal = error(live["kind"], (reason, cause), ("FieldValueRequired", "spec.other"))

        assert changed(refusal, live, {**live, "spec": wanted}) == ()


FLAT = [
    (INVALID, "roleRef", body(RBAC, "RoleBinding", roleRef={"name": "a"}), {"name": "b"}),
    (INVALID, "roleRef", body(RBAC, "ClusterRoleBinding", roleRef={"name": "a"}), {"name": "b"}),
    (FORBIDDEN, "data", body(CORE, "ConfigMap", data={"a": "1"}), {"a": "2"}),
    (FORBIDDEN, "immutable", body(CORE, "ConfigMap", immutable=True), False),
    (INVALID, "type", body(CORE, "Secret", type="a"), "b"),
    (INVALID, "provisioner", body(STORAGE, "StorageClass", provisioner="a"), "b"),
    (INVALID, "parameters", body(STORAGE, "StorageClass", parameters={"a": "1"}), {"a": "2"}),
    (FORBIDDEN, "value", body("scheduling.k8s.io/v1", "PriorityClass", value=1), 2),
    (INVALID, "handler", body("node.k8s.io/v1", "RuntimeClass", handler="a"), "b"),
]


@pytest.mark.parametrize(("reason", "cause", "live", "value"), FLAT)
def test_field_at_the_top(reason: str, cause: str, live: Any, value: Any) -> None:
    """The same for kinds without a spec."""
    refusal = error(live["kind"], (reason, cause))

    assert changed(refusal, live, {**live, cause: value}) == (cause,)
    assert changed(refusal, live, live) == ()


FIXED_MAP = body(CORE, "ConfigMap", data={"a": "1"})
OTHER_MAP = body(CORE, "ConfigMap", data={"a": "2"})


@pytest.mark.parametrize(
    "refusal",
    [
        error("ConfigMap"),
        error("ConfigMap", ("", "")),
        error("ConfigMap", (FORBIDDEN, "data"), code=403),
        error("ConfigMap", (FORBIDDEN, "data"), reason="Forbidden"),
        error("configmaps", (FORBIDDEN, "data")),
        error("ConfigMap", (INVALID, "data")),
        error(
            "ConfigMap",
            (FORBIDDEN, "data"),
            message='admission webhook "w.example.com" denied the request: field is immutable',
        ),
    ],
    ids=["no cause", "a policy's", "forbidden", "reason", "resource", "cause", "webhook"],
)
def test_what_is_not_the_servers_own_validation(refusal: ApiError) -> None:
    """A policy's or a webhook's denial never counts, whatever it says."""
    assert changed(refusal, FIXED_MAP, OTHER_MAP) == ()


def test_default_is_no_change() -> None:
    """What a manifest leaves to the server is not wanted otherwise."""
    live = spec(APPS, "StatefulSet", serviceName="a", podManagementPolicy="OrderedReady")
    wanted = spec(APPS, "StatefulSet", serviceName="b")

    found = changed(error("StatefulSet", (FORBIDDEN, "spec")), live, wanted)

    assert found == ("spec.serviceName",)


def test_field_that_is_dropped() -> None:
    """A field of ours that leaves the manifest is a change as well."""
    live = owning(body(CORE, "ConfigMap", data={}, immutable=True), ("immutable",))
    refusal = error("ConfigMap", (FORBIDDEN, "immutable"))

    assert changed(refusal, live, body(CORE, "ConfigMap", data={})) == ("immutable",)
    assert changed(refusal, {**live, "metadata": {}}, body(CORE, "ConfigMap", data={})) == ()


@pytest.mark.parametrize(
    ("kind", "field", "old", "new"),
    [
        ("StatefulSet", "replicas", 1, 2),
        ("StatefulSet", "template", {"a": 1}, {"a": 2}),
        ("StatefulSet", "minReadySeconds", 1, 2),
        ("PersistentVolumeClaim", "resources", {"a": 1}, {"a": 2}),
        ("Pod", "activeDeadlineSeconds", 1, 2),
        ("Pod", "containers", [{"name": "c", "image": "x:1"}], [{"name": "c", "image": "x:2"}]),
    ],
)
def test_what_may_change(kind: str, field: str, old: Any, new: Any) -> None:
    """Of a spec that is fixed as a whole, some fields may change: they are no reason to replace."""
    api = APPS if kind == "StatefulSet" else CORE
    refusal = error(kind, (FORBIDDEN, "spec"))

    assert changed(refusal, spec(api, kind, **{field: old}), spec(api, kind, **{field: new})) == ()


def test_secret_in_both_forms() -> None:
    """What is sent as text comes back in base64: equal values are no change."""
    live = body(CORE, "Secret", data={"a": "eA=="})
    refusal = error("Secret", (FORBIDDEN, "data"))

    assert changed(refusal, live, body(CORE, "Secret", stringData={"a": "x"})) == ()
    assert changed(refusal, live, body(CORE, "Secret", stringData={"a": "y"})) == ("data",)


# -- the probe -------------------------------------------------------------------------------------


def service(**fields: Any) -> dict[str, Any]:
    return spec(CORE, "Service", **fields)


def test_probe_has_another_name() -> None:
    """So that it meets nobody; all else that is sent stays."""
    sent = {**FIXED_MAP, "metadata": {"name": "x", "labels": {"a": "b"}}}

    probe = immutables.probe(sent, sent, "abcde")

    assert probe.body["metadata"] == {"name": "x-probe-abcde", "labels": {"a": "b"}}
    assert (probe.body["data"], probe.unproven) == (sent["data"], "")


@pytest.mark.parametrize("length", [29, 30, 52, 63, 253])
def test_probe_of_a_long_name(length: int) -> None:
    """Its name is no longer than the real one where that may be the longest that there is."""
    sent = {**FIXED_MAP, "metadata": {"name": "n" * length}}

    name = immutables.probe(sent, sent, "abcde").body["metadata"]["name"]

    assert len(name) == max(length, 30)
    assert name.endswith("n-probe-abcde")


def test_probe_of_a_service() -> None:
    """What only one Service can have is left out, and unproven unless the old one frees it."""
    ports = [{"port": 80, "nodePort": 30080}, {"port": 81, "nodePort": 30081}]
    sent = service(clusterIP="10.0.0.9", ports=ports)
    live = service(clusterIP="10.0.0.1", ports=ports[:1])

    probe = immutables.probe(sent, live, "abcde")

    assert probe.body["spec"] == {"ports": [{"port": 80}, {"port": 81}]}
    assert probe.unproven == "whether clusterIP 10.0.0.9, nodePort 30081 is free"


def test_probe_of_a_headless_service() -> None:
    """That it has no address is no address."""
    sent = service(clusterIP="None", ports=[{"port": 80}])

    probe = immutables.probe(sent, service(clusterIP="10.0.0.1"), "abcde")

    assert probe.body["spec"]["clusterIP"] == "None"
    assert probe.unproven == ""


# -- the successor ---------------------------------------------------------------------------------


def test_successor_of_a_job() -> None:
    """What the controller makes out of uid and name is not in it."""
    labels = {
        "app": "a",
        "controller-uid": "1",
        "batch.kubernetes.io/controller-uid": "1",
        "job-name": "x-probe-abcde",
        "batch.kubernetes.io/job-name": "x-probe-abcde",
    }
    stored = spec(BATCH, "Job", selector={"a": "b"}, template={"metadata": {"labels": labels}})
    stored["metadata"] = {"name": "x-probe-abcde", "uid": "1", "resourceVersion": "2"}
    stored["status"] = {}

    made = immutables.successor(spec(BATCH, "Job"), stored)

    assert made["metadata"] == {"name": "x"}
    assert made["spec"] == {"template": {"metadata": {"labels": {"app": "a"}}}}
    assert "status" not in made


def test_restorable() -> None:
    """An object that is put back is created: nothing in it may be the server's word."""
    metadata = {
        "name": "x",
        "uid": "1",
        "resourceVersion": "2",
        "generation": 3,
        "managedFields": [],
        "creationTimestamp": "then",
        "labels": {"a": "b"},
        "annotations": {"pv.kubernetes.io/bind-completed": "yes", "mine": "1"},
    }
    live = {**FIXED_MAP, "metadata": metadata, "status": {"phase": "Bound"}}

    assert immutables.restorable(live) == {
        **FIXED_MAP,
        "metadata": {"name": "x", "labels": {"a": "b"}, "annotations": {"mine": "1"}},
    }


def test_whose_pods_stay() -> None:
    """Those of a StatefulSet that its successor selects; no other kind takes pods over."""
    template = {"metadata": {"labels": {"app": "a"}}}
    live = spec(APPS, "StatefulSet", selector=A, template=template)
    relabelled = spec(APPS, "StatefulSet", selector=A, template={"metadata": {"labels": {}}})

    assert immutables.keeps_pods(live, live)
    assert not immutables.keeps_pods(live, spec(APPS, "StatefulSet", selector=B, template=template))
    assert not immutables.keeps_pods(live, relabelled)
    assert not immutables.keeps_pods({**live, "kind": "Deployment"}, live)
