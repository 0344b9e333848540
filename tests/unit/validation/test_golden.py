"""What people are told about a manifest, case by case."""

from pathlib import Path

import pytest

from tests.golden.validation import update


@pytest.mark.parametrize("case", update.cases(), ids=lambda case: case.name)
def test_the_findings_of_a_case_are_those_written_down(case: Path) -> None:
    """Rule, place, pointer, message and cure are a contract; tests/golden/validation/update.py."""
    told = update.told(case)

    assert (case / "findings.txt").read_text("utf-8") == told
