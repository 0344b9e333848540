"""The inventory as an ApplySet, with the real kubectl on a real control plane."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Member, Receipt, Stamp
from pipeline_gitops.targets.cluster.records import applysets
from tests.contract.clusters import (
    OWNER,
    STAMP,
    Cluster,
    config_map,
    deploy,
    deployment,
    planned,
    preview,
    service,
    wanted,
)

KUBECTL = Path(sys.executable).parent / "kubectl"
PARENT = "pipeline-gitops-acme-shop-staging"

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def apply(cluster: Cluster) -> Kubectl:
    """`kubectl apply --prune` of some objects to our ApplySet."""

    def call(*bodies: Any) -> subprocess.CompletedProcess[str]:
        path = cluster.folder / "wanted.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
        return subprocess.run(
            [
                str(KUBECTL),
                "apply",
                "--server-side",
                "--force-conflicts",
                "--prune",
                f"--applyset=configmap/{PARENT}",
                f"--namespace={cluster.namespace}",
                f"--filename={path}",
            ],
            env={**os.environ, "KUBECONFIG": cluster.kubeconfig(), "KUBECTL_APPLYSET": "true"},
            capture_output=True,
            text=True,
            check=False,
        )

    return call


def names(cluster: Cluster) -> set[str]:
    found = cluster.names("ConfigMap") | cluster.names("Deployment") | cluster.names("Service")
    return {name for name in found if name != PARENT}


def annotations(cluster: Cluster) -> dict[str, str]:
    found: dict[str, str] = cluster.get("ConfigMap", PARENT)["metadata"]["annotations"]
    return found


A, B, WEB, FRONT = config_map("a", v="1"), config_map("b"), deployment("web"), service("front")


def test_kubectl_refuses_what_is_ours(cluster: Cluster, apply: Kubectl) -> None:
    """By accident, it prunes nothing."""
    deploy(cluster, A, B)

    done = apply(A)

    assert done.returncode != 0
    assert "pipeline-gitops" in done.stderr
    assert names(cluster) == {"a", "b"}


def test_after_a_handover_kubectl_prunes_right(cluster: Cluster, apply: Kubectl) -> None:
    """What is left out goes, everything else stays, in every kind; what was never ours, too."""
    deploy(cluster, A, B, WEB, FRONT)
    cluster.create(config_map("foreign"), "kubectl-create")

    cluster.target().hand_over()
    done = apply(A, WEB, FRONT)

    assert done.returncode == 0, done.stderr
    assert names(cluster) == {"a", "web", "front", "foreign"}


def test_what_was_handed_over_is_not_deployed_to(cluster: Cluster) -> None:
    """Two tools on one set would delete each other's objects."""
    deploy(cluster, A)
    cluster.target().hand_over()

    with pytest.raises(RefusedFault) as caught:
        deploy(cluster, A, B)

    assert "kubectl manages the set" in caught.value.what
    assert "handover --back --environment staging" in caught.value.cure


def test_what_kubectl_gave_back_is_ours_as_before(cluster: Cluster, apply: Kubectl) -> None:
    """Also with the fields of the inventory that kubectl took meanwhile."""
    deploy(cluster, A, B, WEB)
    cluster.target().hand_over()
    assert apply(A, WEB, FRONT).returncode == 0

    cluster.target().take_back()
    deploy(cluster, A, FRONT)

    assert names(cluster) == {"a", "front"}
    assert {id.name for id in cluster.target().inventory().ids} == {"a", "front"}
    assert annotations(cluster)["applyset.kubernetes.io/tooling"].startswith("pipeline-gitops/")
    kinds = annotations(cluster)["applyset.kubernetes.io/contains-group-kinds"]
    assert kinds == "ConfigMap,Service"
    assert preview(cluster, A, FRONT).changes == ()


def test_handing_over_and_back_twice_is_fine(cluster: Cluster) -> None:
    """A job may be run again."""
    deploy(cluster, A)

    for _ in range(2):
        cluster.target().hand_over()
    for _ in range(2):
        cluster.target().take_back()

    assert preview(cluster, A).changes == ()


def test_an_unfinished_deploy_is_not_handed_over(cluster: Cluster) -> None:
    """Nobody would know what it left."""
    deploy(cluster, A)
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, A, B))
    with target.claim(inventories.claimed(survey.inventory, STAMP, plan.ids)):
        pass

    with pytest.raises(RefusedFault, match="not finished"):
        cluster.target().hand_over()


def test_nothing_is_handed_over_where_nothing_was_deployed(cluster: Cluster) -> None:
    """And nothing is made for it."""
    with pytest.raises(RefusedFault, match="is not there"):
        cluster.target().hand_over()


def test_a_foreign_parent_is_not_taken(cluster: Cluster) -> None:
    """Of kubectl's own making, or of another tool."""
    foreign = config_map(PARENT)
    key = "applyset.kubernetes.io/tooling"
    foreign["metadata"]["annotations"] = {key: "kubectl/v1.37.1"}
    cluster.create(foreign, "kubectl-create")

    for act in (cluster.target().take_back, cluster.target().hand_over, cluster.target().inventory):
        with pytest.raises(RefusedFault):
            act()


def test_the_parent_lists_kinds_and_namespaces_of_the_claim(cluster: Cluster) -> None:
    """kubectl would not find, and not prune, what a killed run left in others."""
    deploy(cluster, A)
    target = cluster.target()
    inventory = target.inventory()
    elsewhere = ObjectId("apps", "Deployment", "elsewhere", "web")
    with target.claim(inventories.claimed(inventory, STAMP, [elsewhere])):
        pass

    found = annotations(cluster)
    assert found["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Deployment.apps"
    assert found["applyset.kubernetes.io/additional-namespaces"] == "elsewhere"


def test_an_inventory_of_10000_objects_is_stored(cluster: Cluster) -> None:
    """With a claim on all of them, in one ConfigMap."""
    target = cluster.target()
    members = tuple(Member(id=id, receipt=receipt(n)) for n, id in enumerate(many(10_000)))
    inventory = Inventory(owner=OWNER, stamp=STAMP, members=members, history=(STAMP,) * 10)
    full = inventories.claimed(inventory, Stamp(revision="b" * 40), many(10_000))

    with target.claim(full):
        pass
    stored = cluster.target().inventory()

    assert replace(stored, version=inventory.version) == full
    assert applysets.FORMAT == 2


def many(count: int) -> list[ObjectId]:
    kinds = (("", "ConfigMap"), ("apps", "Deployment"), ("", "Service"), ("", "ServiceAccount"))
    return [
        ObjectId(*kinds[number % 4], f"team-{number % 17}", f"workload-{number // 4}-service")
        for number in range(count)
    ]


def receipt(number: int) -> Receipt:
    return Receipt(f"1 uid-{number} {number} 1 digest digest")
