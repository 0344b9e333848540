"""`report`: posts what earlier jobs wrote down."""

import os
from dataclasses import replace
from typing import Any

import click

from pipeline_gitops import reports
from pipeline_gitops.cli import options, posting, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.views import Report

_LARGEST = 64 * 1024 * 1024


@click.command("report")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option(
    "--require-report",
    is_flag=True,
    envvar=options.PREFIX + "REQUIRE_REPORT",
    help="Exit with 9 when the report could not be delivered.",
)
@options.report
@options.color
def command(files: tuple[str, ...], require_report: bool, **values: Any) -> int:
    """Posts reports of earlier jobs (--report json=FILE) as one note.

    Reports of parallel jobs are merged by concatenation. The exit code is that of the worst of
    them. The merge request is the one of this job, never one that a report names.

    \b
    Examples:
      pipeline-gitops report staging.json prod.json
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    merged = _merged([_read(path) for path in files])
    sealed = publishing.seal(session, _here(merged, session))
    code = publishing.publish(session, sealed, files_wanted)
    return posting.post(session, sealed, code, required=require_report)


def _here(merged: Report, session: Session) -> Report:
    """The report with this job's addresses: those in a file are whatever its writer wanted."""
    context = session.context
    return replace(
        merged,
        merge_request=context.merge_request,
        run_url=context.run_url,
        files_url=context.files_url(context.sha),
    )


def _read(path: str) -> Report:
    try:
        with open(path, encoding="utf-8") as file:
            content = file.read(_LARGEST)
    except (OSError, UnicodeDecodeError):
        raise UsageFault(
            f"{path}: cannot be read", "name files that --report json= wrote"
        ) from None
    try:
        return reports.from_json(content)
    except ValueError:
        raise UsageFault(
            f"{path}: not a report of this version", "write it with --report json=FILE"
        ) from None


def _merged(read: list[Report]) -> Report:
    first = read[0]
    return replace(
        first,
        seconds=max(report.seconds for report in read),
        results=tuple(result for report in read for result in report.results),
        notices=tuple(dict.fromkeys(notice for report in read for notice in report.notices)),
        fault=next((report.fault for report in read if report.fault), None),
    )
