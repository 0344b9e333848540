"""`report`: posts what earlier jobs wrote down."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from pipeline_gitops import forges, reports
from pipeline_gitops.ci import ReportedRun, Trigger
from pipeline_gitops.cli import options, posting, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.publishing import Wanted
from pipeline_gitops.cli.session import Session
from pipeline_gitops.errors import RefusedFault, UsageFault, Verdict, worst
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline.merge_requests import strangers
from pipeline_gitops.pipeline.merge_requests.notes import Sharing
from pipeline_gitops.pipeline.merge_requests.strangers import Claim
from pipeline_gitops.ports import MergeRequest
from pipeline_gitops.reports import foreign
from pipeline_gitops.views import Report, Result

_LARGEST = 64 * 1024 * 1024


@click.command("report")
@click.argument("files", nargs=-1, type=click.Path())
@options.source
@options.commit
@options.merge_request
@click.option(
    "--require-report",
    is_flag=True,
    envvar=options.PREFIX + "REQUIRE_REPORT",
    help="Exit with 9 when the report could not be delivered.",
)
@options.repository
@options.config
@options.report
@options.color
def command(
    files: tuple[str, ...],
    source: tuple[str, ...],
    commit: str,
    merge_request: int,
    require_report: bool,
    **values: Any,
) -> int:
    """Posts reports of earlier jobs (--report json=FILE) as one note.

    FILES are of jobs of this pipeline: taken at their word, merged by concatenation, and the exit
    code is that of the worst of them. The merge request is the one of this job.

    Files of jobs that ran a stranger's code, a fork's for example, come with --from. Nothing in
    them is believed: they only become a note, under a sentence that says so, on the merge request
    whose head is the commit that the workflow_run event, or --commit, names.

    \b
    Examples:
      pipeline-gitops report staging.json prod.json
      pipeline-gitops report --from report.json
      pipeline-gitops report --from report.json --commit 9f28425... --merge-request 7
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    if bool(files) == bool(source):
        raise UsageFault(
            "report needs files of this pipeline, or --from with those of somebody else",
            "name files that --report json= wrote",
        )
    if files:
        return _post_ours(session, files, files_wanted, required=require_report)
    claim = _claim(session, commit, merge_request)
    return _post_theirs(session, source, claim, files_wanted, required=require_report)


# -- of this pipeline ------------------------------------------------------------------------------


def _post_ours(
    session: Session, files: Sequence[str], wanted: Sequence[Wanted], *, required: bool
) -> int:
    merged = _merged([_read(path, _LARGEST) for path in files])
    sealed = publishing.seal(session, _here(merged, session))
    code = publishing.publish(session, sealed, wanted, annotate=False)
    with posting.courier(session, sealed.revision) as courier:
        return posting.post(session, sealed, code, courier, required=required)


def _here(report: Report, session: Session) -> Report:
    """The report with this job's addresses: those in a file are whatever its writer wanted."""
    context = session.context
    return replace(
        report,
        merge_request=context.merge_request,
        run_url=context.run_url,
        files_url=context.files_url(context.sha),
    )


def _read(path: str, largest: int) -> Report:
    try:
        with open(path, "rb") as file:
            content = file.read(largest + 1)
        if len(content) > largest:
            raise UsageFault(f"{path}: larger than {largest // 1024**2} MiB", "report on less")
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        raise UsageFault(
            f"{path}: cannot be read", "name files that --report json= wrote"
        ) from None
    try:
        return reports.from_json(text)
    except ValueError:
        raise UsageFault(
            f"{path}: not a report of this version", "write it with --report json=FILE"
        ) from None


