"""Reports for CI systems say what failed, where, and stay the same finding when lines move."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from pipeline_gitops import reports
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import Place
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    FaultView,
    Finding,
    PlanView,
    Refusal,
    Result,
    Severity,
)
from tests.unit.reports.samples import API, DATA, change, deployed, report, reviewed, rollout

WRONG = Finding(
    rule="schema",
    message="replicas is not a number",
    cure="write 3",
    place=Place("base/api.yaml", 7),
    id=API,
)


def made(kind: str, *results: Result, fault: FaultView | None = None) -> str:
    return reports.KINDS[kind](report(*results, fault=fault))


def rejected(*findings: Finding, environment: str = "prod") -> Result:
    return replace(reviewed(environment=environment), findings=findings, verdict=Verdict.REJECTED)


# -- Code Quality --------------------------------------------------------------------------------


def test_code_quality_names_file_line_and_rule() -> None:
    """All that GitLab needs to show a finding beside its line."""
    (issue,) = json.loads(made("codequality", rejected(WRONG)))

    assert issue["location"] == {"path": "base/api.yaml", "lines": {"begin": 7}}
    assert (issue["check_name"], issue["severity"]) == ("schema", "major")
    assert issue["description"] == "replicas is not a number. write 3."


def test_a_finding_stays_the_same_when_lines_move() -> None:
    """Else every commit would resolve and bring all findings."""
    moved = replace(WRONG, place=Place("base/api.yaml", 9))

    one, other = (json.loads(made("codequality", rejected(each)))[0] for each in (WRONG, moved))

    assert one["fingerprint"] == other["fingerprint"]


def test_a_finding_of_two_environments_is_one() -> None:
    """A base is rendered by many."""
    told = json.loads(made("codequality", rejected(WRONG), rejected(WRONG, environment="staging")))

    assert len(told) == 1


# -- Terraform -----------------------------------------------------------------------------------


def test_counts_are_those_that_gitlab_shows() -> None:
    """Over all environments; what is replaced is deleted and created."""
    plan = PlanView(
        compared="cluster prod",
        changes=tuple(ChangeView(id=API, action=action) for action in [*Action, Action.UPDATE]),
    )

    told = json.loads(
        made(
            "terraform",
            Result(environment="prod", plans=(plan, plan)),
            Result(environment="staging", plans=(plan,)),
        )
    )

    assert told == {"create": 4, "update": 4, "delete": 4}


def test_nothing_to_change_counts_as_nothing() -> None:
    """A report without its numbers would be shown as broken."""
    assert json.loads(made("terraform")) == {"create": 0, "update": 0, "delete": 0}


# -- SARIF ---------------------------------------------------------------------------------------


def test_sarif_holds_rules_levels_and_places() -> None:
    """Version 2.1.0, one run, one result for each finding."""
    warning = replace(WRONG, rule="api-deprecated", severity=Severity.WARNING)

    told = json.loads(made("sarif", rejected(WRONG, warning)))

    (run,) = told["runs"]
    assert told["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["api-deprecated", "schema"]
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    (place,) = run["results"][0]["locations"]
    assert place["physicalLocation"]["region"] == {"startLine": 7}


def test_a_finding_without_a_place_is_told_beside_the_results() -> None:
    """GitHub refuses a file in which one result has no location."""
    nowhere = replace(WRONG, message="nothing is rendered", cure="", place=Place(""))

    (run,) = json.loads(made("sarif", rejected(WRONG, nowhere)))["runs"]

    assert all(result["locations"] for result in run["results"])
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"]
    (told,) = invocation["toolExecutionNotifications"]
    assert (told["level"], "nothing is rendered" in told["message"]["text"]) == ("error", True)


def test_a_path_in_sarif_is_an_address() -> None:
    """Blanks and signs are escaped."""
    odd = replace(WRONG, place=Place("base/a b#1.yaml", 7))

    told = json.loads(made("sarif", rejected(odd)))

    place = told["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "base/a%20b%231.yaml"


# -- JUnit ---------------------------------------------------------------------------------------


def _failures(text: str) -> dict[str, str]:
    return {
        test.attrib["name"]: failure.attrib["message"]
        for test in ET.fromstring(text).iter("testcase")
        for failure in test.iter("failure")
    }


def test_an_object_that_runs_is_a_test_that_passed() -> None:
    """Green in the list of tests."""
    root = ET.fromstring(made("junit", deployed(change(), rollout=rollout())))

    assert (root.attrib["failures"], root.attrib["tests"]) == ("0", "5")


@pytest.mark.parametrize(
    ("result", "name", "message"),
    [
        (rejected(WRONG), "the manifests", "1 error"),
        (
            replace(
                reviewed(), refusals=(Refusal(rule="dangerous-delete", message="no", id=DATA),)
            ),
            str(DATA),
            "no",
        ),
        (
            replace(
                deployed(change(), rollout=rollout(API)),
                cards=(CardView(id=API, cause="no image"),),
            ),
            str(API),
            "no image",
        ),
        (
            replace(reviewed(), fault=FaultView(message="cluster prod cannot be reached")),
            "the run",
            "cluster prod cannot be reached",
        ),
    ],
    ids=["findings", "refusal", "rollout", "fault"],
)
def test_what_failed_is_a_failed_test(result: Result, name: str, message: str) -> None:
    """With the reason as its message."""
    assert _failures(made("junit", result)) == {name: message}


def test_a_fault_of_the_whole_run_is_a_failed_test() -> None:
    """A run without an environment has a list of tests all the same."""
    told = made("junit", fault=FaultView(message="no configuration", verdict=Verdict.USAGE))

    assert _failures(told) == {"run": "no configuration"}


def test_hostile_text_stays_inside_its_attribute() -> None:
    """Quotes, markup and characters that XML cannot hold."""
    odd = replace(WRONG, message="\"'<&>]]>\x00\ufffe")

    root = ET.fromstring(made("junit", rejected(odd)))

    assert len(list(root.iter("failure"))) == 1
