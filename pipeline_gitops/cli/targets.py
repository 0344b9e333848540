"""From an environment's target to the thing that can be surveyed and written.

Imports of the targets are local: a command that never looks at a cluster does not pay for one.
"""

import os
from collections.abc import Mapping

from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import BranchSpec, ClusterSpec, DirectorySpec, Environment
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.ports import Target

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"


def connect(session: Session, git: Git, environment: Environment) -> Target:
    """The environment's target. Raises UsageFault where it has none."""
    owner = sessions.owner(session, git, environment)
    match environment.target:
        case DirectorySpec(path=path):
            from pipeline_gitops.targets.directory import DirectoryTarget

            return DirectoryTarget(git.root, path, owner)
        case BranchSpec(name=name, path=path):
            from pipeline_gitops.targets.branch import BranchTarget

            return BranchTarget(git, name, path, owner)
        case ClusterSpec() as spec:
            from pipeline_gitops.targets.cluster import ClusterTarget

            _refuse_tracked(git, spec, session.environ)
            return ClusterTarget(
                spec,
                owner,
                session.environ,
                policy=environment.policy,
                clock=session.clock,
                deadline=session.deadline(environment),
                thorough=session.flags.thorough,
                hide=session.console.hide,
                say=session.console.say,
            )
        case None:
            raise UsageFault(
                f"environment {environment.name} has no target",
                f"add `target:` to {environment.name} in .pipeline-gitops.yaml and commit that "
                "file, or name one with --target or --context",
            )


def _refuse_tracked(git: Git, spec: ClusterSpec, environ: Mapping[str, str]) -> None:
    """Raises UsageFault for a kubeconfig that came with the commit.

    Whoever may push a branch would choose the cluster, and the program that the job starts as its
    credential plugin (CVE-2022-24817).
    """
    from pipeline_gitops.targets.cluster.api import credentials

    for path in credentials.files(spec, environ):
        if git.tracks(path):
            raise UsageFault(
                f"kubeconfig {path} is part of the repository",
                "keep it out of Git: give it to the job as a secret file, and name that with "
                "KUBECONFIG",
            )


def has_credentials(environment: Environment, environ: Mapping[str, str]) -> bool:
    """Whether the target can be asked at all: files always can, a cluster needs credentials."""
    target = environment.target
    if not isinstance(target, ClusterSpec):
        return target is not None
    if target.kubeconfig or environ.get("KUBECONFIG"):
        return True
    home = os.path.join(environ.get("HOME", ""), ".kube", "config")
    return os.path.isfile(home) or os.path.isfile(SERVICE_ACCOUNT)
