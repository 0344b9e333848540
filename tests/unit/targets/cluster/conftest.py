"""A fake API server, and requests to it whose waiting takes no time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.targets.cluster.api import credentials
from pipeline_gitops.targets.cluster.api.transport import Transport
from tests.contract.clusters import Cluster
from tests.fakes.apiserver import FakeApiServer
from tests.fakes.world import FakeClock


@pytest.fixture
def server() -> Iterator[FakeApiServer]:
    with FakeApiServer() as running:
        yield running


@pytest.fixture
def cluster(server: FakeApiServer, tmp_path: Path) -> Cluster:
    return Cluster.faked(server, tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def transport(server: FakeApiServer, clock: FakeClock, tmp_path: Path) -> Transport:
    """The admin's, with 600 seconds to go."""
    kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
    connection = credentials.connect(ClusterSpec(kubeconfig=str(kubeconfig)), environ={})
    return Transport(connection, clock, deadline=600)
