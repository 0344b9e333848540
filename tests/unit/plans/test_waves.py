"""In which order a plan is written."""

from typing import Any

import pytest

from pipeline_gitops import plans
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Schedule, Sight
from pipeline_gitops.views import Severity
from tests.unit.plans.bodies import survey
from tests.unit.plans.schedules import (
    body,
    creating,
    deleting,
    names,
    needs,
    pods,
    scheduled,
    set_of,
)

# -- kinds -----------------------------------------------------------------------------------------


def test_namespaces_then_definitions_then_the_rest_then_webhooks() -> None:
    """Waves go from what others need to what could stop them."""
    kinds = [
        "ValidatingWebhookConfiguration",
        "Deployment",
        "ConfigMap",
        "CustomResourceDefinition",
        "Namespace",
        "Widget",
    ]

    waves = scheduled(*map(body, kinds)).main

    assert names(waves) == [
        ["Namespace a"],
        ["CustomResourceDefinition a"],
        ["ConfigMap a"],
        ["Deployment a", "Widget a"],
        ["ValidatingWebhookConfiguration a"],
    ]


def test_deletions_come_in_reverse_and_in_no_wave_of_writes() -> None:
    """Users go before what they use; what was in an earlier wave goes later."""
    desired = set_of(
        body("Namespace"),
        body("Deployment"),
        body("ConfigMap", "late", wave="-1"),
        body("HorizontalPodAutoscaler", spec={"scaleTargetRef": {"name": "a"}}),
    )

    schedule = plans.schedule(deleting(desired), ManifestSet())

    assert schedule.main == ()
    assert names(schedule.last) == [
        ["HorizontalPodAutoscaler a"],
        ["Deployment a"],
        ["Namespace a"],
        ["ConfigMap late"],
    ]


# -- waves -----------------------------------------------------------------------------------------


def test_a_wave_comes_before_the_order_of_kinds() -> None:
    """Ours or Argo CD's; within a wave kinds count again."""
    waves = scheduled(
        body("ConfigMap", "late", wave="1"),
        body("Deployment", "late", wave="1"),
        body("Deployment", "early", ARGO__sync_wave="-1"),
        body("Service"),
    ).main

    assert names(waves) == [
        ["Deployment early"],
        ["Service a"],
        ["ConfigMap late"],
        ["Deployment late"],
    ]


def test_the_next_wave_needs_the_one_before_to_run() -> None:
    """All of it, once: changed by this plan or not, but for what nobody watches."""
    desired = set_of(
        body("Deployment", "changed"),
        body("Deployment", "unchanged"),
        body("Deployment", "unwatched", watch="false"),
        body("Service", "late", wave="1"),
        body("Deployment", "late", wave="1"),
    )
    plan = creating(set_of(*(m.body for m in desired.manifests if m.id.name != "unchanged")))

    waves = plans.schedule(plan, desired).main

    assert needs(waves) == [
        set(),
        {"Deployment changed", "Deployment unchanged"},
        set(),
    ]


def test_what_is_to_come_after_something_needs_it_to_run() -> None:
    """Even where it was written by an earlier run, which was killed before it ran."""
    desired = set_of(body("StatefulSet", "db"), body("Deployment", "web", after="StatefulSet/db"))
    plan = creating(set_of(desired.manifests[0].body))

    whole = plans.schedule(creating(desired), desired).main
    resumed = plans.schedule(plan, desired).main

    assert names(whole) == [["StatefulSet db"], ["Deployment web"]]
    assert needs(whole) == [set(), {"StatefulSet db"}]
    assert (names(resumed), needs(resumed)) == ([["Deployment web"]], [{"StatefulSet db"}])


def test_only_a_namespace_that_is_made_now_is_waited_for() -> None:
    """One that is there can be used."""
    desired = set_of(body("Namespace", "shop"), body("ConfigMap"))
    plan = creating(set_of(body("ConfigMap")))

    made = plans.schedule(creating(desired), desired).main
    there = plans.schedule(plan, desired).main

    assert needs(made) == [set(), {"Namespace shop"}]
    assert needs(there) == [set()]


