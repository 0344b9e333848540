"""`run`: what a CI step calls. It looks at the event and does what that event needs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from pipeline_gitops.ci import Trigger
from pipeline_gitops.cli import flows, options, posting, publishing
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli import targets as target_wiring
from pipeline_gitops.cli.commands import deploy as deploy_command
from pipeline_gitops.cli.commands import diff as diff_command
from pipeline_gitops.cli.couriers import Courier
from pipeline_gitops.cli.publishing import Wanted
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Config, Environment
from pipeline_gitops.errors import Fault
from pipeline_gitops.git import Git
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.pipeline.merge_requests.notes import Sharing
from pipeline_gitops.pipeline.reviews import Prepared, Question
from pipeline_gitops.ports import Tree
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Report, Result

# Only compared. What stands at the forge is the last deploy's word, and a look at a commit whose
# deploy failed must not turn its status green.
_LOOKS = frozenset({Trigger.SCHEDULE, Trigger.MANUAL})


@click.command("run")
@click.option("--confirm-deletes", is_flag=True, help="Confirm dangerous and many deletes.")
@click.option("--wait/--no-wait", default=None, help="Wait until it runs. Default: policy.wait.")
@click.option(
    "--require-report",
    is_flag=True,
    envvar=options.PREFIX + "REQUIRE_REPORT",
    help="Exit with 9 when the report could not be delivered.",
)
@options.rollback
@options.binding
@options.targeted
def command(confirm_deletes: bool, wait: bool | None, require_report: bool, **values: Any) -> int:
    """What a CI step calls: it looks at the event.

    A merge request is rendered, validated, compared and answered with a note; nothing is written to
    a target. A push to a branch that deploys is deployed and reported on the merge request that
    brought it. A schedule compares, and writes nothing.

    \b
    Examples:
      pipeline-gitops run
      pipeline-gitops run --environment prod --report json=report.json
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    with posting.courier(session, git.commit("HEAD").sha) as courier:
        try:
            made, sharing = _by_event(session, git, courier, confirm=confirm_deletes, wait=wait)
        except Fault as fault:
            _leave_word(session, git, fault, files_wanted)
            raise
        sealed = publishing.seal(session, made)
        if session.context.trigger in _LOOKS:
            return publishing.publish(session, sealed, files_wanted)
        code = publishing.publish(session, sealed, files_wanted, annotate=False)
        return posting.post(
            session,
            sealed,
            code,
            courier,
            required=require_report,
            sharing=sharing,
            brought=posting.brought(session, git, made),
        )


def _leave_word(session: Session, git: Git, fault: Fault, files: Sequence[Wanted]) -> None:
    """Red says why, also where it broke before there was an environment to say it of.

    In the summary, the outputs, the annotations and the files that were asked for; the log has it
    anyway.
    """
    revision = session.context.sha or git.commit("HEAD").sha
    made = publishing.report(session, "run", revision=revision, fault=fault)
    publishing.publish(session, publishing.seal(session, made), files, quiet=True)


def _by_event(
    session: Session, git: Git, courier: Courier, *, confirm: bool, wait: bool | None
) -> tuple[Report, Sharing]:
    """The report, and which other environments' reports share its note."""
    head = git.commit("HEAD").sha
    revision = session.context.sha or head
    match session.context.trigger:
        case Trigger.PUSH:
            return _push(session, git, revision, courier, confirm=confirm, wait=wait)
        case Trigger.CLOSED:
            notice = "the merge request is closed: nothing to do"
            made = publishing.report(session, "run", revision=revision, notices=(notice,))
            return made, Sharing()
        case Trigger.MERGE_REQUEST | Trigger.SCHEDULE | Trigger.MANUAL:
            results, sharing = _review(session, git, head, confirm=confirm)
            made = publishing.report(session, "run", results=results, revision=revision)
            return made, sharing


