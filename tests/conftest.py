"""Marks, and fixtures that every room may use."""

import pytest
from hypothesis import settings

from tests import campaigns
from tests.cluster.fixtures import control_plane, kubeconfig, namespace

__all__ = ["control_plane", "kubeconfig", "namespace"]

SERVERS = {"gitea", "emulator"}

settings.register_profile("campaign", deadline=None, max_examples=campaigns.examples(100))
settings.load_profile("campaign")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the control plane, directly or not, is marked `cluster`; whatever asks for
    a forge's server, `server`."""
    for item in items:
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("server")
        if "control_plane" in getattr(item, "fixturenames", ()) or "/tests/cluster/" in str(
            item.path
        ):
            item.add_marker("cluster")
