"""How long one request is repeated is the environment's to say."""

from pathlib import Path

import pytest

from pipeline_gitops.config import Policy
from pipeline_gitops.errors import UnreachableFault
from tests.contract.clusters import Cluster
from tests.fakes.apiserver import ADMIN, VIEWER, FakeApiServer, Fault
from tests.fakes.world import FakeClock


def test_a_busy_server_is_asked_as_long_as_the_policy_says(
    server: FakeApiServer, clock: FakeClock, tmp_path: Path
) -> None:
    """policy.retry reaches every request of the target."""
    cluster = Cluster(
        folder=tmp_path, url=server.url, token=ADMIN, viewer_token=VIEWER, namespace="shop"
    )
    server.faults = [Fault(status=503, body=b'{"kind": "Status"}')] * 50
    target = cluster.target(clock=clock, policy=Policy(retry_s=1.0))

    with pytest.raises(UnreachableFault):
        target.inventory()

    assert 0 < clock.seconds <= 1.0
