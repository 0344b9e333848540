"""The canary: what create-only rests on is behaviour of the server, and in no documentation.

Server-side apply with `metadata.resourceVersion: "1"` creates what is absent, and nothing else. If
one of these fails on a new version of Kubernetes, no creation of ours is safe there any more.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from pipeline_gitops.plans import State
from tests.cluster.api import ApiError
from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import (
    Cluster,
    config_map,
    definition,
    deployment,
    execute,
    planned,
    service,
    until,
    wanted,
)

pytestmark = pytest.mark.cluster

RBAC = "rbac.authorization.k8s.io/v1"
ROLE = {
    "apiVersion": RBAC,
    "kind": "Role",
    "metadata": {"name": "canary"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "canary"}}
WIDGET = {"apiVersion": "", "kind": "Widget", "metadata": {"name": "canary"}, "spec": {"size": 1}}


@dataclass(frozen=True)
class Canary:
    """An object that is applied by the admin, and the path that it is applied to."""

    plane: ControlPlane
    path: str
    body: dict[str, Any]

    def apply(self, *, force: bool = True, dry_run: bool = False, **metadata: str) -> int:
        """The status that a creation is answered with."""
        query = f"fieldManager=canary&force={'true' if force else 'false'}"
        if dry_run:
            query += "&dryRun=All"
        conditioned = {"resourceVersion": "1", **metadata}
        body = {**self.body, "metadata": {**self.body["metadata"], **conditioned}}
        return self.send("PATCH", f"?{query}", body, "application/apply-patch+yaml")

    def send(self, method: str, query: str, body: Any, kind: str = "application/json") -> int:
        headers = {"Authorization": f"Bearer {self.plane.admin_token}", "Content-Type": kind}
        with urllib3.PoolManager(ca_certs=str(self.plane.ca_file)) as pool:
            url = f"{self.plane.url}{self.path}{query}"
            data = json.dumps(body).encode()
            return pool.request(method, url, body=data, headers=headers).status

    def hold(self, *finalizers: str) -> None:
        """Keeps the object from going, or lets it go."""
        change = {"metadata": {"finalizers": list(finalizers)}}
        assert self.send("PATCH", "", change, "application/merge-patch+json") == 200


BODIES = {
    "ConfigMap": ("/api/v1/namespaces/{}/configmaps", config_map("canary", a="1")),
    "Deployment": ("/apis/apps/v1/namespaces/{}/deployments", deployment("canary")),
    "Service": ("/api/v1/namespaces/{}/services", service("canary")),
    "Role": (f"/apis/{RBAC}/namespaces/{{}}/roles", ROLE),
    "Namespace": ("/api/v1/namespaces", NAMESPACE),
    "custom resource": ("/apis/{}/v1/namespaces/{}/widgets", WIDGET),
}


@pytest.fixture(params=BODIES)
def canary(
    request: pytest.FixtureRequest, control_plane: ControlPlane, namespace: str
) -> Iterator[Canary]:
    """One object of each kind, absent."""
    root, body = BODIES[request.param]
    if request.param == "Namespace":
        body = {**body, "metadata": {"name": f"canary-{namespace[-8:]}"}}
    where = [namespace]
    group, definitions = "", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    if request.param == "custom resource":
        group = f"c{namespace[-8:]}.example.com"
        where, body = [group, namespace], {**body, "apiVersion": f"{group}/v1"}
        control_plane.admin.post(definitions, definition(group))
        served = f"/apis/{group}/v1/namespaces/{namespace}/widgets"
        until(lambda: is_served(control_plane, served), "the kind to be served")
    path = f"{root.format(*where)}/{body['metadata']['name']}"
    made = Canary(control_plane, path, body)

    yield made

    made.send("DELETE", "", {})
    if group:
        control_plane.admin.delete(f"{definitions}/widgets.{group}")


def is_served(plane: ControlPlane, path: str) -> bool:
    try:
        plane.admin.get(path)
    except ApiError:
        return False
    return True


def test_absent_is_created_and_existing_is_not_touched(canary: Canary) -> None:
    """201 once; then 409 for the same again, forced or not, tried or real."""
    first = canary.apply()

    again = {
        canary.apply(force=force, dry_run=dry_run)
        for force in (False, True)
        for dry_run in (False, True)
    }

    assert (first, again) == (201, {409})


def test_terminating_is_not_touched(canary: Canary) -> None:
    """An object on its way out is not absent."""
    canary.apply()
    canary.hold("example.com/hold")
    canary.send("DELETE", "", {})

    tried = {canary.apply(force=True, dry_run=dry_run) for dry_run in (False, True)}
    canary.hold()

    assert tried == {409}


def test_of_racing_creations_one_wins(canary: Canary) -> None:
    """Four forced writers at once: exactly one creates."""
    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(lambda _: canary.apply(force=True), range(4)))

    assert answers == [201, 409, 409, 409]


def test_creation_never_merges(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    """An object that somebody creates meanwhile is left alone, though no field conflicts."""
    cluster = Cluster.of(control_plane, namespace, tmp_path)
    target = cluster.target()
    desired = wanted(target, namespace, config_map("settings", color="blue"))
    survey, plan = planned(target, desired)
    cluster.create(config_map("settings", shape="round"), "kubectl-create")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"shape": "round"}
