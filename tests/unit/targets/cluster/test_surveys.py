"""What a survey does where the server cannot answer, or knows more than it says."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.config import FieldRule, Policy
from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.views import Action
from tests.contract.clusters import (
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
from tests.fakes.apiserver import ADMIN, VIEWER, FakeApiServer, Fault
from tests.fakes.world import FakeClock

GROUP = "example.com"
KIND = ("apiextensions.k8s.io", "CustomResourceDefinition", "", f"widgets.{GROUP}")
MARK = "applyset.kubernetes.io/part-of"


@pytest.fixture
def cluster(server: FakeApiServer, tmp_path: Path) -> Cluster:
    found = Cluster(
        folder=tmp_path, url=server.url, token=ADMIN, viewer_token=VIEWER, namespace="shop"
    )
    found.send("POST", "api/v1/namespaces", namespace_object("shop"))
    return found


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


# -- it costs what changed -------------------------------------------------------------------------


def mixed(count: int = 3) -> list[Any]:
    """Objects of four kinds."""
    return [
        make(f"{kind}-{number}")
        for kind, make in (
            ("web", deployment),
            ("front", service),
            ("settings", lambda name: config_map(name, a="b")),
            ("login", lambda name: secret(name, password="hunter2-hunter2")),
        )
        for number in range(count)
    ]


def asked(server: FakeApiServer) -> list[str]:
    """Method and last part of the path of each request since the last call."""
    seen = [
        f"{method} {path.partition('?')[0].rpartition('/')[2]}" for method, path in server.requests
    ]
    server.requests.clear()
    return sorted(seen)


NOTHING = ["GET api", "GET apis", "GET configmaps", "GET deployments"]
NOTHING += ["GET pipeline-gitops-acme-shop-staging", "GET secrets", "GET services"]


def test_nothing_changed_costs_a_list_of_each_kind(cluster: Cluster, server: FakeApiServer) -> None:
    """Discovery, the inventory, one list for each kind and namespace; the health comes with it."""
    deploy(cluster, *mixed())
    target = cluster.target()
    asked(server)

    survey, plan = planned(target, wanted(target, "shop", *mixed()))
    snapshot = target.runtime.watch(survey.unchanged, 0)

    assert (plan.changes, len(snapshot)) == ((), 12)
    assert None not in snapshot.values()
    assert asked(server) == NOTHING


def test_only_what_moved_is_tried(cluster: Cluster, server: FakeApiServer) -> None:
    """One object that somebody wrote costs one read and one dry run."""
    deploy(cluster, *mixed())
    cluster.patch("ConfigMap", "settings-1", {"data": {"a": "c"}}, "kubectl-edit")
    target = cluster.target()
    asked(server)

    plan = preview(cluster, *mixed(), target=target)

    assert actions(plan) == {"settings-1": Action.UPDATE}
    tried = [request for request in asked(server) if request not in NOTHING]
    assert [request for request in tried if not request.startswith("PATCH")] == ["GET settings-1"]
    assert set(tried) == {"GET settings-1", "PATCH settings-1"}


def test_what_is_not_ours_is_not_listed(cluster: Cluster, server: FakeApiServer) -> None:
    """Objects of others in the namespace cost nothing, however many there are."""
    deploy(cluster, *mixed())
    server.requests.clear()

    preview(cluster, *mixed())

    lists = [path for method, path in server.requests if "limit=" in path]
    assert len(lists) == 4
    assert all("labelSelector=applyset.kubernetes.io" in path for path in lists)


def test_object_that_lost_our_label(cluster: Cluster) -> None:
    """Who lost our label is in no list of ours, and is seen all the same."""
    deploy(cluster, *mixed())
    label = {"metadata": {"labels": {"applyset.kubernetes.io/part-of": "nobody"}}}
    cluster.patch("ConfigMap", "settings-1", label, "kubectl-edit")

    plan = preview(cluster, *mixed())

    assert rules(plan) == ["owned-elsewhere"]


def test_dry_run_is_remembered(cluster: Cluster, server: FakeApiServer) -> None:
    """What a dry run proved need not be tried again after the next deploy."""
    deploy(cluster, *mixed())
    note = {"metadata": {"annotations": {"note": "mine"}}}
    cluster.patch("ConfigMap", "settings-1", note, "kubectl-annotate")
    target = cluster.target()
    survey, plan = planned(target, wanted(target, "shop", *mixed()))
    assert [id.name for id, _ in survey.receipts] == ["settings-1"]

    execute(target, survey, plan)

    asked(server)
    preview(cluster, *mixed())
    assert asked(server) == NOTHING


def test_thorough_survey_trusts_no_receipt(cluster: Cluster, server: FakeApiServer) -> None:
    """Drift is looked for by trying every object."""
    deploy(cluster, *mixed())
    target = cluster.target(thorough=True)
    asked(server)

    plan = preview(cluster, *mixed(), target=target)

    assert plan.changes == ()
    assert len([request for request in asked(server) if request.startswith("PATCH")]) == 12


def test_receipts_under_another_policy(cluster: Cluster, server: FakeApiServer) -> None:
    """Who decides about fields decides about objects that nobody wrote, too."""
    deploy(cluster, *mixed())
    rule = FieldRule(manager="hpa-*", decision="leave")
    target = cluster.target(policy=Policy(field_owners=(rule,)))
    asked(server)

    preview(cluster, *mixed(), target=target)

    assert len([request for request in asked(server) if request.startswith("PATCH")]) == 12


def test_instances_of_a_definition_that_moved(cluster: Cluster, server: FakeApiServer) -> None:
    """A definition that somebody changed makes its instances worth a look."""
    bodies = (definition(GROUP), widget(GROUP, "w"), widget(GROUP, "x"))
    deploy(cluster, *bodies)
    target = cluster.target()
    execute(target, *planned(target, wanted(target, "shop", *bodies)))  # learns the definition
    asked(server)
    preview(cluster, *bodies)
    assert "PATCH w" not in asked(server)
    server.objects[KIND]["metadata"]["generation"] += 1

    preview(cluster, *bodies)

    assert {"PATCH w", "PATCH x"} <= set(asked(server))


def test_instances_of_a_definition_that_nobody_may_read(
    cluster: Cluster, server: FakeApiServer
) -> None:
    """Without a look at the definitions, every instance is tried."""
    deploy(cluster, definition(GROUP), widget(GROUP, "w"), widget(GROUP, "x"))
    bodies = (widget(GROUP, "w"), widget(GROUP, "x"))
    denied = {"kind": "Status", "apiVersion": "v1", "reason": "Forbidden", "code": 403}
    server.faults = [
        Fault(
            status=403,
            body=json.dumps({**denied, "message": 'cannot list resource "x"'}).encode(),
            path="customresourcedefinitions",
        )
    ]
    asked(server)

    target = cluster.target()
    target.survey(wanted(target, "shop", *bodies), replace(target.inventory()))

    assert {"PATCH w", "PATCH x"} <= set(asked(server))


def test_crash_before_recording(cluster: Cluster) -> None:
    """A run that was killed after a write leaves no receipt of what it wrote."""
    deploy(cluster, *mixed())
    target = cluster.target()
    changed = [*mixed()[1:], deployment("web-0", replicas=5)]
    survey, plan = planned(target, wanted(target, "shop", *changed))
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)

    with target.claim(claimed) as writing:
        list(writing.apply(plan.changes))

    left = {m.id.name: m.receipt for m in cluster.target().inventory().members}
    assert left["web-0"] == ""
    assert all(receipt for name, receipt in left.items() if name != "web-0")
    assert actions(preview(cluster, *mixed())) == {"web-0": Action.UPDATE}


# -- the first look at health ----------------------------------------------------------------------


def test_health_is_read_again_after_a_write(cluster: Cluster, server: FakeApiServer) -> None:
    """What was read before a write says nothing about what runs."""
    target = cluster.target()
    survey, plan = planned(target, wanted(target, "shop", *mixed()))
    execute(target, survey, plan)
    asked(server)

    target.runtime.watch(frozenset(plan.ids), 0)

    assert asked(server) == ["GET configmaps", "GET deployments", "GET secrets", "GET services"]


def test_claim_of_writes_ends_what_was_read(cluster: Cluster, server: FakeApiServer) -> None:
    """From the claim on, health is read anew, even where no write follows."""
    deploy(cluster, *mixed())
    target = cluster.target()
    survey, _ = planned(target, wanted(target, "shop", *mixed()))
    claimed = inventories.claimed(survey.inventory, STAMP, survey.unchanged)

    with target.claim(claimed):
        asked(server)
        target.runtime.watch(survey.unchanged, 0)

    assert "GET deployments" in asked(server)


def test_second_look_reads(cluster: Cluster, server: FakeApiServer) -> None:
    """Only the first look after a survey may use what the survey read."""
    deploy(cluster, *mixed())
    target = cluster.target()
    survey, _ = planned(target, wanted(target, "shop", *mixed()))
    target.runtime.watch(survey.unchanged, 0)
    asked(server)

    target.runtime.watch(survey.unchanged, 0)

    assert len(asked(server)) == 4


def test_old_readings_are_not_used(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """What a slow survey read at its beginning says nothing about health at its end."""
    deploy(cluster, *mixed())
    target = cluster.target(clock=clock)
    survey, _ = planned(target, wanted(target, "shop", *mixed()))
    clock.sleep(6)
    asked(server)

    target.runtime.watch(survey.unchanged, 0)

    assert len(asked(server)) == 4


def test_survey_keeps_no_values_of_secrets(cluster: Cluster) -> None:
    """What is kept for the first look at health holds no value of a Secret."""
    deploy(cluster, *mixed())
    target = cluster.target()
    survey, _ = planned(target, wanted(target, "shop", *mixed()))

    snapshot = target.runtime.watch(survey.unchanged, 0)

    logins = [body for id, body in snapshot.items() if id.kind == "Secret"]
    assert [sorted(body or ()) for body in logins] == [["apiVersion", "kind", "metadata"]] * 3


# -- where a receipt proves nothing ----------------------------------------------------------------


def test_instances_of_a_definition_that_is_about_to_change(
    cluster: Cluster, server: FakeApiServer
) -> None:
    """A definition that this very deploy changes makes its instances worth a look."""
    bodies = (definition(GROUP), widget(GROUP, "w"), widget(GROUP, "x"))
    deploy(cluster, *bodies)
    deploy(cluster, *bodies)  # learns the definition
    changed = definition(GROUP)
    changed["metadata"]["annotations"] = {"note": "new"}
    asked(server)

    preview(cluster, changed, *bodies[1:])

    assert {"PATCH w", "PATCH x"} <= set(asked(server))


def test_reserved_label_on_what_is_unchanged(cluster: Cluster) -> None:
    """The label that is the target's to set is refused, whatever receipts say."""
    deploy(cluster, *mixed())
    (mark,) = {
        body["metadata"]["labels"][MARK]
        for body in (cluster.get("ConfigMap", "settings-0"), cluster.get("Service", "front-0"))
    }
    labelled = config_map("settings-0", a="b")
    labelled["metadata"]["labels"] = {MARK: mark}

    plan = preview(
        cluster, *[b for b in mixed() if b["metadata"]["name"] != "settings-0"], labelled
    )

    assert rules(plan) == ["reserved-label"]


def test_what_is_left_to_an_autoscaler_has_no_receipt(cluster: Cluster) -> None:
    """Whether a field is left depends on the autoscaler, which no receipt of this object knows."""
    deploy(cluster, deployment("web", replicas=2, image="web:1"))
    scaled = {"spec": {"replicas": 5}}
    cluster.patch("Deployment", "web", scaled, "kube-controller-manager", "/scale")
    cluster.create(autoscaler("web"), "kubectl-create")

    deploy(cluster, deployment("web", replicas=2, image="web:2"))
    target = cluster.target()
    body = deployment("web", replicas=2, image="web:2")
    survey, plan = planned(target, wanted(target, "shop", body))

    (member,) = target.inventory().members
    assert (plan.changes, member.receipt, survey.receipts) == ((), "", ())
