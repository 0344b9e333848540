"""What a dry run does not tell, on a real control plane: told before the first write."""

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline_gitops.plans import State
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    Cluster,
    config_map,
    deploy,
    deployment,
    planned,
    preview,
    rules,
    said,
    service,
    until,
    wanted,
)

pytestmark = pytest.mark.cluster


def account(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


@pytest.fixture
def urgent(cluster: Cluster) -> Iterator[dict[str, Any]]:
    """A PriorityClass of the test's own, not yet there; it is deleted at the end."""
    name = f"urgent-{cluster.namespace[-8:]}"
    yield {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1000,
    }
    cluster.send("DELETE", f"apis/scheduling.k8s.io/v1/priorityclasses/{name}")


def running_as(name: str, **spec: Any) -> dict[str, Any]:
    body = deployment("web")
    body["spec"]["template"]["spec"] |= {"serviceAccountName": name, **spec}
    return body


def naked(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "naked"},
        "spec": {"containers": [{"name": "web", "image": "web:1"}], **spec},
    }


def quota(cluster: Cluster, **hard: str) -> None:
    """A quota of the namespace, once its controller has counted."""
    root = f"api/v1/namespaces/{cluster.namespace}/resourcequotas"
    spec = {"hard": {key.replace("__", "."): value for key, value in hard.items()}}
    made = {"metadata": {"name": "limits"}, "spec": spec}
    cluster.send("POST", f"{root}?fieldManager=kubectl-create", made)
    counted = f"{root}/limits"
    until(lambda: "used" in cluster.send("GET", counted).get("status", {}), "the quota to count")


# -- what pods cannot start without ----------------------------------------------------------------


def test_missing_service_account(cluster: Cluster) -> None:
    """A workload is taken whose pods never start: refused, with what is missing."""
    plan = preview(cluster, running_as("robot"))

    assert rules(plan) == ["missing-requirement"]
    assert f"ServiceAccount {cluster.namespace}/robot" in said(plan)


def test_service_account_of_the_same_set(cluster: Cluster) -> None:
    """What comes with the set is not missing."""
    assert rules(preview(cluster, account("robot"), running_as("robot"))) == []


def test_service_account_that_is_there(cluster: Cluster) -> None:
    """What is there, whoever made it, is not missing."""
    cluster.send("POST", f"api/v1/namespaces/{cluster.namespace}/serviceaccounts", account("robot"))

    assert rules(preview(cluster, running_as("robot"))) == []


def test_service_account_that_leaves(cluster: Cluster) -> None:
    """What the same deploy deletes is as good as missing."""
    deploy(cluster, account("robot"), running_as("robot"))

    plan = preview(cluster, running_as("robot", hostNetwork=False, terminationGracePeriodSeconds=5))

    assert rules(plan) == ["missing-requirement"]
    assert "which the same deploy deletes" in said(plan)


def test_missing_priority_class(cluster: Cluster) -> None:
    """The same for a PriorityClass."""
    plan = preview(cluster, running_as("default", priorityClassName="urgent-nowhere"))

    assert rules(plan) == ["missing-requirement"]
    assert "PriorityClass.scheduling.k8s.io urgent-nowhere" in said(plan)


def test_unchanged_workloads_are_not_looked_at(cluster: Cluster) -> None:
    """It costs what changed: what stands already is not judged again."""
    deploy(cluster, account("robot"), running_as("robot"))
    root = f"api/v1/namespaces/{cluster.namespace}/serviceaccounts"
    cluster.send("DELETE", f"{root}/robot")

    plan = preview(cluster, account("robot"), running_as("robot"), config_map("more", a="b"))

    assert plan.refusals == ()


def test_pod_whose_account_comes_with_it(cluster: Cluster, urgent: dict[str, Any]) -> None:
    """A naked Pod cannot be tried before its account is there: predicted, then written."""
    pod = naked(serviceAccountName="robot", priorityClassName=urgent["metadata"]["name"])
    bodies = (account("robot"), urgent, pod)

    plan = preview(cluster, *bodies)
    outcomes = deploy(cluster, *bodies)

    predicted = {change.id.kind: change.sight.predicted for change in plan.changes}
    assert plan.refusals == ()
    assert predicted["Pod"].endswith("is created by the same deploy")
    assert {outcome.state for outcome in outcomes} == {State.DONE}


def test_pod_whose_account_is_nowhere(cluster: Cluster) -> None:
    """Without its account it is refused."""
    plan = preview(cluster, naked(serviceAccountName="robot"))

    assert rules(plan) == ["server-refused"]
    assert 'serviceaccount "robot" not found' in said(plan)


# -- quotas ----------------------------------------------------------------------------------------


def test_objects_that_fit_only_one_by_one(cluster: Cluster) -> None:
    """A dry run lets each of them pass; together they do not fit."""
    quota(cluster, **{"count/deployments__apps": "2"})

    plan = preview(cluster, *(deployment(f"web-{number}") for number in range(3)))

    assert rules(plan) == ["over-quota"]
    assert "the quota limits allows 2 more count/deployments.apps, this deploy adds 3" in said(plan)


def test_objects_that_fit(cluster: Cluster) -> None:
    """A quota with room says nothing."""
    quota(cluster, **{"count/deployments__apps": "2", "services": "5", "services__nodeports": "0"})

    plan = preview(cluster, deployment("a"), deployment("b"), service("a"))

    assert plan.refusals == ()


def test_memory_of_pods_is_a_notice(cluster: Cluster) -> None:
    """Other pods may go meanwhile: what does not fit now is told, not refused."""
    quota(cluster, requests__memory="1Gi")
    body = deployment("web", replicas=3)
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"memory": "512Mi"}}

    plan = preview(cluster, body)

    assert plan.refusals == ()
    assert any(
        "the quota limits allows 1Gi more requests.memory, this deploy adds 1536Mi" in notice
        for notice in plan.notices
    )


def test_quota_that_the_same_deploy_raises(cluster: Cluster) -> None:
    """Quotas are written before what they count: the new limit is what holds."""
    quota(cluster, **{"count/deployments__apps": "1"})
    raised = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "limits"},
        "spec": {"hard": {"count/deployments.apps": "2"}},
    }

    plan = preview(cluster, raised, deployment("a"), deployment("b"))

    assert plan.refusals == ()


# -- size ------------------------------------------------------------------------------------------


def test_object_that_is_too_large(cluster: Cluster) -> None:
    """A dry run takes what the store refuses: it is refused before any write."""
    large = {f"key-{number}": "x" * 400_000 for number in range(4)}
    target = cluster.target()
    crowded = {**deployment("web"), "metadata": {"name": "web"}}
    crowded["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": key, "value": value} for key, value in large.items()
    ]

    plan = planned(target, wanted(target, cluster.namespace, crowded))[1]

    assert rules(plan) == ["too-large"]
    assert "1.60 MB" in said(plan)


# -- what changes under way ------------------------------------------------------------------------


def test_namespace_that_is_being_deleted(cluster: Cluster) -> None:
    """Nothing can be written into it: the refusal says so, and what to do."""
    deploy(cluster, config_map("held", a="b"))
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    cluster.patch("ConfigMap", "held", held, "somebody")
    cluster.send("DELETE", f"api/v1/namespaces/{cluster.namespace}")

    plan = preview(cluster, config_map("held", a="b"), config_map("new", a="b"))
    cluster.patch("ConfigMap", "held", {"metadata": {"finalizers": []}}, "somebody")

    assert "is being terminated" in said(plan)
    assert f"wait until namespace {cluster.namespace} is gone" in said(plan)
    assert Action.DELETE not in {change.action for change in plan.changes}
