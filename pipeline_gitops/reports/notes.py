"""The text of the one note on a merge request: first lines over all environments, then a section
per environment, between one-line markers.

    <!-- pipeline-gitops:note v1 -->
    <!-- pipeline-gitops:write NONCE -->
    verdict, dangers, next step, table: made anew by each writer, of the states below
    <!-- pipeline-gitops:begin KEY stamp=PHASE.RUN.ATTEMPT hash=DIGEST -->
    <!-- pipeline-gitops:state KEY {"v":1,...} -->
    what the job of KEY has to say
    <!-- pipeline-gitops:end KEY -->

A marker is always one line: GitLab executes quick actions inside comments of several lines
(https://gitlab.com/gitlab-org/gitlab/-/issues/26332). The key is the environment's name.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from urllib.parse import quote, unquote

from pipeline_gitops.masks import Sealed
from pipeline_gitops.patterns import pattern
from pipeline_gitops.reports import fences, states, tops, words
from pipeline_gitops.reports.markdown import environment
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.states import EnvironmentState
from pipeline_gitops.reports.tops import Entry
from pipeline_gitops.reports.words import Tone
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding

# What the sections leave free of a forge's limit: the first lines, the table and the last line.
OVERHEAD = 6_000

_MARK = "<!-- pipeline-gitops:"
_NO_MARK = "<!-- pipeline-gitops."  # as long: a section was cut to fit before
_NOTE = f"{_MARK}note v1 -->"
_WRITE = pattern(rf"{_MARK}write (\S+) -->")
_BEGIN = pattern(
    rf"{_MARK}begin (\S+) stamp=(\d{{1,18}})\.(\d{{1,18}})\.(\d{{1,18}}) hash=([0-9a-f]+) -->"
)
_STATE = pattern(rf"{_MARK}state (\S+) (\{{.*\}}) -->")
_BY_HAND = "<sub>This section was edited by hand.</sub>"
_REVIEW = 0  # the phase of a stamp
_POINTER_STATE = 600  # characters of the state of a section that is left out
_STATES_SHARE = 2 / 3  # of a section's room: the list of changes proves more than a last diff


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stamp:
    """Which of two reports under one key is newer. Comparable within one CI workflow only."""

    phase: int = _REVIEW  # 1: deploy
    run: int = 0
    attempt: int = 0

    def __str__(self) -> str:
        return f"{self.phase}.{self.run}.{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What one writer has to say of one environment. Its text cannot hold a marker of ours.

    *line*: its state on one line, as `states.text` writes it; "" = none.
    """

    key: str
    stamp: Stamp
    body: Shown = field(repr=False)
    line: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        body = _unix(self.body).strip().replace(_MARK, _NO_MARK)
        object.__setattr__(self, "body", Shown(body))

    @property
    def state(self) -> EnvironmentState | None:
        """What it remembers of the environment; None where it is not to be understood."""
        return states.parse(self.line) if self.line else None

    @property
    def digest(self) -> str:
        """Says whether two texts are the same."""
        text = f"{self.line}\n{self.body}" if self.line else self.body
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def sections_of(
    report: Sealed,
    stamp: Stamp,
    *,
    limit: int,
    environments: int = 0,
    standing: Mapping[str, Section] = MappingProxyType({}),
) -> tuple[Section, ...]:
    """A section per environment of a report, each in its share of a note of *limit* characters.

    *environments*: how many there are altogether, those of other jobs included. *standing*: the
    sections whose place they take.
    """
    share = max(limit - OVERHEAD, 0) // max(environments, len(report.results), 1)
    told: dict[Finding, str] = {}
    made = []
    for result in words.worst_first(report.results):
        empty = Section(key=result.environment or "-", stamp=stamp, body=Shown(""))
        state = _keeping(states.of(result, report), stamp, standing.get(empty.key))
        frame = len(_text(replace(empty, line="{}")))
        line = states.text(state, int((share - frame) * _STATES_SHARE))
        empty = replace(empty, line=line)
        body = environment(result, report, room=share - len(_text(empty)) - 2, told=told)
        told |= {one: result.environment for one in result.findings if one not in told}
        made.append(replace(empty, body=body))
    return tuple(made)


def _keeping(state: EnvironmentState, stamp: Stamp, standing: Section | None) -> EnvironmentState:
    """The state with the list of what was reviewed, of a deploy that has none of its own.

    However it ended: the next one that carries the merge request is held to that list.
    """
    before = standing.state if standing else None
    if stamp.phase == _REVIEW or before is None or state.plan:
        return state
    return replace(state, plan=before.plan, changes=before.changes)


def is_quiet(report: Sealed) -> bool:
    """Whether nothing happened and nothing would: no reason to begin a note."""
    return not report.fault and words.overall(report) is Tone.QUIET


# -- reading ---------------------------------------------------------------------------------------


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
            found.append(_section(begin, inside))
            begin = None
        elif begin:
            inside.append(line)
    return tuple(found)


def _section(begin: re.Match[str], inside: Sequence[str]) -> Section:
    key, phase, run, attempt, digest = begin.groups()
    state = _STATE.fullmatch(inside[0]) if inside else None
    ours = state is not None and state[1] == key
    section = Section(
        key=unquote(key),
        stamp=Stamp(phase=int(phase), run=int(run), attempt=int(attempt)),
        line=state[2] if state and ours else "",
        body=Shown("\n".join(inside[1:] if ours else inside)),
    )
    if section.digest == digest or section.body.endswith(_BY_HAND):
        return section
    return replace(section, body=Shown(f"{section.body}\n\n{_BY_HAND}".strip()))


