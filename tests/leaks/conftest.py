"""A job with a forge and a cluster, of which everything is seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Said, call, clean_environment
from tests.leaks.jobs import FORGES
from tests.leaks.stages import Stage, TroubledServer

__all__ = ["call", "clean_environment"]


@pytest.fixture
def forge() -> str:
    """Whose job it is, where a test does not say that."""
    return "github"


@pytest.fixture
def stage(
    call: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: str
) -> Iterator[Stage]:
    """A job, with a forge and a cluster that it can reach."""
    with _staged(call, tmp_path / "one", monkeypatch, forge) as staged:
        yield staged


@pytest.fixture
def another_stage(
    call: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: str
) -> Iterator[Stage]:
    """One more of them."""
    with _staged(call, tmp_path / "two", monkeypatch, forge) as staged:
        yield staged


@contextmanager
def _staged(
    call: Callable[..., Said], folder: Path, monkeypatch: pytest.MonkeyPatch, forge: str
) -> Iterator[Stage]:
    with TroubledServer() as server:
        stage = Stage(call, folder, monkeypatch, server, FORGES[forge])
        yield stage
    stage.forge.close()