def _push(
    session: Session,
    git: Git,
    revision: str,
    courier: Courier,
    *,
    confirm: bool,
    wait: bool | None,
) -> tuple[Report, Sharing]:
    """Deploys the environments that this branch deploys."""
    head = git.commit("HEAD").sha
    with git.tree(head) as tree:
        config = sessions.load(session, tree.root)
        names = [
            environment.name
            for environment in sessions.chosen(session, config)
            if _deploys(session, environment)
        ]
        if not names:
            notice = f"no environment is deployed from branch {session.context.branch}"
            made = publishing.report(session, "run", revision=revision, notices=(notice,))
            return made, Sharing()
        narrowed = replace(session, flags=replace(session.flags, environments=tuple(names)))
        courier.follow(names)
        results = deploy_command.deploy(
            narrowed,
            git,
            tree,
            config,
            revision=head,
            confirm=confirm,
            wait=wait,
            courier=courier,
        )
        legs = tuple(env.name for env in config.environments if _deploys(session, env))
    made = publishing.report(session, "run", results=results, revision=revision)
    return made, Sharing(environments=len(config.environments), legs=legs)


def _deploys(session: Session, environment: Environment) -> bool:
    wanted = environment.branch or session.context.default_branch or "main"
    return session.context.branch == wanted


def _review(
    session: Session, git: Git, head: str, *, confirm: bool
) -> tuple[list[Result], Sharing]:
    """Compares the commit with its merge base and, given credentials, with the targets."""
    base = flows.base_of(session, git, head)
    with git.tree(base) as base_tree, git.tree(head) as tree:
        before = _of_base(session, base_tree)
        try:
            config = sessions.load(session, tree.root)
        except Fault as fault:
            results = [_unread(one, fault) for one in before.environments if _named(session, one)]
            if not results:
                raise
            return results, _sharing(before)
        config, dangers = flows.trusted(session, config, before)
        chosen = sessions.chosen(session, config)
        old = Base(base, diff_command.base_renders(session, base_tree, before, chosen))
        results = _compare(session, git, config, tree, old, dangers, confirm=confirm)
    return results, _sharing(config)


def _of_base(session: Session, tree: Tree) -> Config:
    """The configuration of the merge base. One that cannot be read allows nothing.

    A merge request that repairs it has to be possible.
    """
    try:
        return sessions.load(session, tree.root)
    except Fault as fault:
        if session.context.trigger is not Trigger.MERGE_REQUEST:
            raise
        session.console.say(f"the merge base has no configuration to go by: {fault.what}")
        return Config()


def _unread(environment: Environment, fault: Fault) -> Result:
    """Of an environment that the merge base knows, and the commit's configuration hides."""
    return reviews.failed(Result(environment=environment.name), fault)


def _named(session: Session, environment: Environment) -> bool:
    names = session.flags.environments
    return not names or environment.name in names


def _sharing(config: Config) -> Sharing:
    legs = tuple(environment.name for environment in config.environments)
    return Sharing(environments=len(legs), legs=legs)


@dataclass(frozen=True, slots=True)
class Base:
    """The merge base: its commit, and what its environments rendered."""

    revision: str
    renders: Mapping[str, Prepared]


def _compare(
    session: Session,
    git: Git,
    config: Config,
    tree: Tree,
    base: Base,
    dangers: Mapping[str, tuple[str, ...]],
    *,
    confirm: bool,
) -> list[Result]:
    chosen = sessions.chosen(session, config)
    reachable = tuple(env for env in chosen if _may_ask(session, env))
    connected = flows.connect(session, git, reachable)
    prepared = flows.prepare(session, config, chosen, tree, connected)
    context = session.context
    shown_on = context.sha if context.trigger is Trigger.MERGE_REQUEST else ""
    questions = {
        one.environment.name: Question(
            base=base.renders.get(one.environment.name),
            base_name=f"merge base {base.revision[:7]}",
            confirmation=flows.confirmation(
                session, git, tree.revision or "HEAD", one.environment.name, flag=confirm
            ),
            notices=() if one.environment in reachable else (_offline(session, one.environment),),
            dangers=dangers.get(one.environment.name, ()),
            commit=shown_on,
        )
        for one in prepared
    }
    return flows.review(session, prepared, connected, questions)


def _may_ask(session: Session, environment: Environment) -> bool:
    """Never with a fork's code: its change must not steer a job that holds credentials."""
    return not session.context.fork and target_wiring.has_credentials(environment, session.environ)


def _offline(session: Session, environment: Environment) -> str:
    if environment.target is None:
        return "compared with the merge base only: the environment has no target there"
    why = "the change comes from a fork" if session.context.fork else "this job has no credentials"
    return f"compared with the merge base only, {environment.target} was not asked: {why}"
