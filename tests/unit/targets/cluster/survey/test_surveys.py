"""What a survey does where the server cannot answer, or knows more than it says."""

import json

import pytest

from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    Cluster,
    actions,
    config_map,
    definition,
    deploy,
    planned,
    preview,
    rules,
    said,
    wanted,
    widget,
)
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.world import FakeClock

GROUP = "example.com"
KIND = ("apiextensions.k8s.io", "CustomResourceDefinition", "", f"widgets.{GROUP}")
MARK = "applyset.kubernetes.io/part-of"


def unserve(server: FakeApiServer, *, definition_too: bool) -> None:
    """The kind goes out of discovery; its definition stays, or is gone as well."""
    server.kinds = [kind for kind in server.kinds if kind.group != GROUP]
    if definition_too:
        del server.objects[KIND]


def test_stale_group_stops_pruning(cluster: Cluster, server: FakeApiServer) -> None:
    """While a group's own server is away, nothing is deleted, and nothing is forgotten."""
    deploy(cluster, definition(GROUP), widget(GROUP, "w"), config_map("old", a="b"))
    server.stale = {GROUP}
    target = cluster.target()

    survey, plan = planned(target, wanted(target, "shop", definition(GROUP)))

    assert (survey.blind, survey.gone) == ((GROUP,), frozenset())
    assert plan.changes == ()


def test_wanted_kind_of_a_stale_group(cluster: Cluster, server: FakeApiServer) -> None:
    """A wanted object of a group that does not answer ends the run: nobody can plan it."""
    deploy(cluster, definition(GROUP), widget(GROUP, "w"))
    unserve(server, definition_too=True)
    server.kinds.append(server.kind("", "ConfigMap").__class__(GROUP, "v1", "Other", "others"))
    server.stale = {GROUP}

    with pytest.raises(UnreachableFault, match=f"API group {GROUP}"):
        preview(cluster, widget(GROUP, "w"))


def test_unserved_group_with_definitions(cluster: Cluster, server: FakeApiServer) -> None:
    """A group that is defined but not served, as after a restart, stops pruning."""
    deploy(cluster, definition(GROUP), widget(GROUP, "w"))
    unserve(server, definition_too=False)
    target = cluster.target()

    survey, _ = planned(target, wanted(target, "shop", definition(GROUP)))

    assert (survey.blind, survey.gone) == ((GROUP,), frozenset())


def test_group_that_is_gone(cluster: Cluster, server: FakeApiServer) -> None:
    """A member whose kind went with its definition is gone as well, and is forgotten."""
    deploy(cluster, definition(GROUP), widget(GROUP, "w"), config_map("kept", a="b"))
    unserve(server, definition_too=True)
    target = cluster.target()

    survey, _ = planned(target, wanted(target, "shop", config_map("kept", a="b")))

    assert survey.blind == ()
    assert {id.kind for id in survey.gone} == {"Widget", "CustomResourceDefinition"}


def test_definition_that_changes(cluster: Cluster, server: FakeApiServer) -> None:
    """An instance that only the changed definition allows is predicted, not refused."""
    deploy(cluster, definition(GROUP), widget(GROUP, "w", size=1))
    changed = definition(GROUP)
    changed["metadata"]["labels"] = {"version": "2"}
    unknown = "failed to create typed patch object (shop/w): .spec.color: field not declared"
    instance = widget(GROUP, "w", size=2)
    target = cluster.target()
    desired = wanted(target, "shop", changed, instance)
    server.faults = [refusing_patch(unknown, "widgets/w")]

    _, plan = planned(target, desired)

    change = next(change for change in plan.changes if change.id.kind == "Widget")
    assert plan.refusals == ()
    assert change.sight.predicted == "its definition changes in the same deploy"
    assert change.action is Action.UPDATE


def refusing_patch(message: str, path: str) -> Fault:
    body = json.dumps({"kind": "Status", "message": message, "code": 500}).encode()
    return Fault(status=500, body=body, only="PATCH", path=path)


def test_missing_reference_in_the_same_set(cluster: Cluster, server: FakeApiServer) -> None:
    """What a dry run misses, but the same deploy creates, makes a prediction."""
    body = {
        "kind": "Status",
        "code": 404,
        "reason": "NotFound",
        "message": 'clusterroles "reader" not found',
        "details": {"name": "reader", "kind": "clusterroles"},
    }
    server.faults = [
        Fault(status=404, body=json.dumps(body).encode(), only="PATCH", path="configmaps/binding")
    ]

    plan = preview(cluster, config_map("binding", a="b"), config_map("reader", a="b"))

    predicted = {change.id.name: change.sight.predicted for change in plan.changes}
    assert predicted["binding"] == "ConfigMap shop/reader is created by the same deploy"


def test_missing_reference(cluster: Cluster, server: FakeApiServer) -> None:
    """What a dry run misses, and nobody creates, is a refusal."""
    body = {"kind": "Status", "code": 404, "details": {"name": "reader", "kind": "clusterroles"}}
    server.faults = [Fault(status=404, body=json.dumps(body).encode(), only="PATCH")]

    assert rules(preview(cluster, config_map("binding", a="b"))) == ["server-refused"]


def test_broken_webhook_is_no_refusal(cluster: Cluster, server: FakeApiServer) -> None:
    """A webhook that is down says nothing about the object: the run ends, and may be repeated."""
    message = 'Internal error occurred: failed calling webhook "w.example.com"'
    body = json.dumps({"kind": "Status", "code": 500, "message": message}).encode()
    server.faults = [Fault(status=500, body=body, only="PATCH")] * 50
    target = cluster.target(clock=FakeClock())

    with pytest.raises(UnreachableFault, match="failed calling webhook"):
        preview(cluster, config_map("settings", a="b"), target=target)


