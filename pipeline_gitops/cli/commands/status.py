"""`status`: how what was deployed is doing now."""

import os
from typing import Any

import click

from pipeline_gitops import reports
from pipeline_gitops.cli import options, publishing, targets
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Environment
from pipeline_gitops.errors import Fault
from pipeline_gitops.git import Git
from pipeline_gitops.health import Rules
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.pipeline.watching import inspections
from pipeline_gitops.views import Result


@click.command("status")
@options.inquiring
def command(**values: Any) -> int:
    """Shows how what was deployed is doing now. Renders nothing, writes nothing.

    Members of the environment's inventory, each with its health; the last deploy, and one that is
    under way. Exit code 0: all of it runs; 7: something does not, or nothing is deployed; 5: the
    target does not answer.

    \b
    Examples:
      pipeline-gitops status --environment staging
      pipeline-gitops status --environment prod --report json=status.json
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    rules = sessions.health_rules(config)
    results = [_inspect(session, git, one, rules) for one in sessions.chosen(session, config)]
    sealed = publishing.seal(session, publishing.report(session, "status", results=results))
    _members(session, sealed)
    return publishing.publish(session, sealed, files_wanted)


def _inspect(session: Session, git: Git, environment: Environment, rules: Rules) -> Result:
    try:
        target = targets.connect(session, git, environment)
    except Fault as fault:
        return reviews.failed(Result(environment=environment.name), fault)
    return inspections.inspect(
        environment, target, clock=session.clock, journal=session.console, rules=rules
    )


def _members(session: Session, sealed: Sealed) -> None:
    """Every member with its word and its sentence, before the report itself."""
    rows = [
        (result.environment, str(view.id), view.health.value, view.sentence)
        for result in sealed.results
        for view in (result.rollout.objects if result.rollout else ())
    ]
    if rows:
        header = ("ENVIRONMENT", "OBJECT", "HEALTH", "WHY")
        session.console.show(reports.table([header, *rows]))
