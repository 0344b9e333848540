"""Fixtures over one real control plane for the whole run, and a namespace for each test.

A conftest that imports their names has them. Whichever asks first starts the control plane; all
the others share it. When it cannot be built or started, every test that wants it fails with the
reason.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.api import ApiError
from tests.cluster.controlplane import ControlPlane
from tests.parts import shared

SERVICE_ACCOUNT_S = 30.0

_SHARED: pytest.StashKey[ControlPlane] = pytest.StashKey()


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> ControlPlane:
    """The running control plane, started at its first use and ended with the run."""
    return shared.started(pytestconfig, _SHARED, ControlPlane)


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own. Its deletion is begun, not awaited."""
    control_plane.check()
    admin = control_plane.admin
    name = namespace_name(request.node.name)
    admin.post("/api/v1/namespaces", {"metadata": {"name": name}})

    # Pods are refused until the controllers have made it.
    deadline = time.monotonic() + SERVICE_ACCOUNT_S
    while True:
        try:
            admin.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
            break
        except ApiError as error:
            if error.status != 404 or time.monotonic() > deadline:
                raise
        time.sleep(0.02)

    yield name

    admin.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, tmp_path: Path) -> Path:
    """A kubeconfig file whose one context, `test`, is the admin."""
    return control_plane.kubeconfig(tmp_path / "kubeconfig")


def namespace_name(test: str) -> str:
    """A valid and unique namespace name that shows which test it is for."""
    words = re.sub(r"[^a-z0-9]+", "-", test.lower().removeprefix("test_")).strip("-")
    return f"{words[:48].rstrip('-') or 'test'}-{secrets.token_hex(4)}"
