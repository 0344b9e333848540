"""How npm's `emulate`, a GitHub that was not written by us, is started and ended with the tests.

It knows pull requests, comments and check runs; it has no commit statuses and no deployments, and
it has none of GitHub's limits.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import requests

from tests.parts.errors import PartError, tail
from tests.parts.packages import NodeProgram, find_node
from tests.parts.processes import PortLostError, Process, free_ports

PROGRAM = NodeProgram(title="emulator of GitHub", lock=Path(__file__).resolve().parent)
OWNER, TOKEN = "acme", "emulated-token"
START_S = 90.0
START_TRIES = 3
POLL_S = 0.05
# A token that is not listed may not write.
_SEED = f"""\
tokens:
  {TOKEN}: {{login: {OWNER}, scopes: [repo, user]}}
github:
  users: [{{login: {OWNER}, name: Acme}}]
  repos: [{{owner: {OWNER}, name: shop, auto_init: true}}]
"""


class Emulator:
    """From `start()` to `stop()`. Start it in the main thread: it ends with the thread."""

    url: str

    def start(self) -> None:
        """Returns once it answers. Installs it when this was not done yet."""
        for last in range(START_TRIES - 1, -1, -1):
            try:
                self._start()
                return
            except PortLostError:
                self.stop()
                if not last:
                    raise

    def _start(self) -> None:
        program = PROGRAM.folder() / "node_modules" / "emulate" / "dist" / "index.js"
        node = find_node(PROGRAM.title).program
        self._folder = Path(tempfile.mkdtemp(prefix="emulate-"))
        seed = self._folder / "seed.yaml"
        seed.write_text(_SEED)
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._process = Process(
            "emulate",
            [
                *(node, program, "start", "--service", "github", "--port", str(port)),
                *("--base-url", self.url, "--seed", seed),
            ],
            folder=self._folder,
            env={"HOME": str(self._folder), "PATH": os.defpath},
            whole=PROGRAM.title,
        )
        self._await()

    def stop(self) -> None:
        """Ends it and removes its folder."""
        self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _await(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            self._process.check()
            try:
                requests.get(f"{self.url}/repos/{OWNER}/shop", timeout=5).raise_for_status()
                return
            except requests.RequestException:
                if time.monotonic() > deadline:
                    log = tail(self._process.log)
                    raise PartError(f"waited {START_S:.0f} s in vain for it\n{log}") from None
            time.sleep(POLL_S)