def test_a_namespace_is_as_early_as_its_first_user() -> None:
    """As in Argo CD: its own wave does not keep others waiting for it."""
    waves = scheduled(body("Namespace", "shop"), body("ConfigMap", wave="-3"), body("Service")).main

    assert names(waves) == [["Namespace shop"], ["ConfigMap a"], ["Service a"]]


def test_a_group_of_kapp() -> None:
    """What comes after, or before, a group comes after all of it."""
    waves = scheduled(
        body("Deployment", "web", KAPP__change_rule="upsert after upserting db"),
        body("Deployment", "db", KAPP__change_group="db"),
        body("Job", "seed", KAPP__change_rule="upsert before upserting db"),
    ).main

    assert names(waves) == [["Job seed"], ["Deployment db"], ["Deployment web"]]


# -- what contradicts itself -----------------------------------------------------------------------


def problems(*bodies: dict[str, Any]) -> list[str]:
    return [finding.message for finding in plans.findings(set_of(*bodies))]


def test_a_cycle_is_shown() -> None:
    """In the order in which the objects wait, from the smallest name on; nothing is planned."""
    bodies = [
        body("ConfigMap", "c", after="ConfigMap/a"),
        body("ConfigMap", "a", after="ConfigMap/b"),
        body("ConfigMap", "b", after="ConfigMap/c"),
        body("ConfigMap", "downstream", after="ConfigMap/a"),
    ]

    assert problems(*bodies) == [
        "these wait for each other: "
        "ConfigMap shop/a -> ConfigMap shop/b -> ConfigMap shop/c -> ConfigMap shop/a"
    ]
    with pytest.raises(RefusedFault, match="ConfigMap shop/a -> ConfigMap shop/b"):
        scheduled(*bodies)


def test_a_cycle_of_an_annotation_and_a_manifest_is_shown() -> None:
    """The Deployment mounts the ConfigMap, which is to come after it."""
    found = problems(
        body("ConfigMap", after="Deployment/web"),
        body("Deployment", "web", pods(volumes=[{"configMap": {"name": "a"}}])),
    )

    assert found == [
        "these wait for each other: "
        "ConfigMap shop/a -> Deployment.apps shop/web -> ConfigMap shop/a"
    ]


def test_an_object_that_waits_for_itself_is_shown() -> None:
    """The shortest of all cycles."""
    assert problems(body("ConfigMap", after="ConfigMap/a")) == [
        "these wait for each other: ConfigMap shop/a -> ConfigMap shop/a"
    ]


@pytest.mark.parametrize(
    ("bodies", "words"),
    [
        ([body("ConfigMap", after="Job/nowhere")], "Job shop/nowhere, which is not in the set"),
        (
            [body("ConfigMap", after="Job/a"), body("Job", hook="never")],
            "which is a hook that is never sent",
        ),
        (
            [body("ConfigMap", after="Job/a"), body("Job", wave="1")],
            "ConfigMap shop/a (wave 0) is to come after Job.batch shop/a (wave 1), which is later",
        ),
        (
            [body("ConfigMap", after="Job/a"), body("Job", HELM__hook="post-install")],
            "(after hook, wave 0), which is later",
        ),
    ],
)
def test_an_order_that_cannot_be_is_a_finding(bodies: list[dict[str, Any]], words: str) -> None:
    """It says between which objects."""
    (message,) = problems(*bodies)

    assert words in message


def test_a_finding_stands_where_its_object_does() -> None:
    """File and line."""
    (finding,) = plans.findings(set_of(body("Service"), body("ConfigMap", after="Job/nowhere")))

    assert str(finding.place) == "all.yaml:1"


def test_an_annotation_that_says_nothing_is_a_finding() -> None:
    """At the place of the annotation, with what it could say."""
    (finding,) = plans.findings(set_of(body("ConfigMap", wave="first")))

    assert (finding.rule, finding.pointer) == (
        "hint",
        "/metadata/annotations/pipeline-gitops.dev~1wave",
    )
    assert "'first'" in finding.message
    assert finding.cure


