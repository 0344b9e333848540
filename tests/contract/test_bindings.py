"""Whether a plan is still the one that was shown, after what happens to a real server meanwhile."""

import secrets
from dataclasses import replace

import pytest

from pipeline_gitops import plans
from pipeline_gitops.plans import Plan
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    Cluster,
    actions,
    config_map,
    deploy,
    deployment,
    execute,
    namespace_object,
    planned,
    preview,
    secret,
    service,
    wanted,
)

pytestmark = pytest.mark.cluster

SALT = plans.salt("prod", "a" * 40)


def unshown(plan: Plan, shown: Plan) -> list[tuple[str, Action, bool]]:
    left = plans.unshown(plan, plans.change_digests(shown, SALT), SALT)
    return [(one.id.name, one.action, one.otherwise) for one in left]


def test_the_rest_of_a_killed_deploy_was_shown(cluster: Cluster) -> None:
    """The namespace was only predicted at the review, so nothing in it could be tried out; by now
    it is there, and the server adds its defaults."""
    new = f"new-{secrets.token_hex(4)}"
    target = cluster.target(namespace=new)
    bodies = (config_map("settings", color="red"), service("web"), deployment("web"))
    desired = wanted(target, new, namespace_object(new), *bodies, secret("login", token="x"))
    survey, shown = planned(target, desired)
    first = tuple(one for one in shown.changes if one.id.kind in ("Namespace", "ConfigMap"))
    execute(target, survey, replace(shown, changes=first))

    again = cluster.target(namespace=new)
    _, left = planned(
        again, wanted(again, new, namespace_object(new), *bodies, secret("login", token="x"))
    )

    assert set(actions(left)) == {"web", "login"}
    assert unshown(left, shown) == []


def test_what_controllers_write_does_not_count(cluster: Cluster) -> None:
    """Between review and deploy statuses move, and with them every resource version."""
    deploy(cluster, deployment("web", image="web:1"))
    shown = preview(cluster, deployment("web", image="web:2"))
    status = {"status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1}}
    cluster.patch("Deployment", "web", status, "kube-controller-manager", sub="/status")

    later = preview(cluster, deployment("web", image="web:2"))

    assert actions(later) == {"web": Action.UPDATE}
    assert unshown(later, shown) == []


def test_drift_was_shown_otherwise(cluster: Cluster) -> None:
    """Somebody changed a field that the deploy would set back; the other object stays as shown."""
    deploy(cluster, config_map("settings", color="blue", shape="round"), config_map("other", a="1"))
    now = (config_map("settings", color="red", shape="round"), config_map("other", a="2"))
    shown = preview(cluster, *now)
    cluster.patch("ConfigMap", "settings", {"data": {"shape": "square"}}, "kubectl-edit")

    later = preview(cluster, *now)

    assert unshown(later, shown) == [("settings", Action.UPDATE, True)]


def test_what_was_deleted_by_hand_was_shown_otherwise(cluster: Cluster) -> None:
    """It was to be changed, and is to be created now."""
    deploy(cluster, config_map("settings", color="blue"))
    shown = preview(cluster, config_map("settings", color="red"))
    cluster.send("DELETE", cluster.path("ConfigMap", "settings"))

    later = preview(cluster, config_map("settings", color="red"))

    assert unshown(later, shown) == [("settings", Action.CREATE, True)]
