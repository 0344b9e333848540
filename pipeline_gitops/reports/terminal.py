"""The report for a person at a terminal: verdict first, then what it rests on, then what to do.

Who has the end of it in sight, below a long diff, finds the verdict there again.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum

from pipeline_gitops.ids import Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import conflicts, cures, recoveries, words
from pipeline_gitops.reports.fences import one_line
from pipeline_gitops.reports.plain import aligned
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.words import Tone
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    PlanView,
    Refusal,
    Report,
    Result,
    RollbackView,
    Severity,
)

WIDTH = 100
_SCREEN = 24  # lines; what is longer has scrolled its first line away
_LOG_LINES = 20  # of a failed object; the last ones say why


class Colour(Enum):
    """SGR codes; the foreground ones keep to the colours that every theme can show."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


Paint = Callable[[str, Colour], str]

_SIGNS = {Tone.BAD: "✗", Tone.CARE: "!", Tone.GOOD: "✓", Tone.QUIET: "="}
_COLOURS = {
    Tone.BAD: Colour.RED,
    Tone.CARE: Colour.YELLOW,
    Tone.GOOD: Colour.GREEN,
    Tone.QUIET: Colour.DIM,
}
_SEVERITIES = {
    Severity.ERROR: ("✗", Colour.RED),
    Severity.WARNING: ("!", Colour.YELLOW),
    Severity.NOTICE: ("·", Colour.DIM),
}
_DIFF = {"+": Colour.GREEN, "-": Colour.RED, "@": Colour.CYAN}
_LOUD = {Action.DELETE: Colour.RED, Action.REPLACE: Colour.RED}


def terminal(report: Sealed, *, width: int = WIDTH, colour: bool) -> Shown:
    """The report as text, at most *width* columns where it can be wrapped."""
    page = _Page(width, _painted if colour else _plain)
    blocks = [
        [page.headline(report)],
        page.table(report),
        page.dangers(report),
        [*page.findings(report)],
        *(
            block
            for result in words.worst_first(report.results)
            for block in page.environment(result, report)
        ),
        [*page.notices(report.notices)],
        [*page.closing(report)],
    ]
    if sum(map(len, blocks)) > _SCREEN:
        blocks[-1].insert(0, page.headline(report))
    return Shown("\n\n".join("\n".join(block) for block in blocks if block) + "\n")


def _painted(text: str, colour: Colour) -> str:
    return f"\x1b[{colour.value}m{text}\x1b[0m" if text else text


def _plain(text: str, _colour: Colour) -> str:
    return text


