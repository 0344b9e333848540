"""Rules of one's own: in the configuration, or as Flux, krane and kapp have them."""

import json
import re
from typing import Any

import jsonschema
import pytest
import yaml

from pipeline_gitops.errors import UsageFault
from pipeline_gitops.health.forms import flux, kapp, krane, ours
from pipeline_gitops.health.signs import Rule, judge
from pipeline_gitops.ids import Place
from pipeline_gitops.views import Health
from tests.golden import health_cases

PLACE = Place("deploy/a.yaml", 7)


def parse(*written: Any) -> tuple[Rule, ...]:
    return ours.parse(list(written), lambda pointer: Place(f"c.yaml{pointer}"))


def word(rule: Rule, status: Any, *, generation: int = 1) -> Health:
    return judge({"metadata": {"generation": generation}, "status": status}, rule)[0]


def condition(name: str, status: str = "True", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": status, "message": message}]}


def test_a_rule_is_for_each_of_its_kinds() -> None:
    """kind and kinds are alike, and so are group and apiVersion."""
    found = parse(
        {"group": "a.io", "kinds": ["A", "B"], "current": "true"},
        {"apiVersion": "b.io/v1", "kind": "C", "current": "true"},
    )

    assert [(rule.group, rule.kind) for rule in found] == [
        ("a.io", "A"),
        ("a.io", "B"),
        ("b.io", "C"),
    ]


@pytest.mark.parametrize(
    ("group", "kind", "covered"),
    [
        ("a.io", "A", False),
        ("*.a.io", "A", True),
        ("*.io", "A", True),
        ("x.a.io", "*", True),
        ("x.a.io", "*Template", False),
        ("a.x.a.io", "A", False),
    ],
)
def test_groups_and_kinds_can_be_patterns(group: str, kind: str, *, covered: bool) -> None:
    """ "*." is any domain below, "*Template" any kind that ends so."""
    (rule,) = parse({"group": group, "kind": kind, "current": "true"})

    assert rule.covers("x.a.io", "A") is covered


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"kind": "A", "current": "true"}, "c.yaml/0: a rule names its group and its kind"),
        ({"group": "a.io", "kind": "A"}, "c.yaml/0: a rule says when an object is current"),
        ({"group": "a.io", "kind": "A", "currrent": "true"}, "unknown key 'currrent'"),
        ({"group": "a.io", "kind": "A", "current": {"conditon": "A"}}, "unknown key 'conditon'"),
        ({"group": "a.io", "kind": "A", "current": {"say": "a"}}, "c.yaml/0/current: a sign names"),
        ({"group": "a.io", "kind": "A", "current": [1]}, "c.yaml/0/current/0: a mapping"),
        ({"group": "a.io", "kind": "A", "current": "a ="}, "c.yaml/0/current: the expression"),
        ({"group": "a.io", "kind": "A", "current": {"path": "a..b"}}, "a path is written like"),
        ({"group": "a.io", "kind": "A", "current": {"condition": 1}}, "a text is expected"),
        ("text", "c.yaml/0: a mapping"),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_its_place(written: Any, problem: str) -> None:
    """A rule that says nothing would call everything green."""
    with pytest.raises(UsageFault) as raised:
        parse(written)

    assert problem in raised.value.what
    assert "docs/health.md" in raised.value.cure or "cel-spec" in raised.value.cure


