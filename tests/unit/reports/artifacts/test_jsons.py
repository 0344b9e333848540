"""The report as JSON: of the published form, read back strictly."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given

from pipeline_gitops import masks, reports
from pipeline_gitops.errors import Verdict
from pipeline_gitops.views import Action, Report
from tests.unit.reports.samples import change, deployed, hostile, report, reviewed, rollout

ROOT = Path(__file__).resolve().parents[4]
SCHEMA = json.loads((ROOT / "schemas/report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

TOP = {
    "schema",
    "verdict",
    "exitCode",
    "command",
    "revision",
    "startedAt",
    "seconds",
    "environments",
    "fault",
}
ENVIRONMENT = {
    "name",
    "target",
    "verdict",
    "engine",
    "findings",
    "changes",
    "refusals",
    "written",
    "rollout",
    "cards",
}


def written(shown: masks.Sealed) -> dict[str, Any]:
    node: dict[str, Any] = json.loads(reports.to_json(shown))
    return node


def test_the_contract_has_its_names() -> None:
    """Pipelines rely on these keys; others may join them."""
    node = written(report(reviewed(change())))

    assert node.keys() >= TOP
    assert node["environments"][0].keys() >= ENVIRONMENT


def test_verdict_and_exit_code_are_told_together() -> None:
    """The exit code of a report is the one of its command."""
    node = written(report(replace(reviewed(), verdict=Verdict.REFUSED)))

    assert (node["verdict"], node["exitCode"]) == ("refused", 4)


def test_changes_are_those_against_the_target() -> None:
    """With two comparisons, `changes` is the first; both are in `plans`."""
    result = reviewed(change())
    base = replace(result.plans[0], compared="merge base", changes=(change(Action.CREATE),))

    (node,) = written(report(replace(result, plans=(*result.plans, base))))["environments"]

    assert [one["action"] for one in node["changes"]] == ["update"]
    assert [one["compared"] for one in node["plans"]] == ["cluster prod", "merge base"]


@given(hostile)
def test_whatever_is_written_is_of_the_published_form(made: Report) -> None:
    """Programs can rely on schemas/report.schema.json."""
    VALIDATOR.validate(written(masks.seal(made, ())))


@given(hostile)
def test_a_report_comes_back_as_it_was(made: Report) -> None:
    """Nothing is lost between jobs but addresses: a fork's report must not lead readers away."""
    sealed = masks.seal(made, ())

    again = reports.from_json(reports.to_json(sealed))

    assert again == replace(sealed, files_url="", run_url="")


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def mutate(node: dict[str, Any]) -> None:
        *folders, last = path.split("/")
        at: Any = node
        for folder in folders:
            at = at[int(folder) if folder.isdigit() else folder]
        at[last] = value

    return mutate


def _drop(path: str) -> Callable[[dict[str, Any]], None]:
    def mutate(node: dict[str, Any]) -> None:
        *folders, last = path.split("/")
        at: Any = node
        for folder in folders:
            at = at[int(folder) if folder.isdigit() else folder]
        del at[last]

    return mutate


@pytest.mark.parametrize(
    "mutate",
    [
        _set("schema", "pipeline-gitops/report/v2"),
        _set("surprise", 1),
        _set("seconds", "4"),
        _set("seconds", True),
        _set("seconds", -1),
        _set("mergeRequest", 1.5),
        _set("mergeRequest", -1),
        _set("verdict", "fine"),
        _set("environments", {}),
        _set("environments/0/verdict", "fine"),
        _set("environments/0/name", None),
        _set("environments/0/changes", [{}]),
        _set("environments/0/plans/0/changes/0/id", "Deployment/api"),
        _set("environments/0/plans/0/changes/0/action", "prune"),
        _set("environments/0/rollout/objects/0/health", "Fine"),
        _set("environments/0/rollout/timedOut", 0),
        _drop("command"),
        _drop("environments/0/plans"),
        _drop("environments/0/plans/0/changes/0/id/name"),
    ],
)
def test_anything_else_is_refused(mutate: Callable[[dict[str, Any]], None]) -> None:
    """A report is read whole or not at all, and the schema refuses the same."""
    node = written(report(deployed(change(), rollout=rollout())))
    mutate(node)

    with pytest.raises(ValueError):
        reports.from_json(json.dumps(node))
    assert not VALIDATOR.is_valid(node)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        '{"schema": "pipeline-gitops/report/v1"}',
        '{"seconds": ' + "9" * 5_000 + "}",
    ],
)
def test_what_is_no_report_is_a_value_error(text: str) -> None:
    """The caller has one error to expect, whatever a file holds."""
    with pytest.raises(ValueError):
        reports.from_json(text)


def test_a_key_stands_once() -> None:
    """Of two values of one key, two readers take two different ones."""
    text = reports.to_json(report(reviewed())).replace(
        '"command": "run"', '"command": "run", "command": "deploy"'
    )

    with pytest.raises(ValueError):
        reports.from_json(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9007199254740993"])
def test_numbers_are_finite_and_exact(number: str) -> None:
    """JSON of other makers can hold numbers that no other program reads the same."""
    text = reports.to_json(report(reviewed())).replace('"seconds": 0.0', f'"seconds": {number}')

    with pytest.raises(ValueError):
        reports.from_json(text)
