"""A survey costs what changed: what is read, what is tried, and where a receipt proves nothing."""

import json
from dataclasses import replace
from typing import Any

from pipeline_gitops import inventories
from pipeline_gitops.config import FieldRule, Policy
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
    planned,
    preview,
    rules,
    secret,
    service,
    wanted,
    widget,
)
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.world import FakeClock

GROUP = "example.com"
KIND = ("apiextensions.k8s.io", "CustomResourceDefinition", "", f"widgets.{GROUP}")
MARK = "applyset.kubernetes.io/part-of"


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
