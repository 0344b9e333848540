"""`diff`: what a deploy would change, or what a branch changes."""

import os
from typing import Any

import click

from pipeline_gitops.cli import flows, options, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.flows import Connected
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Config, Environment
from pipeline_gitops.errors import Verdict
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline.reviews import Prepared, Question
from pipeline_gitops.ports import Tree
from pipeline_gitops.views import Result


@click.command("diff")
@click.option(
    "--against",
    type=click.Choice(["target", "base"]),
    default="target",
    help="The target, or the merge base (needs no credentials).",
)
@click.option("--exit-code", is_flag=True, help="Exit with 10 when there are differences.")
@options.targeted
def command(against: str, exit_code: bool, **values: Any) -> int:
    """Shows what a deploy of the work tree would change. Writes nothing.

    \b
    Examples:
      pipeline-gitops diff --environment staging
      pipeline-gitops diff --against base --exit-code
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    chosen = sessions.chosen(session, config)
    if against == "base":
        results = _against_base(session, git, chosen)
    else:
        connected = flows.connect(session, git, chosen)
        prepared = flows.prepare(session, config, chosen, Tree(git.root), connected)
        questions = {one.environment.name: Question() for one in prepared}
        results = flows.review(session, prepared, connected, questions)
    made = publishing.report(session, "diff", results=results)
    code = publishing.publish(session, publishing.seal(session, made), files_wanted)
    different = any(plan.changes for result in results for plan in result.plans)
    return Verdict.DIFFERENT.exit_code if exit_code and different and code == 0 else code


def _against_base(
    session: Session, git: Git, environments: tuple[Environment, ...]
) -> list[Result]:
    base = flows.base_of(session, git, git.commit("HEAD").sha)
    nobody = Connected(targets={}, faults={})
    config = sessions.load(session, git.root)
    prepared = flows.prepare(session, config, environments, Tree(git.root), nobody)
    with git.tree(base) as tree:
        before = base_renders(session, tree, sessions.load(session, tree.root), environments)
    name = f"merge base {base[:7]}"
    questions = {
        one.environment.name: Question(base=before.get(one.environment.name), base_name=name)
        for one in prepared
    }
    return flows.review(session, prepared, nobody, questions)


def base_renders(
    session: Session, tree: Tree, config: Config, environments: tuple[Environment, ...]
) -> dict[str, Prepared]:
    """What the environments rendered at the base; those that were not there yet are left out."""
    old = tuple(found for env in environments if (found := config.environment(env.name)))
    there = tuple(env for env in old if os.path.isdir(os.path.join(tree.root, env.overlay.path)))
    nobody = Connected(targets={}, faults={})
    prepared = flows.prepare(session, config, there, tree, nobody)
    return {one.environment.name: one for one in prepared}
