"""The demo tells its story to the end: it stops at the first step that ends otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = dict(os.environ)  # before the fixtures give each test a home of its own


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), *arguments],
        env={**ENVIRONMENT, "DEMO_FOLDER": str(folder / "demo")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.runner
def test_the_demo_on_files(tmp_path: Path) -> None:
    """From the mistake with its line to the second run that changes nothing."""
    done = demo(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "deploy/base/recommendations/deployment.yaml:8" in done.stdout
    assert "did you mean 'replicas'?" in done.stdout
    assert "staging: no changes" in done.stdout


@pytest.mark.runner
def test_the_demo_on_a_cluster(control_plane: ControlPlane, tmp_path: Path) -> None:
    """The same, on a control plane of its own; the fixture has built it."""
    control_plane.check()

    done = demo(tmp_path, "--cluster")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "37 objects running" in done.stdout
