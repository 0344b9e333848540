"""Clusters to deploy to, each with a namespace of the test's own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import Cluster
from tests.fakes.apiserver import FakeApiServer


@pytest.fixture
def cluster(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Cluster:
    """The real control plane."""
    return Cluster.of(control_plane, namespace, tmp_path)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
def any_cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """The fake API server, then the real control plane: the fake is held to the real one."""
    if request.param == "real":
        plane = request.getfixturevalue("control_plane")
        yield Cluster.of(plane, request.getfixturevalue("namespace"), tmp_path)
        return
    with FakeApiServer() as server:
        yield Cluster.faked(server, tmp_path)


@pytest.fixture
def group() -> str:
    """An API group of the test's own: the control plane is shared."""
    return f"g{secrets.token_hex(4)}.example.com"
