"""`permissions`: the Roles that an account needs in a cluster."""

import os
from typing import Any

import click

from pipeline_gitops import documents, reports
from pipeline_gitops.cli import flows, options, publishing, targets
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import ClusterSpec, Environment
from pipeline_gitops.errors import Fault, UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.ports import Tree

COMMANDS = ("diff", "deploy", "rollback", "status", "watch", "destroy")


@click.command("permissions")
@click.option(
    "--command",
    "wanted",
    type=click.Choice(COMMANDS),
    default="deploy",
    show_default=True,
    help="The command that the account is to run.",
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["role", "clusterrole"]),
    default="role",
    show_default=True,
    help="A Role for each namespace, or one ClusterRole with everything.",
)
@options.targeted
def command(wanted: str, form: str, **values: Any) -> int:
    """Prints the Role that a command needs, for the kinds that the environment renders.

    Where the cluster answers, kinds that were deployed earlier and custom kinds that it serves
    count as well. An account that only plans needs what a deploy needs: the API server checks dry
    runs as it checks writes. See docs/permissions.md for the policy that allows it dry runs only.

    \b
    Examples:
      pipeline-gitops permissions --environment staging
      pipeline-gitops permissions --environment staging --command status
    """
    flags = options.flags(values)
    files_wanted = publishing.wanted(flags.reports)
    if len(flags.environments) != 1:
        raise UsageFault("permissions are those of one environment", "name it with --environment")
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    (environment,) = sessions.chosen(session, config)
    if not isinstance(environment.target, ClusterSpec):
        target = environment.target
        raise UsageFault(
            f"environment {environment.name} {f'goes to {target}' if target else 'has no target'}; "
            "permissions are those of a cluster",
            "name one with --target cluster, or give it `target: {cluster: …}`",
        )
    served, members = _known(session, git, environment)
    tree, nobody = Tree(git.root), flows.Connected(targets={}, faults={})
    (prepared,) = flows.prepare(session, config, [environment], tree, nobody)
    if not prepared.rejected:
        text = _roles(session, git, prepared, environment.target, served, members, wanted, form)
        session.console.show(reports.manifests(text))
    made = publishing.report(session, "permissions", results=[reviews.checked(prepared)])
    sealed = publishing.seal(session, made)
    return publishing.publish(session, sealed, files_wanted, quiet=not prepared.rejected)


def _known(
    session: Session, git: Git, environment: Environment
) -> tuple[Kinds, frozenset[ObjectId]]:
    """The kinds that the cluster serves and what is deployed; nothing where it does not answer."""
    try:
        target = targets.connect(session, git, environment)
        return target.kinds(), target.inventory().ids
    except Fault as fault:
        session.console.say(f"written without the cluster: {fault.what}")
        return Kinds(), frozenset()


def _roles(
    session: Session,
    git: Git,
    prepared: Prepared,
    spec: ClusterSpec,
    served: Kinds,
    members: frozenset[ObjectId],
    wanted: str,
    form: str,
) -> str:
    from pipeline_gitops.targets.cluster import permissions
    from pipeline_gitops.targets.cluster.records import applysets

    environment = prepared.environment
    need = permissions.Need(
        command=permissions.Command(wanted),
        ids=prepared.set.ids | members,
        kinds=served.over(prepared.kinds),
        inventory=applysets.parent_id(spec, sessions.owner(session, git, environment)),
        prune=environment.policy.prune,
    )
    unknown = permissions.unknown(need)
    if unknown:
        raise UsageFault(
            f"nobody says how these kinds are called in paths: {', '.join(unknown)}",
            "run it where the cluster answers, or put their definitions into the set",
        )
    name = f"pipeline-gitops-{environment.name}-{wanted}"
    if form == "clusterrole":
        return documents.write([permissions.cluster_role(need, name)])
    return documents.write(permissions.roles(need, name))
