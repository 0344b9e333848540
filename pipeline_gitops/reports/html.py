"""The whole report as one HTML file: for what is too long for a note.

Everything foreign is text: escaped, in a document whose policy lets nothing load and only our own
script run. Colours follow the reader's system; without the script everything is there as well.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from pipeline_gitops.ids import Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.fences import one_line
from pipeline_gitops.reports.page import POLICY, SCRIPT, STYLE
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.views import (
    Action,
    CardView,
    ChangeView,
    Report,
    Result,
    RolloutView,
    Severity,
)

_URL = re.compile(r"https?://[A-Za-z0-9._~:/%-]+")
_BARS = 40  # of the timeline, at most
_TONES = {
    words.Tone.BAD: "🔴",
    words.Tone.CARE: "🟡",
    words.Tone.GOOD: "🟢",
    words.Tone.QUIET: "⚪",
}
_LINES = {"+": "add", "-": "del"}


def html(report: Sealed) -> Shown:
    """One self-contained page."""
    title = f"{words.headline(report)} · pipeline-gitops"
    body = "\n".join(_body(report))
    return Shown(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(title)}</title>
<style>{STYLE}</style>
</head>
<body>
{body}
<script>{SCRIPT}</script>
</body>
</html>
"""
    )


def _body(report: Report) -> Iterator[str]:
    tone = words.overall(report)
    yield f'<header><h1 class="{tone.value}">{_TONES[tone]} {_text(words.headline(report))}</h1>'
    yield from _concerns(report)
    yield f"<p><strong>Next:</strong> {_text(words.next_step(report))}</p>"
    yield f"<p><small>{' · '.join(_facts(report))}</small></p></header>"
    yield "<main>"
    for notice in report.notices:
        yield f"<p>{_text(notice)}</p>"
    if report.results:
        yield from _table(report)
    yield from _findings(report)
    if any(words.changes(result) for result in report.results):
        yield (
            '<nav><input id="search" type="search" aria-label="Find objects" '
            'placeholder="Find objects ( / ): kind, name, create, delete …">'
            '<button id="open" type="button">Open all</button>'
            '<button id="close" type="button">Close all</button>'
            '<small id="count" aria-live="polite"></small></nav>'
        )
    for result in words.worst_first(report.results):
        yield from _environment(result, report)
    yield "</main>"


def _concerns(report: Report) -> Iterator[str]:
    for concern in words.concerns(report):
        about = f"<code>{_text(str(concern.id))}</code> " if concern.id else ""
        where = f" {_place(concern.place, report)}" if concern.place.file else ""
        names = f" <small>({_text(', '.join(concern.environments))})</small>"
        yield (
            f'<p class="danger"><strong>{concern.label}:</strong> {about}{_text(concern.text)}'
            f"{where}{names if concern.environments else ''}</p>"
        )


def _facts(report: Report) -> Iterator[str]:
    if report.repository:
        yield _text(report.repository)
    if report.revision:
        yield f"<code>{_text(report.revision[:12])}</code>"
    yield _text(report.started_at)
    yield f"{report.seconds:g} s"
    if _URL.fullmatch(report.run_url):
        yield f'<a href="{escape(report.run_url)}" rel="noreferrer">job</a>'
    yield f"pipeline-gitops {_text(report.version)}"


def _table(report: Report) -> Iterator[str]:
    heads = "".join(f'<th class="number">{verb}</th>' for verb in words.VERBS.values())
    yield '<div class="table"><table><thead><tr><th>environment</th><th>target</th>'
    yield f'{heads}<th class="number">same</th><th>outcome</th></tr></thead><tbody>'
    for result in words.worst_first(report.results):
        plan = words.leading(result)
        counts = "".join(
            f'<td class="number">{plan.count(action) if plan else ""}</td>' for action in Action
        )
        tone = words.tone(result)
        yield (
            f'<tr><td><a href="#{_anchor(result)}">{_text(result.environment)}</a></td>'
            f"<td>{_text(result.target)}</td>{counts}"
            f'<td class="number">{plan.unchanged if plan else ""}</td>'
            f'<td class="{tone.value}">{_TONES[tone]} {_text(words.phrase(result))}</td></tr>'
        )
    yield "</tbody></table></div>"


def _findings(report: Report) -> Iterator[str]:
    found = words.findings(report.results)
    if not found:
        return
    yield '<h2>Findings</h2><div class="table"><table><tbody>'
    for shared in found:
        one = shared.finding
        tone = "bad" if one.severity is Severity.ERROR else "care"
        cure = f"<br><small>{_text(one.cure)}</small>" if one.cure else ""
        yield (
            f'<tr><td class="{tone}">{one.severity.value}</td><td>{_place(one.place, report)}</td>'
            f"<td>{_text(one.message)}{cure}</td><td><small>{_text(one.rule)}<br>"
            f"{_text(', '.join(shared.environments))}</small></td></tr>"
        )
    yield "</tbody></table></div>"


