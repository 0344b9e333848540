"""What it means that a program that a test needs cannot be had."""

from __future__ import annotations

from pathlib import Path


class PartError(RuntimeError):
    """A program cannot be brought, started or asked. The text says why."""


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log, and where it is."""
    try:
        text = log.read_text(errors="replace")
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join([f"--- end of {log}:", *text.splitlines()[-lines:], "---"])
