"""Real time, and the signals that end it.

A handler only notes the signal; the next wait, or the next wave, raises it where it can be
handled. A second signal ends the program at once, as people expect of Ctrl-C twice. GitHub's
runner sends SIGINT to one process and SIGTERM 7.5 s later; bash dying in front of us arrives as
SIGHUP.
"""

import os
import signal
import threading
import time
from datetime import UTC, datetime
from types import FrameType

from pipeline_gitops.errors import InterruptedFault, TerminatedFault

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class SystemClock:
    """Implements `ports.Clock`."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._signal = 0
        self._asked_s = 0.0

    def listen(self) -> None:
        """Takes SIGINT, SIGTERM and SIGHUP from here on."""
        for number in _SIGNALS:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._asked.is_set():
            os._exit(128 + number)
        self._signal = number
        self._asked_s = self.elapsed()
        self._asked.set()

    def now(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits. Raises InterruptedFault when a signal came before or meanwhile."""
        if self._asked.wait(seconds):
            cure = "run it again; what is written already stays and is not written twice"
            if self._signal == signal.SIGTERM:
                raise TerminatedFault("stopped by SIGTERM", cure, asked_s=self._asked_s)
            raise InterruptedFault("interrupted", cure, asked_s=self._asked_s)
