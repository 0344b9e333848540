"""Reaching into a body never fails."""

import pytest

from pipeline_gitops.documents import Json, at, has, text

BODY: Json = {"a": {"b": [{"c": "x"}, 5, None]}, "d/e": {"~": ""}, "0": "zero", "n": None}


def test_at() -> None:
    """`at` follows keys and positions, and knows a null from nothing."""
    assert at(BODY, "a", "b", 0, "c") == "x"
    assert at(BODY, "a", "b", -2) == 5
    assert at(BODY, "a", "b", 2, default=1) is None
    assert at(BODY, "n", default=1) is None
    assert at(BODY) == BODY


@pytest.mark.parametrize(
    "path",
    [("x",), ("a", "x"), ("a", "b", 3), ("a", "b", -4), ("a", "b", "0"), ("a", 0), ("0", 0)],
)
def test_at_nothing(path: tuple[str | int, ...]) -> None:
    """`at` has a default for any missing step, through whatever stands there."""
    assert at(BODY, *path) is None
    assert at(BODY, *path, default="d") == "d"


def test_text() -> None:
    """`text` is "" for what is missing or no string."""
    assert text(BODY, "a", "b", 0, "c") == "x"
    assert text(BODY, "a", "b", 1) == ""
    assert text(BODY, "n") == ""
    assert text(BODY, "x", "y") == ""


@pytest.mark.parametrize(
    "pointer", ["", "/a", "/a/b/0/c", "/a/b/2", "/d~1e/~0", "/0", "/n", "/a/b/1"]
)
def test_has(pointer: str) -> None:
    """A pointer to a value, null included, is there."""
    assert has(BODY, pointer)


@pytest.mark.parametrize(
    "pointer",
    [
        *("/x", "/a/b/3", "/a/b/-", "/a/b/00", "/a/b/-1", "/a/b/x", "/d/e", "/", "/0/0", "/n/x"),
        *("/a/b/" + "9" * 5000, "/a/b/²"),
    ],
)
def test_has_not(pointer: str) -> None:
    """A pointer to nothing is not there, however odd it is."""
    assert not has(BODY, pointer)
