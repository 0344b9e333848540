"""Every report format: pure text of a sealed report."""

from collections.abc import Callable, Mapping

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports.codequality import codequality
from pipeline_gitops.reports.html import html
from pipeline_gitops.reports.jsons import SCHEMA, from_json, to_json
from pipeline_gitops.reports.junit import junit
from pipeline_gitops.reports.markdown import markdown, summary
from pipeline_gitops.reports.plain import manifests, sentence, table
from pipeline_gitops.reports.sarif import sarif
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.terminal import terminal


def _text(report: Sealed) -> Shown:
    return terminal(report, colour=False)


# What `--report KIND=PATH` can write.
KINDS: Mapping[str, Callable[[Sealed], Shown]] = {
    "codequality": codequality,
    "html": html,
    "json": to_json,
    "junit": junit,
    "markdown": markdown,
    "sarif": sarif,
    "text": _text,
}

__all__ = [
    "KINDS",
    "SCHEMA",
    "Shown",
    "from_json",
    "manifests",
    "markdown",
    "sentence",
    "summary",
    "table",
    "terminal",
    "to_json",
]
