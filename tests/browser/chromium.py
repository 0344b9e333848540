"""Where Chromium is, and how it comes there where the machine lets us.

`playwright install` would fetch a browser of its own build from its own servers; the system's comes
with the system's updates.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.parts.errors import PartError

NAMES = ("chromium", "chromium-browser", "google-chrome")
CURE = "install it: apt-get install --no-install-recommends chromium"

_LOCK = Path(tempfile.gettempdir()) / "pipeline-gitops-chromium.lock"
_APT = ("apt-get", "--quiet", "--quiet", "-o", "DPkg::Lock::Timeout=300")


def executable() -> Path:
    """The browser's program; installs it where it is missing and we may. Raises PartError."""
    found = _found()
    if found:
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PartError(f"there is no Chromium on PATH\n{CURE}")
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be at it
        return _found() or _installed()


def arguments() -> list[str]:
    """How it is started: no first run, nothing in the background, no name is ever resolved."""
    quiet = [
        "--headless",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    # Root has no user namespaces to build a sandbox of.
    return [*quiet, "--no-sandbox"] if os.geteuid() == 0 else quiet


def _found() -> Path | None:
    return next((Path(path) for name in NAMES if (path := shutil.which(name))), None)


def _installed() -> Path:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = (*_APT, "install", "--yes", "--no-install-recommends", "chromium")
    for command in ((*_APT, "update"), install):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600
        )
    found = _found()
    if found is None:
        said = (done.stderr.strip().splitlines() or ["apt-get said nothing"])[-1]
        raise PartError(f"Chromium could not be installed: {said}\n{CURE}")
    return found
