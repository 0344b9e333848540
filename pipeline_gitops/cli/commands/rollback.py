"""`rollback`: deploys an older commit, and holds the newer one."""

import os
from typing import Any

import click

from pipeline_gitops import config as configs
from pipeline_gitops.cli import flows, options, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline.executions import Course
from pipeline_gitops.pipeline.reviews import Question
from pipeline_gitops.plans import Confirmation
from pipeline_gitops.views import Result

_ONLY_SHOWN = "nothing was written: add --now to roll back"


@click.command("rollback")
@click.option("--to", "revision", required=True, metavar="REV", help="The commit to go back to.")
@click.option("--now", is_flag=True, help="Do it. Without this it is only shown.")
@click.option("--confirm-deletes", is_flag=True, help="Confirm dangerous and many deletes.")
@click.option("--wait/--no-wait", default=None, help="Wait until it runs. Default: policy.wait.")
@options.targeted
def command(
    revision: str, now: bool, confirm_deletes: bool, wait: bool | None, **values: Any
) -> int:
    """Deploys what an older commit renders, and holds the commit that it leaves.

    A held commit, and what led to it, is not deployed again, whichever pipeline tries: a commit
    after it is, and so is anything with `deploy --release`. Target and policy are those of the
    commit that is checked out.

    \b
    Examples:
      pipeline-gitops rollback --environment prod --to v1.4.2
      pipeline-gitops rollback --environment prod --to v1.4.2 --now
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    if not flags.environments:
        raise UsageFault("no environment is named", "add --environment NAME")
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    sha = git.commit(revision).sha
    results = _rollback(session, git, sha, now=now, confirm=confirm_deletes, wait=wait)
    made = publishing.report(session, "rollback", results=results, revision=sha)
    return publishing.publish(session, publishing.seal(session, made), files_wanted)


def _rollback(
    session: Session, git: Git, sha: str, *, now: bool, confirm: bool, wait: bool | None
) -> list[Result]:
    with git.tree(sha) as tree, git.tree("HEAD") as current:
        then = sessions.load(session, tree.root)
        # Where it goes and what it may do is decided by today's configuration, not by that of then.
        config, _ = configs.trusted(then, sessions.load(session, current.root))
        chosen = sessions.chosen(session, config)
        connected = flows.connect(session, git, chosen)
        prepared = flows.prepare(session, config, chosen, tree, connected)
        confirmation = Confirmation(by="--confirm-deletes" if confirm else "")
        if not now:
            question = Question(confirmation=confirmation, notices=(_ONLY_SHOWN,))
            questions = {environment.name: question for environment in chosen}
            return flows.review(session, prepared, connected, questions)
        return flows.deploy(
            session,
            git,
            prepared,
            connected,
            stamp=flows.stamp(session, sha),
            wait=wait,
            confirmation={environment.name: confirmation for environment in chosen},
            course=Course(rollback=True),
        )
