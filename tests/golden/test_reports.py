"""Every golden report looks as expected in every format, and its JSON is of the published form."""

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline_gitops import reports
from tests.golden import update

ROOT = Path(__file__).resolve().parents[2]
CASES = update.cases()
NOTES = update.shared_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_report_looks_as_expected(case: Path) -> None:
    """Note, summary and terminal text of a case are what its folder says; see update.py."""
    shown = update.texts(case)

    expected = {name: (case / name).read_text(encoding="utf-8") for name in shown}
    assert expected == shown


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_report_survives_json(case: Path) -> None:
    """A report that is written, read and written again is the same text."""
    written = (case / "report.json").read_text(encoding="utf-8")

    again = reports.to_json(update.sealed(case))

    assert written == again


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_report_is_of_the_published_form(case: Path) -> None:
    """What we write is what schemas/report.schema.json promises to programs."""
    schema = json.loads((ROOT / "schemas/report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)

    node = json.loads((case / "report.json").read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator(schema).validate(node)


@pytest.mark.parametrize("case", NOTES, ids=lambda case: case.name)
def test_a_shared_note_looks_as_expected(case: Path) -> None:
    """What is left of several jobs' reports is what the folder says; see update.py."""
    assert (case / "note.md").read_text(encoding="utf-8") == update.shared_note(case)


def test_there_are_cases() -> None:
    """A folder that was moved must not turn this suite into nothing."""
    assert len(CASES) >= 10
    assert len(NOTES) >= 4
