"""A whole command on a terminal of its own, as a person sees it."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 160, 20
PATIENCE_S = 60.0


class Terminal:
    """Runs `pipeline-gitops` between `with` and its end, all three streams on one terminal."""

    def __init__(self, *arguments: str, folder: Path, environ: Mapping[str, str] = {}) -> None:
        self._arguments = arguments
        self._folder = folder
        self._environ = environ
        self._screen = pyte.HistoryScreen(WIDTH, HEIGHT, history=10_000, ratio=1.0)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""

    def __enter__(self) -> Self:
        ours, theirs = pty.openpty()
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "COLUMNS": str(WIDTH),
            "LINES": str(HEIGHT),
            **self._environ,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pipeline_gitops", *self._arguments],
            cwd=self._folder,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._ours = ours
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._ours, 65_536)
            except OSError:  # the other end is closed
                return
            if not piece:
                return
            with self._lock:
                self.raw += piece
                self._stream.feed(piece)

    def lines(self) -> list[str]:
        """All that is there now, what scrolled out of the screen included."""
        with self._lock:
            top = self._screen.history.top
            old = ["".join(line[x].data for x in range(WIDTH)) for line in top]
            return [line.rstrip() for line in [*old, *self._screen.display] if line.strip()]

    def until(self, is_so: Callable[[list[str]], bool]) -> list[str]:
        """The lines, as soon as that is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so(lines := self.lines()):
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(0.05)
        return lines

    def signal(self, number: int = signal.SIGINT) -> None:
        """As Ctrl-C does."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """The exit code, once everything is read."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code
