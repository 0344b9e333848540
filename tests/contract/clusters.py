"""A cluster to deploy to, as people see it, whether it is fake or real; and whole deploys."""

import json
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import urllib3

from pipeline_gitops import inventories, manifests, plans, ports
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.config import ClusterSpec, Policy
from pipeline_gitops.documents import Document
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.inventories import Owner, Stamp
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Outcome, Plan, Survey
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.views import Action
from tests.cluster.controlplane import ControlPlane
from tests.fakes.apiserver import ADMIN, VIEWER, FakeApiServer

OWNER = Owner(repository="acme/shop", environment="staging")
OTHER = Owner(repository="acme/shop", environment="prod")
STAMP = Stamp(revision="a" * 40, sequence=1, run_url="https://ci.example.com/runs/1")
PATIENCE_S = 60.0  # nobody waits so long, unless something is wrong

PREFIXES = {
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Secret": "api/v1/namespaces/{}/secrets",
    "Service": "api/v1/namespaces/{}/services",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "HorizontalPodAutoscaler": "apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster with a namespace of the test's own. *url* and tokens are for people."""

    folder: Path
    url: str
    token: str
    viewer_token: str
    ca_file: str = ""
    namespace: str

    @classmethod
    def of(cls, plane: ControlPlane, namespace: str, folder: Path) -> Self:
        """A namespace of the real control plane."""
        return cls(
            folder=folder,
            url=plane.url,
            token=plane.admin_token,
            viewer_token=plane.viewer_token,
            ca_file=str(plane.ca_file),
            namespace=namespace,
        )

    @classmethod
    def faked(cls, server: FakeApiServer, folder: Path) -> Self:
        """The namespace `shop` of a fake API server."""
        made = cls(
            folder=folder, url=server.url, token=ADMIN, viewer_token=VIEWER, namespace="shop"
        )
        made.send("POST", "api/v1/namespaces", namespace_object("shop"))
        return made

    def kubeconfig(self, *, token: str = "", url: str = "") -> str:
        """A kubeconfig with one context, called `test`."""
        cluster = {"server": url or self.url}
        if self.ca_file:
            cluster["certificate-authority"] = self.ca_file
        path = self.folder / f"kubeconfig-{secrets.token_hex(8)}"
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token or self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(content))
        return str(path)

    def target(
        self,
        owner: Owner = OWNER,
        *,
        token: str = "",
        url: str = "",
        clock: ports.Clock | None = None,
        policy: Policy | None = None,
        thorough: bool = False,
        say: Callable[[str], None] = print,
        **spec: str,
    ) -> ClusterTarget:
        """The environment's target, as a job connects to it."""
        clock = clock or SystemClock()
        wanted = {"namespace": self.namespace, **spec}
        return ClusterTarget(
            ClusterSpec(kubeconfig=self.kubeconfig(token=token, url=url), **wanted),
            owner,
            {},
            policy=policy or Policy(),
            clock=clock,
            deadline=clock.elapsed() + 60,
            thorough=thorough,
            say=say,
        )

    def send(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> Any:
        """What a person asks the API server as its admin; the JSON answer with its status."""
        with urllib3.PoolManager(ca_certs=self.ca_file or None) as pool:
            answer = pool.request(
                method,
                f"{self.url}/{path}",
                body=None if body is None else json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
            )
        assert answer.status < 300, (answer.status, answer.data[:300])
        return answer.json()

    def path(self, kind: str, name: str = "") -> str:
        """The path of an object, or of all of its kind, in the test's namespace."""
        return "/".join(filter(None, (PREFIXES[kind].format(self.namespace), name)))

    def get(self, kind: str, name: str) -> Any:
        """A live object."""
        return self.send("GET", self.path(kind, name))

    def names(self, kind: str) -> set[str]:
        """What there is of a kind, but for what every namespace has."""
        listed = self.send("GET", self.path(kind))["items"] or ()
        return {item["metadata"]["name"] for item in listed} - {"kube-root-ca.crt"}

    def create(self, body: Any, manager: str) -> Any:
        """Somebody else creates an object."""
        return self.send("POST", f"{self.path(body['kind'])}?fieldManager={manager}", body)

    def patch(self, kind: str, name: str, change: Any, manager: str, sub: str = "") -> Any:
        """Somebody else changes an object, as `kubectl edit` does."""
        path = f"{self.path(kind, name)}{sub}?fieldManager={manager}"
        return self.send("PATCH", path, change, "application/merge-patch+json")

    def until_gone(self, kind: str, name: str) -> None:
        """Waits for what is deleted in the background."""
        until(lambda: name not in self.names(kind), f"{kind} {name} is still there")


# -- objects ---------------------------------------------------------------------------------------


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, **values: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def deployment(name: str, *, replicas: int = 1, image: str = "web:1") -> dict[str, Any]:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


def service(name: str, port: int = 80) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "name": "http"}]},
    }


