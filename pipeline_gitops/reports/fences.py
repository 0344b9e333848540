"""How foreign text is put into Markdown so that it only ever reads as text.

Names, messages and log lines come from manifests, clusters and programs. Loose in a note they could
ping people (`@team`), link, close a section, or, on GitLab, run a quick action (`/merge`) with the
rights of our token. A backslash stops neither a mention nor a quick action: only code does, or a
zero-width space that tears the sign from its word. `masks` lets no such space in from outside.
"""

import re
from urllib.parse import quote

from pipeline_gitops.ids import Place
from pipeline_gitops.patterns import pattern

_TEAR = "\u200b"

_TICKS = pattern(r"`+")
_CODE = pattern(r"`([^`]+)`")
_SIGIL = pattern(r"([@#!$%&^~])(?=[\w\"'{(\[*])")  # mentions and references of all the forges
_AUTOLINK = pattern(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=GH)(?=-\d)|(?<=:)(?=[A-Za-z+-][\w+-]*:)")
# A leading one of these would open a heading, list, quote, rule, or a quick action.
_BLOCK = pattern(r"(?=[-#>+=/:~]|\d+[.)](?:\s|$))")
_PUNCTUATION = pattern(r"[\\`*_\[\]~$]")
_AT_LINE_START = pattern(r"^(?=[/<])", re.MULTILINE)

_URL = pattern(r"https?://[A-Za-z0-9._~:/%-]+")


def one_line(text: str) -> str:
    """*text* with every run of blanks and line ends as one space."""
    return " ".join(text.split())


def short(text: str, most: int) -> str:
    """*text* cut to *most* characters, the cut visible."""
    return text if len(text) <= most else text[: max(most - 1, 0)] + "…"


def fence(text: str, info: str = "") -> str:
    """A fenced block that nothing in *text* can end.

    A line that starts like a quick action or like a marker of ours moves one column to the right.
    """
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}{info}\n{_AT_LINE_START.sub(' ', text)}\n{ticks}"


def code(text: str) -> str:
    """A code span, on one line."""
    flat = one_line(text)
    if not flat:
        return ""
    longest = _longest_run(flat)
    if not longest:
        return f"`{flat}`"
    ticks = "`" * (longest + 1)
    return f"{ticks} {flat} {ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, _TICKS.findall(text)), default=0)


def inline(text: str) -> str:
    """Running text on one line that links, mentions, formats and starts nothing.

    What stands between single backticks becomes a code span: our own cures are written that way.
    """
    flat = one_line(text)
    parts = []
    end = 0
    for match in _CODE.finditer(flat):
        parts += [_prose(flat[end : match.start()]), code(match[1])]
        end = match.end()
    return _inside("".join([*parts, _prose(flat[end:])]))


def _inside(made: str) -> str:
    """Text that opens no block, wherever a line begins with it."""
    return _TEAR + made if _BLOCK.match(made) else made


def cell(text: str) -> str:
    """Running text for a table. A pipe ends a cell even inside code, so there is no code here."""
    return _inside(_prose(one_line(text)))


def _prose(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", _torn(text)).replace("|", "&#124;")


def html(text: str) -> str:
    """Text for inside an HTML element, where Markdown should not be read but mentions are."""
    return _torn(one_line(text)).replace("[", "&#91;")


def _torn(text: str) -> str:
    torn = _AUTOLINK.sub(_TEAR, _SIGIL.sub(rf"\1{_TEAR}", text))
    return torn.replace("&", "&amp;").replace("<", "&lt;")


def link(text: str, url: str) -> str:
    """*text*, which is Markdown already, as a link where *url* is a plain web address."""
    return f"[{text}]({url})" if _URL.fullmatch(url) else text


def place(where: Place, files_url: str) -> str:
    """A place as code, linked to the file at the reviewed commit where there is such an address."""
    written = code(str(where))
    if not where.line or not files_url or ".." in where.file.split("/"):
        return written
    if not _URL.fullmatch(files_url):
        return written
    return f"[{written}]({files_url}/{quote(where.file)}#L{where.line})"