def test_the_schema_has_the_same_form() -> None:
    """What it takes is parsed, what it refuses is refused."""
    good = {
        "group": "a.io",
        "kind": "A",
        "suspended": {"path": "spec.paused", "is": True},
        "failed": [{"condition": "Ready=False", "reason": ["X"], "say": "status.message"}],
        "inProgress": "status.phase == 'New'",
        "current": {"all": [{"path": "status.a", "reaches": "spec.a"}, {"observed": "status.g"}]},
    }

    jsonschema.validate([good], health_cases.SCHEMA)
    assert parse(good)
    for bad in ({"group": "a.io"}, {**good, "curent": "true"}, {**good, "current": {"pth": "a"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([bad], health_cases.SCHEMA)
        with pytest.raises(UsageFault):
            parse(bad)


def test_the_rules_in_the_documentation_are_rules() -> None:
    """What is shown there can be copied."""
    page = health_cases.PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)

    assert len(shown) == 2
    for written in shown:
        health = yaml.safe_load(written)["health"]
        jsonschema.validate(health, health_cases.SCHEMA)
        assert parse(*health)


def checks(**expressions: str) -> dict[str, Any]:
    item = {"apiVersion": "a.io/v1", "kind": "A", **expressions}
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "spec": {"healthCheckExprs": [item]},
    }


def test_the_health_checks_of_flux_are_rules() -> None:
    """inProgress is asked first, then failed, then current."""
    (rule,) = flux.rules(
        checks(
            inProgress="status.a == 1 // so far",
            failed="status.b == 1",
            current="status.c == 1",
        ),
        PLACE,
    )

    assert word(rule, {"a": 1, "b": 1, "c": 1}) is Health.IN_PROGRESS
    assert word(rule, {"a": 0, "b": 1, "c": 1}) is Health.FAILED
    assert word(rule, {"a": 0, "b": 0, "c": 1}) is Health.CURRENT
    assert word(rule, {"a": 0, "b": 0, "c": 0}) is Health.IN_PROGRESS


def test_where_a_check_of_flux_cannot_be_answered_it_waits() -> None:
    """A missing field in failed leaves open whether it failed: that is not green."""
    (rule,) = flux.rules(checks(failed="status.b == 1", current="status.c == 1"), PLACE)

    assert word(rule, {"c": 1}) is Health.IN_PROGRESS


def test_a_check_of_flux_looks_at_its_own_generation() -> None:
    """As the kustomize-controller does before it asks."""
    (rule,) = flux.rules(checks(current="status.c == 1"), PLACE)

    assert word(rule, {"c": 1, "observedGeneration": 1}, generation=2) is Health.IN_PROGRESS


@pytest.mark.parametrize("expressions", [{}, {"current": "a ="}, {"current": "1", "failed": "("}])
def test_a_check_of_flux_that_is_none_is_told(expressions: dict[str, str]) -> None:
    """With the place of the Kustomization."""
    with pytest.raises(UsageFault, match=r"^deploy/a\.yaml:7: "):
        flux.rules(checks(**expressions), PLACE)


def definition(conditions: str) -> dict[str, Any]:
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {
            "annotations": {"krane.shopify.io/instance-rollout-conditions": conditions},
        },
        "spec": {"group": "a.io", "names": {"kind": "A"}},
    }


def test_the_defaults_of_krane_are_a_rule() -> None:
    """ "true" is Ready and Failed; it never answers without an observed generation."""
    (rule,) = krane.rules(definition("true"), PLACE)

    assert (rule.group, rule.kind) == ("a.io", "A")
    assert word(rule, condition("Ready")) is Health.IN_PROGRESS
    assert word(rule, {"observedGeneration": 1, **condition("Ready")}) is Health.CURRENT
    assert word(rule, {"observedGeneration": 1, **condition("Failed")}) is Health.FAILED
    assert word(rule, {"observedGeneration": 1, **condition("Ready")}, generation=2) is (
        Health.IN_PROGRESS
    )


