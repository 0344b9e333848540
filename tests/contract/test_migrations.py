"""Objects that were applied client-side become ours, on a real control plane."""

import contextlib
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_gitops import diffs, inventories, plans
from pipeline_gitops.manifests import LAST_APPLIED
from pipeline_gitops.plans import State
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster.fields import transfers
from tests.campaigns import examples
from tests.contract.clusters import (
    STAMP,
    Cluster,
    autoscaler,
    config_map,
    deploy,
    deployment,
    execute,
    planned,
    preview,
    secret,
    until,
    wanted,
)
from tests.contract.owners import (
    client_side_apply,
    holds,
    kubectl,
    managers,
    noted,
    server_side_apply,
    the,
)

pytestmark = pytest.mark.cluster

# -- migrated --------------------------------------------------------------------------------------


def annotated(body: Any, **annotations: str) -> Any:
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}


def full(name: str = "web") -> Any:
    """A Deployment with something of everything that can be taken out."""
    body = annotated(deployment(name, replicas=2), note="old")
    body["spec"]["strategy"] = {"type": "Recreate"}
    body["spec"]["minReadySeconds"] = 3
    pod = body["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 5
    pod["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    pod["containers"][0]["args"] = ["x", "y"]
    pod["containers"].append({"name": "side", "image": "side:1"})
    return body


def sparse(name: str = "web") -> Any:
    """The same with less."""
    body = deployment(name, replicas=2)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    return body


@pytest.mark.parametrize("annotation", ["kept", "lost"])
def test_client_side_applied_is_migrated(cluster: Cluster, annotation: str) -> None:
    """What left the manifest since `kubectl apply` goes; the plan shows it; then all is ours."""
    client_side_apply(cluster, full())
    if annotation == "lost":
        kubectl(cluster, "annotate", "deployment/web", f"{LAST_APPLIED}-")
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, sparse()))

    outcomes = execute(target, survey, plan)

    lines = diffs.lines(the(plan).sight.before, the(plan).sight.after)
    live = cluster.get("Deployment", "web")
    assert {line.strip("- ") for line in lines if line.startswith("-")} >= {
        "note: old",
        "minReadySeconds: 3",
        "type: Recreate",
        "name: side",
        "name: B",
    }
    assert [outcome.state for outcome in outcomes] == [State.DONE]
    holds(plan, live)
    assert "kubectl-client-side-apply/Update" not in managers(live)
    assert LAST_APPLIED not in live["metadata"].get("annotations", {})
    assert live["spec"]["strategy"]["type"] == "RollingUpdate"
    assert preview(cluster, sparse()).changes == ()


LEAVES = (
    "metadata annotations",
    "spec replicas",
    "spec strategy",
    "spec minReadySeconds",
    "spec template spec terminationGracePeriodSeconds",
    "spec template spec containers 1",
    "spec template spec containers 0 env",
    "spec template spec containers 0 env 0",
    "spec template spec containers 0 env 0 value",
    "spec template spec containers 0 args",
)


@given(
    st.sets(st.sampled_from(LEAVES)),
    st.sets(st.sampled_from(LEAVES[5:])),
    st.sampled_from(["", "kubectl-edit", "some-operator"]),
)
@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_removal_is_shown(
    cluster: Cluster, dropped: set[str], shared: set[str], manager: str
) -> None:
    """Whatever left the manifest, and whoever co-owns it: what was shown is what is there."""
    name = f"x{secrets.token_hex(4)}"
    cluster.create(full(name), "kubectl-client-side-apply")
    if manager:
        theirs = without(full(name), set(LEAVES) - shared)
        server_side_apply(cluster, theirs, manager)

    wanted = without(full(name), dropped)
    plan = preview(cluster, wanted, target=cluster.target(inventory_name=name))
    deploy(cluster, wanted, target=cluster.target(inventory_name=name))

    holds(plan, cluster.get("Deployment", name))
    again = cluster.target(inventory_name=name, thorough=True)
    assert preview(cluster, wanted, target=again).changes == ()


def without(body: Any, leaves: set[str]) -> Any:
    """The object without these fields and items, the last items first."""
    for leaf in sorted(leaves, reverse=True):
        *above, last = (int(step) if step.isdigit() else step for step in leaf.split())
        found = body
        with contextlib.suppress(KeyError, IndexError):
            for step in above:
                found = found[step]
            del found[last]
    return body


