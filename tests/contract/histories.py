"""Random histories of our deploys and of everything that others do to the same objects.

On the real control plane; after every step the receipts are held to a forced dry run.
"""

import copy
import secrets
from collections.abc import Callable
from typing import Any

import urllib3
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline_gitops import inventories
from pipeline_gitops.inventories import Owner
from pipeline_gitops.manifests import EPOCH, FENCE
from pipeline_gitops.plans import Outcome, Plan, State, Survey
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster import ClusterTarget
from tests.contract.clusters import STAMP, Cluster, execute, planned, until, wanted

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
MARK = "applyset.kubernetes.io/part-of"
MARK_POINTER = MARK.replace("/", "~1")


PLURALS = {
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Secret": "api/v1/namespaces/{}/secrets",
    "Service": "api/v1/namespaces/{}/services",
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "StatefulSet": "apis/apps/v1/namespaces/{}/statefulsets",
    "Gadget": "apis/{group}/v1/namespaces/{}/gadgets",
}
KINDS = tuple(PLURALS)
SCALED = ("Deployment", "StatefulSet")


class World:
    """A namespace, a definition, and requests to the real server that may be refused."""

    def __init__(self, cluster: Cluster, group: str) -> None:
        self.cluster = cluster
        self.group = group
        self.shaped = False, True
        self.pool = urllib3.PoolManager(ca_certs=cluster.ca_file, maxsize=2)
        self.definition = "apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets." + group
        self.send("POST", self.definition.rpartition("/")[0], gadgets(group))
        until(lambda: self.send("GET", self.path("Gadget", ""))[0] == 200, "gadgets to be served")

    def path(self, kind: str, name: str) -> str:
        return f"{PLURALS[kind].format(self.cluster.namespace, group=self.group)}/{name}".rstrip(
            "/"
        )

    def send(
        self, method: str, path: str, body: Any = None, type_: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and body of an answer, whatever it is."""
        answer = self.pool.request(
            method,
            f"{self.cluster.url}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.cluster.token}", "Content-Type": type_},
        )
        is_json = answer.headers.get("Content-Type", "") == "application/json"
        return answer.status, answer.json() if is_json else {}

    def shape(self, *, keyed: bool, colored: bool) -> None:
        """Gives the definition another schema."""
        if (keyed, colored) == self.shaped:
            return
        self.shaped = keyed, colored
        schema = gadgets(self.group, keyed=keyed, colored=colored)["spec"]["versions"]
        self.send("PATCH", self.definition, {"spec": {"versions": schema}}, MERGE)
        until(lambda: self.goes_by(keyed=keyed, colored=colored), "the schema to be served")

    def goes_by(self, *, keyed: bool, colored: bool) -> bool:
        """Whether the server goes by that schema: a list with keys takes no key twice, and a field
        that is gone is not known."""
        spec = {"color": "red", "items": [{"name": "twice"}] * 2}
        body = {"apiVersion": f"{self.group}/v1", "kind": "Gadget", "spec": spec}
        path = f"{self.path('Gadget', '')}?dryRun=All&fieldValidation=Strict"
        statuses = [
            self.send(
                "POST", path, {**body, "metadata": {"name": "probe"}, "spec": {key: spec[key]}}
            )
            for key in ("items", "color")
        ]
        return [status == 201 for status, _ in statuses] == [not keyed, colored]


def gadgets(group: str, *, keyed: bool = False, colored: bool = True) -> dict[str, Any]:
    """A definition with an atomic list (or a keyed one), a set, and a field that may go."""
    item = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
    }
    items: dict[str, Any] = {"type": "array", "items": item}
    if keyed:
        items |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    names = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    properties = {"size": {"type": "integer"}, "items": items, "names": names}
    if colored:
        properties["color"] = {"type": "string"}
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": properties}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gadgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget"},
            "versions": [version],
        },
    }


def objects(name: str, group: str, revision: int) -> dict[str, dict[str, Any]]:
    """The set of one revision of ours: fewer fields in some, other values in others."""
    value, more = f"v{revision}", revision % 2 == 0
    metadata: dict[str, Any] = {
        "name": name,
        "labels": {"tier": value},
        "annotations": {"note": value},
    }
    labels = {"app": name}
    environment = [{"name": key, "value": value} for key in ("A", "B", "C")]
    pods = {
        "metadata": {"labels": labels},
        "spec": {
            "containers": [
                {"name": "web", "image": "web:1", "env": environment if more else []},
                {"name": "proxy", "image": f"proxy:{revision}"},
            ]
        },
    }
    workload = {"selector": {"matchLabels": labels}, "template": pods, "replicas": 0}
    ports = [{"name": key, "port": port} for key, port in (("http", 80), ("metrics", 9000))]
    gadget = {
        "size": revision,
        "items": [{"name": key, "value": value} for key in ("a", "b")],
        "names": ["x", "y", "z"] if more else ["x", "y"],
        "color": value,
    }
    made: dict[str, dict[str, Any]] = {
        "ConfigMap": {"data": {"a": value, **({"b": "b"} if more else {})}},
        "Secret": {"stringData": {"password": value}, "data": {"k": "djA="}, "type": "Opaque"},
        "Service": {"spec": {"selector": {"app": value}, "ports": ports if more else ports[:1]}},
        "ServiceAccount": {"automountServiceAccountToken": more},
        "Deployment": {"spec": workload},
        "StatefulSet": {"spec": {**workload, "serviceName": name}},
        "Gadget": {"spec": gadget},
    }
    versions = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "Gadget": f"{group}/v1"}
    return {
        kind: {
            "apiVersion": versions.get(kind, "v1"),
            "kind": kind,
            "metadata": copy.deepcopy(metadata),
            **content,
        }
        for kind, content in made.items()
    }


revisions = st.integers(1, 4)
COUNTED = ("Deployment", "StatefulSet", "Gadget")  # kinds whose generation counts
kinds = st.sampled_from((*KINDS, *COUNTED))
managers = st.sampled_from(["kubectl-edit", "some-controller", "pipeline-gitops"])


class Histories(RuleBasedStateMachine):
    """One environment, one object of each kind, and everybody who writes them."""

    world: World
    proven = 0

    @initialize(revision=revisions)
    def begin(self, revision: int) -> None:
        token = secrets.token_hex(4)
        self.name = f"x{token}"
        self.owner = Owner(repository="acme/shop", environment=token)
        self.revision = revision
        self.looking = self.target()
        self.world.shape(keyed=False, colored=True)
        self.deploy(revision)

    def teardown(self) -> None:
        for kind in KINDS:
            path = self.world.path(kind, self.name)
            self.world.send("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
            self.world.send("DELETE", path)

    # -- ours --------------------------------------------------------------------------------------

    def target(self, *, thorough: bool = False) -> ClusterTarget:
        return self.world.cluster.target(self.owner, thorough=thorough)

    def surveyed(self, target: ClusterTarget) -> tuple[Survey, Any]:
        bodies = objects(self.name, self.world.group, self.revision).values()
        return planned(target, wanted(target, self.world.cluster.namespace, *bodies))

    def write(self, revision: int, how: Callable[..., list[Outcome]]) -> None:
        self.revision = revision
        target = self.target()
        for _ in range(5):
            survey, plan = self.surveyed(target)
            if plan.refusals:
                return
            try:
                outcomes = how(target, survey, plan)
            except Stale:
                continue  # a killed run's claim was taken over: what it left is surveyed again
            if State.STALE in {outcome.state for outcome in outcomes}:
                continue  # controllers write, too
            assert {outcome.state for outcome in outcomes} <= {State.DONE}
            return
        raise AssertionError("it never settles")

    @rule(revision=revisions)
    def deploy(self, revision: int) -> None:
        """We deploy a revision, unless something stands against it."""
        self.write(revision, execute)

    @rule(revision=revisions)
    def crash(self, revision: int) -> None:
        """We write a revision and are killed before it is recorded."""
        self.write(revision, unrecorded)

    @rule(kind=kinds, alike=st.booleans())
    def older_run(self, kind: str, alike: bool) -> None:
        """An earlier run of ours that was asleep writes its revision, and records nothing.

        One that is alike has the same fields, with other values.
        """
        revision = (self.revision + (1 if alike else 0)) % 4 + 1
        self.apply(kind, self.sent(kind, revision), "pipeline-gitops", force=True)

    # -- others ------------------------------------------------------------------------------------

    @rule(kind=kinds, manager=managers, what=st.sampled_from(["label", "annotation", "content"]))
    def patch(self, kind: str, manager: str, what: str) -> None:
        """Somebody changes one thing of ours."""
        change: dict[str, Any] = {
            "label": {"metadata": {"labels": {"tier": "theirs"}}},
            "annotation": {"metadata": {"annotations": {"note": "theirs"}}},
            "content": self.content(kind, "theirs"),
        }[what]
        self.send(kind, "PATCH", change, MERGE, manager)

    @rule(kind=kinds, manager=managers)
    def note(self, kind: str, manager: str) -> None:
        """Somebody adds what is not ours."""
        change = {"metadata": {"annotations": {"other": secrets.token_hex(4)}}}
        self.send(kind, "PATCH", change, MERGE, manager)

    @rule(kind=kinds, manager=managers, key=st.sampled_from(["tier", MARK_POINTER]))
    def unlabel(self, kind: str, manager: str, key: str) -> None:
        """Somebody takes a label of ours away."""
        change = [{"op": "remove", "path": f"/metadata/labels/{key}"}]
        self.send(kind, "PATCH", change, JSON_PATCH, manager)

    @rule(kind=kinds, manager=managers, revision=revisions)
    def put(self, kind: str, manager: str, revision: int) -> None:
        """Somebody replaces the content by that of another revision of ours."""

        def other(live: dict[str, Any]) -> None:
            wanted_ = self.sent(kind, revision)
            live.update({key: wanted_[key] for key in wanted_ if key in ("data", "spec")})

        self.replace(kind, manager, other)

    @rule(kind=kinds, manager=managers)
    def reorder(self, kind: str, manager: str) -> None:
        """Somebody turns every list around."""
        self.replace(kind, manager, lambda live: turn(live.get("spec", {})))

    @rule(kind=kinds, manager=managers)
    def write_back(self, kind: str, manager: str) -> None:
        """Somebody changes content and puts managedFields back as they were."""
        before = self.live(kind)
        if before is None:
            return
        self.send(kind, "PATCH", self.content(kind, "theirs"), MERGE, manager)
        metadata = {"managedFields": before["metadata"]["managedFields"]}
        self.send(kind, "PATCH", {"metadata": metadata}, MERGE, manager)

    @rule(kind=kinds, revision=revisions, force=st.booleans())
    def foreign_apply(self, kind: str, revision: int, force: bool) -> None:
        """Another tool applies our manifest of some revision, without our mark."""
        body = self.sent(kind, revision)
        del body["metadata"]["labels"][MARK]
        self.apply(kind, body, "other-tool", force=force)

    @rule(kind=st.sampled_from(SCALED), replicas=st.integers(0, 1), manager=managers)
    def scale(self, kind: str, replicas: int, manager: str) -> None:
        """Somebody scales."""
        body = {"spec": {"replicas": replicas}}
        self.send(kind, "PATCH", body, MERGE, manager, sub="/scale")

    @rule(kind=st.sampled_from(SCALED))
    def status(self, kind: str) -> None:
        """A controller says how it goes."""
        body = {"status": {"observedGeneration": 1 + secrets.randbelow(1000)}}
        self.send(kind, "PATCH", body, MERGE, "kube-controller-manager", sub="/status")

    @rule(kind=kinds, manager=managers)
    def recreate(self, kind: str, manager: str) -> None:
        """Somebody deletes the object and makes it again as it was."""
        live = self.live(kind)
        if live is None or live["metadata"].get("finalizers"):
            return
        path = self.world.path(kind, self.name)
        self.world.send("DELETE", path)
        until(lambda: self.live(kind) is None, f"{kind} to be gone")
        for key in ("uid", "resourceVersion", "managedFields", "generation", "creationTimestamp"):
            live["metadata"].pop(key, None)
        live.pop("status", None)
        parent = path.rpartition("/")[0]
        self.world.send("POST", f"{parent}?fieldManager={manager}", live)

    @rule(kind=kinds)
    def terminate(self, kind: str) -> None:
        """Somebody deletes an object that has a finalizer, so that it stays."""
        change = {"metadata": {"finalizers": ["example.com/hold"]}}
        self.send(kind, "PATCH", change, MERGE, "some-controller")
        self.world.send("DELETE", self.world.path(kind, self.name))

    @rule(kind=kinds)
    def release(self, kind: str) -> None:
        """The finalizer is done."""
        self.send(kind, "PATCH", {"metadata": {"finalizers": None}}, MERGE, "some-controller")

    @rule(keyed=st.booleans(), colored=st.booleans())
    def redefine(self, keyed: bool, colored: bool) -> None:
        """The definition's schema changes: a list gets keys, a field of ours goes."""
        self.world.shape(keyed=keyed, colored=colored)

    # -- requests ----------------------------------------------------------------------------------

    def content(self, kind: str, value: str) -> dict[str, Any]:
        if kind in SCALED:
            return {"spec": {"minReadySeconds": 7, "replicas": 1}}
        return {
            "ConfigMap": {"data": {"a": value}},
            "Secret": {"stringData": {"password": value}},
            "Service": {"spec": {"selector": {"app": value}}},
            "ServiceAccount": {"automountServiceAccountToken": None},
            "Gadget": {"spec": {"items": [{"name": "b", "value": value}]}},
        }[kind]

    def sent(self, kind: str, revision: int) -> dict[str, Any]:
        """What we send of a revision."""
        body = copy.deepcopy(objects(self.name, self.world.group, revision)[kind])
        body["metadata"]["labels"][MARK] = self.mark()
        return body

    def mark(self) -> str:
        from pipeline_gitops.config import ClusterSpec
        from pipeline_gitops.targets.cluster.records import applysets

        spec = ClusterSpec(namespace=self.world.cluster.namespace)
        return applysets.set_id(applysets.parent_id(spec, self.owner))

    def live(self, kind: str) -> Any:
        status, body = self.world.send("GET", self.world.path(kind, self.name))
        return body if status == 200 else None

    def send(
        self, kind: str, method: str, body: Any, type_: str, manager: str, sub: str = ""
    ) -> None:
        path = f"{self.world.path(kind, self.name)}{sub}?fieldManager={manager}"
        self.world.send(method, path, body, type_)

    def replace(self, kind: str, manager: str, change: Callable[[dict[str, Any]], None]) -> None:
        live = self.live(kind)
        if live is not None:
            change(live)
            self.send(kind, "PUT", live, "application/json", manager)

    def apply(self, kind: str, body: Any, manager: str, *, force: bool, dry: bool = False) -> Any:
        query = f"fieldManager={manager}&force={str(force).lower()}" + "&dryRun=All" * dry
        return self.world.send("PATCH", f"{self.world.path(kind, self.name)}?{query}", body, APPLY)

    # -- what must hold ----------------------------------------------------------------------------

    @invariant()
    def unchanged_is_unchanged(self) -> None:
        """No object that the survey calls unchanged would be changed by a forced apply."""
        survey, _ = self.surveyed(self.looking)
        for id in survey.unchanged:
            live = self.live(id.kind)
            status, after = self.apply(
                id.kind, self.sent(id.kind, self.revision), "pipeline-gitops", force=True, dry=True
            )
            assert live is not None, f"{id} is not there"
            assert status == 200, f"{id} would be refused: {after.get('message')}"
            assert "deletionTimestamp" not in live["metadata"], f"{id} is terminating"
            changed = difference(plain(live), plain(after))
            assert not changed, f"{id} would be changed: {changed}"


def unrecorded(target: ClusterTarget, survey: Survey, plan: Plan) -> list[Outcome]:
    """Writes a plan as a run does that is killed before it records it."""
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)
    with target.claim(claimed) as writing:
        return list(writing.apply(plan.changes))


def turn(value: Any) -> None:
    """Turns every list inside a body around."""
    if isinstance(value, dict):
        for inner in value.values():
            turn(inner)
    elif isinstance(value, list):
        value.reverse()
        for inner in value:
            turn(inner)


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """An object without what moves by itself."""
    moving = ("managedFields", "resourceVersion", "generation")
    metadata = {key: value for key, value in body["metadata"].items() if key not in moving}
    stamp = {EPOCH, FENCE}
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k not in stamp}
    kept = {key: value for key, value in body.items() if key != "status"}
    return {**kept, "metadata": {**metadata, "annotations": annotations}}


def difference(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two bodies differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [
            line
            for key in keys
            for line in difference(one.get(key), other.get(key), f"{path}.{key}")
        ]
    return [] if one == other else [f"{path}: {one} -> {other}"]
