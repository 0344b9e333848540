"""The way to the terminal: results on stdout, progress on stderr, both harmless and masked.

A CI runner obeys commands that stand in a log. Whatever is printed goes through the vendor's
`neutral`, so that an object's name cannot set a variable or end a log section.
"""

import sys
from collections.abc import Sequence
from typing import TextIO

from pipeline_gitops import ci, masks
from pipeline_gitops.ci import Vendor
from pipeline_gitops.reports import Shown
from pipeline_gitops.views import Severity

_SIGNS = {Severity.ERROR: "✗ ", Severity.WARNING: "! ", Severity.NOTICE: "  "}


class Console:
    """Implements `ports.Journal`; also prints results."""

    def __init__(
        self, vendor: Vendor, *, stdout: TextIO | None = None, stderr: TextIO | None = None
    ):
        self._vendor = vendor
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._secrets: dict[str, None] = {}  # a set that keeps its order
        self._redact = masks.Redactor(())

    def say(self, text: str, severity: Severity = Severity.NOTICE) -> None:
        """One line of progress."""
        line = masks.clean(self._redact(text)).replace("\n", " ")
        self._write(self._stderr, ci.neutral(_SIGNS[severity] + line, self._vendor))

    def show(self, text: Shown) -> None:
        """A result."""
        self._write(self._stdout, ci.neutral(text, self._vendor))

    def command(self, lines: Sequence[str]) -> None:
        """Lines that the CI is meant to obey; `ci` makes them, of sealed reports, and escapes."""
        self._write(self._stdout, "\n".join(lines))

    def hide(self, secrets: Sequence[str]) -> None:
        """Values that must not be shown from now on."""
        fresh = [secret for secret in secrets if secret and secret not in self._secrets]
        if fresh:
            self._secrets.update(dict.fromkeys(fresh))
            self._redact = masks.Redactor(self._secrets)

    def secrets(self) -> tuple[str, ...]:
        """All values hidden so far."""
        return tuple(self._secrets)

    def _write(self, stream: TextIO, text: str) -> None:
        if text:
            stream.write(text.rstrip("\n") + "\n")
            stream.flush()
