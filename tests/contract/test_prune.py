"""What is deleted, what is not, and why, on a real control plane."""

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline_gitops import inventories, plans
from pipeline_gitops.config import Policy
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Owner
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.targets.cluster.records import applysets
from pipeline_gitops.views import Action
from tests.cluster.api import ApiError
from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import (
    OTHER,
    OWNER,
    STAMP,
    Cluster,
    actions,
    config_map,
    definition,
    deploy,
    execute,
    namespace_object,
    planned,
    preview,
    rules,
    said,
    service,
    until,
    wanted,
    widget,
)

KEEP = {"pipeline-gitops.dev/keep": "true"}


def mark(cluster: Cluster, owner: Owner = OWNER) -> str:
    """The label's value on what an environment applies there."""
    name = {OWNER: "pipeline-gitops-acme-shop-staging", OTHER: "pipeline-gitops-acme-shop-prod"}
    return applysets.set_id(ObjectId("", "ConfigMap", cluster.namespace, name[owner]))


def pruned(cluster: Cluster, *bodies: Any, target: ClusterTarget | None = None) -> set[str]:
    """What a deploy of these objects would delete."""
    plan = preview(cluster, *bodies, target=target)
    return {name for name, action in actions(plan).items() if action is Action.DELETE}


def applied(cluster: Cluster, body: Any, *, manager: str = "pipeline-gitops") -> None:
    """Applied with our label, as by a run that no inventory remembers."""
    name = body["metadata"]["name"]
    metadata = {**body["metadata"], "labels": {"applyset.kubernetes.io/part-of": mark(cluster)}}
    cluster.send(
        "PATCH",
        f"{cluster.path(body['kind'], name)}?fieldManager={manager}",
        {**body, "metadata": metadata},
        "application/apply-patch+yaml",
    )


# -- what cannot be seen ---------------------------------------------------------------------------


@pytest.fixture
def away(cluster: Cluster, control_plane: ControlPlane) -> Iterator[str]:
    """An API group whose own server does not answer: a Service without endpoints."""
    group = f"g{secrets.token_hex(4)}.example.com"
    path = "/apis/apiregistration.k8s.io/v1/apiservices"
    cluster.create(service("away", 443), "somebody")
    reference = {"name": "away", "namespace": cluster.namespace}
    spec = {
        "group": group,
        "version": "v1",
        "service": reference,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
    }
    control_plane.admin.post(path, {"metadata": {"name": f"v1.{group}"}, "spec": spec})
    until(lambda: group in served_groups(control_plane), f"{group} in discovery")
    yield group
    control_plane.admin.delete(f"{path}/v1.{group}")
    until(lambda: group not in served_groups(control_plane), f"{group} out of discovery")


def served_groups(plane: ControlPlane) -> set[str]:
    listed = plane.admin.get("/apis")["groups"]
    return {group["name"] for group in listed}


def test_group_whose_server_is_away_stops_pruning(cluster: Cluster, away: str) -> None:
    """It hides only itself, is named, and nothing is deleted while it is away."""
    deploy(cluster, config_map("kept", a="b"), config_map("old", a="b"))
    target = cluster.target()

    survey, plan = planned(target, wanted(target, cluster.namespace, config_map("kept", a="c")))

    assert survey.blind == (away,)
    assert actions(plan) == {"kept": Action.UPDATE}
    assert plan.blind == (away,)


def test_a_survey_deletes_nothing(cluster: Cluster) -> None:
    """Deletions are tried out in dry runs."""
    deploy(cluster, config_map("old", a="b"))

    assert pruned(cluster) == {"old"}
    assert "old" in cluster.names("ConfigMap")


def test_only_the_own_claim_retires_the_inventory(cluster: Cluster) -> None:
    """Whoever claimed meanwhile needs it."""
    deploy(cluster, config_map("kept", a="b"))
    target, other = cluster.target(), cluster.target()
    claimed = inventories.claimed(target.inventory(), STAMP, [])
    with target.claim(claimed) as writing:
        theirs = inventories.claimed(other.inventory(), STAMP, [])
        with contextlib.suppress(Stale), other.claim(theirs):
            pass

        with pytest.raises(Stale):
            writing.retire()

    assert {id.name for id in cluster.target().inventory().ids} == {"kept"}


