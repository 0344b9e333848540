"""Amounts are read exactly, and said in the shortest exact form."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops.targets.cluster.survey import quantities


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("1", 1),
        (2, 2),
        (0.5, Fraction(1, 2)),
        ("100m", Fraction(1, 10)),
        ("1500m", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("1.", 1),
        ("1.5Gi", 3 * 512 * 1024**2),
        ("128Mi", 128 * 1024**2),
        ("1k", 1000),
        ("1E", 10**18),
        ("1Ei", 1024**6),
        ("2e3", 2000),
        ("2E-3", Fraction(1, 500)),
        ("12n", Fraction(12, 10**9)),
        ("5u", Fraction(1, 200_000)),
        ("-1", -1),
        ("0", 0),
    ],
)
def test_amount(written: Any, amount: Any) -> None:
    """Every form that the server takes."""
    assert quantities.parse(written) == amount


@pytest.mark.parametrize(
    "written", ["", "x", "1 Gi", "1gi", "1K", "1e999999999", "--1", "1e", None, True, [], "1" * 99]
)
def test_no_amount(written: Any) -> None:
    """Everything else is none, however large it would be."""
    assert quantities.parse(written) is None


@pytest.mark.parametrize(
    ("written", "said"),
    [("3", "3"), ("1536Mi", "1536Mi"), ("2048Mi", "2Gi"), ("0.25", "250m"), ("0", "0")],
)
def test_said(written: str, said: str) -> None:
    """As people would write it."""
    amount = quantities.parse(written)
    assert amount is not None

    assert quantities.said(amount) == said


@given(st.integers(0, 10**30))
def test_said_is_read_again(amount: int) -> None:
    """No amount is lost on the way."""
    assert quantities.parse(quantities.said(Fraction(amount))) == amount
