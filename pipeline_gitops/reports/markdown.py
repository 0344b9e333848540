"""The note on the merge request: the answer in its first three lines, the evidence folded below.

Counts and dangers are never folded; diffs, logs and warnings are. Everything that comes from
manifests, clusters or programs stands in code or is escaped (`fences`); no HTML is made of data.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import fences, words
from pipeline_gitops.reports.fences import cell, code, inline, short
from pipeline_gitops.reports.packing import Item, Opening, Packed, Section, pack
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.words import Concern, SharedFinding, Tone, counted
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    PlanView,
    Report,
    Result,
    Severity,
)

FILE_LIMIT = 65_000  # what every forge takes as a note, so that a later step can post the file
SUMMARY_BYTES = 900_000  # GitHub drops a summary of more than 1 MiB altogether

_MOST_CONCERNS = 5
_LONGEST = 300  # characters of a foreign text in the first lines
_LONGEST_MESSAGE = 2_000
_LOG_LINES = 40
_EVENTS = 10
_OPEN_FINDINGS = 10

_SIGNS = {Tone.BAD: "🔴", Tone.CARE: "🟡", Tone.GOOD: "🟢", Tone.QUIET: "⚪"}
_GRAVE = frozenset({Action.DELETE, Action.REPLACE})
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z")


def summary(report: Sealed) -> Shown:
    """The report for the page of a CI job, bounded in bytes."""
    limit = SUMMARY_BYTES
    text = markdown(report, limit=limit)
    while (size := len(text.encode("utf-8", "replace"))) > SUMMARY_BYTES:
        limit = limit * SUMMARY_BYTES // size - 1
        text = markdown(report, limit=limit)
    return text


def markdown(report: Sealed, *, limit: int = FILE_LIMIT) -> Shown:
    """The report as Markdown, at most *limit* characters, cut between objects."""
    sections = [*_sections(report)]
    for top in _tops(report):
        for foot in (_foot(report), ""):
            frame = len(top) + len(foot) + len(_cut(report)) + 3 * len(_GAP)
            if frame > limit:
                continue
            packed = pack(sections, limit - frame)
            return Shown(_joined(report, top, packed, foot))
    return Shown("")


_GAP = "\n\n"


def _joined(report: Report, top: str, packed: Packed, foot: str) -> str:
    cut = "" if packed.complete else _cut(report)
    return _GAP.join(filter(None, (top, packed.text, cut, foot)))


def _cut(report: Report) -> str:
    where = fences.link("the job", report.run_url)
    return f"**Cut to fit.** The counts above are complete; the whole report is in {where}."


# -- the first lines -----------------------------------------------------------------------------


def _tops(report: Report) -> Iterator[str]:
    """The first lines, from as they should be down to what fits anywhere."""
    sign = _SIGNS[words.overall(report)]
    heading = f"### {sign} {inline(short(words.headline(report), _LONGEST))}"
    found = words.concerns(report)
    told = [_concern(one, report) for one in found[:_MOST_CONCERNS]]
    if len(found) > len(told):
        told.append(f"**And** {len(found) - len(told)} more, listed below.")
    if not told and report.results:
        told = [inline(short(words.reassurance(report), 2 * _LONGEST))]
    told += [inline(short(notice, _LONGEST)) for notice in report.notices[:_MOST_CONCERNS]]
    next_step = f"**Next:** {inline(short(words.next_step(report), 2 * _LONGEST))}"
    # A backslash ends a line on every forge; a bare line end does so only on some.
    yield f"{heading}\n" + "\\\n".join([*filter(None, told), next_step])
    yield f"{heading}\n{next_step}"
    yield heading
    yield f"### {sign}"


def _concern(concern: Concern, report: Report) -> str:
    names = ", ".join(cell(short(name, 64)) for name in concern.environments[:_MOST_CONCERNS])
    name = f"{names}: " if len(report.results) > 1 and names else ""
    where = fences.place(concern.place, report.files_url)
    text = inline(short(concern.text, _LONGEST))
    colon = ":" if concern.label == "Cause" else ""
    subject = f"{code(short(str(concern.id), _LONGEST))}{colon} " if concern.id else ""
    return f"**{concern.label}:** {name}{subject}{text} {where}".rstrip()


# -- the body ------------------------------------------------------------------------------------


def _sections(report: Report) -> Iterator[Section]:
    results = words.worst_first(report.results)
    several = len(results) > 1
    if results:
        yield _table(results)
    if len(words.concerns(report)) > _MOST_CONCERNS:
        yield _concerns(report)
    yield from _findings(report)
    for result in results:
        name = f"{cell(short(result.environment, 64))}: " if several else ""
        yield from _troubles(result, name)
        if result.cards:
            yield _cards(result, name, report)
    for result in results:
        yield from _plans(result, report)
    notices = [
        Item(f"- {cell(result.environment) + ': ' if several else ''}{_message(notice)}")
        for result in results
        for notice in result.notices
    ]
    if notices:
        yield Section(opening=_titled("Notes"), items=tuple(notices), gap="\n")


def _message(text: str) -> str:
    return inline(short(text, _LONGEST_MESSAGE))


def _about(id: ObjectId | None, sentence: str) -> str:
    """A sentence, the object that it starts with as code."""
    rest = words.without(sentence, id)
    return _message(sentence) if rest == sentence else f"{code(str(id))} {_message(rest)}"


def _cure(text: str) -> str:
    return f" **Cure:** {_message(text)}" if text else ""


def _titled(title: str) -> Opening:
    """A heading that says when not all below it is shown."""
    return lambda shown, total: f"#### {title}{_share(shown, total)}"


def _share(shown: int, total: int) -> str:
    return "" if shown == total else f" ({shown} of {total} shown)"


def _table(results: Sequence[Result]) -> Section:
    if any(result.plans for result in results):
        header = (
            "| | Environment | Create | Change | Replace | Delete | Unchanged "
            "| State | Compared with |\n|--|--|--:|--:|--:|--:|--:|--|--|"
        )
        rows = (_plan_row(result) for result in results)
    else:
        header = "| | Environment | Objects | State |\n|--|--|--:|--|"
        rows = (_row(result, str(result.objects), _state(result)) for result in results)

    def opening(shown: int, total: int) -> str:
        if shown == total:
            return header
        return f"{shown} of {total} environments shown, worst first.\n\n{header}"

    return Section(opening=opening, items=tuple(map(Item, rows)), gap="\n")


def _plan_row(result: Result) -> str:
    plan = words.leading(result)
    if plan is None:
        return _row(result, "", "", "", "", "", _state(result), "")
    counts = []
    for action in Action:
        number = plan.count(action)
        grave = number and action in _GRAVE
        counts.append(f"**{number}**" if grave else str(number))
    compared = cell(short(plan.compared, _LONGEST))
    return _row(result, *counts, str(plan.unchanged), _state(result), compared)


def _row(result: Result, *cells: str) -> str:
    sign = _SIGNS[words.tone(result)]
    return f"| {' | '.join((sign, cell(short(result.environment, 64)), *cells))} |"


def _state(result: Result) -> str:
    """The outcome; where the counts beside it say it already, nothing."""
    if words.tone(result) is not Tone.BAD and not result.written and result.rollout is None:
        return "" if result.plans else cell(words.phrase(result))
    return cell(short(words.phrase(result), _LONGEST))


def _concerns(report: Report) -> Section:
    rest = words.concerns(report)[_MOST_CONCERNS:]
    items = tuple(Item(f"- {_concern(concern, report)}") for concern in rest)
    return Section(opening=_titled("More that would hurt"), items=items, gap="\n")


def _findings(report: Report) -> Iterator[Section]:
    """Errors in the open; what does not stop anything folded, when it is more than a few."""
    shared = words.findings(report.results)
    errors = [one for one in shared if one.finding.severity is Severity.ERROR]
    others = [one for one in shared if one.finding.severity is not Severity.ERROR]
    for found, noun in ((errors, "error"), (others, "remark")):
        if not found:
            continue
        items = tuple(Item(_finding(one, report)) for one in found)
        title = f"{counted(len(found), noun)} in the manifests"
        if found is others and len(found) > _OPEN_FINDINGS:
            yield _folded(title, items, gap="\n")
        else:
            yield Section(opening=_titled(title), items=items, gap="\n")


def _finding(shared: SharedFinding, report: Report) -> str:
    """Where, what, and what to do, a line each."""
    finding = shared.finding
    object_ = code(short(str(finding.id), _LONGEST)) if finding.id else ""
    severity = "" if finding.severity is Severity.ERROR else finding.severity.value
    names = ", ".join(map(cell, shared.environments)) if len(report.results) > 1 else ""
    facts = (
        fences.place(finding.place, report.files_url),
        object_,
        code(short(finding.pointer, _LONGEST)),
        ", ".join(filter(None, (severity, cell(finding.rule), names))),
    )
    lines = [f"- {' · '.join(filter(None, facts))}", f"  {_message(finding.message)}"]
    if finding.cure:
        lines.append(f"  **Cure:** {_message(finding.cure)}")
    return "\\\n".join(lines)


def _troubles(result: Result, name: str) -> Iterator[Section]:
    """Refusals, writes that were not done, and what does not run, as lists."""
    refusals = [
        f"- {_about(refusal.id, refusal.message)}{_cure(refusal.cure)}"
        for refusal in result.refusals
    ]
    undone = [
        f"- {words.VERBS[written.action]} {code(str(written.id))}: "
        f"{_message(': '.join(filter(None, (written.state, written.message))))}"
        for written in words.undone_writes(result)
    ]
    carded = {card.id for card in result.cards}
    unwell = [
        f"- {code(str(view.id))} {view.health.value}. {_message(view.sentence)}".rstrip()
        for view in (words.unwell(result.rollout) if result.rollout else ())
        if view.id not in carded
    ]
    titles = (("Refused", refusals), ("Not written", undone), ("Not running", unwell))
    for title, lines in titles:
        # One alone is told in the first lines.
        if len(lines) > (1 if title == "Refused" else 0):
            opening = _titled(f"{name}{title}")
            yield Section(opening=opening, items=tuple(map(Item, lines)), gap="\n")


def _cards(result: Result, name: str, report: Report) -> Section:
    """Why each object failed, with its last events and log lines folded."""
    alone = sum(len(one.cards) for one in report.results) == 1
    items = tuple(_card(card, report, alone=alone) for card in result.cards)
    return Section(opening=_titled(f"{name}Why it does not run"), items=items)


def _card(card: CardView, report: Report, *, alone: bool) -> Item:
    where = fences.place(card.place, report.files_url)
    brief = f"{code(str(card.id))}: {_message(card.cause)} {where}".rstrip()
    brief += _cure(card.cure)
    evidence = []
    if len(card.chain) > 1:
        evidence.append(" → ".join(code(short(link, _LONGEST)) for link in card.chain[:6]))
    if card.events:
        evidence.append(fences.fence("\n".join(card.events[-_EVENTS:]), "text"))
    if card.log:
        evidence.append(fences.fence("\n".join(card.log[-_LOG_LINES:]), "text"))
    if not evidence:
        return Item(brief, brief)
    title = f"{fences.html(short(str(card.id), _LONGEST))}: events and last log lines"
    folded = _GAP.join((f"<details><summary>{title}</summary>", *evidence, "</details>"))
    # A single cause is told in the first lines.
    return Item(folded, brief) if alone else Item(f"{brief}\n\n{folded}", brief)


# -- plans ---------------------------------------------------------------------------------------


def _plans(result: Result, report: Report) -> Iterator[Section]:
    leading = words.leading(result)
    if leading is None:
        return
    shown = {(change.id, change.action, change.lines) for change in leading.changes}
    if leading.changes:
        yield _plan(result, leading, leading.changes, report)
    for plan in result.plans[1:]:
        other = [one for one in plan.changes if (one.id, one.action, one.lines) not in shown]
        if other:
            yield _plan(result, plan, other, report)


def _plan(result: Result, plan: PlanView, changes: Sequence[ChangeView], report: Report) -> Section:
    """One folded block with a heading per object, most dangerous first."""
    ranked = words.ranked(changes, result)
    grave = any(change.action in _GRAVE for change in ranked)
    order = ", most dangerous first" if grave and len(ranked) > 1 else ""
    aside = "" if plan is words.leading(result) else f" compared with {plan.compared} instead"
    title = f"{short(result.environment, 64)}: {counted(len(ranked), 'change')}{aside}{order}"
    return _folded(title, tuple(_change(change, report) for change in ranked))


def _folded(title: str, items: tuple[Item, ...], *, gap: str = _GAP) -> Section:
    def opening(shown: int, total: int) -> str:
        name = fences.html(short(title, _LONGEST))
        # Markdown is read again only after a blank line.
        blank = "" if gap == _GAP else "\n"
        return f"<details><summary>{name}{_share(shown, total)}</summary>{blank}"

    closing = "</details>" if gap == _GAP else "\n</details>"
    return Section(opening=opening, items=items, closing=closing, gap=gap)


def _change(change: ChangeView, report: Report) -> Item:
    where = fences.place(change.place, report.files_url)
    title = f"#### {words.VERBS[change.action]} {code(short(str(change.id), _LONGEST))}"
    remarks = [_message(change.note)] if change.note else []
    if change.predicted:
        remarks.append(f"predicted: {_message(change.predicted)}")
    about = " · ".join(filter(None, (where, *remarks)))
    head = f"{title}\n{about}" if about else title
    if not change.lines:
        return Item(head, head)
    body = fences.fence("\n".join(change.lines), "diff")
    return Item(f"{head}\n\n{body}", f"{head}\n\n{counted(len(change.lines), 'line')} left out.")


# -- the last line -------------------------------------------------------------------------------


def _foot(report: Report) -> str:
    plans = [plan for result in report.results if (plan := words.leading(result))]
    digests = dict.fromkeys(plan.digest[:7] for plan in plans if plan.digest)
    engines = dict.fromkeys(result.engine for result in report.results if result.engine)
    time = _TIME.fullmatch(report.started_at)
    facts: Iterable[str] = (
        f"commit {code(report.revision[:7])}" if report.revision else "",
        f"plan {', '.join(map(code, list(digests)[:_MOST_CONCERNS]))}" if digests else "",
        ", ".join(cell(short(engine, 64)) for engine in list(engines)[:_MOST_CONCERNS]),
        f"{time[1]} {time[2]} UTC" if time else "",
        fences.link("job", report.run_url) if report.run_url else "",
        f"pipeline-gitops {cell(short(report.version, 32))}" if report.version else "",
    )
    return f"<sub>{' · '.join(filter(None, facts))}</sub>"
