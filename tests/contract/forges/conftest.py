"""Every forge in turn, and a host that is none."""

from collections.abc import Iterator

import pytest

from tests.contract.forges.worlds import SERVERS, World
from tests.fakes.servers import Stranger


@pytest.fixture(params=list(SERVERS), ids=lambda kind: kind.value)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each forge in turn."""
    made = World(request.param, SERVERS[request.param]())
    yield made
    for client in made.clients:
        client.close()
    made.server.close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Another host."""
    server = Stranger()
    yield server
    server.close()
