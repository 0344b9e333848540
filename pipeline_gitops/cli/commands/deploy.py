"""`deploy`: makes the target hold what the environment renders."""

import os
from contextlib import nullcontext
from typing import Any

import click

from pipeline_gitops.cli import flows, options, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.couriers import Courier
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Config, Rollback
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline.executions import FORWARDS, Course
from pipeline_gitops.ports import Tree
from pipeline_gitops.views import Result


@click.command("deploy")
@click.option(
    "--allow-dirty", is_flag=True, help="Deploy the work tree, uncommitted changes included."
)
@click.option(
    "--allow-diverged",
    is_flag=True,
    help="Deploy even where nothing tells whether this commit is newer than what is deployed.",
)
@click.option(
    "--release", is_flag=True, help="Deploy even what a rollback holds, and lift the hold."
)
@click.option("--confirm-deletes", is_flag=True, help="Confirm dangerous and many deletes.")
@click.option("--wait/--no-wait", default=None, help="Wait until it runs. Default: policy.wait.")
@options.rollback
@options.binding
@options.targeted
def command(
    allow_dirty: bool,
    allow_diverged: bool,
    release: bool,
    confirm_deletes: bool,
    wait: bool | None,
    **values: Any,
) -> int:
    """Makes the target hold what the environment renders.

    It deploys the commit, not the work tree: untracked and ignored files never count, and
    uncommitted changes of tracked files are refused.

    \b
    Examples:
      pipeline-gitops deploy --environment staging
      pipeline-gitops deploy --environment prod --timeout 15m --report json=report.json
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    revision = git.commit("HEAD").sha
    with nullcontext(Tree(git.root)) if allow_dirty else git.tree(revision) as tree:
        config = sessions.load(session, tree.root)
        if not allow_dirty:
            flows.refuse_uncommitted(git, config)
        results = deploy(
            session,
            git,
            tree,
            config,
            revision=revision,
            confirm=confirm_deletes,
            wait=wait,
            course=Course(allow_diverged=allow_diverged, release=release),
        )
    made = publishing.report(session, "deploy", results=results, revision=revision)
    return publishing.publish(session, publishing.seal(session, made), files_wanted)


def deploy(
    session: Session,
    git: Git,
    tree: Tree,
    config: Config,
    *,
    revision: str,
    confirm: bool,
    wait: bool | None,
    course: Course = FORWARDS,
    courier: Courier | None = None,
) -> list[Result]:
    """Every chosen environment deployed out of *tree*."""
    if wait is False and session.flags.rollback == Rollback.ON_FAILURE:
        raise UsageFault(
            "--rollback on-failure and --no-wait: nobody would see a failure",
            "leave one of them out",
        )
    chosen = sessions.chosen(session, config)
    connected = flows.connect(session, git, chosen)
    prepared = flows.prepare(session, config, chosen, tree, connected)
    return flows.deploy(
        session,
        git,
        prepared,
        connected,
        stamp=flows.stamp(session, revision),
        wait=wait,
        confirmation={
            environment.name: flows.confirmation(
                session, git, revision, environment.name, flag=confirm
            )
            for environment in chosen
        },
        course=course,
        today=config,
        committed=bool(tree.revision),
        courier=courier,
    )