def test_the_conditions_of_krane_are_a_rule() -> None:
    """All successes have to be there, one failure is enough."""
    written = {
        "success_conditions": [
            {"path": '$.status.conditions[?(@.type == "Up")].status', "value": "True"},
            {"path": "$.status.phase", "value": "done"},
        ],
        "failure_conditions": [
            {"path": "$.status.phase", "value": "bad", "custom_error_msg": "so bad"},
            {"path": "$.status['x']", "value": "bad", "error_msg_path": "$.status.why"},
        ],
    }
    (rule,) = krane.rules(definition(json.dumps(written)), PLACE)
    seen = {"observedGeneration": 1}

    assert word(rule, {**seen, **condition("Up")}) is Health.IN_PROGRESS
    assert word(rule, {**seen, **condition("Up"), "phase": "done"}) is Health.CURRENT
    assert judge({"status": {**seen, "phase": "bad"}}, rule) == (Health.FAILED, "so bad")
    assert judge({"status": {**seen, "x": "bad", "why": "w"}}, rule) == (Health.FAILED, "w")


@pytest.mark.parametrize(
    "written",
    [
        "{",
        "[]",
        "{}",
        '{"success_conditions": [{"path": "$..phase", "value": "x"}]}',
        '{"success_conditions": [{"path": "$.status.l[?(@.a > 1)]", "value": "x"}]}',
    ],
)
def test_an_annotation_of_krane_that_is_not_understood_is_told(written: str) -> None:
    """Guessing would be green where krane is not."""
    with pytest.raises(UsageFault, match=r"^deploy/a\.yaml:7: "):
        krane.rules(definition(written), PLACE)


def config(**rule: Any) -> dict[str, Any]:
    kinds = [{"apiVersionKindMatcher": {"apiVersion": "a.io/v1", "kind": "A"}}]
    rule = {"resourceMatchers": kinds, **rule}
    return {"apiVersion": "kapp.k14s.io/v1alpha1", "kind": "Config", "waitRules": [rule]}


MATCHERS = [
    {"type": "Broken", "status": "True", "failure": True},
    {"type": "Up", "status": "True", "success": True},
]


def test_the_wait_rules_of_kapp_are_rules() -> None:
    """Of any of their success conditions one is enough, and so of their failures."""
    (rule,) = kapp.rules(config(conditionMatchers=MATCHERS), PLACE)

    assert word(rule, condition("Up")) is Health.CURRENT
    assert word(rule, condition("Up", "False")) is Health.IN_PROGRESS
    assert word(rule, condition("Broken")) is Health.FAILED


def test_a_wait_rule_of_kapp_can_ask_for_the_generation() -> None:
    """supportsObservedGeneration."""
    (rule,) = kapp.rules(config(conditionMatchers=MATCHERS, supportsObservedGeneration=True), PLACE)

    assert word(rule, condition("Up")) is Health.IN_PROGRESS
    assert word(rule, {"observedGeneration": 1, **condition("Up")}) is Health.CURRENT


def test_wait_rules_of_kapp_are_found_in_its_config_maps() -> None:
    """The label makes one a configuration."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": {"kapp.k14s.io/config": ""}},
        "data": {"config.yml": json.dumps(config(conditionMatchers=MATCHERS))},
    }

    assert kapp.rules(body, PLACE) == kapp.rules(config(conditionMatchers=MATCHERS), PLACE)
    assert kapp.rules({**body, "metadata": {}}, PLACE) == ()


@pytest.mark.parametrize(
    "rule",
    [
        {"ytt": {"funcContractV1": {"resource.star": "def f(r): pass"}}},
        {"conditionMatchers": MATCHERS, "resourceMatchers": [{"allMatcher": {}}]},
    ],
)
def test_a_wait_rule_that_only_kapp_understands_is_told(rule: Any) -> None:
    """Leaving it out in silence would be green where kapp is not."""
    with pytest.raises(UsageFault, match=r"^deploy/a\.yaml:7: "):
        kapp.rules(config(**rule), PLACE)


@pytest.mark.parametrize("read", [flux.rules, krane.rules, kapp.rules])
def test_other_objects_hold_no_rules(read: Any) -> None:
    """Every manifest of a set is asked."""
    assert read({"apiVersion": "v1", "kind": "ConfigMap", "data": {}}, PLACE) == ()
