"""The whole report as one HTML file: the page that people open when a note is too short.

Nothing foreign can be markup in it (`page.elements`), nothing loads and no foreign script runs
(`page.assets`). Without the script everything is there as well: CI servers show files without.
"""

from collections.abc import Iterator

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.page import environments, summary
from pipeline_gitops.reports.page.assets import POLICY, SCRIPT, STYLE
from pipeline_gitops.reports.page.elements import Element, Verbatim, element, render
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.views import Report


def html(report: Sealed) -> Shown:
    """One self-contained page."""
    page = element("html", _head(report), element("body", *_body(report)), lang="en")
    return Shown(f"<!doctype html>\n{render(page)}\n")


def _head(report: Report) -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{words.headline(report)} · pipeline-gitops"),
        element("style", Verbatim(STYLE)),
    )


def _body(report: Report) -> Iterator[Element]:
    results = words.worst_first(report.results)
    yield element("a", "Skip to the environments", href="#details", class_="skip")
    yield summary.header(report)
    yield element(
        "main",
        summary.table(report) if len(results) > 1 else None,
        summary.findings(report),
        element("div", id="tools", class_="tools", role="search", hidden=True),
        *(environments.environment(one, report, number) for number, one in enumerate(results)),
        id="details",
        tabindex="-1",
    )
    yield summary.footer(report)
    yield element("script", Verbatim(SCRIPT))
