"""What another tool kept becomes ours for good, where that is allowed: its fields and its marks.

On the real control plane, with objects as the tools leave them.
"""

from typing import Any

import pytest

from pipeline_gitops.config import Policy
from tests.contract.clusters import Cluster, deploy, preview, rules

# Tool, where its mark stands, field manager, and how it writes.
TOOLS = [
    ("argocd", "annotations", "argocd.argoproj.io/tracking-id", "argocd-controller", "Apply"),
    ("argocd", "annotations", "argocd.argoproj.io/tracking-id", "argocd-controller", "Update"),
    ("flux", "labels", "kustomize.toolkit.fluxcd.io/name", "kustomize-controller", "Apply"),
    ("flux", "labels", "helm.toolkit.fluxcd.io/name", "helm-controller", "Update"),
    ("helm", "annotations", "meta.helm.sh/release-name", "helm", "Update"),
    ("helm", "annotations", "meta.helm.sh/release-name", "helm", "Apply"),
    ("kapp", "labels", "kapp.k14s.io/app", "kapp", "Update"),
    ("kapp", "labels", "kapp.k14s.io/app", "kapp-server-side-apply", "Apply"),
    ("kluctl", "labels", "kluctl.io/discriminator", "kluctl", "Apply"),
]
tools = pytest.mark.parametrize(
    ("tool", "where", "key", "manager", "operation"),
    TOOLS,
    ids=[f"{tool}-{manager}-{operation}" for tool, _, _, manager, operation in TOOLS],
)


def settings(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": data}


def kept(cluster: Cluster, where: str, key: str, manager: str, operation: str) -> None:
    """The object as the tool left it, with a key that Git has no more."""
    body = settings(a="1", old="x")
    body["metadata"][where] = {key: "shop"}
    if operation == "Update":
        cluster.create(body, manager)
    else:
        path = f"{cluster.path('ConfigMap', 's')}?fieldManager={manager}"
        cluster.send("PATCH", path, body, "application/apply-patch+yaml")


@tools
def test_what_git_does_not_have_goes_with_the_tool(
    tool: str, where: str, key: str, manager: str, operation: str, cluster: Cluster
) -> None:
    """The plan shows it, and the first deploy does it: nothing is left that nobody keeps."""
    kept(cluster, where, key, manager, operation)
    target = cluster.target(policy=Policy(adopt_from=(tool,)))

    plan = preview(cluster, settings(a="1"), target=target)
    deploy(cluster, settings(a="1"), target=target)

    after = plan.changes[0].sight.after
    live = cluster.get("ConfigMap", "s")
    assert after is not None
    assert after["data"] == live["data"] == {"a": "1"}
    assert key not in live["metadata"].get(where, {})
    assert manager not in {entry["manager"] for entry in live["metadata"]["managedFields"]}


@tools
def test_the_first_change_after_it_meets_nobody(
    tool: str, where: str, key: str, manager: str, operation: str, cluster: Cluster
) -> None:
    """Neither in the deploy that takes over, nor in the next one, which needs no word any more."""
    kept(cluster, where, key, manager, operation)
    target = cluster.target(policy=Policy(adopt_from=(tool,)))

    at_once = preview(cluster, settings(a="2"), target=target)
    deploy(cluster, settings(a="1"), target=target)
    later = preview(cluster, settings(a="3"))

    assert (rules(at_once), rules(later)) == ([], [])


def test_a_tool_that_is_not_named_keeps_its_fields(cluster: Cluster) -> None:
    """Whoever lets Helm's objects in has said nothing about Argo CD's fields in them."""
    kept(cluster, "annotations", "meta.helm.sh/release-name", "helm", "Update")
    cluster.patch("ConfigMap", "s", {"data": {"theirs": "1"}}, "argocd-controller")
    target = cluster.target(policy=Policy(adopt_from=("helm",)))

    deploy(cluster, settings(a="1"), target=target)

    assert cluster.get("ConfigMap", "s")["data"] == {"a": "1", "theirs": "1"}


def test_a_mark_that_came_later_gives_nothing_away(cluster: Cluster) -> None:
    """What is ours already: whoever marks it, and nobody has let in, keeps what he set."""
    deploy(cluster, settings(a="1"))
    marked = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop"}}}
    cluster.patch("ConfigMap", "s", marked | {"data": {"theirs": "1"}}, "argocd-controller")

    deploy(cluster, settings(a="2"))

    assert cluster.get("ConfigMap", "s")["data"] == {"a": "2", "theirs": "1"}
