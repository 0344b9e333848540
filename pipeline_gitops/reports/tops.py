"""The first lines of a report in Markdown: verdict, what would hurt, what to do, and the table.

They are made of states, never of results: a note's first lines speak for environments whose reports
other jobs wrote.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pipeline_gitops.errors import Verdict
from pipeline_gitops.reports import fences, words
from pipeline_gitops.reports.fences import cell, code, inline, short
from pipeline_gitops.reports.packing import Item, Section, fit
from pipeline_gitops.reports.states import MOST_CONCERNS, EnvironmentState
from pipeline_gitops.reports.words import Concern, Tone
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action

LONGEST = 300  # characters of a foreign text in the first lines
NAME = 64  # of an environment's name

SIGNS = {Tone.BAD: "🔴", Tone.CARE: "🟡", Tone.GOOD: "🟢", Tone.QUIET: "⚪"}
_GRAVE = frozenset({Action.DELETE, Action.REPLACE})
_FINE = frozenset({Verdict.OK, Verdict.DIFFERENT})
_NAMED = 5  # of what a line lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One state of a note. *stale*: it is about a commit that is no longer the newest one."""

    state: EnvironmentState
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A concern, the environments that share it, and where their files are."""

    concern: Concern
    environments: tuple[str, ...] = ()
    files_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """What the first lines say. *several*: whether environments have to be named."""

    tone: Tone
    headline: str
    concerns: tuple[Told, ...] = ()
    more: int = 0  # concerns beside those
    reassurance: str = ""
    notices: tuple[str, ...] = ()
    next_step: str = ""
    several: bool = False


def of(entries: Sequence[Entry]) -> Top:
    """What the first lines of a note say: of what is not stale, where anything is not."""
    fresh = [entry for entry in entries if not entry.stale] or entries
    states = worst_first([entry.state for entry in fresh])
    concerns = _shared(states)
    return Top(
        tone=states[0].tone,
        headline=words.heading([state.brief for state in states]),
        concerns=concerns[:MOST_CONCERNS],
        more=len(concerns[MOST_CONCERNS:]) + sum(state.more for state in states),
        reassurance=words.reassurances([(one.environment, one.reassurance) for one in states]),
        next_step=states[0].next_step,
        several=len(entries) > 1,
    )


def worst_first(states: Sequence[EnvironmentState]) -> tuple[EnvironmentState, ...]:
    """States in the order in which they matter to a reader."""
    order = tuple(Tone)
    return tuple(sorted(states, key=lambda state: order.index(state.tone)))


def _shared(states: Sequence[EnvironmentState]) -> tuple[Told, ...]:
    """Every concern once."""
    found: dict[Concern, list[EnvironmentState]] = {}
    for state in states:
        for concern in state.concerns:
            found.setdefault(concern, []).append(state)
    return tuple(
        Told(
            concern=concern,
            environments=tuple(state.environment for state in sharing),
            files_url=sharing[0].files_url,
        )
        for concern, sharing in found.items()
    )


# -- as Markdown -----------------------------------------------------------------------------------


def lines(top: Top) -> Iterator[str]:
    """The first lines, from as they should be down to what fits anywhere."""
    sign = SIGNS[top.tone]
    heading = f"### {sign} {inline(short(top.headline, LONGEST))}"
    told = [concern(one, several=top.several) for one in top.concerns]
    if top.more:
        told.append(f"**And** {top.more} more, listed below.")
    if not told and top.reassurance:
        told = [inline(short(top.reassurance, 2 * LONGEST))]
    told += [inline(short(notice, LONGEST)) for notice in top.notices[:_NAMED]]
    next_step = f"**Next:** {inline(short(top.next_step, 2 * LONGEST))}"
    # A backslash ends a line on every forge; a bare line end does so only on some.
    yield f"{heading}\n" + "\\\n".join([*filter(None, told), next_step])
    yield f"{heading}\n{next_step}"
    yield heading
    yield f"### {sign}"


def concern(told: Told, *, several: bool) -> str:
    """One line about what hurts or would hurt."""
    one = told.concern
    names = ", ".join(cell(short(name, NAME)) for name in told.environments[:_NAMED])
    more = len(told.environments) - _NAMED
    name = f"{names}{f' and {more} more' if more > 0 else ''}: " if several and names else ""
    where = fences.place(one.place, told.files_url)
    text = inline(short(one.text, LONGEST))
    colon = ":" if one.label == "Cause" else ""
    subject = f"{code(short(str(one.id), LONGEST))}{colon} " if one.id else ""
    return f"**{one.label}:** {name}{subject}{text} {where}".rstrip()


# -- the table -------------------------------------------------------------------------------------


def table(entries: Sequence[Entry]) -> Section:
    """A row per environment, worst first, what is stale last."""
    ordered = sorted(entries, key=lambda one: (one.stale, tuple(Tone).index(one.state.tone)))
    columns = _COMPARED if any(one.state.counts for one in ordered) else _CHECKED
    made = [tuple(column.cell(one) for column in columns) for one in ordered]
    # A column that says nothing of any environment is left out.
    used = [index for index in range(len(columns)) if any(cells[index] for cells in made)]
    names = " | ".join(("", "Environment", *(columns[index].name for index in used)))
    rule = "|".join(("--", "--", *("--:" if columns[index].number else "--" for index in used)))
    header = f"|{names} |\n|{rule}|"
    rows = [
        _row(entry, [cells[index] for index in used])
        for entry, cells in zip(ordered, made, strict=True)
    ]

    def opening(shown: int, total: int) -> str:
        if shown == total:
            return header
        return f"{shown} of {total} environments shown, worst first.\n\n{header}"

    return Section(opening=opening, items=tuple(Item(levels=(row,)) for row in rows), gap="\n")


def _row(entry: Entry, cells: Sequence[str]) -> str:
    sign = SIGNS[Tone.QUIET if entry.stale else entry.state.tone]
    return f"| {' | '.join((sign, cell(short(entry.state.environment, NAME)), *cells))} |"


def _count(action: Action) -> Callable[[Entry], str]:
    def count(entry: Entry) -> str:
        number = entry.state.count(action)
        if not entry.state.counts:
            return ""
        return f"**{number}**" if number and action in _GRAVE else str(number)

    return count


def _unchanged(entry: Entry) -> str:
    return str(entry.state.unchanged) if entry.state.counts else ""


def _refused(entry: Entry) -> str:
    return f"**{entry.state.refused}**" if entry.state.refused else "0"


def _state(entry: Entry) -> str:
    """The outcome; where the counts beside it say it already, nothing."""
    state = entry.state
    planned = state.counts and not state.acted and state.verdict in _FINE
    return "" if planned else cell(short(state.outcome, LONGEST))


def _plan(entry: Entry) -> str:
    """Which plan, for which commit."""
    about = " for ".join(filter(None, map(_digest, (entry.state.plan, entry.state.head))))
    return f"{about}, an older commit".lstrip(", ") if entry.stale else about


def _digest(text: str) -> str:
    """The first digits as code; anything else could hold a pipe."""
    return code(text[:7]) if text.isascii() and text.isalnum() else cell(short(text, 7))


def _compared(entry: Entry) -> str:
    return cell(short(entry.state.compared, LONGEST))


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    cell: Callable[[Entry], str]
    number: bool = False


_COMPARED = (
    _Column("Create", _count(Action.CREATE), number=True),
    _Column("Change", _count(Action.UPDATE), number=True),
    _Column("Replace", _count(Action.REPLACE), number=True),
    _Column("Delete", _count(Action.DELETE), number=True),
    _Column("Unchanged", _unchanged, number=True),
    _Column("Refused", _refused, number=True),
    _Column("State", _state),
    _Column("Plan", _plan),
    _Column("Compared with", _compared),
)
_CHECKED = (
    _Column("Objects", lambda entry: str(entry.state.objects), number=True),
    _Column("State", _state),
    _Column("Commit", _plan),
)


def fitting(entries: Sequence[Entry], top: Top, room: int) -> str:
    """First lines and table in at most *room* characters; "" where nothing fits."""
    for made in lines(top):
        if len(made) <= room:
            rows, _ = fit(table(entries), room - len(made) - 2)
            return f"{made}\n\n{rows}" if rows else made
    return ""


# -- the last line ---------------------------------------------------------------------------------


def foot(states: Sequence[EnvironmentState], *facts: str) -> str:
    """Where it all comes from: commits, engines, time, jobs, version."""
    newest = max(states, key=lambda state: state.at, default=None)
    if newest is None:
        return ""
    heads = _listed(code(state.head[:7]) for state in states if state.head)
    jobs = dict.fromkeys(state.run_url for state in states if state.run_url)
    parts: Iterable[str] = (
        f"commit {heads}" if heads else "",
        _listed(cell(short(state.engine, NAME)) for state in states if state.engine),
        f"{newest.at} UTC" if newest.at else "",
        _listed(fences.link("job", url) for url in jobs),
        f"pipeline-gitops {cell(newest.version)}" if newest.version else "",
        *facts,
    )
    return f"<sub>{' · '.join(filter(None, parts))}</sub>"


def _listed(found: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(found))
    return ", ".join(distinct[:_NAMED]) + (" …" if len(distinct) > _NAMED else "")
