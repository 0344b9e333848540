"""A job with a forge and a cluster, of which everything is seen."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Said, call, clean_environment
from tests.fakes.github import FakeGitHub
from tests.leaks.stages import Stage, TroubledServer

__all__ = ["call", "clean_environment"]


@pytest.fixture
def stage(
    call: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A job, with a forge and a cluster that it can reach."""
    yield from _staged(call, tmp_path / "one", monkeypatch)


@pytest.fixture
def another_stage(
    call: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """One more of them."""
    yield from _staged(call, tmp_path / "two", monkeypatch)


def _staged(
    call: Callable[..., Said], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    github = FakeGitHub()
    with TroubledServer() as server:
        yield Stage(call, folder, monkeypatch, server, github)
    github.close()
