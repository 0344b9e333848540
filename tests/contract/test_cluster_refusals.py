"""What a cluster target does not write, on a fake API server and on a real control plane."""

import pytest

from pipeline_gitops.config import ClusterSpec, Policy
from pipeline_gitops.errors import RefusedFault, UnreachableFault, UsageFault
from pipeline_gitops.plans import State
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.targets.cluster.survey.marks import MARKS, Mark
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    OTHER,
    OWNER,
    Cluster,
    autoscaler,
    config_map,
    deploy,
    deployment,
    execute,
    planned,
    preview,
    rules,
    said,
    secret,
    service,
    wanted,
    widget,
)
from tests.fakes.world import FakeClock


@pytest.fixture
def cluster(any_cluster: Cluster) -> Cluster:
    return any_cluster


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
