"""Runs every check and says in one line how it went.

python tests/suite.py          everything
python tests/suite.py --fast   without the control plane and the CI runners
python tests/suite.py --lint   lint, format, types and layers only
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Check:
    """One command and what it shows."""

    name: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


LINT = (
    Check("lint", ("ruff", "check", "--quiet", ".")),
    Check("format", ("ruff", "format", "--quiet", "--check", ".")),
    Check("types", ("mypy",)),
    Check("layers", ("lint-imports",)),
)
PYTEST = ("pytest", "-q", "--durations=10", "-n", "3", "--dist", "worksteal")


def main(arguments: list[str]) -> int:
    """Exit code 0 when everything passed and nothing was left out that CI must have."""
    fast, lint = "--fast" in arguments, "--lint" in arguments
    missing = [] if fast or lint else missing_parts()
    started = time.monotonic()
    checks = list(LINT)
    if not lint:
        few = (("HYPOTHESIS_PROFILE", "fast"),) if fast else ()
        checks.append(Check("tests", pytest_of(fast=fast, without_cluster=bool(missing)), few))
    failed = [check.name for check in checks if not passes(check)]
    for part, cure in missing:
        print(f"skipped: {part}; to have it: {cure}")
    if missing and os.environ.get("CI") == "true":
        failed.append("missing parts")
    state = "FAILED: " + ", ".join(failed) if failed else "all checks passed"
    print(f"{state} in {time.monotonic() - started:.0f} s ({', '.join(c.name for c in checks)})")
    return 1 if failed else 0


def pytest_of(*, fast: bool, without_cluster: bool) -> tuple[str, ...]:
    """The pytest call; the daily loop leaves out what needs a cluster or a runner."""
    if fast:
        return (*PYTEST, "-m", "not cluster and not runner")
    if without_cluster:
        return (*PYTEST, "-m", "not cluster")
    return PYTEST


def missing_parts() -> list[tuple[str, str]]:
    """Parts beyond Python that this machine lacks and that could not be brought, with the cure."""
    if shutil.which("go") or (BIN / "go").exists():
        return []
    brought = subprocess.run(
        [
            BIN / "uv",
            "sync",
            "--quiet",
            "--frozen",
            "--no-install-project",
            "--inexact",
            "--group",
            "go",
        ],
        cwd=ROOT,
        check=False,
    )
    if brought.returncode == 0:
        return []
    return [("the control plane (no Go)", "install Go 1.26 or newer")]


def passes(check: Check) -> bool:
    """Runs one check with its output shown."""
    program, *rest = check.argv
    print(f"== {check.name}: {' '.join(check.argv)}", flush=True)
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **dict(check.environment)}
    if MEMORY.is_dir():
        # Hundreds of repositories are made and synced: in memory that takes two thirds of the time.
        environment["TMPDIR"] = str(MEMORY)
    # Compiled once, imported by hundreds of short processes.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([BIN / program, *rest], cwd=ROOT, env=environment, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
