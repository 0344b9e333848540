"""Programs that a Debian machine gets from its own packages, where we may put them there."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.parts.errors import PartError

_LOCK = Path(tempfile.gettempdir()) / "pipeline-gitops-packages.lock"
_APT = ("apt-get", "--quiet", "--quiet", "-o", "DPkg::Lock::Timeout=300")


def cure(package: str) -> str:
    """How to have it."""
    return f"install it: apt-get install --no-install-recommends {package}"


def program(package: str, *names: str) -> Path:
    """A program by any of its names; its package is installed where it is missing and we may.

    Raises PartError.
    """
    found = _found(names)
    if found:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PartError(f"there is no {package} on PATH\n{cure(package)}")
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be at it
        return _found(names) or _installed(package, names)


def _found(names: tuple[str, ...]) -> Path | None:
    return next((Path(path) for name in names if (path := shutil.which(name))), None)


def _installed(package: str, names: tuple[str, ...]) -> Path:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = (*_APT, "install", "--yes", "--no-install-recommends", package)
    for command in ((*_APT, "update"), install):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
    found = _found(names)
    if found is None:
        said = (done.stderr.strip().splitlines() or ["apt-get said nothing"])[-1]
        raise PartError(f"{package} could not be installed: {said}\n{cure(package)}")
    return found
