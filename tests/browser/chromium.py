"""Where Chromium is, and how it is started.

`playwright install` would fetch a browser of its own build from its own servers; the system's comes
with the system's updates.
"""

import os
from pathlib import Path

from tests.parts import debian

NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> Path:
    """The browser's program; installs it where it is missing and we may. Raises PartError."""
    return debian.program("chromium", *NAMES)


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
