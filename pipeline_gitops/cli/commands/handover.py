"""`handover`: gives an environment's inventory to kubectl, or takes it back."""

import os
from typing import Any

import click

from pipeline_gitops import reports
from pipeline_gitops.cli import options, targets
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.errors import UsageFault


@click.command("handover")
@click.option("--back", is_flag=True, help="Take it back from kubectl.")
@options.targeted
def command(back: bool, **values: Any) -> int:
    """Gives an environment's inventory to kubectl, or takes it back.

    The inventory is an ApplySet. As long as it is ours, kubectl does not touch it; handed over,
    `kubectl apply --prune --applyset` manages the same objects, and deploys are refused.

    \b
    Examples:
      pipeline-gitops handover --environment staging
      pipeline-gitops handover --environment staging --back
    """
    from pipeline_gitops.targets.cluster import ClusterTarget  # what only a cluster's user pays for

    flags = options.flags(values)
    if not flags.environments:
        raise UsageFault("no environment is named", "add --environment NAME")
    session = sessions.start(flags, os.environ)
    git = sessions.repository(session)
    chosen = sessions.chosen(session, sessions.load(session, git.root))
    found = [(environment, targets.connect(session, git, environment)) for environment in chosen]
    rows = [("ENVIRONMENT", "NAMESPACE", "APPLYSET", "MANAGED BY")]
    for environment, target in found:
        if not isinstance(target, ClusterTarget):
            raise UsageFault(
                f"the inventory of {environment.name} is in no cluster",
                "kubectl can only take over what is in one",
            )
        parent = target.take_back() if back else target.hand_over()
        manager = "pipeline-gitops" if back else "kubectl"
        rows.append((environment.name, parent.namespace, f"configmap/{parent.name}", manager))
    session.console.show(reports.table(rows))
    return 0
