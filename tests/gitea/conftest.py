"""A repository on a Gitea for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gitea.fixtures import gitea
from tests.gitea.places import FakePlace, Place, RealPlace
from tests.gitea.server import GiteaServer

__all__ = ["gitea"]


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.server)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """On the fake and on a real server: what holds for one must hold for the other."""
    if request.param == "fake":
        fake = FakePlace()
        yield fake
        fake.close()
        return
    real = RealPlace(request.getfixturevalue("gitea"), tmp_path)
    yield real
    real.close()


@pytest.fixture
def repository(gitea: GiteaServer, tmp_path: Path) -> Iterator[RealPlace]:
    """On a real server."""
    gitea.check()
    made = RealPlace(gitea, tmp_path)
    yield made
    made.close()
