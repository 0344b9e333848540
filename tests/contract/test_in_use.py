"""Objects that do not go while something uses them are not replaced, on a real control plane."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.clusters import Cluster, deploy, preview, rules, said, until
from tests.contract.fixed_fields import CORE, allowed, claim, pod

pytestmark = pytest.mark.cluster


def test_claim_that_a_pod_uses(cluster: Cluster) -> None:
    """It would not go while the pod is there, and nobody could keep it any more."""
    deploy(cluster, claim())
    mounted = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    user = pod("sleep")
    user["spec"] |= {"nodeName": "elsewhere", "volumes": [mounted]}
    cluster.send("POST", f"{CORE}/namespaces/{cluster.namespace}/pods", user)

    plan = preview(cluster, allowed(claim(storageClassName="other")))

    assert rules(plan) == ["replacement-refused"]
    assert f"Pod {cluster.namespace}/naked uses it" in said(plan)


def test_volume_that_a_claim_is_bound_to(cluster: Cluster, volume: str) -> None:
    """It would not go while the claim is there."""
    deploy(cluster, hosted(volume, "/a"))
    bound = claim(storageClassName="", volumeName=volume)
    cluster.send("POST", f"{CORE}/namespaces/{cluster.namespace}/persistentvolumeclaims", bound)
    status = f"{CORE}/persistentvolumes/{volume}"
    until(lambda: cluster.send("GET", status)["status"].get("phase") == "Bound", "to be bound")

    plan = preview(cluster, allowed(hosted(volume, "/b")))

    assert rules(plan) == ["replacement-refused"]
    assert f"PersistentVolumeClaim {cluster.namespace}/data uses it" in said(plan)


@pytest.fixture
def volume(cluster: Cluster) -> Iterator[str]:
    """The name of a volume, which goes with the test."""
    name = f"volume-{cluster.namespace[-8:]}"
    yield name
    cluster.send("DELETE", f"{CORE}/persistentvolumes/{name}")


def hosted(name: str, path: str) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": path},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": spec,
    }
