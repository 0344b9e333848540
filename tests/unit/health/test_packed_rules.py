"""The packed rules judge their cases as their operators' documentation does."""

import time

import jsonschema
import pytest

from pipeline_gitops.health import custom
from pipeline_gitops.health.custom import packed
from tests.golden import health_cases
from tests.golden.health_cases import Case

CASES = tuple(health_cases.cases())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_judged_as_documented(case: Case) -> None:
    """Each stands in the file of its rule, after the rules."""
    judged = custom.assess(case.body)

    assert judged is not None
    assert judged[0] == case.word, judged[1]


@pytest.mark.parametrize("domain", health_cases.domains())
def test_every_rule_has_cases_a_source_and_a_meaning(domain: str) -> None:
    """A rule that nobody can check is worth nothing."""
    tried = {
        custom.PACKED.rule_for(case.body["apiVersion"].partition("/")[0], case.kind)
        for case in CASES
        if case.domain == domain
    }

    for group, means, source in {(rule.group, rule.means, rule.source) for rule in packed(domain)}:
        assert source.startswith("https://")
        assert means
        assert any(
            rule and (rule.group, rule.means, rule.source) == (group, means, source)
            for rule in tried
        ), means


@pytest.mark.parametrize("domain", health_cases.domains())
def test_a_file_has_the_form_of_the_schema(domain: str) -> None:
    """The same that rules in a configuration have."""
    jsonschema.validate(health_cases.documents(domain)[0]["rules"], health_cases.SCHEMA)


@pytest.mark.parametrize("domain", health_cases.domains())
def test_a_file_is_found_by_every_group_of_its_rules(domain: str) -> None:
    """It is named by the domain that they share."""
    for rule in packed(domain):
        group = rule.group.replace("*.", "x.")

        assert group == domain or group.endswith(f".{domain}")


def test_the_table_in_the_documentation_is_that_of_the_rules() -> None:
    """python -m tests.golden.health_cases writes it anew."""
    assert health_cases.PAGE.read_text(encoding="utf-8") == health_cases.page()


def test_many_objects_are_judged_in_no_time() -> None:
    """A deploy asks again and again: a thousand answers take less than 0.2 s."""
    bodies = [case.body for case in CASES]
    for body in bodies:
        custom.assess(body)

    taken = []
    for _ in range(3):
        started = time.process_time()
        for number in range(1_000):
            custom.assess(bodies[number % len(bodies)])
        taken.append(time.process_time() - started)

    assert min(taken) < 0.2


def test_a_kind_without_a_rule_is_left_to_the_conventions() -> None:
    """None says that the generic rule has to judge."""
    assert custom.assess({"apiVersion": "example.com/v1", "kind": "Shop"}) is None
    assert custom.assess({"apiVersion": "apps/v1", "kind": "Deployment"}) is None
    assert custom.assess({"apiVersion": "../x.y/v1", "kind": "Shop"}) is None


def test_no_file_is_read_before_one_of_its_groups_is_seen() -> None:
    """A run without custom resources pays for none of the rules."""
    packed.cache_clear()
    custom._packed.cache_clear()

    custom.assess({"apiVersion": "cert-manager.io/v1", "kind": "Certificate"})

    assert packed.cache_info().currsize == 1