# -- what is spared --------------------------------------------------------------------------------


def test_what_is_annotated_to_be_kept_stays(cluster: Cluster) -> None:
    """It is dropped from the inventory, with a notice."""
    kept = config_map("precious", a="b")
    kept["metadata"]["annotations"] = KEEP
    deploy(cluster, kept, config_map("old", a="b"))
    target = cluster.target()

    survey, plan = planned(target, wanted(target, cluster.namespace))

    assert set(actions(plan)) == {"old"}
    assert {id.name for id in survey.gone} == {"precious"}
    (notice,) = plan.notices
    assert notice.startswith(f"kept: ConfigMap {cluster.namespace}/precious")


def test_what_a_controller_took_over_stays(cluster: Cluster) -> None:
    """Its controller would only make it again."""
    deploy(cluster, config_map("mine", a="b"), config_map("taken", a="b"))
    uid = cluster.get("ConfigMap", "mine")["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "mine", "uid": uid}
    references = [{**owner, "controller": True}]
    change = {"metadata": {"ownerReferences": references}}
    cluster.patch("ConfigMap", "taken", change, "controller")

    plan = preview(cluster, config_map("mine", a="b"))

    assert plan.changes == ()
    assert "left alone" in plan.notices[0]
    assert "controlled by ConfigMap mine" in plan.notices[0]


def test_what_only_carries_a_copy_of_the_label_stays(cluster: Cluster) -> None:
    """Labels of a Service are copied to its Endpoints: nobody applied those."""
    bodies = (service("web"), config_map("settings", a="b"))
    deploy(cluster, *bodies)
    applied(cluster, config_map("copied", a="b"), manager="endpoint-controller")

    assert pruned(cluster, *bodies, target=cluster.target(thorough=True)) == set()


# -- what was forgotten ----------------------------------------------------------------------------


def test_forgotten_object_is_found_when_asked_for(cluster: Cluster) -> None:
    """Without a reason to look, the inventory is the truth; a thorough look costs lists."""
    deploy(cluster, config_map("kept", a="b"))
    applied(cluster, config_map("forgotten", a="b"))

    usual = pruned(cluster, config_map("kept", a="b"))
    thorough = pruned(cluster, config_map("kept", a="b"), target=cluster.target(thorough=True))

    assert (usual, thorough) == (set(), {"forgotten"})


def test_forgotten_object_is_found_after_a_killed_run(cluster: Cluster) -> None:
    """A claim that nobody settled is a reason to look."""
    deploy(cluster, config_map("kept", a="b"))
    target = cluster.target()
    claimed = inventories.claimed(target.inventory(), STAMP, [])
    with target.claim(claimed):
        applied(cluster, config_map("late", a="b"))

    assert pruned(cluster, config_map("kept", a="b")) == {"late"}


# -- what the server stands against ----------------------------------------------------------------


@pytest.fixture
def no_deletes(cluster: Cluster, control_plane: ControlPlane) -> Iterator[None]:
    """A policy that denies deletions of ConfigMaps in the test's namespace."""
    name = f"no-deletes-{secrets.token_hex(4)}"
    root = "/apis/admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["DELETE"],
        "resources": ["configmaps"],
    }
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "nothing is deleted on Fridays"}],
    }
    labels = {"kubernetes.io/metadata.name": cluster.namespace}
    bound = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": labels}},
    }
    policies, bindings = (
        f"{root}/validatingadmissionpolicies",
        (f"{root}/validatingadmissionpolicybindings"),
    )
    control_plane.admin.post(policies, {"metadata": {"name": name}, "spec": spec})
    control_plane.admin.post(bindings, {"metadata": {"name": name}, "spec": bound})
    cluster.create(config_map("canary"), "somebody")
    path = f"/{cluster.path('ConfigMap', 'canary')}?dryRun=All"

    def denied() -> bool:
        try:
            control_plane.admin.delete(path)
        except ApiError:
            return True
        return False

    until(denied, "the policy to be in force")
    yield
    control_plane.admin.delete(f"{bindings}/{name}")
    control_plane.admin.delete(f"{policies}/{name}")