def test_migration_is_said(cluster: Cluster) -> None:
    """The plan says whose fields become ours, and that the annotation goes."""
    client_side_apply(cluster, config_map("settings", a="1"))

    plan = preview(cluster, config_map("settings", a="2"))

    assert "migrated from client-side apply (kubectl-client-side-apply)" in noted(plan, "ConfigMap")
    assert "last-applied annotation goes" in noted(plan, "ConfigMap")


@pytest.mark.parametrize("kind", ["ConfigMap", "Service", "Secret", "PersistentVolumeClaim"])
def test_unchanged_object_is_migrated_as_it_is(cluster: Cluster, kind: str) -> None:
    """Defaults that a client-side apply came to own stay what they are."""
    bodies: dict[str, Any] = {
        "ConfigMap": config_map("it", a="1", b="2"),
        "Secret": secret("it", password="hunter2-hunter2"),
        "Service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "it"},
            "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"a": "b"}},
        },
        "PersistentVolumeClaim": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "it"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
    }
    client_side_apply(cluster, bodies[kind])
    if kind == "PersistentVolumeClaim":  # its controller writes to it until it is bound
        path = f"api/v1/namespaces/{cluster.namespace}/persistentvolumeclaims/it"
        until(lambda: cluster.send("GET", path)["status"].get("phase") == "Bound", "a bound claim")

    plan = preview(cluster, bodies[kind])
    (outcome,) = deploy(cluster, bodies[kind])

    assert plan.refusals == ()
    assert outcome.state is State.DONE
    assert diffs.lines(the(plan, kind).sight.before, the(plan, kind).sight.after) == ()
    assert preview(cluster, bodies[kind]).changes == ()


def test_key_of_a_secret_that_leaves_the_manifest(cluster: Cluster) -> None:
    """A key written as `stringData` goes when it leaves the manifest."""
    deploy(cluster, secret("login", user="someone", password="hunter2-hunter2"))

    plan = preview(cluster, secret("login", user="someone"))
    deploy(cluster, secret("login", user="someone"))

    assert cluster.get("Secret", "login")["data"].keys() == {"user"}
    holds(plan, cluster.get("Secret", "login"), "Secret")


def test_member_that_a_person_applied_to(cluster: Cluster) -> None:
    """What a person adds to our object by `kubectl apply` is drift, and goes."""
    deploy(cluster, config_map("settings", a="1"))
    client_side_apply(cluster, config_map("settings", a="1", b="2"))

    plan = preview(cluster, config_map("settings", a="1"))
    deploy(cluster, config_map("settings", a="1"))

    live = cluster.get("ConfigMap", "settings")
    holds(plan, live, "ConfigMap")
    assert live["data"] == {"a": "1"}


def test_what_others_own_survives_a_migration(cluster: Cluster) -> None:
    """A field that a controller co-owns stays, though no manifest has it any more."""
    client_side_apply(cluster, config_map("settings", a="1", b="2", c="3"))
    server_side_apply(cluster, config_map("settings", b="2"), "b-operator")

    plan = preview(cluster, config_map("settings", a="1"))
    deploy(cluster, config_map("settings", a="1"))

    live = cluster.get("ConfigMap", "settings")
    holds(plan, live, "ConfigMap")
    assert live["data"] == {"a": "1", "b": "2"}


def test_object_from_before_the_server_knew_owners(cluster: Cluster) -> None:
    """Of what it owns in our stead only what was applied becomes ours: no finalizer goes.

    The server makes that entry at our first apply; the next plan shows what goes.
    """
    client_side_apply(cluster, config_map("settings", a="1", b="2"))
    held = {"metadata": {"finalizers": ["example.com/hold"], "managedFields": [{}]}}
    cluster.patch("ConfigMap", "settings", held, "somebody")
    deploy(cluster, config_map("settings", a="1"))

    plan = preview(cluster, config_map("settings", a="1"))
    deploy(cluster, config_map("settings", a="1"))

    live = cluster.get("ConfigMap", "settings")
    cluster.patch("ConfigMap", "settings", {"metadata": {"finalizers": []}}, "somebody")
    holds(plan, live, "ConfigMap")
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["finalizers"] == ["example.com/hold"]
    assert preview(cluster, config_map("settings", a="1")).changes == ()


