"""How programs are started so that none outlives the test run, and how their end is noticed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.parts.errors import PartError, tail

_TIED = Path(__file__).resolve().parent / "tied.py"


class PortLostError(PartError):
    """Another program took a port between its choice and its use."""


class Process:
    """A running program whose output goes to a log of its own. *whole* is what it is a part of."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str],
        whole: str,
    ) -> None:
        self.name = name
        self._whole = whole
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as output:
            self._popen = subprocess.Popen(
                tied(command),
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests: they end this in order
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def check(self) -> None:
        """Raise PartError, with the end of the log, when the program has ended."""
        code = self._popen.poll()
        if code is None:
            return
        lost = b"address already in use" in self.log.read_bytes()
        raise (PortLostError if lost else PartError)(
            f"{self.name} of the {self._whole} ended with {code}\n{tail(self.log)}"
        )

    def kill(self) -> None:
        """End it at once: nothing it holds is wanted any more."""
        self._popen.kill()
        self._popen.wait()


def tied(command: Sequence[str | Path]) -> list[str | Path]:
    """The command that runs *command* tied to the life of this process."""
    if threading.current_thread() is not threading.main_thread():
        raise PartError("start programs from the main thread: they end with the thread")
    return [sys.executable, "-I", "-S", _TIED, str(os.getpid()), *command]


def free_ports(count: int) -> list[int]:
    """Loopback ports that nothing listens on just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
