"""`watch`: how one environment fares, as it changes."""

import math
import os
from dataclasses import replace
from typing import Any

import click

from pipeline_gitops.cli import options, publishing, targets
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Environment
from pipeline_gitops.errors import Fault, UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.health import Rules
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.pipeline.watching import watches
from pipeline_gitops.pipeline.watching.watches import Call, Until
from pipeline_gitops.views import Result


@click.command("watch")
@click.option(
    "--until",
    type=click.Choice([until.value for until in Until]),
    default=Until.HEALTHY.value,
    show_default=True,
    help="Stop once all is well or will not get well by itself, or only at --timeout or Ctrl-C.",
)
@options.inquiring
def command(until: str, **values: Any) -> int:
    """Follows what was deployed to one environment. Renders nothing, writes nothing.

    Says each change once, with its time, and why something turns bad; on a terminal with a table.
    It follows the deploys that come meanwhile. Exit code 0: all of it runs; 7: something does not,
    or did not in time; 5: the target does not answer; 130: you have stopped it.

    \b
    Examples:
      pipeline-gitops watch --environment staging
      pipeline-gitops watch --environment prod --until forever
      pipeline-gitops watch --environment prod --timeout 5m --report json=watch.json
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    chosen = sessions.chosen(session, config)
    if len(chosen) > 1:
        names = ", ".join(environment.name for environment in chosen)
        raise UsageFault(
            "one environment at a time can be watched", f"name it with --environment: {names}"
        )
    result = _follow(session, git, chosen[0], sessions.health_rules(config), Until(until))
    sealed = publishing.seal(session, publishing.report(session, "watch", results=[result]))
    return publishing.publish(session, sealed, files_wanted)


def _follow(
    session: Session, git: Git, environment: Environment, rules: Rules, until: Until
) -> Result:
    if until is Until.FOREVER and not session.flags.timeout:
        # Nothing but a signal ends it, so no request may run out of time either.
        environment = replace(environment, policy=replace(environment.policy, timeout_s=math.inf))
    call = Call(
        environment=environment, rules=rules, until=until, deadline=session.deadline(environment)
    )
    try:
        target = targets.connect(session, git, environment)
    except Fault as fault:
        return reviews.failed(Result(environment=environment.name), fault)
    return watches.follow(call, target, clock=session.clock, journal=session.console)