def autoscaler(name: str) -> dict[str, Any]:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"minReplicas": 2, "maxReplicas": 9, "scaleTargetRef": reference},
    }


def definition(group: str, *, scope: str = "Namespaced") -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [version],
        },
    }


def widget(group: str, name: str, size: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": size},
    }


def namespace_object(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


# -- waiting ---------------------------------------------------------------------------------------


def until(condition: Callable[[], object], what: str) -> None:
    """Waits for what the server or a controller does; *what* is said where it does not."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


# -- deploys ---------------------------------------------------------------------------------------


def wanted(target: ClusterTarget, namespace: str, *bodies: Any) -> ManifestSet:
    """The set that an environment of that namespace wants."""
    documents = [
        Document(body=body, place=Place("shop.yaml", line), number=line)
        for line, body in enumerate(bodies, 1)
    ]
    found, findings = manifests.resolve(documents, target.kinds(), namespace)
    assert findings == ()
    return found


def planned(target: ClusterTarget, desired: ManifestSet) -> tuple[Survey, Plan]:
    """What a deploy would do."""
    survey = target.survey(desired, target.inventory())
    return survey, plans.compute(survey, prune=True)


def preview(cluster: Cluster, *bodies: Any, target: ClusterTarget | None = None) -> Plan:
    """The plan for these objects in the test's namespace."""
    target = target or cluster.target()
    return planned(target, wanted(target, cluster.namespace, *bodies))[1]


def execute(target: ClusterTarget, survey: Survey, plan: Plan) -> list[Outcome]:
    """Claim, apply wave by wave, wait for definitions, prune, settle: the story of a deploy."""
    assert plan.refusals == ()
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)
    outcomes: list[Outcome] = []
    with target.claim(claimed) as writing:
        schedule = plans.schedule(plan, ManifestSet())
        for wave in (*schedule.first, *schedule.main, *schedule.last):
            outcomes += writing.apply(wave.changes)
            established(target, wave.ids)
        deleted = {outcome.id for outcome in outcomes if outcome.action is Action.DELETE}
        gone = frozenset(deleted) | survey.gone
        receipts = {
            **dict(survey.receipts),
            **{outcome.id: outcome.receipt for outcome in outcomes},
        }
        writing.settle(inventories.settled(claimed, STAMP, receipts=receipts, gone=gone))
    return outcomes


def established(target: ports.Target, ids: Iterable[ObjectId]) -> None:
    """Waits until new kinds can be used."""
    awaited = frozenset(id for id in ids if id.kind == "CustomResourceDefinition")
    deadline = time.monotonic() + PATIENCE_S
    while awaited and target.runtime:
        bodies = target.runtime.watch(awaited, 0.1).values()
        if all("Established" in json.dumps(body) for body in bodies):
            return
        assert time.monotonic() < deadline


def deploy(cluster: Cluster, *bodies: Any, target: ClusterTarget | None = None) -> list[Outcome]:
    """Deploys these objects to the test's namespace."""
    target = target or cluster.target()
    return execute(target, *planned(target, wanted(target, cluster.namespace, *bodies)))


def actions(plan: Plan) -> dict[str, Action]:
    return {change.id.name: change.action for change in plan.changes}


def rules(plan: Plan) -> list[str]:
    return [refusal.rule for refusal in plan.refusals]


def said(plan: Plan) -> str:
    """Everything that a plan's refusals say."""
    return " ".join(f"{refusal.message} {refusal.cure}" for refusal in plan.refusals)
