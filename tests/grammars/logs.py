"""What CI runners and terminals obey in a log.

Each recogniser is a little too suspicious: what an older runner, a page or a filter in between
might still obey counts as well.
"""

import re
import unicodedata
from collections.abc import Iterator

# .NET's ReadLine ends lines so (https://learn.microsoft.com/dotnet/api/system.io.streamreader.readline);
# the others end lines in pages and terminals.
_LINES = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
# Char.IsWhiteSpace, which TrimStart takes off, and what has no width.
_BLANKS = "".join(
    chr(code)
    for code in range(0x10000)
    if chr(code).isspace() or unicodedata.category(chr(code)) in ("Zs", "Cf")
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_ESCAPE = re.compile(r"\x1b(?!\[[0-9;]*m)")  # anything but a colour
_SECTION = re.compile(r"section_(start|end):\d+:[^\r\n]*\r\x1b\[0K")


def github(log: str) -> Iterator[str]:
    """Lines that are workflow commands.

    https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs: `::name` after
    blanks, in any case, and `##[name]` anywhere.
    """
    for line in _LINES.split(_COLOUR.sub("", log)):
        if line.lstrip(_BLANKS).startswith("::") or "##[" in line:
            yield line


def gitlab(log: str) -> Iterator[str]:
    """Markers of sections (https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections)."""
    yield from (found[0] for found in _SECTION.finditer(log))
    yield from re.findall(r"\r", log)  # starts a line anew: hides what stands before


def jenkins(log: str) -> Iterator[str]:
    """Console notes, serialized objects behind a colour that hides them.

    https://github.com/jenkinsci/jenkins/blob/master/core/src/main/java/hudson/console/ConsoleNote.java
    """
    yield from re.findall(r"\x1b\[8mha:", log)


def terminal(log: str) -> Iterator[str]:
    """Characters that move, hide, turn or set something: all of C0, C1, and of direction.

    https://www.unicode.org/reports/tr9/, https://trojansource.codes
    """
    yield from _ACTING.findall(_COLOUR.sub("", log))
    yield from _ESCAPE.findall(log)
