"""A report in Markdown: the answer in its first lines (`tops`), the evidence folded below.

Counts and dangers are never folded; diffs, logs and warnings are. Everything that comes from
manifests, clusters or programs stands in code or is escaped (`fences`); no HTML is made of data.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import conflicts, cures, fences, recoveries, states, tops, words
from pipeline_gitops.reports.fences import cell, code, inline, short
from pipeline_gitops.reports.packing import Item, Opening, Packed, Section, pack
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.states import MOST_CONCERNS
from pipeline_gitops.reports.tops import LONGEST, NAME, Entry, Told, Top
from pipeline_gitops.reports.words import Concern, SharedFinding, counted
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    Finding,
    PlanView,
    Report,
    Result,
    RollbackView,
    Severity,
)

FILE_LIMIT = 65_000  # what every forge takes as a note, so that a later step can post the file
SUMMARY_BYTES = 900_000  # GitHub drops a summary of more than 1 MiB altogether

_LONGEST_MESSAGE = 2_000
_LONGEST_PATH = 120
_MOST_PATHS = 8
_LOG_LINES = 40
_EVENTS = 10
_OPEN_FINDINGS = 10

_GRAVE = frozenset({Action.DELETE, Action.REPLACE})
_GAP = "\n\n"


def summary(report: Sealed) -> Shown:
    """The report for the page of a CI job, bounded in bytes."""
    limit = SUMMARY_BYTES
    text = markdown(report, limit=limit)
    while (size := len(text.encode("utf-8", "replace"))) > SUMMARY_BYTES:
        limit = limit * SUMMARY_BYTES // size - 1
        text = markdown(report, limit=limit)
    return text


def markdown(report: Sealed, *, limit: int = FILE_LIMIT) -> Shown:
    """The whole report as Markdown, at most *limit* characters, cut between objects."""
    results = words.worst_first(report.results)
    names = [_named(result) if len(results) > 1 else "" for result in results]
    pairs = list(zip(results, names, strict=True))
    made = [states.of(result, report) for result in results]
    sections = [tops.table([Entry(state=state) for state in made])] if made else []
    if len(words.concerns(report)) > MOST_CONCERNS:
        sections.append(_concerns(words.concerns(report), report))
    sections += _findings(words.findings(report.results), report)
    sections += [part for result, name in pairs for part in _troubles(result, name, report)]
    sections += [part for result in results for part in _plans(result, report)]
    sections += _notices(pairs)
    for top in tops.lines(_top(report)):
        for foot in (tops.foot(made or [states.of(Result(environment=""), report)]), ""):
            frame = len(top) + len(foot) + len(_cut(report)) + 3 * len(_GAP)
            if frame <= limit:
                packed = pack(sections, limit - frame)
                return Shown(_joined(top, packed, foot, report))
    return Shown("")


def environment(
    result: Result, report: Sealed, *, room: int, told: Mapping[Finding, str] | None = None
) -> Shown:
    """What a note holds of one environment below its first lines, in at most *room* characters.

    *told*: findings that another environment of the same report shows already, and which one.
    """
    told = told or {}
    name = _named(result)  # the note may hold other environments, whose jobs we do not know
    alone = replace(report, results=(result,))
    concerns = words.concerns(alone)
    sections = [_concerns(concerns, report)] if len(concerns) > MOST_CONCERNS else []
    shared = [one for one in words.findings((result,)) if one.finding not in told]
    sections += _findings(shared, alone, name)
    sections += _troubles(result, name, alone)
    sections += _plans(result, report)
    sections += _notices([(result, name)])
    said = [_deployed(result, report), _elsewhere(result, told)]
    head = _GAP.join(filter(None, said))
    frame = len(head) + len(_cut(report)) + 2 * len(_GAP)
    if frame > room:
        return Shown(head if len(head) <= room else "")
    packed = pack(sections, room - frame)
    return Shown(_joined(head, packed, "", report))


def _joined(head: str, packed: Packed, foot: str, report: Report) -> str:
    cut = "" if packed.complete else _cut(report)
    return _GAP.join(filter(None, (head, packed.text, cut, foot)))


def _cut(report: Report) -> str:
    where = fences.link("the job", report.run_url)
    return f"**Cut to fit.** The counts above are complete; the whole report is in {where}."


def _top(report: Report) -> Top:
    """The first lines over all that one command did."""
    found = words.concerns(report)
    told = [
        Told(
            concern=replace(concern, environments=()),
            environments=concern.environments,
            files_url=report.files_url,
        )
        for concern in found
    ]
    return Top(
        tone=words.overall(report),
        headline=words.headline(report),
        concerns=tuple(told[:MOST_CONCERNS]),
        more=len(told[MOST_CONCERNS:]),
        reassurance=words.reassurance(report) if report.results else "",
        notices=report.notices,
        next_step=cures.next_step(report),
        several=len(report.results) > 1,
    )


def _named(result: Result) -> str:
    """The environment, to stand before a title."""
    return f"{cell(short(result.environment, NAME))}: "


# -- parts ---------------------------------------------------------------------------------------


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


def _list(title: str, lines: Sequence[str], group: str = "") -> Section:
    items = tuple(Item(levels=(line,), group=group) for line in lines)
    return Section(opening=_titled(title), items=items, gap="\n")


def _folded(title: str, items: tuple[Item, ...], *, gap: str = _GAP) -> Section:
    def opening(shown: int, total: int) -> str:
        name = fences.html(short(title, LONGEST))
        # Markdown is read again only after a blank line.
        blank = "" if gap == _GAP else "\n"
        return f"<details><summary>{name}{_share(shown, total)}</summary>{blank}"

    closing = "</details>" if gap == _GAP else "\n</details>"
    return Section(opening=opening, items=items, closing=closing, gap=gap)


def _concerns(found: Sequence[Concern], report: Report) -> Section:
    several = len(report.results) > 1
    lines = [
        tops.concern(
            Told(concern=one, environments=one.environments, files_url=report.files_url),
            several=several,
        )
        for one in found[MOST_CONCERNS:]
    ]
    return _list("More that would hurt", [f"- {line}" for line in lines])


def _findings(shared: Sequence[SharedFinding], report: Report, name: str = "") -> Iterator[Section]:
    """Errors in the open; what does not stop anything folded, when it is more than a few."""
    errors = [one for one in shared if one.finding.severity is Severity.ERROR]
    others = [one for one in shared if one.finding.severity is not Severity.ERROR]
    for found, noun in ((errors, "error"), (others, "remark")):
        if not found:
            continue
        title = f"{name}{counted(len(found), noun)} in the manifests"
        lines = [_finding(one, report) for one in found]
        if found is others and len(found) > _OPEN_FINDINGS:
            title = f"{counted(len(found), noun)} in the manifests"
            yield _folded(title, tuple(Item(levels=(line,)) for line in lines), gap="\n")
        else:
            yield _list(title, lines)


def _finding(shared: SharedFinding, report: Report) -> str:
    """Where, what, and what to do, a line each."""
    finding = shared.finding
    object_ = code(short(str(finding.id), LONGEST)) if finding.id else ""
    severity = "" if finding.severity is Severity.ERROR else finding.severity.value
    names = ", ".join(map(cell, shared.environments)) if len(report.results) > 1 else ""
    facts = (
        fences.place(finding.place, report.files_url),
        object_,
        code(short(finding.pointer, LONGEST)),
        ", ".join(filter(None, (severity, cell(finding.rule), names))),
    )
    lines = [f"- {' · '.join(filter(None, facts))}", f"  {_message(finding.message)}"]
    if finding.cure:
        lines.append(f"  **Cure:** {_message(finding.cure)}")
    return "\\\n".join(lines)


def _elsewhere(result: Result, told: Mapping[Finding, str]) -> str:
    """What is left out here because another section shows it."""
    names = [told[finding] for finding in result.findings if finding in told]
    if not names:
        return ""
    where = ", ".join(cell(short(name, NAME)) for name in dict.fromkeys(names))
    verb = "is" if len(names) == 1 else "are"
    return f"{_named(result)}{counted(len(names), 'finding')} that it shares {verb} under {where}."


def _troubles(result: Result, name: str, report: Report) -> Iterator[Section]:
    """Refusals, writes that were not done, and what does not run, as lists; then why."""
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
            yield _list(f"{name}{title}", lines, "object")
    contested = conflicts.section(name, result.refusals)
    if contested:
        yield contested
    if result.cards:
        yield _cards(result, name, report)
    if result.rollback:
        yield _rollback(result.rollback, name, report)


def _rollback(rollback: RollbackView, name: str, report: Report) -> Section:
    """What came of the way back: in the open, for it is what runs now."""
    ended = rollback.result
    said = [f"**{_message(recoveries.phrase(rollback).capitalize())}.**"]
    if ended.fault:
        said.append(f"{_message(ended.fault.message)}{_cure(ended.fault.cure)}")
    said += [f"- {_about(one.id, one.message)}{_cure(one.cure)}" for one in ended.refusals]
    said += [f"- {_message(line)}" for line in recoveries.lines(rollback)]
    items = [Item(levels=(line,)) for line in said]
    items += [_card(card, report, alone=False) for card in ended.cards]
    return Section(opening=_titled(f"{name}Rollback"), items=tuple(items), gap="\n")


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
        evidence.append(" → ".join(code(short(link, LONGEST)) for link in card.chain[:6]))
    if card.events:
        evidence.append(fences.fence("\n".join(card.events[-_EVENTS:]), "text"))
    if card.log:
        evidence.append(fences.fence("\n".join(card.log[-_LOG_LINES:]), "text"))
    if not evidence:
        return Item(levels=(brief,), group="failed object")
    title = f"{fences.html(short(str(card.id), LONGEST))}: events and last log lines"
    folded = _GAP.join((f"<details><summary>{title}</summary>", *evidence, "</details>"))
    # A single cause is told in the first lines.
    whole = folded if alone else f"{brief}\n\n{folded}"
    return Item(levels=(whole, brief), group="failed object")


def _notices(named: Sequence[tuple[Result, str]]) -> list[Section]:
    lines = [f"- {name}{_message(notice)}" for result, name in named for notice in result.notices]
    return [_list("Notes", lines)] if lines else []


def _deployed(result: Result, report: Report) -> str:
    """Where and when something was written, what came of it, and the way back."""
    if not words.done_writes(result):
        return ""
    verb = "deployed" if result.rollout else "wrote"
    at = states.at(report)
    commit, target = code(report.revision[:7]), inline(short(result.target, LONGEST))
    facts = (
        f"{_named(result)}{verb} {commit} to {target}",
        f"{at} UTC" if at else "",
        inline(short(words.phrase(result), LONGEST)),
        f"{result.rollout.seconds:g} s" if result.rollout else "",
        fences.link("job", report.run_url) if report.run_url else "",
    )
    said = " · ".join(filter(None, facts))
    if not result.previous:
        return said
    back = code(f"pipeline-gitops rollback --environment {shlex.quote(result.environment)}")
    return f"{said}\\\n**Back** to {code(result.previous[:7])}: {back}"


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
    title = f"{short(result.environment, NAME)}: {counted(len(ranked), 'change')}{aside}{order}"
    return _folded(title, tuple(_change(change, report) for change in ranked))


def _change(change: ChangeView, report: Report) -> Item:
    """The whole diff, the diff without context, the paths that change, the name."""
    verb = words.VERBS[change.action]
    title = f"#### {verb} {code(short(str(change.id), LONGEST))}"
    where = fences.place(change.place, report.files_url)
    remarks = [_message(change.note)] if change.note else []
    if change.predicted:
        remarks.append(f"predicted: {_message(change.predicted)}")
    about = " · ".join(filter(None, (where, *remarks)))
    head = f"{title}\n{about}" if about else title
    group = f"{verb} {cell(short(change.id.kind, NAME))}"
    if not change.lines:
        return Item(levels=(head, title), group=group)
    bare = _without_context(change.lines)
    diffs = dict.fromkeys((change.lines, bare))
    left_out = f"{counted(len(change.lines), 'line')} left out."
    paths = f"Changes {_paths(change.paths)}; {left_out}" if change.paths else left_out
    return Item(
        levels=(
            *(f"{head}\n\n{_diff(lines)}" for lines in diffs),
            f"{head}\n\n{paths}",
            title,
        ),
        whole=len(diffs),
        group=group,
    )


def _diff(lines: Sequence[str]) -> str:
    return fences.fence("\n".join(lines), "diff")


def _without_context(lines: tuple[str, ...]) -> tuple[str, ...]:
    """A diff of the lines that change alone."""
    return tuple(line for line in lines if line[:1] in ("+", "-", "@"))


def _paths(paths: Sequence[str]) -> str:
    said = ", ".join(code(short(path, _LONGEST_PATH)) for path in paths[:_MOST_PATHS])
    more = len(paths) - _MOST_PATHS
    return f"{said} and {counted(more, 'more field')}" if more > 0 else said
