"""What a note remembers of an environment, so that any job can write the note's first lines anew.

A job holds the sections of others as text only. So each section carries its state in a marker of
one line: enough for the headline, the dangers, the next step and a row of the table. Whoever may
edit the note may write into it: what is read back is bounded, typed, cleaned and shown as foreign
text like any other.
"""

import json
from collections.abc import Iterator
from dataclasses import field, replace
from typing import Any

from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.masks import clean
from pipeline_gitops.patterns import pattern
from pipeline_gitops.reports import cures, words
from pipeline_gitops.reports.fences import one_line, short
from pipeline_gitops.reports.words import Brief, Concern, Tone
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, Report, Result

VERSION = 1
LONGEST = 200_000  # characters of a state that is read at all

MOST_CONCERNS = 5
_TEXT = 300  # characters of one sentence
_NAME = 253  # of a name; of an address
_MOST_CHANGES = 20_000
_COUNTED = (*Action, "unchanged")
_HIGHEST = 10**9
_TIME = pattern(r"(?a)(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z")
_AT = pattern(r"(?a)(\d{4}-\d\d-\d\d \d\d:\d\d)?")
_DIGEST = pattern(r"[A-Za-z0-9+/=_:.]{1,64}")
# Whatever Markdown, a forge, or the end of a comment could be made of.
_SPECIAL = pattern(r"[-<>&@#!%$~`|*]")

_Node = Any  # what json makes of a text: checked, not assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentState:
    """One environment as a job left it.

    *counts*: created, changed, replaced, deleted and unchanged objects; () = nothing was compared.
    *changes*: short digests of the plan's changes; () where they did not fit, or for no changes.
    """

    environment: str
    head: str = ""  # the commit that it is about
    run_url: str = ""
    files_url: str = ""
    at: str = ""  # "2026-03-09 21:14", UTC
    engine: str = ""
    version: str = ""
    verdict: Verdict = Verdict.OK
    tone: Tone = Tone.QUIET
    outcome: str = ""  # "3 to change", "deployed, 3 objects running"
    compared: str = ""  # with what
    objects: int = 0
    acted: bool = False  # something was written, or was watched
    counts: tuple[int, ...] = ()
    refused: int = 0
    concerns: tuple[Concern, ...] = ()
    more: int = 0  # concerns beside those
    reassurance: str = ""
    next_step: str = ""
    plan: str = ""  # its digest
    changes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def brief(self) -> Brief:
        """What a headline needs of it."""
        return Brief(
            environment=self.environment,
            tone=self.tone,
            outcome=self.outcome,
            compared=bool(self.counts),
            objects=self.objects,
        )

    def count(self, action: Action) -> int:
        """Number of changes of one action."""
        return self.counts[_COUNTED.index(action)] if self.counts else 0

    @property
    def unchanged(self) -> int:
        """Number of objects that are as they should be."""
        return self.counts[-1] if self.counts else 0


def of(result: Result, report: Report) -> EnvironmentState:
    """The state of one environment of a report."""
    plan = words.leading(result)
    alone = replace(report, results=(result,))
    found = words.concerns(alone)
    return EnvironmentState(
        environment=_bounded(result.environment, _NAME),
        head=_bounded(report.revision, 64),
        run_url=report.run_url if len(report.run_url) <= _NAME else "",
        files_url=report.files_url if len(report.files_url) <= _NAME else "",
        at=at(report),
        engine=_bounded(result.engine, 64),
        version=_bounded(report.version, 32),
        verdict=result.verdict,
        tone=words.overall(alone),
        outcome=_bounded(words.phrase(result)),
        compared=_bounded(plan.compared) if plan else "",
        objects=result.objects,
        acted=bool(result.written) or result.rollout is not None,
        counts=(*(plan.count(action) for action in Action), plan.unchanged) if plan else (),
        refused=len(result.refusals),
        concerns=tuple(map(_short, found[:MOST_CONCERNS])),
        more=max(len(found) - MOST_CONCERNS, 0),
        reassurance="" if found else _bounded(words.reassured(result), 2 * _TEXT),
        next_step=_bounded(cures.next_step(alone), 2 * _TEXT),
        plan=_bounded(plan.digest, 64) if plan else "",
        changes=plan.change_digests if plan else (),
    )


def at(report: Report) -> str:
    """When a run started, to the minute, UTC; "" where it does not say."""
    time = _TIME.fullmatch(report.started_at)
    return f"{time[1]} {time[2]}" if time else ""


def _bounded(text: str, most: int = _TEXT) -> str:
    return short(one_line(text), most)


def _short(concern: Concern) -> Concern:
    id = concern.id
    return replace(
        concern,
        environments=(),
        text=_bounded(concern.text),
        id=None if id is None else ObjectId(*(_bounded(part, _NAME) for part in _parts(id))),
        place=_place(concern.place),
    )


def _place(place: Place) -> Place:
    """A place that can be linked; a path that was cut would lead elsewhere."""
    file = one_line(place.file)
    return Place(file, place.line) if len(file) <= _NAME else Place("")


def _parts(id: ObjectId) -> tuple[str, str, str, str]:
    return (id.group, id.kind, id.namespace, id.name)


