"""`render`: what an environment comes down to, as manifests."""

import os
from typing import Any

import click

from pipeline_gitops import diffs, documents, reports
from pipeline_gitops.cli import options, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.ports import Tree


@click.command("render")
@click.option("--output", default="", metavar="FILE", help="Write here, Secrets in clear.")
@options.basic
def command(output: str, **values: Any) -> int:
    """Prints what an environment renders.

    Values of Secrets are masked on the terminal, which in CI is a log that many can read. With
    --output they are written to a file that only you can read.

    \b
    Examples:
      pipeline-gitops render --environment staging
      pipeline-gitops render --environment staging --output staging.yaml
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    chosen = sessions.chosen(session, config)
    prepared = reviews.prepare(chosen, Tree(git.root), sessions.workshop(session, config))
    bodies = [manifest.body for one in prepared for manifest in one.set.manifests]
    failed = any(one.rejected for one in prepared)
    if output and not failed:
        _write(output, documents.write(bodies))
    elif not failed:
        shown = [diffs.masked(None, body)[1] or {} for body in bodies]
        session.console.show(reports.manifests(documents.write(shown)))
    made = publishing.report(session, "render", results=[reviews.checked(one) for one in prepared])
    sealed = publishing.seal(session, made)
    return publishing.publish(session, sealed, files_wanted, quiet=not failed)


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageFault(f"{path}: {error.strerror}", "name a file that can be written") from None
