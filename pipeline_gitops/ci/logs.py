"""What a CI's log obeys: folds, problem lines, outputs; and how text is kept from being obeyed."""

from collections.abc import Mapping

from pipeline_gitops.ci import github
from pipeline_gitops.ci.values import Vendor
from pipeline_gitops.masks import Sealed, clean
from pipeline_gitops.patterns import pattern
from pipeline_gitops.views import Finding

# Colours, and the zero-width space with which a note tears signs from words: both are ours, for
# `masks` lets neither in from outside.
_KEPT = pattern(r"\x1b\[[0-9;]*m|\u200b")


def neutral(text: str, vendor: Vendor) -> str:
    """*text* made harmless to a log: only line ends, tabs and colours keep a meaning.

    Every other control character becomes visible. GitLab's sections need one (a carriage return and
    an erase), so this alone disarms them; GitHub's commands are plain text.
    """
    kept = []
    end = 0
    for match in _KEPT.finditer(text):
        kept += [clean(text[end : match.start()]), match[0]]
        end = match.end()
    shown = "".join([*kept, clean(text[end:])])
    return github.neutral(shown) if vendor is Vendor.GITHUB else shown


def fenced(text: str, vendor: Vendor, word: str) -> str:
    """*text* between commands that stop the runner's commands and, by *word*, resume them.

    A second wall behind `neutral`, for what a later runner may learn to obey. *word* must not be
    guessed: whoever knows it can resume. None but on GitHub has such commands.
    """
    if vendor is not Vendor.GITHUB:
        return text
    body = text.rstrip("\n")
    return f"::stop-commands::{word}\n{body}\n::{word}::"


def annotations(report: Sealed, vendor: Vendor) -> tuple[str, ...]:
    """Lines that put findings beside the source lines, and what broke above the log; each once.

    None but on GitHub.
    """
    if vendor is not Vendor.GITHUB:
        return ()
    found: dict[Finding, None] = {
        finding: None for result in report.results for finding in result.findings
    }
    if report.fault:
        fault = report.fault
        found[Finding(rule=fault.verdict.value, message=fault.message, cure=fault.cure)] = None
    return tuple(github.annotations(tuple(found)))


def outputs(report: Sealed) -> Mapping[str, str]:
    """What later steps may ask for: values of one line each."""
    plans = [result.plans[0] for result in report.results if result.plans]
    values = {
        "verdict": report.verdict.value,
        "exit-code": str(report.verdict.exit_code),
        "changes": str(sum(len(plan.changes) for plan in plans)),
        "environments": ",".join(result.environment for result in report.results),
    }
    return {name: " ".join(value.split()) for name, value in values.items()}


def output_text(report: Sealed) -> str:
    """The outputs as lines for GITHUB_OUTPUT.

    A value of one line behind `name=` cannot start another output or a here-document, whatever it
    holds: the runner looks for `=` first.
    """
    return "".join(f"{name}={value}\n" for name, value in outputs(report).items())