def test_deletion_that_would_be_denied_is_refused_before_any_write(
    cluster: Cluster, no_deletes: None
) -> None:
    """Deletions are tried out in the survey, as writes are."""
    deploy(cluster, config_map("old", a="b"))

    plan = preview(cluster, config_map("new", a="b"))

    assert rules(plan) == ["server-refused"]
    assert "nothing is deleted on Fridays" in said(plan)


def test_nothing_is_tried_out_where_nothing_is_pruned(cluster: Cluster, no_deletes: None) -> None:
    """policy.prune false needs no right to delete."""
    deploy(cluster, config_map("old", a="b"))
    target = cluster.target(policy=Policy(prune=False))
    desired = wanted(target, cluster.namespace, config_map("new", a="b"))

    plan = plans.compute(target.survey(desired, target.inventory()), prune=False)

    assert actions(plan) == {"new": Action.CREATE}
    assert plan.refusals == ()


# -- whose it is -----------------------------------------------------------------------------------


def test_member_of_another_inventory_is_refused_by_name(cluster: Cluster) -> None:
    """With the other inventory, its environment and its repository."""
    deploy(cluster, config_map("settings", a="b"))
    other = cluster.target(OTHER)

    plan = preview(cluster, config_map("settings", a="c"), target=other)

    assert rules(plan) == ["owned-elsewhere"]
    assert (
        f"inventory {cluster.namespace}/pipeline-gitops-acme-shop-staging, "
        "environment staging of acme/shop"
    ) in said(plan)


def test_object_of_another_tool_is_taken_over_when_allowed(cluster: Cluster) -> None:
    """policy.adoptFrom names the tool; any other stays refused."""
    body = config_map("settings", a="b")
    body["metadata"]["annotations"] = {"meta.helm.sh/release-name": "shop"}
    cluster.create(body, "helm")

    refused = preview(cluster, config_map("settings", a="b"))
    other = cluster.target(policy=Policy(adopt_from=("argocd",)))
    still = preview(cluster, config_map("settings", a="b"), target=other)
    allowed = cluster.target(policy=Policy(adopt_from=("helm",)))
    plan = preview(cluster, config_map("settings", a="b"), target=allowed)

    assert rules(refused) == rules(still) == ["kept-by-another-tool"]
    assert "--adopt-from helm" in said(refused)
    assert (rules(plan), actions(plan)) == ([], {"settings": Action.UPDATE})


# -- odd sets --------------------------------------------------------------------------------------


def test_nothing_wanted_and_nothing_there(cluster: Cluster) -> None:
    """An empty set over an empty inventory is an empty plan."""
    assert preview(cluster).changes == ()


@pytest.fixture
def group(control_plane: ControlPlane) -> Iterator[str]:
    name = f"g{secrets.token_hex(4)}.example.com"
    yield name
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{name}"
    with contextlib.suppress(ApiError):  # most tests only ask
        control_plane.admin.delete(path)


def test_only_definitions(cluster: Cluster, group: str) -> None:
    """A set without anything in a namespace deploys, and is unchanged afterwards."""
    deploy(cluster, definition(group))

    assert preview(cluster, definition(group)).changes == ()


def test_cluster_wide_instances_of_a_definition_in_the_same_set(
    cluster: Cluster, group: str
) -> None:
    """Their scope is that of the definition: no namespace is put into them."""
    bodies = (definition(group, scope="Cluster"), widget(group, "w"))
    deploy(cluster, *bodies)

    plan = preview(cluster, *bodies)

    assert plan.changes == ()
    assert ObjectId(group, "Widget", "", "w") in plan.unchanged


def test_namespace_of_the_inventory_itself(cluster: Cluster, control_plane: ControlPlane) -> None:
    """A set may bring, and change, the namespace that its inventory lies in."""
    name = f"own-{secrets.token_hex(4)}"
    target = cluster.target(namespace=name)
    desired = wanted(target, name, namespace_object(name), config_map("settings", a="b"))
    try:
        execute(target, *planned(target, desired))
        again = cluster.target(namespace=name)
        plan = planned(again, desired)[1]
    finally:
        control_plane.admin.delete(f"/api/v1/namespaces/{name}")

    assert plan.changes == ()


def test_kind_that_is_only_asked_about(cluster: Cluster) -> None:
    """A review has no path to apply to: refused, with what to do."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {"name": "may-i"},
        "spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}},
    }

    plan = preview(cluster, body)

    assert rules(plan) == ["not-applicable"]
