"""Where a report goes at the end: to the forge with a token, otherwise to stdout and a file."""

import os

from pipeline_gitops import forges, reports
from pipeline_gitops.ci import CIContext, Trigger, Vendor
from pipeline_gitops.cli.session import Session
from pipeline_gitops.errors import Fault, ReportFault, Verdict
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline import deliveries, notes
from pipeline_gitops.pipeline.deliveries import Address
from pipeline_gitops.views import Severity

NOTE_FILE = "pipeline-gitops-note.md"
_FILE_LIMIT = 1_000_000


def post(session: Session, sealed: Sealed, code: int, *, required: bool) -> int:
    """Delivers the report and gives the exit code; a failed delivery changes it if *required*."""
    if not sealed.results:
        return code
    faults = _deliver(session, sealed)
    for fault in faults:
        session.console.say(f"the report was not delivered: {fault.what}", Severity.WARNING)
        session.console.say(f"  {fault.cure}", Severity.WARNING)
    if faults:
        _offline(session, sealed)
    if faults and required and code == Verdict.OK.exit_code:
        return Verdict.UNREPORTED.exit_code
    return code


def _deliver(session: Session, sealed: Sealed) -> tuple[Fault, ...]:
    context = session.context
    if context.vendor is Vendor.NONE or not context.token:
        _offline(session, sealed)
        return ()
    try:
        forge = forges.connect(context, pause=session.clock.sleep)
        if forge is None:
            _offline(session, sealed)
            return ()
        return deliveries.deliver(
            sealed, address(context, sealed), stamp(context), forge, session.clock
        )
    except ReportFault as fault:
        return (fault,)


def address(context: CIContext, sealed: Sealed) -> Address:
    """Where the report of this job goes."""
    key = "deploy" if context.trigger is Trigger.PUSH else "review"
    return Address(
        sha=context.sha or sealed.revision,
        merge_request=context.merge_request or sealed.merge_request,
        subject=context.subject,
        key=key,
        run_url=context.run_url,
        statuses=not context.job_token,  # GitLab's job token may not set statuses
    )


def stamp(context: CIContext) -> notes.Stamp:
    """Which of two reports is newer: a deploy after a review, then the CI's own counters."""
    phase = 1 if context.trigger is Trigger.PUSH else 0
    return notes.Stamp(phase=phase, run=context.run_number, attempt=context.attempt)


def _offline(session: Session, sealed: Sealed) -> None:
    """The note as it would have been posted: in the log, and in a file for a later step."""
    note = reports.markdown(sealed, limit=_FILE_LIMIT)
    path = os.path.join(session.environ.get("RUNNER_TEMP") or os.getcwd(), NOTE_FILE)
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(note)
    except OSError as error:
        session.console.say(f"{path}: {error.strerror}; the note is only shown here")
    else:
        session.console.say(f"the note is in {path}")
    session.console.show(note)
