"""A cluster target keeps its promises, to a fake API server and to a real control plane."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import diffs, inventories, plans
from pipeline_gitops.config import ClusterSpec, Policy
from pipeline_gitops.documents import at
from pipeline_gitops.errors import RefusedFault, UnreachableFault, UsageFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.plans import State
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.targets.cluster.marks import MARKS, Mark
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    OTHER,
    OWNER,
    STAMP,
    Cluster,
    actions,
    autoscaler,
    config_map,
    definition,
    deploy,
    deployment,
    execute,
    namespace_object,
    planned,
    preview,
    rules,
    said,
    secret,
    service,
    wanted,
    widget,
)
from tests.fakes.apiserver import ADMIN, VIEWER, FakeApiServer
from tests.fakes.world import FakeClock


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """The fake API server, then the real control plane."""
    if request.param == "real":
        plane = request.getfixturevalue("control_plane")
        yield Cluster.of(plane, request.getfixturevalue("namespace"), tmp_path)
        return
    with FakeApiServer() as server:
        fake = Cluster(
            folder=tmp_path,
            url=server.url,
            token=ADMIN,
            viewer_token=VIEWER,
            namespace="shop",
        )
        fake.send("POST", "api/v1/namespaces", namespace_object("shop"))
        yield fake


@pytest.fixture
def group() -> str:
    """An API group of the test's own: the control plane is shared."""
    return f"g{secrets.token_hex(4)}.example.com"


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


# -- races -----------------------------------------------------------------------------------------


def test_creation_never_overwrites(cluster: Cluster) -> None:
    """An object that somebody created since the survey is not touched: the write is stale."""
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="blue"))
    survey, plan = planned(target, desired)
    cluster.create(config_map("settings", color="red"), "kubectl-create")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "red"}


def test_update_never_overwrites(cluster: Cluster) -> None:
    """An object that somebody changed since the survey is not touched: the write is stale."""
    deploy(cluster, config_map("settings", color="blue"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="green"))
    survey, plan = planned(target, desired)
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "kubectl-edit")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "red"}


def test_update_never_resurrects(cluster: Cluster) -> None:
    """An object that somebody deleted since the survey is not created again."""
    deploy(cluster, config_map("settings", color="blue"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="green"))
    survey, plan = planned(target, desired)
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"))

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert "settings" not in cluster.names("ConfigMap")


def test_update_of_a_successor(cluster: Cluster) -> None:
    """An object that was deleted and created anew is another one, however alike."""
    deploy(cluster, config_map("settings", color="blue"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "kubectl-edit")
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="green"))
    survey, plan = planned(target, desired)
    alike = cluster.get("ConfigMap", "settings")
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"))
    for field in ("uid", "resourceVersion", "managedFields"):
        del alike["metadata"][field]
    cluster.create(alike, "kubectl-create")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "red"}


def test_update_of_a_terminating_object(cluster: Cluster) -> None:
    """An object whose deletion began since the survey is stale: the write would go with it."""
    deploy(cluster, config_map("settings", color="blue"))
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    cluster.patch("ConfigMap", "settings", held, "somebody")
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="green"))
    survey, plan = planned(target, desired)
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"), {})

    (outcome,) = execute(target, survey, plan)

    found = cluster.get("ConfigMap", "settings")
    cluster.patch("ConfigMap", "settings", {"metadata": {"finalizers": []}}, "somebody")
    assert outcome.state is State.STALE
    assert found["data"] == {"color": "blue"}


def test_status_does_not_make_a_write_stale(cluster: Cluster) -> None:
    """An object of which only the noise moved since the survey is written all the same."""
    deploy(cluster, config_map("settings", color="blue"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="green"))
    survey, plan = planned(target, desired)
    noise = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}}}
    cluster.patch("ConfigMap", "settings", noise, "some-controller")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.DONE
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "green"}


def test_apply_with_resource_version_1_only_creates(cluster: Cluster) -> None:
    """The canary: what create-only rests on is behaviour of the server, not documentation."""
    path = f"{cluster.path('ConfigMap', 'canary')}?fieldManager=someone&force=true"
    body = config_map("canary", a="1")
    body["metadata"]["resourceVersion"] = "1"
    cluster.send("PATCH", path, body, "application/apply-patch+yaml")

    with pytest.raises(AssertionError, match="409"):
        cluster.send("PATCH", path, body, "application/apply-patch+yaml")


def test_only_one_claim_wins(cluster: Cluster) -> None:
    """Of two deploys that read the same inventory, the second claim is stale."""
    one, other = cluster.target(), cluster.target()
    desired = wanted(one, cluster.namespace, config_map("settings", color="blue"))
    survey, plan = planned(one, desired)
    other_survey, other_plan = planned(other, desired)
    execute(one, survey, plan)

    with pytest.raises(Stale):
        execute(other, other_survey, other_plan)