def _merged(read: list[Report]) -> Report:
    first = read[0]
    results: dict[str, Result] = {}
    for result in (result for report in read for result in report.results):
        other = results.get(result.environment)
        # Of two about one environment the worse counts: nobody asks for the better one.
        if other is None or worst([other.verdict, result.verdict]) is not other.verdict:
            results[result.environment] = result
    return replace(
        first,
        seconds=max(report.seconds for report in read),
        results=tuple(results.values()),
        notices=tuple(dict.fromkeys(notice for report in read for notice in report.notices)),
        fault=next((report.fault for report in read if report.fault), None),
    )


# -- of somebody else ------------------------------------------------------------------------------


def _claim(session: Session, commit: str, merge_request: int) -> Claim:
    """What this job knows of the run that wrote the files, from its event or from who called us."""
    context = session.context
    run = context.reported
    if run is not None and run.event != "pull_request":
        raise UsageFault(
            "the run that started this one was not that of a pull request",
            "let the job run only if github.event.workflow_run.event is pull_request",
        )
    commit = commit or (run.sha if run else "")
    if not commit or not (run or merge_request):
        raise UsageFault(
            "--from needs to know, not from the file, what the report is about",
            "call it in a workflow_run job, or with --commit and --merge-request",
        )
    return Claim(
        repository=context.project,
        commit=commit,
        source=run.repository if run else None,
        number=merge_request,
    )


def _post_theirs(
    session: Session,
    paths: Sequence[str],
    claim: Claim,
    wanted: Sequence[Wanted],
    *,
    required: bool,
) -> int:
    read = [_read(path, foreign.LARGEST) for path in paths]
    number = strangers.number_of(read, claim)
    made, sharing = _taken_over(session, _merged(read), claim)
    request = _request(session, number)
    passed_by = strangers.passed_by(request, claim)
    if passed_by or not made.results:
        why = passed_by or "no environment in it is known here"
        session.console.say(f"the report is not posted: {why}")
        return Verdict.OK.exit_code
    there = _there(session, claim, request)
    sealed = publishing.seal(session, _here(made, there))
    if publishing.publish(session, sealed, wanted, annotate=False) == _UNWRITTEN:
        return _UNWRITTEN
    return _note(there, sealed, sharing, required=required)


_UNWRITTEN = Verdict.UNREPORTED.exit_code


def _taken_over(session: Session, merged: Report, claim: Claim) -> tuple[Report, Sharing]:
    """What is left of it; and how many environments share the note."""
    git = sessions.repository(session)
    known = [one.name for one in sessions.load(session, git.root).environments]
    source = claim.source or f"merge request {claim.number}"
    try:
        made = foreign.taken_over(merged, known, source)
    except ValueError as error:
        raise RefusedFault(
            f"the report is not posted: {error}", "post what `run` wrote on a merge request"
        ) from None
    return made, Sharing(environments=len(known))


def _request(session: Session, number: int) -> MergeRequest:
    forge = forges.connect(session.context, pause=session.clock.sleep)
    if forge is None:
        raise UsageFault(
            "--from needs a forge to ask, and this job has no token for one",
            "give the job a token that may write on merge requests",
        )
    return forge.merge_request(number)


def _there(session: Session, claim: Claim, request: MergeRequest) -> Session:
    """This session, speaking on that merge request in the place of the run that could not."""
    context = session.context
    run = context.reported or ReportedRun(
        event="", sha=claim.commit, repository="", number=context.run_number, url=context.run_url
    )
    moved = replace(
        context,
        trigger=Trigger.MERGE_REQUEST,
        sha=claim.commit,
        merge_request=request.number,
        run_number=run.number,
        # One less: where that run did speak for itself, its own section stands.
        attempt=run.attempt - 1,
        run_url=run.url,
    )
    return replace(session, context=moved)


def _note(session: Session, sealed: Sealed, sharing: Sharing, *, required: bool) -> int:
    """The note alone: what a stranger says makes no status green, and annotates no file."""
    with posting.courier(session, sealed.revision) as courier:
        return posting.post(
            session,
            sealed,
            Verdict.OK.exit_code,
            courier,
            required=required,
            sharing=sharing,
            note_only=True,
        )
