"""`environments`: what is deployed where, and who said so."""

import os
from typing import Any

import click

from pipeline_gitops import overlays, reports
from pipeline_gitops.cli import options
from pipeline_gitops.cli import session as sessions


@click.command("environments")
@options.basic
def command(**values: Any) -> int:
    """Lists environments and by which rule they were found.

    \b
    Examples:
      pipeline-gitops environments
    """
    session = sessions.start(options.flags(values), os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    rows = [("ENVIRONMENT", "PATH", "TARGET", "FOUND BY")]
    for environment in sessions.chosen(session, config):
        target = str(environment.target) if environment.target else "none"
        rule = str(environment.place) if environment.rule == "config" else environment.rule
        rows.append((environment.name, environment.overlay.path, target, rule))
    session.console.show(reports.table(rows))
    left = () if config.source else overlays.passed_over(git.root)
    if left:
        session.console.say(f"manifests that none of them renders: {', '.join(left)}")
        session.console.say("  what is to be deployed of them, name in .pipeline-gitops.yaml")
    return 0
