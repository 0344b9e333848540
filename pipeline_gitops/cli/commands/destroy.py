"""`destroy`: deletes all that an environment owns in its target."""

import os
from dataclasses import replace
from typing import Any

import click

from pipeline_gitops.cli import flows, options, publishing, targets
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Environment
from pipeline_gitops.errors import Fault, UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline import destroys, reviews
from pipeline_gitops.plans import Intent
from pipeline_gitops.views import Result


@click.command("destroy")
@click.option("--confirm", default="", metavar="NAME", help="The environment's name once more.")
@click.option(
    "--confirm-deletes",
    is_flag=True,
    help="Delete namespaces, volumes, definitions and StatefulSets, too.",
)
@click.option("--protected", is_flag=True, help="Destroy a protected environment, too.")
@options.targeted
def command(confirm: str, confirm_deletes: bool, protected: bool, **values: Any) -> int:
    """Deletes all that an environment owns in its target, and its inventory last.

    Without --confirm NAME it shows what would be deleted, and ends with exit code 4. Users are
    deleted before what they use, and each step waits until it is gone. What is annotated to be kept
    stays. Killed in between and run again, it goes on where it stopped.

    \b
    Examples:
      pipeline-gitops destroy --environment preview-17
      pipeline-gitops destroy --environment preview-17 --confirm preview-17 --confirm-deletes
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    if len(flags.environments) != 1:
        raise UsageFault("destroy takes one environment", "name it with --environment")
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    (environment,) = sessions.chosen(session, config)
    intent = Intent(confirmed=confirm, takes_more=confirm_deletes, protected=protected)
    result = _destroy(session, git, environment, intent)
    made = publishing.report(session, "destroy", results=[result])
    return publishing.publish(session, publishing.seal(session, made), files_wanted)


def _destroy(session: Session, git: Git, environment: Environment, intent: Intent) -> Result:
    # All of it goes, also what a killed run left out of its inventory.
    thorough = replace(session, flags=replace(session.flags, thorough=True))
    whole = replace(environment, policy=replace(environment.policy, prune=True))
    try:
        target = targets.connect(thorough, git, whole)
    except Fault as fault:
        return reviews.failed(Result(environment=environment.name), fault)
    order = destroys.Order(
        environment=whole,
        stamp=flows.stamp(session, git.commit("HEAD").sha),
        intent=intent,
        deadline=session.deadline(environment),
    )
    return destroys.destroy(order, target, clock=session.clock, journal=session.console)
