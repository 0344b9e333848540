"""An emulator of GitHub for the whole run; whichever test asks first starts it."""

from __future__ import annotations

import pytest

from tests.emulate.server import Emulator
from tests.parts import shared

_SHARED: pytest.StashKey[Emulator] = pytest.StashKey()


@pytest.fixture(scope="session")
def emulator(pytestconfig: pytest.Config) -> Emulator:
    """The running emulator."""
    return shared.started(pytestconfig, _SHARED, Emulator)
