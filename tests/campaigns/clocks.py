"""A clock that makes the program's pauses short without changing what it thinks of them."""

import threading
import time
from datetime import UTC, datetime

LONGEST_S = 0.02


class HastyClock:
    """Implements `ports.Clock`: a pause of any length takes 20 ms, and counts in full.

    A real server needs real time to get on: a definition is established and a rollout is seen some
    milliseconds later. So a pause is short, not nothing.
    """

    def __init__(self) -> None:
        self._skipped = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic() + self._skipped

    def sleep(self, seconds: float) -> None:
        """Waits, but not for long."""
        real = min(seconds, LONGEST_S)
        if real > 0:
            time.sleep(real)
            with self._lock:
                self._skipped += seconds - real