# -- as text ---------------------------------------------------------------------------------------


def text(state: EnvironmentState, room: int) -> str:
    """The state on one line of at most *room* characters, by as much of it as fits.

    "" where not even its verdict and counts do.
    """
    return next((made for one in _smaller(state) if len(made := _text(one)) <= room), "")


def _smaller(state: EnvironmentState) -> Iterator[EnvironmentState]:
    """The state with less and less in it. The list of changes goes first: nobody reads it."""
    yield state
    state = replace(state, changes=())
    yield state
    for most in (2, 1, 0):
        left = len(state.concerns) - most
        if left > 0:
            state = replace(state, concerns=state.concerns[:most], more=state.more + left)
            yield state
    yield replace(
        state, files_url="", engine="", compared="", reassurance="", next_step="", run_url=""
    )


def _text(state: EnvironmentState) -> str:
    node = {
        "v": VERSION,
        "environment": state.environment,
        "head": state.head,
        "run": state.run_url,
        "files": state.files_url,
        "at": state.at,
        "engine": state.engine,
        "version": state.version,
        "verdict": state.verdict.value,
        "tone": state.tone.value,
        "outcome": state.outcome,
        "compared": state.compared,
        "objects": state.objects,
        "acted": int(state.acted),
        "counts": list(state.counts),
        "refused": state.refused,
        "concerns": [_concern_node(one) for one in state.concerns],
        "more": state.more,
        "reassurance": state.reassurance,
        "next": state.next_step,
        "plan": state.plan,
        "changes": " ".join(state.changes),
    }
    told = {key: value for key, value in node.items() if value not in ("", [], 0)}
    return _escaped(json.dumps(told, separators=(",", ":"), ensure_ascii=True))


def _escaped(line: str) -> str:
    """JSON of the same meaning in which nothing is left that could end or start anything."""
    return _SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _concern_node(concern: Concern) -> list[_Node]:
    id = list(_parts(concern.id)) if concern.id else []
    return [concern.label, concern.text, id, concern.place.file, concern.place.line]


# -- read back -------------------------------------------------------------------------------------


def parse(line: str) -> EnvironmentState | None:
    """The state that `text` wrote; None for anything else."""
    if len(line) > LONGEST:
        return None
    try:
        node = json.loads(line)
        if not isinstance(node, dict) or node.pop("v", None) != VERSION:
            return None
        return _read(node)
    except (ValueError, RecursionError):
        return None


def _read(node: dict[str, _Node]) -> EnvironmentState:
    state = EnvironmentState(
        environment=_string(node, "environment", _NAME),
        head=_string(node, "head", 64),
        run_url=_string(node, "run", _NAME),
        files_url=_string(node, "files", _NAME),
        at=_moment(_string(node, "at", 16)),
        engine=_string(node, "engine", 64),
        version=_string(node, "version", 32),
        verdict=Verdict(_string(node, "verdict", 32)),
        tone=Tone(_string(node, "tone", 32)),
        outcome=_string(node, "outcome"),
        compared=_string(node, "compared"),
        objects=_number(node.pop("objects", 0)),
        acted=_number(node.pop("acted", 0)) > 0,
        counts=tuple(map(_number, _list(node, "counts", len(_COUNTED)))),
        refused=_number(node.pop("refused", 0)),
        concerns=tuple(map(_concern, _list(node, "concerns", MOST_CONCERNS))),
        more=_number(node.pop("more", 0)),
        reassurance=_string(node, "reassurance", 2 * _TEXT),
        next_step=_string(node, "next", 2 * _TEXT),
        plan=_string(node, "plan", 64),
        changes=_digests(node),
    )
    if node or not state.environment or len(state.counts) not in (0, len(_COUNTED)):
        raise ValueError("not a state")
    return state


def _string(node: dict[str, _Node], key: str, most: int = _TEXT) -> str:
    return _checked(node.pop(key, ""), most)


def _checked(value: _Node, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError("not a text of that length")
    return clean(one_line(value))


def _moment(text: str) -> str:
    if not _AT.fullmatch(text):
        raise ValueError("not a time")
    return text


def _number(value: _Node) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _HIGHEST:
        raise ValueError("not an amount")
    return value


def _list(node: dict[str, _Node], key: str, most: int) -> list[_Node]:
    value = node.pop(key, [])
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("not a list of that length")
    return value


def _digests(node: dict[str, _Node]) -> tuple[str, ...]:
    found = _checked(node.pop("changes", ""), LONGEST).split()
    if len(found) > _MOST_CHANGES or not all(map(_DIGEST.fullmatch, found)):
        raise ValueError("not digests")
    return tuple(found)


def _concern(value: _Node) -> Concern:
    if not isinstance(value, list) or len(value) != len(("label", "text", "id", "file", "line")):
        raise ValueError("not a concern")
    label, said, id, file, line = value
    if label not in ("Danger", "Cause") or not isinstance(id, list) or len(id) not in (0, 4):
        raise ValueError("not a concern")
    return Concern(
        label=label,
        text=_checked(said, _TEXT),
        id=ObjectId(*(_checked(part, _NAME) for part in id)) if id else None,
        place=Place(_checked(file, _NAME), _number(line)),
    )
