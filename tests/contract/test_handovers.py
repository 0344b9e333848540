"""Replicas that leave the manifest are handed to the autoscaler, on a real control plane."""

from typing import Any

import pytest

from pipeline_gitops.plans import State
from tests.contract.clusters import (
    Cluster,
    autoscaler,
    deploy,
    deployment,
    execute,
    planned,
    preview,
    wanted,
)
from tests.contract.owners import client_side_apply, holds, managers, noted, with_rule

pytestmark = pytest.mark.cluster


def without_replicas(image: str = "web:1") -> Any:
    body = deployment("web", image=image)
    del body["spec"]["replicas"]
    return body


@pytest.mark.parametrize("before", ["server-side", "client-side"])
@pytest.mark.parametrize("where", ["in the cluster", "in the set"])
def test_replicas_are_handed_over(cluster: Cluster, where: str, before: str) -> None:
    """Replicas taken out for an autoscaler stay as they are; the autoscaler takes them from there.

    Nothing ever scales to the default in between.
    """
    if before == "server-side":
        deploy(cluster, deployment("web", replicas=4))
    else:
        client_side_apply(cluster, deployment("web", replicas=4))
    more = [autoscaler("web")] if where == "in the set" else []
    if not more:
        cluster.create(autoscaler("web"), "kubectl-create")

    plan = preview(cluster, without_replicas("web:2"), *more)
    deploy(cluster, without_replicas("web:2"), *more)

    live = cluster.get("Deployment", "web")
    holds(plan, live)
    assert ".spec.replicas: handed over (pipeline-gitops-handover, 4 there)" in noted(plan)
    assert live["spec"]["replicas"] == 4
    assert live["metadata"]["generation"] == 2  # one write of the spec: nothing in between
    cluster.patch("Deployment", "web", {"spec": {"replicas": 6}}, "the-scaler", "/scale")
    assert preview(cluster, without_replicas("web:2"), *more).changes == ()


def test_nothing_but_replicas_leaves_the_manifest(cluster: Cluster) -> None:
    """Where nothing else changes there is nothing to write: the autoscaler takes them as ever."""
    deploy(cluster, deployment("web", replicas=4), autoscaler("web"))

    for _ in range(2):
        assert preview(cluster, without_replicas(), autoscaler("web")).changes == ()
        deploy(cluster, without_replicas(), autoscaler("web"))

    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 4


def test_what_an_autoscaler_keeps_is_not_known_by_a_receipt(cluster: Cluster) -> None:
    """An object that is as wanted only because of an autoscaler is looked at again each time."""
    deploy(cluster, deployment("web", replicas=4))
    cluster.create(autoscaler("web"), "kubectl-create")
    deploy(cluster, without_replicas())
    deploy(cluster, without_replicas())
    cluster.send("DELETE", cluster.path("HorizontalPodAutoscaler", "web"))

    plan = preview(cluster, without_replicas())

    assert "replicas: 4 -> 1" in noted(plan)


def test_hand_over_needs_the_object_that_was_seen(cluster: Cluster) -> None:
    """An object that moved since the plan is not handed over."""
    deploy(cluster, deployment("web", replicas=4))
    target = cluster.target()
    bodies = (without_replicas("web:2"), autoscaler("web"))
    survey, plan = planned(target, wanted(target, cluster.namespace, *bodies))
    cluster.patch("Deployment", "web", {"spec": {"replicas": 6}}, "the-scaler", "/scale")

    outcomes = execute(target, survey, plan)

    live = cluster.get("Deployment", "web")
    (outcome,) = (outcome for outcome in outcomes if outcome.id.kind == "Deployment")
    assert outcome.state is State.STALE
    assert "pipeline-gitops-handover/Apply" not in managers(live)
    assert live["spec"]["replicas"] == 6


def test_replicas_without_an_autoscaler_fall_back(cluster: Cluster) -> None:
    """Replicas that nobody sets any more are the default, and the plan says so."""
    deploy(cluster, deployment("web", replicas=4))

    plan = preview(cluster, without_replicas())
    deploy(cluster, without_replicas())

    holds(plan, cluster.get("Deployment", "web"))
    assert "replicas: 4 -> 1" in noted(plan)
    assert "no autoscaler targets it" in noted(plan)
    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 1


def test_replicas_come_back(cluster: Cluster) -> None:
    """What was handed over is ours again once the autoscaler is gone."""
    deploy(cluster, deployment("web", replicas=4))
    deploy(cluster, without_replicas("web:2"), autoscaler("web"))

    deploy(cluster, deployment("web", replicas=3, image="web:2"))

    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 3


def test_rule_hands_over(cluster: Cluster) -> None:
    """A field that a rule leaves stays when it leaves the manifest, whatever it is."""

    def web(**container: Any) -> Any:
        body = deployment("web")
        body["spec"]["template"]["spec"]["containers"][0].update(container)
        return body

    requests = {"requests": {"cpu": "100m"}}
    deploy(cluster, web(resources=requests))
    target = with_rule(
        cluster, manager="vpa*", decision="leave", fields=("*.resources.*",), kind="Deployment"
    )

    deploy(cluster, web(image="web:2"), target=target)

    found = cluster.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert (found["image"], found["resources"]) == ("web:2", requests)
