"""Small pieces of the page that stand everywhere: objects, places, sentences with code, marks."""

from collections.abc import Iterator
from urllib.parse import quote

from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.patterns import pattern
from pipeline_gitops.reports.page.elements import Child, Element, element
from pipeline_gitops.reports.words import Tone
from pipeline_gitops.views import Report

# No address but one of these is ever linked: not javascript:, not data:, nothing with a user in it.
URL = pattern(r"https?://[A-Za-z0-9._~:/%-]+")

_CODE = pattern(r"`([^`]+)`")
_COMMAND = pattern(r"(?:kubectl|pipeline-gitops) [^`]*")
_SAID = {
    Tone.BAD: "Failed: ",
    Tone.CARE: "With care: ",
    Tone.GOOD: "Good: ",
    Tone.QUIET: "",
}


def mark(tone: Tone) -> Element:
    """A sign whose shape says what its colour says."""
    return element("span", unseen(_SAID[tone]), class_=f"mark {tone.value}")


def unseen(text: str) -> Element:
    """Text for those who listen to the page."""
    return element("span", text, class_="unseen")


def named(id: ObjectId) -> Element:
    """An object, its name easier to see than its kind."""
    kind, _, name = str(id).partition(" ")
    return element(
        "span",
        element("span", kind, class_="kind"),
        " ",
        element("span", name, class_="name"),
        class_="object",
    )


def where(place: Place, report: Report) -> Child:
    """File and line, a link where the report knows the forge; None for no place."""
    if not place.file:
        return None
    written = element("code", str(place))
    if not (place.line and URL.fullmatch(report.files_url)) or ".." in place.file.split("/"):
        return written
    return link(written, f"{report.files_url}/{quote(place.file)}#L{place.line}")


def link(text: Child, url: str) -> Element:
    """A link that tells the other side nothing."""
    return element("a", text, href=url, rel="noreferrer")


def prose(text: str) -> Iterator[Child]:
    """A sentence; what stands in backticks is code, and a command can be copied."""
    position = 0
    for found in _CODE.finditer(text):
        yield from _plain(text[position : found.start()])
        yield command(found[1]) if _COMMAND.match(found[1]) else element("code", found[1])
        position = found.end()
    yield from _plain(text[position:])


def _plain(text: str) -> Iterator[Child]:
    """A sentence may end in a command without backticks, after a colon."""
    before, colon, after = text.rpartition(": ")
    if colon and _COMMAND.fullmatch(after):
        yield f"{before}: "
        yield command(after)
    else:
        yield text


def command(text: str) -> Element:
    """Something to type; the script puts a button beside it."""
    return element("code", text, class_="command")


def with_cure(message: str, cure: str) -> Iterator[Child]:
    """What is wrong, and below it what to do."""
    yield from prose(message)
    if cure.strip():
        yield element("span", *prose(cure), class_="cure")


def joined(children: list[Child], separator: str = " · ") -> Iterator[Child]:
    """What is there of *children*, with a sign between them."""
    there = [child for child in children if child]
    for number, child in enumerate(there):
        if number:
            yield separator
        yield child