class _Page:
    """Lines in one width and with or without colours."""

    def __init__(self, width: int, paint: Paint) -> None:
        self._width = max(width, 40)
        self._paint = paint

    def headline(self, report: Report) -> str:
        tone = words.overall(report)
        text = f"{_SIGNS[tone]} {one_line(words.headline(report))}"
        return self._paint(self._paint(text, Colour.BOLD), _COLOURS[tone])

    def table(self, report: Report) -> list[str]:
        """Counts per environment, worst first; only the columns that any of them fills."""
        results = words.worst_first(report.results)
        if not any(result.plans for result in results):
            return []
        header = ("", "environment", *_COUNTED, "compared with")
        rows = [
            (_SIGNS[words.tone(result)], one_line(result.environment), *_counts(result))
            for result in results
        ]
        columns = list(zip(header, *rows, strict=True))
        filled = [one for one in columns if one[0] not in _COUNTED or {*one[1:]} - {"0", "-"}]
        lines = aligned([*zip(*filled, strict=True)])
        painted = [
            self._paint(line[:1], _COLOURS[words.tone(result)]) + line[1:]
            for line, result in zip(lines[1:], results, strict=True)
        ]
        return [self._paint(lines[0], Colour.DIM), *painted]

    def dangers(self, report: Report) -> list[str]:
        lines: list[str] = []
        for concern in words.concerns(report):
            if concern.label == "Danger":
                subject = f"{concern.id} " if concern.id else ""
                text = f"{', '.join(concern.environments)}: {subject}{concern.text}"
                lines += self._hung(self._paint("! Danger", Colour.RED), 8, text)
        return lines

    def findings(self, report: Report) -> Iterator[str]:
        """What is wrong with the input, each once, however many environments render it."""
        for shared in words.findings(report.results):
            finding = shared.finding
            sign, colour = _SEVERITIES[finding.severity]
            where = [_where(finding.place), str(finding.id) if finding.id else "", finding.pointer]
            located = "  ".join(one_line(part) for part in where if part)
            facts = [finding.rule, *(shared.environments if len(report.results) > 1 else ())]
            aside = self._paint(one_line(", ".join(facts)), Colour.DIM)
            yield f"{self._paint(sign, colour)} {located}  {aside}".rstrip()
            yield from self._hung(" ", 1, finding.message)
            yield from self._cure(finding.cure)

    def environment(self, result: Result, report: Report) -> Iterator[list[str]]:
        """What is known about one environment, block by block."""
        blocks = [
            [*self._fault(result)],
            [line for refusal in result.refusals for line in self._refusal(refusal)],
            [*self._undone(result)],
            [*self._sick(result)],
            *([*self._card(card)] for card in result.cards),
            *(self._rollback(result.rollback) if result.rollback else ()),
            [*self._overview(words.changes(result))],
            *([*self._change(change)] for change in _spread_out(words.changes(result))),
            [*self._other_plans(result)],
            [*self.notices(result.notices)],
        ]
        filled = [block for block in blocks if block]
        if filled or len(report.results) == 1:
            yield [self._title(result, is_only=len(report.results) == 1)]
        yield from filled

    def notices(self, notices: Iterable[str]) -> Iterator[str]:
        for notice in notices:
            yield from self._hung(self._paint("·", Colour.DIM), 1, notice)

    def closing(self, report: Report) -> Iterator[str]:
        if report.fault:
            yield from self._hung(self._paint("✗", Colour.RED), 1, report.fault.message)
        yield from self._hung(self._paint("Next:", Colour.BOLD), 5, cures.next_step(report))

    # -- parts of an environment -----------------------------------------------------------------

    def _title(self, result: Result, *, is_only: bool) -> str:
        """Of the only environment the headline has said already what came of it."""
        title = self._paint(one_line(result.environment), Colour.BOLD)
        engine = f" · {one_line(result.engine)}" if result.engine else ""
        phrase = "" if is_only else f": {one_line(words.phrase(result))}"
        return f"{title}{phrase}{self._paint(engine, Colour.DIM)}"

    def _fault(self, result: Result) -> Iterator[str]:
        if result.fault:
            yield from self._hung("  " + self._paint("✗", Colour.RED), 3, result.fault.message)
            yield from self._cure(result.fault.cure)

    def _refusal(self, refusal: Refusal) -> Iterator[str]:
        lead = f"  {self._paint('✗', Colour.RED)} refused:"
        yield from self._hung(lead, 12, f"{refusal.message} ({refusal.rule})", indent=4)
        if refusal.conflicts:
            rows = [conflicts.HEADER, *map(conflicts.row, refusal.conflicts)]
            flat = [[one_line(cell) for cell in row] for row in rows]
            yield from (f"      {line}" for line in aligned(flat))
        yield from self._cure(refusal.cure)

    def _undone(self, result: Result) -> Iterator[str]:
        for written in words.undone_writes(result):
            lead = f"  {self._paint('✗', Colour.RED)}"
            said = f"{words.VERBS[written.action]} {written.id}: {written.state}"
            yield from self._hung(lead, 3, f"{said}: {written.message}".rstrip(": "), indent=4)

    def _sick(self, result: Result) -> Iterator[str]:
        carded = {card.id for card in result.cards}
        for view in words.unwell(result.rollout) if result.rollout else ():
            if view.id not in carded:
                said = f"{view.id}: {view.health.value}: {view.sentence}".rstrip(": ")
                yield from self._hung(f"  {self._paint('✗', Colour.RED)}", 3, said, indent=4)

    def _card(self, card: CardView) -> Iterator[str]:
        title = self._paint(one_line(str(card.id)), Colour.BOLD)
        where = self._paint(_where(card.place), Colour.DIM)
        yield f"  {self._paint('✗', Colour.RED)} {title}  {where}".rstrip()
        yield from self._hung("   ", 3, card.cause)
        if len(card.chain) > 1:
            yield from self._hung("   ", 3, " → ".join(card.chain))
        for event in card.events:
            yield from self._hung(f"    {self._paint('·', Colour.DIM)}", 5, event)
        for line in card.log[-_LOG_LINES:]:
            yield f"    {self._paint('│', Colour.DIM)} {one_line(line)}".rstrip()
        yield from self._cure(card.cure)

    def _rollback(self, rollback: RollbackView) -> Iterator[list[str]]:
        """What came of the way back, then why what it went back to does not run."""
        ended = rollback.result
        title = self._paint("Rollback", Colour.BOLD)
        yield [
            f"  {title}: {one_line(recoveries.phrase(rollback))}",
            *self._fault(ended),
            *(line for refusal in ended.refusals for line in self._refusal(refusal)),
            *(
                line
                for said in recoveries.lines(rollback)
                for line in self._hung(f"    {self._paint('·', Colour.DIM)}", 5, said)
            ),
        ]
        yield from ([*self._card(card)] for card in ended.cards)

    def _overview(self, changes: Sequence[ChangeView]) -> Iterator[str]:
        """A line for each change, where their diffs would push each other off the screen."""
        if len(changes) <= _SEEN_AT_ONCE:
            return
        for change in changes:
            verb = self._paint(words.VERBS[change.action], _LOUD.get(change.action, Colour.CYAN))
            gap = " " * (_VERB_WIDTH - len(words.VERBS[change.action]))
            note = self._paint(f"  {one_line(change.note)}", Colour.DIM) if change.note else ""
            yield f"  {verb}{gap} {one_line(str(change.id))}{note}"
        shown = sum(1 for _ in _spread_out(changes))
        if shown < len(changes):
            unshown = words.counted(len(changes) - shown, "new object")
            yield from self._hung(
                f"  {self._paint('·', Colour.DIM)}",
                3,
                f"{unshown} by name only: render, or --report html=FILE, has their manifests",
            )

    def _change(self, change: ChangeView) -> Iterator[str]:
        colour = _LOUD.get(change.action, Colour.CYAN)
        name = self._paint(one_line(str(change.id)), Colour.BOLD)
        where = self._paint(_where(change.place), Colour.DIM)
        yield f"  {self._paint(words.VERBS[change.action], colour)} {name}  {where}".rstrip()
        for remark in _remarks(change):
            yield from self._hung(f"    {self._paint('·', Colour.DIM)}", 5, remark)
        for line in change.lines:
            flat = line.replace("\n", " ")
            colour_ = _DIFF.get(line[:1])
            yield "    " + (self._paint(flat, colour_) if colour_ else flat)

    def _other_plans(self, result: Result) -> Iterator[str]:
        for plan in result.plans[1:]:
            yield from self._hung(f"  {self._paint('·', Colour.DIM)}", 3, _aside(plan))

    def _cure(self, cure: str) -> Iterator[str]:
        if cure:
            yield from self._hung(f"    {self._paint('→', Colour.CYAN)}", 5, cure)

    def _hung(self, lead: str, lead_width: int, text: str, *, indent: int = 0) -> Iterator[str]:
        """*text* behind *lead*, further lines indented: none can pass for one of ours."""
        hanging = indent or lead_width + 1
        lines = textwrap.wrap(
            one_line(text),
            width=self._width,
            initial_indent="x" * (lead_width + 1),
            subsequent_indent=" " * hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if lines:
            yield f"{lead} {lines[0][lead_width + 1 :]}"
        yield from lines[1:]


_SEEN_AT_ONCE = 3
_VERB_WIDTH = max(map(len, words.VERBS.values()))

_COUNTED = ("create", "change", "replace", "delete", "refused", "unchanged")


def _counts(result: Result) -> tuple[str, ...]:
    plan = words.leading(result)
    refused = str(len(result.refusals))
    if plan is None:
        return ("-", "-", "-", "-", refused, "-", "nothing")
    counted = (str(plan.count(action)) for action in Action)
    return (*counted, refused, str(plan.unchanged), one_line(plan.compared))


def _spread_out(changes: Sequence[ChangeView]) -> Iterator[ChangeView]:
    """The changes that are shown whole: of many new objects the overview has the names.

    Nothing is behind a new object that its manifest in Git does not say, and a first deploy of
    forty would be a thousand lines.
    """
    created = sum(change.action is Action.CREATE for change in changes)
    for change in changes:
        if change.action is not Action.CREATE or created <= _SEEN_AT_ONCE:
            yield change


def _where(place: Place) -> str:
    return one_line(str(place))


def _remarks(change: ChangeView) -> Iterator[str]:
    if change.note:
        yield change.note
    if change.predicted:
        yield f"predicted: {change.predicted}"


def _aside(plan: PlanView) -> str:
    """What another comparison says, in a line."""
    return f"compared with {plan.compared}: {words.amounts(plan) or 'no changes'}"
