"""Every report format: pure text of a sealed report."""

from collections.abc import Callable, Mapping
from importlib import import_module

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports.artifacts.jsons import SCHEMA, from_json, to_json
from pipeline_gitops.reports.markdown import markdown, summary
from pipeline_gitops.reports.plain import manifests, sentence, table
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.terminal import WIDTH, terminal
from pipeline_gitops.reports.undelivered import undelivered


def _text(report: Sealed) -> Shown:
    return terminal(report, colour=False)


def _later(kind: str) -> Callable[[Sealed], Shown]:
    """A format whose module is loaded once it is asked for: few jobs want more than one."""

    def write(report: Sealed) -> Shown:
        module = import_module(f"{__name__}.artifacts.{kind}")
        text: Shown = getattr(module, kind)(report)
        return text

    return write


# What `--report KIND=PATH` can write.
KINDS: Mapping[str, Callable[[Sealed], Shown]] = {
    "codequality": _later("codequality"),
    "html": _later("html"),
    "json": to_json,
    "junit": _later("junit"),
    "markdown": markdown,
    "sarif": _later("sarif"),
    "terraform": _later("terraform"),
    "text": _text,
}

__all__ = [
    "KINDS",
    "SCHEMA",
    "WIDTH",
    "Shown",
    "from_json",
    "manifests",
    "markdown",
    "sentence",
    "summary",
    "table",
    "terminal",
    "to_json",
    "undelivered",
]
