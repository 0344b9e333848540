"""A cluster target keeps its promises, to a fake API server and to a real control plane."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline_gitops import diffs, plans
from pipeline_gitops.documents import at
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.plans import State
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    STAMP,
    Cluster,
    actions,
    config_map,
    definition,
    deploy,
    deployment,
    execute,
    namespace_object,
    planned,
    preview,
    secret,
    service,
    wanted,
    widget,
)


@pytest.fixture
def cluster(any_cluster: Cluster) -> Cluster:
    return any_cluster


# -- the way of a deploy ---------------------------------------------------------------------------


def test_first_deploy_creates(cluster: Cluster) -> None:
    """Objects that are not there are created, and the inventory lists them."""
    outcomes = deploy(cluster, config_map("settings", color="blue"), service("web"))

    found = cluster.get("ConfigMap", "settings")
    inventory = cluster.target().inventory()
    assert {outcome.state for outcome in outcomes} == {State.DONE}
    assert found["data"] == {"color": "blue"}
    assert {id.name for id in inventory.ids} == {"settings", "web"}
    assert (inventory.stamp, inventory.claim) == (STAMP, None)


def test_second_survey_finds_nothing(cluster: Cluster) -> None:
    """What was deployed is unchanged, whatever the server added to it."""
    bodies = (
        config_map("settings", color="blue"),
        secret("login", password="hunter2-hunter2"),
        service("web"),
        deployment("web"),
    )
    deploy(cluster, *bodies)

    plan = preview(cluster, *bodies)

    assert plan.changes == ()
    assert {id.name for id in plan.unchanged} == {"settings", "login", "web"}


def test_survey_writes_nothing(cluster: Cluster) -> None:
    """A survey is a dry run."""
    preview(cluster, config_map("settings", color="blue"), service("web"))

    assert cluster.names("ConfigMap") == set()
    assert cluster.names("Service") == set()


def test_update_shows_what_changes(cluster: Cluster) -> None:
    """A change shows as a diff of live states, and is then done."""
    deploy(cluster, config_map("settings", color="blue", shape="round"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="red"))

    survey, plan = planned(target, desired)
    execute(target, survey, plan)

    (change,) = plan.changes
    lines = diffs.lines(change.sight.before, change.sight.after)
    assert change.action is Action.UPDATE
    assert [line for line in lines if line[0] in "+-"] == [
        "-  color: blue",
        "-  shape: round",
        "+  color: red",
    ]
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "red"}


def test_creation_shows_what_is_sent(cluster: Cluster) -> None:
    """The plan of a new object reads the same every time: no default, no allocated address."""
    first, second = (preview(cluster, service("web"), deployment("web")) for _ in range(2))

    assert plans.digest(first) == plans.digest(second)
    shown = next(change.sight.after for change in first.changes if change.id.kind == "Service")
    assert at(shown, "spec") == service("web")["spec"]


def test_generation_of_a_write(cluster: Cluster) -> None:
    """An outcome tells the generation that the server answered our own write with."""
    deploy(cluster, deployment("web", image="web:1"))

    (outcome,) = deploy(cluster, deployment("web", image="web:2"))

    assert outcome.generation == 2


def test_foreign_edit_is_repaired(cluster: Cluster) -> None:
    """What a person changed by hand shows as a difference, and is set back."""
    deploy(cluster, config_map("settings", color="blue"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "kubectl-edit")

    plan = preview(cluster, config_map("settings", color="blue"))
    deploy(cluster, config_map("settings", color="blue"))

    (change,) = plan.changes
    assert [(owner.path, owner.owner, owner.decision) for owner in change.sight.owners] == [
        (".data.color", "kubectl-edit", "taken")
    ]
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "blue"}


# -- what is not wanted any more -------------------------------------------------------------------


def test_prune(cluster: Cluster) -> None:
    """An object that left the set is deleted, and leaves the inventory."""
    deploy(cluster, config_map("old", a="1"), config_map("new", a="1"))

    plan = preview(cluster, config_map("new", a="1"))
    deploy(cluster, config_map("new", a="1"))

    assert actions(plan) == {"old": Action.DELETE}
    assert cluster.names("ConfigMap") & {"old", "new"} == {"new"}
    assert {id.name for id in cluster.target().inventory().ids} == {"new"}


def test_prune_spares_what_we_never_applied(cluster: Cluster) -> None:
    """An object that is not in the inventory is never deleted."""
    cluster.create(config_map("foreign", a="1"), "kubectl-create")

    deploy(cluster, config_map("new", a="1"))
    deploy(cluster)

    assert cluster.names("ConfigMap") & {"new", "foreign"} == {"foreign"}


def test_prune_spares_what_lost_our_mark(cluster: Cluster) -> None:
    """A member without our label belongs to somebody else now: it is forgotten, not deleted."""
    deploy(cluster, config_map("given", a="1"), config_map("kept", a="1"))
    unmarked = {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}}
    cluster.patch("ConfigMap", "given", unmarked, "kubectl-label")
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("kept", a="1"))

    survey, plan = planned(target, desired)
    execute(target, survey, plan)

    given = ObjectId("", "ConfigMap", cluster.namespace, "given")
    assert (plan.changes, survey.gone) == ((), frozenset({given}))
    assert cluster.names("ConfigMap") >= {"given", "kept"}
    assert {id.name for id in cluster.target().inventory().ids} == {"kept"}


def test_member_that_is_gone_is_forgotten(cluster: Cluster) -> None:
    """A member that somebody deleted, and nobody wants, leaves the inventory."""
    deploy(cluster, config_map("old", a="1"), config_map("kept", a="1"))
    cluster.send("DELETE", cluster.path("ConfigMap", "old"))

    deploy(cluster, config_map("kept", a="1"))

    assert {id.name for id in cluster.target().inventory().ids} == {"kept"}


def test_delete_needs_the_object_that_was_seen(cluster: Cluster) -> None:
    """An object that was deleted and created anew since the survey is not deleted."""
    deploy(cluster, config_map("old", a="1"))
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace))
    cluster.send("DELETE", cluster.path("ConfigMap", "old"))
    cluster.create(config_map("old", a="mine"), "kubectl-create")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "old")["data"] == {"a": "mine"}


# -- what the same deploy brings -------------------------------------------------------------------


@pytest.fixture
def new_namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace that is not there yet."""
    name = f"new-{secrets.token_hex(4)}"
    yield name
    cluster.send("DELETE", f"api/v1/namespaces/{name}")


