"""What the campaigns share: one proxy before the control plane, and a way to be seen at work."""

import sys
from collections.abc import Callable, Iterator

import pytest

from tests.campaigns import PROFILE
from tests.campaigns.places import Admin
from tests.campaigns.proxies import Proxy
from tests.cluster.controlplane import ControlPlane


@pytest.fixture(scope="session")
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    """In front of the control plane."""
    with Proxy(control_plane.url, control_plane.ca_file) as running:
        yield running


@pytest.fixture(scope="session")
def admin(control_plane: ControlPlane) -> Iterator[Admin]:
    """Past the proxy."""
    asking = Admin(control_plane)
    yield asking
    asking.close()


@pytest.fixture
def progress(capfd: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says how far a soak is; nothing in shorter runs."""

    def say(text: str) -> None:
        if PROFILE == "soak":
            with capfd.disabled():
                sys.stderr.write(f"{text}\n")

    return say
