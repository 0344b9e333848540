"""Marks, and fixtures that every room may use."""

import os

import pytest
from hypothesis import settings

from tests.cluster.fixtures import control_plane, kubeconfig, namespace

__all__ = ["control_plane", "kubeconfig", "namespace"]

settings.register_profile("default", deadline=None)
settings.register_profile("soak", deadline=None, max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the control plane, directly or not, is marked `cluster`."""
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()) or "/tests/cluster/" in str(
            item.path
        ):
            item.add_marker("cluster")
