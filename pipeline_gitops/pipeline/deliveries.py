"""What a finished report does at the forge: the note on the merge request, and commit statuses.

The deploy's result is settled before anything here runs and is never changed by it. Statuses go
first: they are the truth per environment, the note is a view (forges throttle notes first).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline_gitops import reports
from pipeline_gitops.errors import ReportFault, Verdict
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline import notes, origins
from pipeline_gitops.pipeline.notes import Section
from pipeline_gitops.ports import Clock, CommitStatus, Forge, MergeRequest, StatusState
from pipeline_gitops.views import Action, Result

INDEXED_S = 10.0  # after a merge, until the forge knows which merge request brought the commit


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a report goes. *merge_request* 0: the one that brought the commit, if any."""

    sha: str
    merge_request: int = 0
    subject: str = ""  # the commit's first line
    key: str = "review"  # the note's section
    run_url: str = ""
    statuses: bool = True


def deliver(
    report: Sealed, address: Address, stamp: notes.Stamp, forge: Forge, clock: Clock
) -> tuple[ReportFault, ...]:
    """Sets the statuses and writes the note. Gives what did not get through, raises nothing."""
    faults: list[ReportFault] = []
    if address.statuses:
        for status in statuses(report, address, forge):
            try:
                forge.set_status(status)
            except ReportFault as fault:
                faults.append(fault)
                break  # the others would fail for the same reason, each after its own timeout
    try:
        _note(report, address, stamp, forge, clock)
    except ReportFault as fault:
        faults.append(fault)
    return tuple(faults)


def _note(report: Sealed, address: Address, stamp: notes.Stamp, forge: Forge, clock: Clock) -> None:
    merge_request = _merge_request(report, address, forge, clock)
    if merge_request is None:
        return  # a direct push: the statuses and the job summary are the report
    body = reports.markdown(report, limit=forge.limits.note - notes.OVERHEAD)
    section = Section(key=address.key, stamp=stamp, body=body)
    notes.upsert(forge, merge_request, section, clock=clock)


def _merge_request(
    report: Sealed, address: Address, forge: Forge, clock: Clock
) -> MergeRequest | None:
    if address.merge_request:
        return forge.merge_request(address.merge_request)
    # A run that took longer has given the forge its time already.
    wait_s = max(0.0, INDEXED_S - report.seconds)
    return origins.origin(address.sha, address.subject, forge, clock, wait_s)


def statuses(report: Sealed, address: Address, forge: Forge) -> Iterator[CommitStatus]:
    """One commit status per environment."""
    limits = forge.limits
    for result in report.results:
        good = result.verdict is Verdict.OK
        yield CommitStatus(
            sha=address.sha,
            context=f"pipeline-gitops/{result.environment}"[: limits.context],
            state=StatusState.SUCCESS if good else StatusState.FAILURE,
            description=_description(result)[: limits.description],
            url=address.run_url if len(address.run_url) <= limits.url else "",
        )


def _description(result: Result) -> str:
    """Counts of what matters most, in the length of a commit status."""
    if result.fault:
        return result.fault.message
    if result.verdict is Verdict.SUPERSEDED:
        return "not deployed: " + (result.notices[-1] if result.notices else "superseded")
    errors = sum(finding.severity.value == "error" for finding in result.findings)
    if errors:
        return f"{errors} errors in the manifests"
    if result.refusals:
        return f"refused: {result.refusals[0].message}"
    if result.rollout and result.verdict is Verdict.UNHEALTHY:
        return f"{len(result.cards)} of {len(result.rollout.objects)} objects do not run"
    if result.written:
        done = sum(written.state == "done" for written in result.written)
        return f"{done} of {len(result.written)} objects written"
    if not result.plans or not result.plans[0].changes:
        return "no changes"
    plan = result.plans[0]
    counts = [(plan.count(action), action.value) for action in Action]
    return ", ".join(f"{count} to {action}" for count, action in counts if count)