def union(found: Iterable[Section]) -> dict[str, Section]:
    """The newest section of each key; of two equally new ones the first."""
    newest: dict[str, Section] = {}
    for section in found:
        held = newest.get(section.key)
        if held is None or section.stamp > held.stamp:
            newest[section.key] = section
    return newest


def _lines(body: str) -> list[str]:
    return [line.rstrip() if line.startswith(_MARK) else line for line in _unix(body).split("\n")]


def _unix(text: str) -> str:
    """Forges store the line ends that they are sent, and web forms send CRLF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


# -- writing ---------------------------------------------------------------------------------------


def compose(
    held: Mapping[str, Section],
    *,
    limit: int,
    keep: Collection[str] = (),
    nonce: str = "",
    head: str = "",
) -> Shown:
    """The whole note: first lines and table of all states, deploys, then reviews, worst first.

    *head*: the newest commit of the merge request, if it is known: reviews of others are stale.
    Where all of it is over *limit*, the oldest sections shrink to a line that says so, and then
    go; those under the keys to *keep* never shrink, and go last.
    """
    mark = f"{_NOTE}\n" + (f"{_MARK}write {nonce} -->\n" if nonce else "")
    entries = _entries(held, head)
    texts = {key: _remark(entries.get(key)) + _text(section) for key, section in held.items()}
    _shrink(texts, held, limit - len(mark), keep)
    room = limit - len(mark) - sum(len(text) + 1 for text in texts.values())
    left = [entry for key, entry in entries.items() if key in texts]
    missing = len(held) - len(texts)
    top = _first_lines(left, missing, room - 1) if left else ""
    foot = tops.foot([entry.state for entry in left], "updated in place")
    order = sorted(texts, key=lambda key: (-held[key].stamp.phase, _worry(entries.get(key)), key))
    parts = [f"{top}\n" if top else "", *(texts[key] for key in order)]
    if len(top) + 2 + len(foot) <= room:
        parts.append(foot)
    return Shown(mark + "\n".join(filter(None, parts)))


def _entries(held: Mapping[str, Section], head: str) -> dict[str, Entry]:
    """The states that can be understood. Only a review gets stale: a deploy stays what was done."""
    read = {
        key: (section.stamp, state) for key, section in held.items() if (state := section.state)
    }
    reviews = [(stamp, state.head) for stamp, state in read.values() if stamp.phase == _REVIEW]
    newest = head or max(reviews, default=(Stamp(), ""))[1]
    return {
        key: Entry(
            state=state,
            stale=stamp.phase == _REVIEW and bool(newest) and state.head != newest,
        )
        for key, (stamp, state) in read.items()
    }


def _worry(entry: Entry | None) -> int:
    """How late a section comes: what is stale, or says nothing of itself, last."""
    order = tuple(Tone)
    return len(order) if entry is None or entry.stale else order.index(entry.state.tone)


def _first_lines(entries: Sequence[Entry], missing: int, room: int) -> str:
    top = tops.of(entries)
    if missing:
        said = f"{words.counted(missing, 'environment')} left out: this note is full."
        top = replace(top, notices=(said,))
    return tops.fitting(entries, top, room)


def _remark(entry: Entry | None) -> str:
    """What stands before a section whose commit is no longer the newest one."""
    if entry is None or not entry.stale:
        return ""
    name = fences.cell(fences.short(entry.state.environment, tops.NAME))
    commit = fences.code(entry.state.head[:7]) or "an older commit"
    return f"_{name}: what follows is about {commit}, which is no longer the newest commit._\n\n"


def _shrink(
    texts: dict[str, str], held: Mapping[str, Section], limit: int, keep: Collection[str]
) -> None:
    """Makes *texts* fit, the oldest sections first: to a line each, and then away.

    Others make way for the first lines as well. What is kept goes only where there is no room for
    its markers even.
    """
    size = sum(len(text) + 1 for text in texts.values())
    oldest = sorted(held.values(), key=lambda section: (section.stamp, section.key))
    others = [section for section in oldest if section.key not in keep]
    room = limit - min(OVERHEAD, limit // 4)
    for section in others:
        pointer = _text(_pointer(section))
        if size > room and len(pointer) < len(texts[section.key]):
            size -= len(texts[section.key]) - len(pointer)
            texts[section.key] = pointer
    for section in sorted(oldest, key=lambda section: section.key in keep):
        if size > (limit if section.key in keep else room):
            size -= len(texts.pop(section.key)) + 1


def _pointer(section: Section) -> Section:
    name = fences.cell(fences.short(section.key, tops.NAME))
    said = f"**{name}**: left out, this note is full. See the report of its own job."
    state = section.state
    line = states.text(replace(state, changes=()), _POINTER_STATE) if state else ""
    return replace(section, body=Shown(said), line=line)


def _text(section: Section) -> str:
    key = quote(section.key, safe="/")
    begin = f"{_MARK}begin {key} stamp={section.stamp} hash={section.digest} -->"
    parts = [begin, f"{_MARK}state {key} {section.line} -->" if section.line else "", section.body]
    return "\n".join([*filter(None, parts), _end(key), ""])


def _end(key: str) -> str:
    return f"{_MARK}end {key} -->"
