"""Where a report goes at the end: to the forge with a token, otherwise into a file."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pipeline_gitops import ci, forges, masks, reports
from pipeline_gitops.ci import CIContext, Trigger, Vendor
from pipeline_gitops.cli import consulting
from pipeline_gitops.cli.couriers import Courier, Delivery
from pipeline_gitops.cli.session import Session
from pipeline_gitops.errors import Verdict
from pipeline_gitops.git import Git
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline.merge_requests import deliveries, notes
from pipeline_gitops.pipeline.merge_requests.deliveries import Address, Told
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone
from pipeline_gitops.ports import Commit, Forge, Surface
from pipeline_gitops.views import Report, Result, Severity

NOTE_FILE = "pipeline-gitops-note.md"
_FILE_LIMIT = 1_000_000
_ALONE = notes.Sharing()

# What of a deploy stands in the target, so that the merge requests that it carried are told.
_DEPLOYED = frozenset({Verdict.OK, Verdict.UNHEALTHY, Verdict.PARTIAL})


def courier(session: Session, revision: str) -> Courier:
    """Who speaks to the forge of this job about a commit. Nothing is sent yet."""
    context = session.context

    def connect(pause: Callable[[float], None]) -> Forge | None:
        if context.vendor is Vendor.NONE:
            return None
        return forges.connect(context, pause=pause)

    return Courier(connect, session.clock, sha=context.sha or revision, url=context.run_url)


def milestone(session: Session, result: Result) -> Milestone:
    """How an environment ended, masked."""
    report = masks.seal(Report(command="run", results=(result,)), session.console.secrets())
    return deliveries.milestone(report.results[0])


def post(
    session: Session,
    sealed: Sealed,
    code: int,
    told: Courier,
    *,
    required: bool,
    sharing: notes.Sharing = _ALONE,
    brought: Mapping[str, Sequence[Commit]] | None = None,
    note_only: bool = False,
) -> int:
    """Delivers the report and gives the exit code; a failed delivery changes it if *required*."""
    if not sealed.results:
        return code
    where = address(session.context, sealed, sharing, brought or {})
    where = replace(where, note_only=note_only)
    delivery = told.deliver(
        lambda forge, recorder: deliveries.deliver(
            sealed, where, stamp(session.context), recorder, forge, session.clock
        )
    )
    if not note_only:
        _annotate(session, sealed, delivery)
    for one in delivery.told:
        if one.said:
            session.console.say(one.said)
    missed = [one for one in delivery.told if one.is_missed]
    for what, cure in _lines(one for one in delivery.told if one not in missed):
        session.console.say(f"{what}; {cure}" if cure else what)
    lines = [(f"the report was not delivered: {what}", cure) for what, cure in _lines(missed)]
    for what, cure in lines:
        session.console.say(what, Severity.WARNING)
        session.console.say(f"  {cure}", Severity.WARNING)
    if session.context.vendor is not Vendor.NONE and (missed or not delivery.connected):
        _offline(session, sealed)
    if missed:
        _to_the_summary(session, sealed, lines)
    if missed and required and code == Verdict.OK.exit_code:
        return Verdict.UNREPORTED.exit_code
    return code


def _annotate(session: Session, sealed: Sealed, delivery: Delivery) -> None:
    """Findings beside their lines by the log, unless a check run has them already."""
    has_check = any(one.surface is Surface.CHECK and not one.fault for one in delivery.told)
    if not has_check:
        session.console.command(ci.annotations(sealed, session.context.vendor))


def _lines(told: Iterable[Told]) -> list[tuple[str, str]]:
    """What was not told, and what to do about it; each cure once."""
    whats: dict[str, list[str]] = {}
    for one in told:
        if one.fault:
            whats.setdefault(one.fault.cure, []).append(one.fault.what)
    return [("; ".join(dict.fromkeys(found)), cure) for cure, found in whats.items()]


def _to_the_summary(session: Session, sealed: Sealed, lines: Sequence[tuple[str, str]]) -> None:
    path = session.context.summary_file
    if not path:
        return
    notices = tuple(part for line in lines for part in line if part)
    said = Report(command=sealed.command, notices=notices)
    text = reports.undelivered(masks.seal(said, session.console.secrets()))
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        session.console.say(f"{path}: {error.strerror}; left out")


def brought(session: Session, git: Git, report: Report) -> Mapping[str, Sequence[Commit]]:
    """By environment the commits that were deployed with this one: since what was there before."""
    if session.context.trigger is not Trigger.PUSH:
        return {}
    return {
        result.environment: consulting.since(git, result.previous, report.revision)
        for result in report.results
        if result.previous and result.verdict in _DEPLOYED
    }


def address(
    context: CIContext,
    sealed: Sealed,
    sharing: notes.Sharing,
    brought: Mapping[str, Sequence[Commit]],
) -> Address:
    """Where the report of this job goes."""
    return Address(
        sha=context.sha or sealed.revision,
        merge_request=context.merge_request or sealed.merge_request,
        subject=context.subject,
        sharing=sharing,
        run_url=context.run_url,
        brought=brought,
    )


def stamp(context: CIContext) -> notes.Stamp:
    """Which of two reports is newer: a deploy after a review, then the CI's own counters."""
    phase = 1 if context.trigger is Trigger.PUSH else 0
    return notes.Stamp(phase=phase, run=context.run_number, attempt=context.attempt)


def _offline(session: Session, sealed: Sealed) -> None:
    """The note as it would have been posted, in a file for a later step.

    In the log it would say once more what stands there; it is shown where no file can be written.
    """
    note = reports.markdown(sealed, limit=_FILE_LIMIT)
    path = os.path.join(session.environ.get("RUNNER_TEMP") or os.getcwd(), NOTE_FILE)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(note)
    except OSError as error:
        session.console.say(f"{path}: {error.strerror}; the note is only shown here")
        session.console.show(note)
    else:
        session.console.say(f"the note is in {path}")