def test_exported_manifest(cluster: Cluster) -> None:
    """What a server once filled in (kubectl get -o yaml) is not sent back to it."""
    deploy(cluster, config_map("settings", color="blue"))
    exported = cluster.get("ConfigMap", "settings")
    exported["metadata"]["resourceVersion"] = "1"
    del exported["metadata"]["labels"]

    assert preview(cluster, exported).changes == ()


def test_reserved_label(cluster: Cluster) -> None:
    """A manifest cannot put itself into another inventory."""
    body = config_map("settings", color="blue")
    body["metadata"]["labels"] = {MARK: "applyset-x-v1"}

    plan = preview(cluster, body)

    assert rules(plan) == ["reserved-label"]


def test_wrong_scope(cluster: Cluster, server: FakeApiServer) -> None:
    """An object in a namespace, of a kind that has none in this cluster, is refused."""
    target = cluster.target()
    desired = wanted(target, "shop", widget(GROUP, "w"))
    cluster.send(
        "POST",
        "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        definition(GROUP, scope="Cluster"),
    )

    _, plan = planned(cluster.target(), desired)

    assert rules(plan) == ["wrong-scope"]
    assert "lives in no namespace" in said(plan)


def test_version_that_is_not_served(cluster: Cluster) -> None:
    """An apiVersion that is gone brings the ones that are served."""
    body = {**config_map("settings"), "apiVersion": "apps/v1beta1", "kind": "Deployment"}

    plan = preview(cluster, body)

    assert rules(plan) == ["unknown-kind"]
    assert "served are: v1" in said(plan)


def test_finished_deletion_is_forgotten(cluster: Cluster) -> None:
    """A member that is on its way out already is not deleted again."""
    body = config_map("old", a="b")
    deploy(cluster, body)
    cluster.patch("ConfigMap", "old", {"metadata": {"finalizers": ["x.io/hold"]}}, "somebody")
    cluster.send("DELETE", cluster.path("ConfigMap", "old"), {})
    target = cluster.target()

    survey, plan = planned(target, wanted(target, "shop"))

    assert (plan.changes, {id.name for id in survey.gone}) == ((), {"old"})


def test_interruption(cluster: Cluster, clock: FakeClock) -> None:
    """A survey stops when it is asked to."""
    target = cluster.target(clock=clock)
    desired = wanted(target, "shop", *(config_map(f"c{n}", a="b") for n in range(40)))
    inventory = target.inventory()
    clock.interrupt_at = 0.0

    with pytest.raises(InterruptedFault):
        target.survey(desired, inventory)


def test_other_object_is_no_answer(cluster: Cluster, server: FakeApiServer) -> None:
    """An answer about another object, as from the wrong cluster, is not taken for this one."""
    other = json.dumps({**config_map("other"), "metadata": {"name": "other"}}).encode()
    server.faults = [Fault(status=200, body=other, path="configmaps/settings", only="GET")]

    with pytest.raises(UnreachableFault, match="answered about something else"):
        preview(cluster, config_map("settings", a="b"))


def test_resurvey_knows_new_kinds(cluster: Cluster) -> None:
    """A second survey of the same run sees the kinds that were defined since the first."""
    target = cluster.target()
    bodies = (definition(GROUP), widget(GROUP, "w"))
    first = planned(target, wanted(target, "shop", *bodies))[1]
    cluster.send(
        "POST", "apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(GROUP)
    )

    second = planned(target, wanted(target, "shop", *bodies))[1]

    assert actions(first) == actions(second) | {f"widgets.{GROUP}": Action.CREATE}
    assert [c.sight.predicted for c in second.changes if c.id.kind == "Widget"] == [""]


def test_objects_that_stand_together_are_read_by_one_list(
    cluster: Cluster, server: FakeApiServer
) -> None:
    """Nothing to change over n objects of a kind costs n dry runs and one list, no n reads."""
    bodies = [config_map(f"settings-{number}", a="b") for number in range(6)]
    deploy(cluster, *bodies)
    server.requests.clear()

    plan = preview(cluster, *bodies)

    reads = [path for method, path in server.requests if method == "GET" and "/settings-" in path]
    assert (plan.changes, reads) == ((), [])


def test_who_may_not_list_reads_one_by_one(cluster: Cluster, server: FakeApiServer) -> None:
    """A list is a saving, and no demand on the account."""
    bodies = [config_map(f"settings-{number}", a="b") for number in range(6)]
    deploy(cluster, *bodies)
    message = 'cannot list resource "configmaps" in API group "" in the namespace "shop"'
    denied = {
        "kind": "Status",
        "apiVersion": "v1",
        "reason": "Forbidden",
        "code": 403,
        "message": f'configmaps is forbidden: User "deployer" {message}',
    }
    server.faults = [
        Fault(status=403, body=json.dumps(denied).encode(), only="GET", path="shop/configmaps")
    ]

    plan = preview(cluster, *bodies)

    assert plan.changes == ()


def test_discovery_that_lags_behind_a_definition(cluster: Cluster, server: FakeApiServer) -> None:
    """An instance whose kind is served, but not listed yet, is not taken for absent."""
    objects = (definition(GROUP), widget(GROUP, "w"))
    deploy(cluster, *objects)
    server.unlisted = {GROUP}

    plan = preview(cluster, *objects)

    assert (plan.changes, plan.refusals) == ((), ())