def _environment(result: Result, report: Report) -> Iterator[str]:
    tone = words.tone(result)
    yield f'<section id="{_anchor(result)}">'
    yield f'<h2 class="{tone.value}">{_TONES[tone]} {_text(result.environment)}</h2>'
    if result.fault:
        yield f"<p>{_with_cure(result.fault.message, result.fault.cure)}</p>"
    for refusal in result.refusals:
        yield f'<p class="danger">{_with_cure(refusal.message, refusal.cure)}</p>'
    for notice in result.notices:
        yield f"<p>{_text(notice)}</p>"
    for card in result.cards:
        yield from _card(card, report)
    for plan in result.plans:
        ordered = words.ranked(plan.changes, result)
        amounts = words.amounts(plan) or "no changes"
        yield f"<h3>Compared with {_text(plan.compared)}: {_text(amounts)}</h3>"
        for change in ordered:
            yield from _change(change, report)
    yield from _health(result)
    yield "</section>"


def _card(card: CardView, report: Report) -> Iterator[str]:
    where = f" {_place(card.place, report)}" if card.place.file else ""
    yield f'<div class="card"><h3><code>{_text(str(card.id))}</code>{where}</h3>'
    yield f"<p>{_with_cure(card.cause, card.cure)}</p>"
    if len(card.chain) > 1:
        yield f"<p><small>{' → '.join(map(_text, card.chain))}</small></p>"
    for name, lines in (("Events", card.events), ("Log", card.log)):
        if lines:
            yield f"<details open><summary>{name}</summary>{_pre(lines)}</details>"
    yield "</div>"


def _change(change: ChangeView, report: Report) -> Iterator[str]:
    verb = words.VERBS[change.action]
    find = escape(one_line(f"{verb} {change.id} {change.note}").lower())
    predicted = " <small>(predicted)</small>" if change.predicted else ""
    yield (
        f'<details data-find="{find}"><summary><b>{verb}</b> '
        f"<code>{_text(str(change.id))}</code>{predicted}</summary>"
    )
    said = [f"<small>{_text(text)}</small>" for text in (change.note, change.predicted) if text]
    if change.place.file:
        said.append(_place(change.place, report))
    if said:
        yield f"<p>{'<br>'.join(said)}</p>"
    if change.lines:
        yield _pre(change.lines)
    yield "</details>"


def _health(result: Result) -> Iterator[str]:
    if result.rollout is None or not result.rollout.objects:
        return
    sick = len(words.unwell(result.rollout))
    said = f"{sick} not running" if sick else "all running"
    count = words.counted(len(result.rollout.objects), "object")
    yield f"<details><summary>Health: {count}, {said}, {result.rollout.seconds:g} s</summary>"
    yield '<div class="table"><table><tbody>'
    for view in sorted(result.rollout.objects, key=lambda view: view.health.value == "Current"):
        tone = "good" if view.health.value == "Current" else "bad"
        yield (
            f"<tr><td><code>{_text(str(view.id))}</code></td>"
            f'<td class="{tone}">{view.health.value}</td><td>{_text(view.sentence)}</td></tr>'
        )
    yield "</tbody></table></div>"
    yield from _timeline(result.rollout)
    yield "</details>"


def _timeline(rollout: RolloutView) -> Iterator[str]:
    """When each object that was waited for began to be watched, and how long it took."""
    waited = sorted(
        (view for view in rollout.objects if view.seconds > 0),
        key=lambda view: (view.started, -view.seconds, view.id),
    )[:_BARS]
    if not waited:
        return
    scale = 400 / max(view.started + view.seconds for view in waited)
    yield f'<svg width="760" height="{18 * len(waited)}" role="img">'
    for row, view in enumerate(waited):
        tone = "good" if view.health.value == "Current" else "bad"
        left, width = view.started * scale, max(view.seconds * scale, 1)
        yield (
            f'<rect x="{left:.0f}" y="{18 * row + 3}" width="{width:.0f}" height="12" '
            f'fill="var(--{tone})"/><text x="{left + width + 4:.0f}" y="{18 * row + 13}" '
            f'font-size="11" fill="currentColor">{_text(str(view.id))}, {view.seconds:g} s</text>'
        )
    yield "</svg>"


def _pre(lines: Iterable[str]) -> str:
    told = "".join(_line(line) for line in lines)
    return f"<pre>{told}</pre>"


def _line(line: str) -> str:
    kind = _LINES.get(line[:1], "")
    return f'<i class="{kind}">{escape(line)}</i>' if kind else f"<i>{escape(line)}</i>"


def _place(place: Place, report: Report) -> str:
    written = f"<code>{_text(str(place))}</code>"
    files = report.files_url
    if not (place.line and _URL.fullmatch(files)) or ".." in place.file.split("/"):
        return written
    url = f"{files}/{quote(place.file)}#L{place.line}"
    return f'<a href="{escape(url)}" rel="noreferrer">{written}</a>'


def _anchor(result: Result) -> str:
    return "environment-" + quote(result.environment, safe="").replace("%", "_")


def _with_cure(message: str, cure: str) -> str:
    return _text(message) + (f"<br><small>{_text(cure)}</small>" if cure else "")


def _text(text: str) -> str:
    return escape(one_line(text))
