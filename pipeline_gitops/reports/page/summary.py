"""The top of the page: the answer, what would hurt, what to do next, and all environments."""

from collections.abc import Iterator

from pipeline_gitops.reports import cures, words
from pipeline_gitops.reports.page import environments
from pipeline_gitops.reports.page.elements import Child, Element, element
from pipeline_gitops.reports.page.texts import (
    URL,
    joined,
    link,
    mark,
    named,
    prose,
    where,
    with_cure,
)
from pipeline_gitops.reports.words import Concern, SharedFinding
from pipeline_gitops.views import Action, Report, Result, Severity

MOST_CONCERNS = 6  # in the open

_TONES = {Severity.ERROR: "bad", Severity.WARNING: "care", Severity.NOTICE: "quiet"}


def header(report: Report) -> Element:
    """Answer, dangers, next step."""
    tone = words.overall(report)
    concerns = [_concern(one, report) for one in words.concerns(report)]
    more = concerns[MOST_CONCERNS:]
    calm = words.reassurance(report) if report.results and not concerns else ""
    return element(
        "header",
        element("p", *joined(_about(report)), class_="kicker"),
        element("h1", mark(tone), words.headline(report)),
        element("ul", *concerns[:MOST_CONCERNS], class_="concerns") if concerns else None,
        element(
            "details",
            element("summary", f"and {len(more)} more"),
            element("ul", *more, class_="concerns"),
        )
        if more
        else None,
        element("p", calm) if calm else None,
        *(element("p", *prose(notice), class_="notice") for notice in report.notices),
        element("p", element("strong", "Next: "), *prose(cures.next_step(report)), class_="next"),
        data_tone=tone.value,
    )


def _about(report: Report) -> list[Child]:
    request = f"merge request {report.merge_request}" if report.merge_request else None
    revision = element("code", report.revision[: environments.SHORT]) if report.revision else None
    return [report.repository, request, revision, report.command]


def _concern(concern: Concern, report: Report) -> Element:
    place = where(concern.place, report)
    names = ", ".join(concern.environments) if len(report.results) > 1 else ""
    return element(
        "li",
        element("strong", f"{concern.label}: "),
        [named(concern.id), " "] if concern.id else None,
        *prose(concern.text),
        [" ", place] if place else None,
        element("small", f" ({names})") if names else None,
    )


def table(report: Report) -> Element | None:
    """Every environment with its counts, worst first."""
    if not report.results:
        return None
    planned = any(result.plans for result in report.results)
    heads = ["Environment", "Target"]
    counts = [verb.capitalize() for verb in words.VERBS.values()] + ["Same"] if planned else []
    row = element(
        "tr",
        *(element("th", head, scope="col") for head in heads),
        *(element("th", head, scope="col", class_="number") for head in counts),
        element("th", "Outcome", scope="col"),
    )
    rows = (_row(result, planned=planned) for result in words.worst_first(report.results))
    return element(
        "section",
        element("h2", "Environments", id="environments"),
        element(
            "table", element("thead", row), element("tbody", *rows), class_="overview stacking"
        ),
        aria_labelledby="environments",
    )


def _row(result: Result, *, planned: bool) -> Element:
    plan = words.leading(result)
    tone = words.tone(result)
    amounts: list[tuple[str, str, int]] = []
    if planned and plan:
        amounts = [(words.VERBS[one], one.value, plan.count(one)) for one in Action]
        amounts.append(("same", "same", plan.unchanged))
    elif planned:
        amounts = [("", "", 0)] * (len(Action) + 1)
    return element(
        "tr",
        element(
            "th",
            element("a", result.environment, href=f"#{environments.anchor(result)}"),
            scope="row",
        ),
        element("td", result.target),
        *(
            element(
                "td",
                str(amount) if verb else "",
                class_=f"number {name if amount else 'none'}",
                data_label=verb,
            )
            for verb, name, amount in amounts
        ),
        element("td", mark(tone), words.phrase(result), class_=f"outcome {tone.value}"),
    )


def findings(report: Report) -> Element | None:
    """What is wrong with the manifests, or worth knowing, with its line."""
    found = words.findings(report.results)
    if not found:
        return None
    several = len(report.results) > 1
    return element(
        "section",
        element("h2", "Findings", id="findings"),
        element(
            "ul", *(_finding(one, report, several=several) for one in found), class_="findings"
        ),
        aria_labelledby="findings",
    )


def _finding(shared: SharedFinding, report: Report, *, several: bool) -> Element:
    one = shared.finding
    facts: list[Child] = [
        where(one.place, report),
        named(one.id) if one.id else None,
        element("code", one.pointer) if one.pointer else None,
        one.rule,
        ", ".join(shared.environments) if several else None,
    ]
    return element(
        "li",
        element("b", one.severity.value, class_=f"severity {_TONES[one.severity]}"),
        element(
            "div",
            element("p", *with_cure(one.message, one.cure)),
            element("p", *joined(facts), class_="about"),
        ),
    )


def footer(report: Report) -> Element:
    """When, how long, by what, and where it ran."""
    return element("footer", element("p", *joined(list(_facts(report)))))


def _facts(report: Report) -> Iterator[Child]:
    if report.started_at:
        yield element("time", report.started_at, datetime=report.started_at)
    yield f"{report.seconds:g} s"
    if URL.fullmatch(report.run_url):
        yield link("the job", report.run_url)
    yield f"pipeline-gitops {report.version}"