def test_migration_is_not_made_twice(cluster: Cluster) -> None:
    """An entry that came after the plan is not migrated: its removals were not shown."""
    deploy(cluster, config_map("settings", a="1"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", a="2"))
    survey, plan = planned(target, desired)
    client_side_apply(cluster, config_map("settings", a="1", b="2"))

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"a": "1", "b": "2"}


def test_entry_that_came_with_noise_is_not_migrated(cluster: Cluster) -> None:
    """Owners that moved without a visible change are looked at again, not moved unseen."""
    client_side_apply(cluster, config_map("settings", a="1", b="2"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", a="2"))
    survey, plan = planned(target, desired)
    live = cluster.get("ConfigMap", "settings")
    (entry,) = live["metadata"]["managedFields"]
    del entry["fieldsV1"]["f:data"]["f:b"]
    entries = {"metadata": {"managedFields": [entry]}}
    cluster.patch("ConfigMap", "settings", entries, "somebody")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"a": "1", "b": "2"}


# -- owners that were wiped ------------------------------------------------------------------------


def wipe(cluster: Cluster, kind: str, name: str) -> None:
    """What some tools do to an object that they restore."""
    cluster.patch(kind, name, {"metadata": {"managedFields": [{}]}}, "restore")


def test_wiped_owners_are_written_anew(cluster: Cluster) -> None:
    """Else a field that leaves the manifest would stay for ever, and the plan would say nothing."""
    deploy(cluster, config_map("settings", a="1", b="2"))
    wipe(cluster, "ConfigMap", "settings")

    (change,) = preview(cluster, config_map("settings", a="1", b="2")).changes
    deploy(cluster, config_map("settings", a="1", b="2"))
    again = preview(cluster, config_map("settings", a="1", b="2"))
    deploy(cluster, config_map("settings", a="1"))

    assert "metadata.managedFields" in " ".join(change.sight.notes)
    assert again.changes == ()
    assert cluster.get("ConfigMap", "settings")["data"] == {"a": "1"}


def test_what_left_the_manifest_since_the_owners_were_wiped_is_no_secret(cluster: Cluster) -> None:
    """Nobody knows whose it is, so it stays; the plan says that."""
    deploy(cluster, config_map("settings", a="1", b="2"))
    wipe(cluster, "ConfigMap", "settings")

    (change,) = preview(cluster, config_map("settings", a="1")).changes

    assert "what has left its manifest meanwhile stays" in " ".join(change.sight.notes)


def test_an_object_that_was_made_again_from_a_copy_is_written(cluster: Cluster) -> None:
    """The copy brings the number of our claim, which its maker then owns: no dry run tells that."""
    deploy(cluster, config_map("settings", a="1"))
    copy = cluster.get("ConfigMap", "settings")
    for key in ("uid", "resourceVersion", "managedFields", "creationTimestamp"):
        copy["metadata"].pop(key, None)
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"))
    cluster.until_gone("ConfigMap", "settings")
    cluster.create(copy, "kubectl-create")

    outcomes = deploy(cluster, config_map("settings", a="1", b="2"))

    assert {outcome.state for outcome in outcomes} == {State.DONE}
    assert cluster.get("ConfigMap", "settings")["data"] == {"a": "1", "b": "2"}


# -- killed in between -----------------------------------------------------------------------------


def deploy_again(cluster: Cluster, *bodies: Any) -> None:
    """A deploy after one that was killed: its claim is taken over first."""
    target = cluster.target()
    with pytest.raises(Stale):
        deploy(cluster, *bodies, target=target)
    deploy(cluster, *bodies, target=target)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_killed_between_the_transfers(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """A run that dies after any of its writes leaves what the next one ends right."""
    client_side_apply(cluster, full())
    sent = sparse()
    del sent["spec"]["replicas"]
    more = autoscaler("web")
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, sent, more))
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)
    left = [writes]

    def dying(original: Any) -> Any:
        def write(*arguments: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return original(*arguments, **options)

        return write

    with target.claim(claimed) as writing, monkeypatch.context() as patched:
        for name in ("write", "patch"):
            original = getattr(transfers.Objects, name)
            patched.setattr(transfers.Objects, name, dying(original))
        with pytest.raises(KeyboardInterrupt):
            list(writing.apply([the(plan)]))
    again = preview(cluster, sent, more)
    deploy_again(cluster, sent, more)

    live = cluster.get("Deployment", "web")
    assert plans.exceeding(plan, again) == ()
    holds(plan, live)
    assert live["spec"]["replicas"] == 2
    assert "kubectl-client-side-apply/Update" not in managers(live)
    assert preview(cluster, sent, more).changes == ()
