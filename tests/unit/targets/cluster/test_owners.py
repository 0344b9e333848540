"""Whose fields are taken, left, or not touched."""

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.targets.cluster import owners
from pipeline_gitops.targets.cluster.statuses import Cause

WEB = ObjectId("apps", "Deployment", "shop", "web")


def conflict(manager: str, field: str = ".spec.x", rest: str = "") -> Cause:
    return Cause("FieldManagerConflict", field, f'conflict with "{manager}"{rest}')


def decision(cause: Cause, *, scaled: bool = False) -> str:
    (owner,) = owners.decide([cause], {}, lambda: scaled)
    return owner.decision


@pytest.mark.parametrize(
    "manager",
    [
        "kubectl",
        "kubectl-client-side-apply",
        "kubectl-edit",
        "kubectl-patch",
        "helm",
        "before-first-apply",
        "k9s",
        "Mozilla",
    ],
)
def test_people_and_earlier_tools(manager: str) -> None:
    """What people and the tools before us set is as in Git again."""
    assert decision(conflict(manager)) == owners.TAKEN


@pytest.mark.parametrize(
    "manager",
    [
        "kube-controller-manager",
        "cert-manager-cainjector",
        "argocd-controller",
        "kustomize-controller",
        "helm-controller",
        "kubectlike",
        "lensing",
        "",
    ],
)
def test_controllers(manager: str) -> None:
    """What a controller sets is not fought over, whatever its name begins with."""
    assert decision(conflict(manager)) == owners.REFUSED


def test_replicas_under_an_autoscaler() -> None:
    """Replicas are left alone where an autoscaler sets them, whoever is named as their owner."""
    scale = ' with subresource "scale" using apps/v1'

    for manager in ("kubectl", "kube-controller-manager"):
        cause = conflict(manager, owners.REPLICAS, scale)
        assert decision(cause, scaled=True) == owners.LEFT


def test_other_fields_under_an_autoscaler() -> None:
    """An autoscaler covers nothing but the replicas."""
    assert decision(conflict("some-operator"), scaled=True) == owners.REFUSED


def test_since() -> None:
    """The owner's last write is found by name, operation and subresource; else it is unknown."""
    live = {
        "metadata": {
            "managedFields": [
                {"manager": "a", "operation": "Apply", "time": "2026-01-01T00:00:00Z"},
                {"manager": "a", "operation": "Update", "time": "2026-02-02T00:00:00Z"},
                {"manager": "b", "operation": "Update", "subresource": "scale"},
            ]
        }
    }
    causes = [
        conflict("a", ".x"),
        conflict("a", ".y", " using v1"),
        conflict("b", ".z", ' with subresource "scale" using apps/v1'),
        conflict("c", ".zz", " using v1 at 2026-03-03T00:00:00Z"),
    ]

    found = owners.decide(causes, live, lambda: False)

    assert [owner.since for owner in found] == [
        "2026-01-01T00:00:00Z",
        "2026-02-02T00:00:00Z",
        "",
        "2026-03-03T00:00:00Z",
    ]


def test_refusal_names_all() -> None:
    """A refusal lists every field that is not ours to take, and none of the others."""
    causes = [conflict("operator-a", ".x"), conflict("operator-b", ".y"), conflict("helm", ".z")]

    refusal = owners.refusal(WEB, owners.decide(causes, {}, lambda: False))

    assert refusal
    assert refusal.message == f"{WEB}: .x is set by operator-a; .y is set by operator-b"


def test_unreadable_conflict() -> None:
    """A conflict whose owner cannot be read is refused."""
    (owner,) = owners.decide([Cause("FieldManagerConflict", ".x", "?")], {}, lambda: False)

    assert (owner.owner, owner.decision) == ("somebody else", owners.REFUSED)


def test_autoscaler_of_another_workload() -> None:
    """An autoscaler covers the workload that it names, not one of another kind or group."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = {"spec": {"scaleTargetRef": reference}}

    assert owners.targets(autoscaler, WEB)
    assert not owners.targets(autoscaler, ObjectId("apps", "StatefulSet", "shop", "web"))
    assert not owners.targets(autoscaler, ObjectId("x.io", "Deployment", "shop", "web"))
    assert not owners.targets({}, WEB)