def test_a_hook_that_uses_what_comes_later_is_a_warning() -> None:
    """On the first install it would wait for it in vain. Its Namespace comes by itself."""
    hook = body("Job", spec=pods(volumes=[{"configMap": {"name": "a"}}]), hook="before")

    (finding,) = plans.findings(set_of(hook, body("ConfigMap"), body("Namespace", "shop")))

    assert (finding.rule, finding.severity) == ("hook-order", Severity.WARNING)
    assert "uses ConfigMap shop/a, which comes with the rest" in finding.message


# -- hooks -----------------------------------------------------------------------------------------


def test_hooks_have_phases_of_their_own() -> None:
    """By weight within one; each weight needs the one before to be through."""
    schedule = scheduled(
        body("Job", "second", ARGO__hook="PreSync", ARGO__sync_wave="2"),
        body("Job", "first", HELM__hook="pre-install", HELM__hook_weight="-5"),
        body("ServiceAccount", "first", HELM__hook="pre-install", HELM__hook_weight="-5"),
        body("Job", "smoke", hook="after"),
        body("Job", "alarm", hook="failed"),
        body("Job", "with", ARGO__hook="Sync"),
        body("Job", "never", ARGO__hook="Skip"),
        body("ConfigMap"),
    )

    assert names(schedule.before) == [["ServiceAccount first"], ["Job first"], ["Job second"]]
    assert needs(schedule.before) == [set(), set(), {"Job first", "ServiceAccount first"}]
    assert names(schedule.main) == [["ConfigMap a"], ["Job with"]]
    assert names(schedule.after) == [["Job smoke"]]
    assert names(schedule.failed) == [["Job alarm"]]


def test_a_hook_finds_its_namespace_and_its_kind() -> None:
    """On the first install they are sent before the hook, and waited for."""
    definition = {"group": "example.com", "names": {"kind": "Widget"}}
    schedule = scheduled(
        body("CustomResourceDefinition", spec=definition),
        body("Namespace", "shop"),
        body("Widget", hook="before"),
        body("ConfigMap"),
    )

    assert names(schedule.before) == [
        ["Namespace shop"],
        ["CustomResourceDefinition a"],
        ["Widget a"],
    ]
    assert needs(schedule.before)[-1] == {"Namespace shop", "CustomResourceDefinition a"}


# -- what goes first -------------------------------------------------------------------------------


def changing(*sights: Sight) -> Schedule:
    return plans.schedule(plans.compute(survey(*sights), prune=True), ManifestSet())


def going(one: dict[str, Any]) -> Sight:
    (manifest,) = set_of(one).manifests
    return Sight(id=manifest.id, before=manifest.body)


def coming(one: dict[str, Any]) -> Sight:
    (manifest,) = set_of(one).manifests
    return Sight(id=manifest.id, after=manifest.body, send=manifest)


def test_a_node_port_changes_hands() -> None:
    """The Service that holds it goes before the one that asks for it comes."""
    ports = {"ports": [{"port": 80, "nodePort": 30080}]}
    other = {"ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]}

    schedule = changing(
        going(body("Service", "old", ports)),
        going(body("Service", "other", other)),
        coming(body("Service", "new", ports)),
    )

    assert (names(schedule.first), names(schedule.last)) == ([["Service old"]], [["Service other"]])


@pytest.mark.parametrize(("old", "new"), [("true", ""), ("", "true")])
def test_who_holds_what_another_needs_goes_first_where_told(old: str, new: str) -> None:
    """The annotation may stand at the old object, or at the new one of the same kind."""

    def told(value: str) -> dict[str, str]:
        return {"prune_first": value} if value else {}

    schedule = changing(
        going(body("Deployment", "old", **told(old))),
        going(body("ConfigMap", "old")),
        coming(body("Deployment", "new", **told(new))),
    )

    assert names(schedule.first) == [["Deployment old"]]
    assert names(schedule.last) == [["ConfigMap old"]]


def test_nothing_goes_first_untold() -> None:
    """Deletions wait until what replaces them runs."""
    schedule = changing(going(body("Deployment", "old")), coming(body("Deployment", "new")))

    assert (schedule.first, names(schedule.last)) == ((), [["Deployment old"]])
