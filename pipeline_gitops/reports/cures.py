"""What to do next, in one sentence: the cure of what is worst."""

import shlex

from pipeline_gitops.errors import Verdict
from pipeline_gitops.reports import recoveries, words
from pipeline_gitops.views import Report, Result, Severity

_CURES = {
    Verdict.INTERNAL: "run it again; if it fails again, report it with the job's log",
    Verdict.USAGE: "correct the call or the configuration",
    Verdict.REJECTED: "correct the manifests and push again",
    Verdict.REFUSED: "remove the reason, or confirm that it is meant",
    Verdict.UNREACHABLE: "run it again once the target answers",
    Verdict.PARTIAL: "remove the cause and deploy again: it goes on where it stopped",
    Verdict.UNHEALTHY: "push a fix, or revert the change",
    Verdict.INTERRUPTED: "run it again: it goes on where it stopped",
    Verdict.TERMINATED: "run it again: it goes on where it stopped",
}


def next_step(report: Report) -> str:
    """What to do now, in one sentence."""
    if report.fault:
        return report.fault.cure.strip() or _CURES.get(report.fault.verdict, "see the job's log")
    for result in words.worst_first(report.results):
        if words.tone(result) is words.Tone.BAD:
            return _correction(report) if result.verdict is Verdict.REJECTED else _cure(result)
    tone = words.overall(report)
    if not any(result.plans for result in report.results) or tone is words.Tone.QUIET:
        return "nothing to do"
    if any(result.written or result.rollout for result in report.results):
        return "nothing to do"
    verb = "merge" if report.merge_request else "deploy"
    if tone is words.Tone.CARE and any(result.dangers for result in report.results):
        return f"make sure that each danger is meant before you {verb}"
    return f"{verb} when these are the changes you mean"


def _cure(result: Result) -> str:
    if result.verdict is Verdict.UNHEALTHY and words.is_void(result):
        return f"deploy it: pipeline-gitops deploy --environment {shlex.quote(result.environment)}"
    cures = [recoveries.next_step(result), result.fault.cure if result.fault else ""]
    cures += [card.cure for card in result.cards]
    cures += [refusal.cure for refusal in result.refusals]
    cure = next(filter(str.strip, cures), _CURES.get(result.verdict, "see the job's log"))
    return recoveries.with_hold(cure, result)


def _correction(report: Report) -> str:
    """Where to start, of all that is wrong with the manifests."""
    wrong = [
        shared.finding
        for shared in words.findings(report.results)
        if shared.finding.severity is Severity.ERROR
    ]
    if not wrong:
        return _CURES[Verdict.REJECTED]
    first = wrong[0]
    where = f"`{first.place}`" if first.place.file else str(first.id or "the manifests")
    if len(wrong) > 1:
        return f"correct the {len(wrong)} errors, starting in {where}"
    return f"in {where}: {first.cure}" if first.cure.strip() else f"correct {where}"