def test_settling_needs_the_own_claim(cluster: Cluster) -> None:
    """A deploy whose claim was taken over does not record itself as done."""
    one, other = cluster.target(), cluster.target()
    desired = wanted(one, cluster.namespace, config_map("settings", color="blue"))
    survey, plan = planned(one, desired)
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)

    with one.claim(claimed) as writing:
        list(writing.apply(plan.changes))
        with pytest.raises(Stale):  # what is taken over is looked at again
            execute(other, *planned(other, desired))
        execute(other, *planned(other, desired))
        with pytest.raises(Stale):
            writing.settle(claimed)


def test_claim_lists_what_it_will_write(cluster: Cluster) -> None:
    """Before the first object is written, the inventory names it: a killed run forgets nothing."""
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", color="blue"))
    survey, plan = planned(target, desired)
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)

    with target.claim(claimed):
        found = cluster.target().inventory()

    assert found.ids == desired.ids
    assert found.claim == claimed.claim


# -- owners of fields ------------------------------------------------------------------------------


def test_field_of_a_controller_is_refused(cluster: Cluster) -> None:
    """A field that a controller sets is not taken from it; field and owner are named."""
    deploy(cluster, config_map("settings", color="blue"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "color-operator")

    plan = preview(cluster, config_map("settings", color="blue"))

    assert rules(plan) == ["field-conflict"]
    assert ".data.color is set by color-operator" in said(plan)
    assert plan.refusals[0].conflicts[0].since.startswith("2")


def test_applied_by_kubectl_is_taken_over(cluster: Cluster) -> None:
    """An object from `kubectl apply` is adopted, and its fields are taken."""
    body = config_map("settings", color="red")
    body["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    cluster.create(body, "kubectl-client-side-apply")

    (outcome,) = deploy(cluster, config_map("settings", color="blue"))

    found = cluster.get("ConfigMap", "settings")
    assert (outcome.action, outcome.state) == (Action.UPDATE, State.DONE)
    assert found["data"] == {"color": "blue"}
    assert found["metadata"]["labels"].keys() == {"applyset.kubernetes.io/part-of"}


def test_equal_object_is_adopted(cluster: Cluster) -> None:
    """An object that is as wanted, but in no inventory, is a change: it becomes a member."""
    cluster.create(config_map("settings", color="blue"), "kubectl-create")

    deploy(cluster, config_map("settings", color="blue"))

    assert {id.name for id in cluster.target().inventory().ids} == {"settings"}
    assert preview(cluster, config_map("settings", color="blue")).changes == ()


def test_lost_inventory_is_made_anew(cluster: Cluster) -> None:
    """After its inventory was deleted, an environment still finds what it wants, and lists it."""
    bodies = (config_map("settings", color="blue"), service("web"))
    deploy(cluster, *bodies)
    cluster.send("DELETE", cluster.path("ConfigMap", "pipeline-gitops-acme-shop-staging"))

    deploy(cluster, *bodies)

    assert {id.name for id in cluster.target().inventory().ids} == {"settings", "web"}


@pytest.mark.parametrize("where", ["in the cluster", "in the set"])
def test_replicas_are_left_to_the_autoscaler(cluster: Cluster, where: str) -> None:
    """Replicas that an autoscaler's target has by now are left alone, whoever set them."""
    deploy(cluster, deployment("web", replicas=2, image="web:1"))
    scaled = {"spec": {"replicas": 5}}
    cluster.patch("Deployment", "web", scaled, "kube-controller-manager", "/scale")
    more = [autoscaler("web")] if where == "in the set" else []
    if not more:
        cluster.create(autoscaler("web"), "kubectl-create")

    plan = preview(cluster, deployment("web", replicas=2, image="web:2"), *more)
    deploy(cluster, deployment("web", replicas=2, image="web:2"), *more)

    change = next(change for change in plan.changes if change.id.kind == "Deployment")
    assert [owner.decision for owner in change.sight.owners] == ["left"]
    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 5


def test_scaled_by_hand_is_set_back(cluster: Cluster) -> None:
    """Without an autoscaler, replicas that a person scaled are as in Git again."""
    deploy(cluster, deployment("web", replicas=2))
    cluster.patch("Deployment", "web", {"spec": {"replicas": 5}}, "kubectl", "/scale")

    deploy(cluster, deployment("web", replicas=2))

    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 2


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.key)
def test_what_another_tool_keeps_is_not_taken_over(cluster: Cluster, mark: Mark) -> None:
    """Argo CD, Flux, Helm and the like would put it back: refused before any write, by name."""
    kept = config_map("settings", color="blue")
    kept["metadata"][mark.field] = {mark.key: "shop"}
    cluster.create(kept, "other-tool")

    plan = preview(cluster, config_map("settings", color="red"))

    assert rules(plan) == ["kept-by-another-tool"]
    assert mark.tool in said(plan)


def test_member_of_another_inventory_is_refused(cluster: Cluster) -> None:
    """Two environments never share an object."""
    deploy(cluster, config_map("settings", color="blue"))

    plan = preview(cluster, config_map("settings", color="red"), target=cluster.target(OTHER))

    assert rules(plan) == ["owned-elsewhere"]


def test_inventory_of_another_environment_is_refused(cluster: Cluster) -> None:
    """An inventory belongs to one environment of one repository."""
    target = cluster.target(inventory_name="shared")
    execute(target, *planned(target, wanted(target, cluster.namespace, config_map("a", b="c"))))

    with pytest.raises(RefusedFault, match="'staging' of acme/shop, not of 'prod'"):
        cluster.target(OTHER, inventory_name="shared").inventory()


def test_foreign_config_map_is_no_inventory(cluster: Cluster) -> None:
    """A ConfigMap of somebody else in the inventory's place is not overwritten."""
    cluster.create(config_map("shared", a="1"), "kubectl-create")

    with pytest.raises(RefusedFault, match="no inventory of ours"):
        cluster.target(inventory_name="shared").inventory()


# -- what the server does not take -----------------------------------------------------------------


def test_unknown_field_is_refused(cluster: Cluster) -> None:
    """A misspelt field is refused before any write, by name."""
    plan = preview(cluster, {**config_map("settings", color="blue"), "dta": {}})

    assert rules(plan) == ["server-refused"]
    assert ".dta: field not declared in schema" in said(plan)


def test_invalid_value_is_refused(cluster: Cluster) -> None:
    """An invalid field is refused with the server's rule."""
    plan = preview(cluster, service("web", port=70_000))

    assert rules(plan) == ["server-refused"]
    assert "spec.ports[0].port: invalid value: must be between 1 and 65535" in said(plan)


def test_secret_values_are_in_no_message(cluster: Cluster) -> None:
    """A refused Secret is told by its fields alone."""
    plan = preview(cluster, secret("login", password=424_242))

    assert rules(plan) == ["server-refused"]
    assert ".stringData.password" in said(plan)
    assert "424242" not in said(plan)


def test_unknown_kind_is_refused(cluster: Cluster, group: str) -> None:
    """A kind that nobody defined is refused before any write."""
    plan = preview(cluster, widget(group, "w"), config_map("settings", color="blue"))

    assert rules(plan) == ["unknown-kind"]
    assert f"{group}/v1 Widget" in said(plan)


def test_missing_namespace_is_refused(cluster: Cluster) -> None:
    """An object for a namespace that is nowhere is refused, with what to do."""
    body = config_map("settings", color="blue")
    body["metadata"]["namespace"] = "nowhere"

    plan = preview(cluster, body)

    assert rules(plan) == ["missing-namespace"]
    assert "kubectl create namespace nowhere" in said(plan)


def test_terminating_object_is_refused(cluster: Cluster) -> None:
    """An object that is being deleted is not written: the write would go with it."""
    body = config_map("settings", color="blue")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.create(body, "kubectl-create")
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"), {})

    plan = preview(cluster, config_map("settings", color="blue"))

    cluster.patch("ConfigMap", "settings", {"metadata": {"finalizers": []}}, "kubectl-edit")
    assert rules(plan) == ["terminating"]


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


# -- who may ask -----------------------------------------------------------------------------------


def test_forbidden(cluster: Cluster) -> None:
    """An account that may not look is told what it lacks."""
    with pytest.raises(UnreachableFault) as fault:
        cluster.target(token=cluster.viewer_token).inventory()

    assert fault.value.verdict.exit_code == 5
    assert "forbids this account to get configmaps in namespace" in fault.value.what


def test_wrong_token(cluster: Cluster) -> None:
    """Credentials that are not accepted are to be renewed."""
    with pytest.raises(UnreachableFault) as fault:
        cluster.target(token="not-the-token").kinds()

    assert fault.value.verdict.exit_code == 5
    assert fault.value.cure.startswith("renew the credentials")
    assert "not-the-token" not in f"{fault.value.what}{fault.value.cure}"


def test_unreachable(cluster: Cluster) -> None:
    """A server that is not there is named by host and port."""
    url = cluster.url.rpartition(":")[0] + ":1"

    with pytest.raises(UnreachableFault, match=r"127\.0\.0\.1:1\) cannot be reached") as fault:
        cluster.target(url=url, clock=FakeClock()).kinds()

    assert fault.value.verdict.exit_code == 5


def test_wrong_context(cluster: Cluster) -> None:
    """A context that is not in the kubeconfig is a usage error."""
    spec = ClusterSpec(kubeconfig=cluster.kubeconfig(), context="tset")

    with pytest.raises(UsageFault) as fault:
        ClusterTarget(spec, OWNER, {}, policy=Policy(), clock=FakeClock(), deadline=60)

    assert "did you mean test" in fault.value.cure


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
