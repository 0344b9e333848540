"""What others write meanwhile is not written over, on a fake API server and a real one."""

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.plans import State
from pipeline_gitops.ports import Stale
from tests.contract.clusters import STAMP, Cluster, config_map, deploy, execute, planned, wanted


@pytest.fixture
def cluster(any_cluster: Cluster) -> Cluster:
    return any_cluster


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
