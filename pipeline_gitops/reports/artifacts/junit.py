"""A run as JUnit XML, which every CI system shows as a list of tests.

A suite is an environment, a test is an object: it fails when it was refused, not written or does
not run. There is no schema of record; this is the part that GitLab, Jenkins and GitHub's actions
agree on (https://github.com/testmoapp/junitxml).
"""

from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.masks import Sealed
from pipeline_gitops.patterns import pattern
from pipeline_gitops.reports import words
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Result, Severity

# Characters that XML 1.0 has no way to write; `clean` leaves newline and tab only.
_UNWRITABLE = pattern("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Failure:
    """What failed about one test, and more lines about it."""

    message: str
    detail: str = ""


def junit(report: Sealed) -> Shown:
    """All environments of the report."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    suites = [(result, _tests(result)) for result in report.results]
    if report.fault:
        suites.append((Result(environment=report.command), {"run": _Failure(report.fault.message)}))
    failed = sum(1 for _, tests in suites for failure in tests.values() if failure)
    total = sum(len(tests) for _, tests in suites)
    lines.append(
        f'<testsuites name="pipeline-gitops" tests="{total}" failures="{failed}" '
        f'time="{report.seconds:g}">'
    )
    for result, tests in suites:
        lines += _suite(result, tests)
    lines.append("</testsuites>")
    return Shown("\n".join(lines) + "\n")


def _suite(result: Result, tests: Mapping[str, _Failure | None]) -> Iterator[str]:
    failed = sum(1 for failure in tests.values() if failure)
    name = _attribute(result.environment)
    yield f'  <testsuite name={name} tests="{len(tests)}" failures="{failed}">'
    for test, failure in tests.items():
        head = f"    <testcase classname={name} name={_attribute(test)}"
        if failure is None:
            yield f"{head}/>"
            continue
        yield f"{head}>"
        detail = escape(_UNWRITABLE.sub("", failure.detail))
        yield f"      <failure message={_attribute(failure.message)}>{detail}</failure>"
        yield "    </testcase>"
    yield "  </testsuite>"


def _tests(result: Result) -> Mapping[str, _Failure | None]:
    """Tests by name; None is one that passed."""
    tests: dict[str, _Failure | None] = {"the manifests": None}
    for change in words.changes(result):
        tests[str(change.id)] = None
    if result.rollout:
        tests.update({str(view.id): None for view in result.rollout.objects})
    tests.update(_failures(result))
    return tests


def _failures(result: Result) -> Iterator[tuple[str, _Failure]]:
    """What failed, the strongest reason of an object last."""
    wrong = [one for one in result.findings if one.severity is Severity.ERROR]
    if wrong:
        said = "\n".join(f"{one.place}: {one.message}" for one in wrong)
        yield "the manifests", _Failure(words.counted(len(wrong), "error"), said)
    for refusal in result.refusals:
        name = str(refusal.id) if refusal.id else f"guard {refusal.rule}"
        yield name, _Failure(refusal.message, refusal.cure)
    for written in words.undone_writes(result):
        yield str(written.id), _Failure(f"{written.state}: {written.message}".rstrip(": "))
    carded: dict[ObjectId, _Failure] = {
        card.id: _Failure(card.cause, "\n".join((*card.chain, *card.events, *card.log)))
        for card in result.cards
    }
    if result.rollout:
        for view in words.unwell(result.rollout):
            failure = carded.get(view.id, _Failure(f"{view.health.value}: {view.sentence}"))
            yield str(view.id), failure
    if result.fault:
        yield "the run", _Failure(result.fault.message, result.fault.cure)


def _attribute(text: str) -> str:
    flat = " ".join(_UNWRITABLE.sub("", text).split())
    return quoteattr(flat)
