"""A real Gitea for the whole run; whichever test asks first starts it."""

from __future__ import annotations

import pytest

from tests.gitea.server import GiteaServer
from tests.parts import shared

_SHARED: pytest.StashKey[GiteaServer] = pytest.StashKey()


@pytest.fixture(scope="session")
def gitea(pytestconfig: pytest.Config) -> GiteaServer:
    """The running Gitea."""
    return shared.started(pytestconfig, _SHARED, GiteaServer)