def test_namespace_in_the_same_set(cluster: Cluster, new_namespace: str) -> None:
    """Objects of a namespace that is created with them are predicted, and then written."""
    target = cluster.target(namespace=new_namespace)
    bodies = (namespace_object(new_namespace), config_map("settings", color="blue"))
    desired = wanted(target, new_namespace, *bodies)

    survey, plan = planned(target, desired)
    outcomes = execute(target, survey, plan)

    predicted = {change.id.name: change.sight.predicted for change in plan.changes}
    again = cluster.target(namespace=new_namespace)
    assert predicted == {
        new_namespace: "",
        "settings": f"Namespace {new_namespace} is created by the same deploy",
    }
    assert {outcome.state for outcome in outcomes} == {State.DONE}
    assert again.inventory().ids == desired.ids
    assert planned(again, desired)[1].changes == ()


def test_namespace_of_the_inventory_must_come_from_somewhere(cluster: Cluster) -> None:
    """Without its namespace, in the cluster or in the set, there is no inventory and no write."""
    target = cluster.target(inventory_namespace="nowhere")
    survey, plan = planned(target, wanted(target, cluster.namespace, config_map("a", b="c")))

    with pytest.raises(RefusedFault) as refusal:
        execute(target, survey, plan)

    assert "kubectl create namespace nowhere" in refusal.value.cure
    assert cluster.names("ConfigMap") == set()


@pytest.fixture
def crd_name(cluster: Cluster, group: str) -> Iterator[str]:
    """The name of a definition that is deleted at the end."""
    name = f"widgets.{group}"
    yield name
    cluster.send("DELETE", f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")


def test_definition_in_the_same_set(cluster: Cluster, group: str, crd_name: str) -> None:
    """Instances of a kind that is defined with them are predicted, and then written."""
    bodies = (definition(group), widget(group, "w"))
    plan = preview(cluster, *bodies)

    outcomes = deploy(cluster, *bodies)

    predicted = {change.id.kind: change.sight.predicted for change in plan.changes}
    assert predicted == {
        "CustomResourceDefinition": "",
        "Widget": f"Widget.{group} is defined by the same deploy",
    }
    assert {outcome.state for outcome in outcomes} == {State.DONE}
    assert preview(cluster, *bodies).changes == ()


# -- what runs -------------------------------------------------------------------------------------


def test_watch_reads_live_objects(cluster: Cluster) -> None:
    """A watch gives every object that was asked for, and None for one that is not there."""
    deploy(cluster, deployment("web"), config_map("settings", color="blue"))
    target = cluster.target()
    web = ObjectId("apps", "Deployment", cluster.namespace, "web")
    settings = ObjectId("", "ConfigMap", cluster.namespace, "settings")
    missing = ObjectId("", "ConfigMap", cluster.namespace, "missing")

    snapshot = target.runtime.watch(frozenset({web, settings, missing}), 0)

    found: Any = snapshot
    assert found[web]["kind"] == "Deployment"
    assert found[settings]["metadata"]["name"] == "settings"
    assert found[missing] is None


def test_inventory_is_an_apply_set(cluster: Cluster) -> None:
    """kubectl can read from the parent which kinds and namespaces its members have."""
    deploy(cluster, config_map("settings", color="blue"), deployment("web"))

    parent = cluster.get("ConfigMap", "pipeline-gitops-acme-shop-staging")["metadata"]
    member = cluster.get("Deployment", "web")["metadata"]

    id = parent["labels"]["applyset.kubernetes.io/id"]
    annotations = parent["annotations"]
    assert member["labels"]["applyset.kubernetes.io/part-of"] == id
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Deployment.apps"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == ""
    assert annotations["applyset.kubernetes.io/tooling"].startswith("pipeline-gitops/")


def test_version_of_an_absent_inventory(cluster: Cluster) -> None:
    """Before the first deploy there is nothing that could be stale."""
    assert cluster.target().inventory().version == Version("")
