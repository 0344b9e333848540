"""The text of the one note on a merge request: a section per key, between one-line markers.

    <!-- pipeline-gitops:note v1 -->
    <!-- pipeline-gitops:begin KEY stamp=PHASE.RUN.ATTEMPT hash=DIGEST -->
    what KEY has to say
    <!-- pipeline-gitops:end KEY -->

A marker is always one line: GitLab executes quick actions inside comments of several lines
(https://gitlab.com/gitlab-org/gitlab/-/issues/26332).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from pipeline_gitops.reports.shown import Shown

# What a caller leaves free of a forge's limit: markers, and pointers in place of other sections.
OVERHEAD = 6_000

_MARK = "<!-- pipeline-gitops:"
_NOTE = f"{_MARK}note v1 -->"
_WRITE = re.compile(rf"{_MARK}write (\S+) -->")
_BEGIN = re.compile(
    rf"{_MARK}begin (\S+) stamp=(\d{{1,18}})\.(\d{{1,18}})\.(\d{{1,18}}) hash=([0-9a-f]+) -->"
)
_BY_HAND = "<sub>This section was edited by hand.</sub>"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stamp:
    """Which of two reports under one key is newer. Comparable within one CI workflow only."""

    phase: int = 0  # 0 review, 1 deploy
    run: int = 0
    attempt: int = 0

    def __str__(self) -> str:
        return f"{self.phase}.{self.run}.{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one writer has to say on a merge request. Its text cannot hold a marker of ours."""

    key: str
    stamp: Stamp
    body: Shown = field(repr=False)

    def __post_init__(self) -> None:
        body = _unix(self.body).strip().replace(_MARK, "<!-- pipeline-gitops :")
        object.__setattr__(self, "body", Shown(body))

    @property
    def digest(self) -> str:
        """Says whether two texts are the same."""
        return hashlib.sha256(self.body.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def is_marked(body: str) -> bool:
    """Whether a note claims to be ours. Anyone can write that: look at its author too."""
    return _NOTE in _lines(body)


def nonce(body: str) -> str:
    """What the note's last writer left to know its own write by; "" for none."""
    written = (_WRITE.fullmatch(line) for line in _lines(body))
    return next((match[1] for match in written if match), "")


def sections(body: str) -> tuple[Section, ...]:
    """The sections in a note's text. One without its end marker is gone."""
    found: list[Section] = []
    begin: re.Match[str] | None = None
    inside: list[str] = []
    for line in _lines(body):
        opened = _BEGIN.fullmatch(line)
        if opened:
            begin, inside = opened, []
        elif begin and line == _end(begin[1]):
            found.append(_section(begin, "\n".join(inside)))
            begin = None
        elif begin:
            inside.append(line)
    return tuple(found)


def _section(begin: re.Match[str], body: str) -> Section:
    key, phase, run, attempt, digest = begin.groups()
    stamp = Stamp(phase=int(phase), run=int(run), attempt=int(attempt))
    section = Section(key=unquote(key), stamp=stamp, body=Shown(body))
    if section.digest == digest or section.body.endswith(_BY_HAND):
        return section
    return replace(section, body=Shown(f"{section.body}\n\n{_BY_HAND}"))


def union(found: Iterable[Section]) -> dict[str, Section]:
    """The newest section of each key; of two equally new ones the first."""
    newest: dict[str, Section] = {}
    for section in found:
        held = newest.get(section.key)
        if held is None or section.stamp > held.stamp:
            newest[section.key] = section
    return newest


def compose(held: Mapping[str, Section], *, limit: int, keep: str = "", nonce: str = "") -> Shown:
    """The whole note: deploys first, then reviews, each by key.

    Where all of it is over *limit*, the oldest sections shrink to a line that says so, never the
    one under the key *keep*.
    """
    texts = {key: _text(section) for key, section in held.items()}
    head = f"{_NOTE}\n" + (f"{_MARK}write {nonce} -->\n" if nonce else "")
    size = len(head) + sum(len(text) + 1 for text in texts.values())
    for section in sorted(held.values(), key=lambda section: (section.stamp, section.key)):
        if size <= limit:
            break
        pointer = _text(_pointer(section))
        saved = len(texts[section.key]) - len(pointer)
        if section.key != keep and saved > 0:
            texts[section.key] = pointer
            size -= saved
    order = sorted(held.values(), key=lambda section: (-section.stamp.phase, section.key))
    return Shown(head + "\n".join(texts[section.key] for section in order))


def _pointer(section: Section) -> Section:
    name = quote(section.key, safe="/ ")
    said = f"**{name}**: left out, this note is full. See the report of its own job."
    return replace(section, body=Shown(said))


def _text(section: Section) -> str:
    key = quote(section.key, safe="/")
    begin = f"{_MARK}begin {key} stamp={section.stamp} hash={section.digest} -->"
    return f"{begin}\n{section.body}\n{_end(key)}\n"


def _end(key: str) -> str:
    return f"{_MARK}end {key} -->"


def _lines(body: str) -> list[str]:
    return [line.rstrip() if line.startswith(_MARK) else line for line in _unix(body).split("\n")]


def _unix(text: str) -> str:
    """Forges store the line ends that they are sent, and web forms send CRLF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
