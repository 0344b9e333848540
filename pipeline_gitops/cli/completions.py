"""What a shell offers behind `--environment`: the names that the configuration has."""

import os

import click
from click.shell_completion import CompletionItem

from pipeline_gitops.errors import Fault


def environments(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Names that go on from *begun*, a list with commas; none where they cannot be known.

    A shell is waiting: nothing is said, and no target is asked.
    """
    from pipeline_gitops.cli import options  # these two know this module
    from pipeline_gitops.cli import session as sessions

    given = {name: context.params.get(name) or "" for name in ("repository", "config")}
    first, comma, last = begun.rpartition(",")
    try:
        session = sessions.start(options.flags(given), os.environ)
        config = sessions.load(session, sessions.repository(session).root)
    except Fault:
        return []
    names = [environment.name for environment in config.environments]
    return [CompletionItem(first + comma + name) for name in names if name.startswith(last)]
