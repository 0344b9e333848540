"""The only way to the terminal: results on stdout, the rest on stderr, harmless and masked.

A CI runner obeys commands that stand in a log. Whatever is printed goes through the vendor's
`neutral`, so that an object's name cannot set a variable or end a log section.
"""

import secrets
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from pipeline_gitops import ci, masks
from pipeline_gitops.ci import Vendor
from pipeline_gitops.reports import Shown
from pipeline_gitops.screen import Screen
from pipeline_gitops.views import Severity, StandingView

_SIGNS = {Severity.ERROR: "✗ ", Severity.WARNING: "! ", Severity.NOTICE: "  "}


class Console:
    """Implements `ports.Journal`; also prints results. *live*: a person looks at stderr."""

    def __init__(
        self,
        vendor: Vendor,
        *,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        live: bool = False,
    ):
        self._vendor = vendor
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._secrets: dict[str, None] = {}  # a set that keeps its order
        self._redact = masks.Redactor(())
        self._screen = Screen(self._stderr, self._harmless) if live else None

    def say(self, text: str, severity: Severity = Severity.NOTICE) -> None:
        """One line of progress."""
        line = ci.neutral(_SIGNS[severity] + self._harmless(text), self._vendor)
        if self._screen is None or not self._screen.above(line):
            self._write(self._stderr, line)

    def picture(self, standings: Callable[[], Sequence[StandingView]]) -> None:
        """How things stand now, where a person looks."""
        if self._screen is not None:
            self._screen.show(standings())

    def tell(self, text: str) -> None:
        """Lines on stderr as they are, but for what is hidden and what acts."""
        self._write(self._stderr, ci.neutral(masks.clean(self._redact(text)), self._vendor))

    def show(self, text: Shown) -> None:
        """A result."""
        harmless = ci.neutral(self._redact(text), self._vendor)
        if harmless.strip():
            word = secrets.token_hex(16)
            self._write(self._stdout, ci.fenced(harmless, self._vendor, word))

    def command(self, lines: Sequence[str]) -> None:
        """Lines that the CI is meant to obey; `ci` makes them, of sealed reports, and escapes."""
        self._write(self._stdout, "\n".join(lines))

    def hide(self, values: Sequence[str]) -> None:
        """Values that must not be shown from now on."""
        fresh = [value for value in values if value and value not in self._secrets]
        if fresh:
            # A new one, as threads that renew credentials hide theirs too.
            self._secrets = {**self._secrets, **dict.fromkeys(fresh)}
            self._redact = masks.Redactor(self._secrets)

    def secrets(self) -> tuple[str, ...]:
        """All values hidden so far."""
        return tuple(self._secrets)

    def _harmless(self, text: str) -> str:
        return masks.clean(self._redact(text)).replace("\n", " ")

    def _write(self, stream: TextIO, text: str) -> None:
        if text:
            stream.write(text.rstrip("\n") + "\n")
            stream.flush()
