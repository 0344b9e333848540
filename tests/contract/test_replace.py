"""Fields that cannot change, on a real control plane: what is refused, and what is replaced."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline_gitops import inventories, plans
from pipeline_gitops.config import Policy
from pipeline_gitops.documents import at
from pipeline_gitops.plans import State
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster import writes
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.views import Action
from tests.contract.clusters import (
    PATIENCE_S,
    STAMP,
    Cluster,
    config_map,
    definition,
    deploy,
    established,
    execute,
    planned,
    preview,
    rules,
    said,
    until,
    wanted,
)
from tests.contract.fixed_fields import (
    ALLOWED,
    ANNOTATION,
    APPS,
    BATCH,
    CASES,
    CORE,
    allowed,
    claim,
    fixed,
    headless,
    relabelled,
    stateful,
)

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(("before", "after", "field"), CASES)
def test_fixed_field_is_refused(cluster: Cluster, before: Any, after: Any, field: str) -> None:
    """Without permission it is refused before any write, by field and with a cure."""
    deploy(cluster, before)

    plan = preview(cluster, after)

    assert rules(plan) == ["immutable-field"]
    assert f"{field} cannot change once it exists" in said(plan)
    assert ANNOTATION in said(plan)
    assert "c4n4ry" not in said(plan)


@pytest.mark.parametrize(("before", "after", "field"), CASES)
def test_fixed_field_is_replaced(cluster: Cluster, before: Any, after: Any, field: str) -> None:
    """With the annotation it is deleted and created anew, and nothing is left to do."""
    deploy(cluster, before)
    old = live(cluster, before)

    plan = preview(cluster, allowed(after))
    (outcome,) = [o for o in deploy(cluster, allowed(after)) if o.action is Action.REPLACE]

    new = live(cluster, after)
    (change,) = plan.changes
    assert change.action is Action.REPLACE
    assert field in change.sight.notes[0]
    assert (outcome.state, outcome.message) == (State.DONE, "")
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert preview(cluster, allowed(after)).changes == ()


PATHS = {
    "Pod": (CORE, "pods"),
    "Secret": (CORE, "secrets"),
    "Service": (CORE, "services"),
    "ConfigMap": (CORE, "configmaps"),
    "PersistentVolumeClaim": (CORE, "persistentvolumeclaims"),
    "Deployment": (APPS, "deployments"),
    "StatefulSet": (APPS, "statefulsets"),
    "Job": (BATCH, "jobs"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}


def path(cluster: Cluster, body: Any) -> str:
    root, plural = PATHS[body["kind"]]
    return f"{root}/namespaces/{cluster.namespace}/{plural}/{body['metadata']['name']}"


def live(cluster: Cluster, body: Any) -> Any:
    return cluster.send("GET", path(cluster, body))


@pytest.mark.parametrize(("before", "after", "field"), CASES)
def test_plan_of_a_replacement_reads_the_same(
    cluster: Cluster, before: Any, after: Any, field: str
) -> None:
    """What a dry run makes up, names and numbers, is in no plan: else it would bind nobody."""
    deploy(cluster, before)

    first, second = (preview(cluster, allowed(after)) for _ in range(2))

    assert plans.digest(first) == plans.digest(second)
    assert first.changes[0].sight.after == second.changes[0].sight.after
    assert "-probe-" not in str(first.changes[0].sight.after)


# -- who allows it ---------------------------------------------------------------------------------


def test_policy_allows_members(cluster: Cluster) -> None:
    """The policy lets all that the environment deployed be replaced."""
    deploy(cluster, fixed("blue"))

    (outcome,) = deploy(cluster, fixed("red"), target=cluster.target(policy=ALLOWED))

    assert (outcome.action, outcome.state) == (Action.REPLACE, State.DONE)
    assert cluster.get("ConfigMap", "fixed")["data"] == {"color": "red"}


def test_policy_does_not_allow_what_is_not_ours(cluster: Cluster) -> None:
    """An object that somebody else made is not deleted because of a policy."""
    cluster.create(fixed("blue"), "kubectl-create")

    plan = preview(cluster, fixed("red"), target=cluster.target(policy=ALLOWED))

    assert rules(plan) == ["immutable-field"]


def test_definition_is_never_replaced(cluster: Cluster) -> None:
    """All objects of the kind would go with it, whatever the policy says."""
    group = f"{cluster.namespace}.example.com"
    deploy(cluster, definition(group))

    target = cluster.target(policy=ALLOWED)
    plan = preview(cluster, allowed(definition(group, scope="Cluster")), target=target)

    cluster.send(
        "DELETE", f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}"
    )
    assert rules(plan) == ["immutable-field"]
    assert "never replaced" in said(plan)


def test_claim_needs_a_confirmation(cluster: Cluster) -> None:
    """Replacing a claim deletes what it holds: it counts as a dangerous deletion."""
    deploy(cluster, claim())

    plan = preview(cluster, allowed(claim(storageClassName="other")))

    assert [change for change in plan.changes if plans.is_dangerous(change)] == list(plan.changes)


# -- what is no fixed field ------------------------------------------------------------------------


def test_other_mistakes_are_no_reason_to_replace(cluster: Cluster) -> None:
    """An update that is wrong otherwise as well is refused for that."""
    deploy(cluster, relabelled("a"))
    mismatched = relabelled("b")
    mismatched["spec"]["template"]["metadata"]["labels"] = {"app": "a"}

    plan = preview(cluster, allowed(mismatched))

    assert rules(plan) == ["server-refused"]


def test_claim_that_shrinks(cluster: Cluster) -> None:
    """A size may change, if only upwards: it is refused, and no reason to replace the claim."""
    deploy(cluster, claim("2Gi"))

    plan = preview(cluster, allowed(claim("1Gi")))

    assert rules(plan) == ["server-refused"]


def test_policy_denial_is_no_fixed_field(cluster: Cluster) -> None:
    """An admission policy's denial is Invalid as well, whatever words it chooses."""
    deploy(cluster, config_map("settings", color="blue"))
    with_policy(cluster, "object.data.color != 'red'", "data: field is immutable")

    plan = until_denied(cluster, allowed(config_map("settings", color="red")))

    assert rules(plan) == ["server-refused"]
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "blue"}


def with_policy(cluster: Cluster, rule: str, message: str) -> None:
    """An admission policy for ConfigMaps of the test's namespace."""
    name = f"p-{cluster.namespace}"
    matched = {"kubernetes.io/metadata.name": cluster.namespace}
    resources = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    policy = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "resourceRules": [resources],
                "namespaceSelector": {"matchLabels": matched},
            },
            "validations": [{"expression": f"!has(object.data) || {rule}", "message": message}],
        },
    }
    bound = {
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    root = "apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    cluster.send("POST", f"{root}ies", policy)
    cluster.send("POST", f"{root}ybindings", bound)


def until_denied(cluster: Cluster, body: Any) -> plans.Plan:
    """The plan, once the policy holds: the server needs a moment."""
    until(lambda: preview(cluster, body).refusals, "the policy to be in force")
    return preview(cluster, body)


@pytest.fixture
def ruled(cluster: Cluster) -> Iterator[str]:
    """The group of a kind whose size is fixed, and below 100."""
    group = f"r-{cluster.namespace[-8:]}.example.com"
    body = definition(group)
    size = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    size["properties"]["size"]["x-kubernetes-validations"] = [
        {"rule": "self == oldSelf", "message": "size is fixed"},
        {"rule": "self < 100", "message": "size is too big"},
    ]
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, body))
    execute(target, survey, plan)
    established(target, plan.ids)
    yield group
    cluster.send(
        "DELETE", f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}"
    )


def sized(group: str, size: int) -> dict[str, Any]:
    return {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"size": size},
    }


@pytest.mark.parametrize(("size", "rule"), [(2, "immutable-field"), (200, "server-refused")])
def test_rule_of_a_custom_kind(cluster: Cluster, ruled: str, size: int, rule: str) -> None:
    """Whether a rule is about the change or about the value, a creation tells."""
    target = cluster.target(inventory_name="widgets")
    execute(target, *planned(target, wanted(target, cluster.namespace, sized(ruled, 1))))

    again = cluster.target(inventory_name="widgets")
    plan = preview(cluster, sized(ruled, size), target=again)

    assert rules(plan) == [rule]


# -- what cannot be proven, and what is refused in advance -----------------------------------------


def test_successor_that_would_be_refused(cluster: Cluster) -> None:
    """What the server would not take anew is refused before the old one goes."""
    deploy(cluster, fixed("blue"))
    with_policy(cluster, "object.data.color != 'red'", "not red")

    plan = until_refused_anew(cluster, allowed(fixed("red")))

    assert rules(plan) == ["replacement-refused"]
    assert "not red" in said(plan)


def until_refused_anew(cluster: Cluster, body: Any) -> plans.Plan:
    until(
        lambda: "replacement-refused" in rules(preview(cluster, body)),
        "the policy to be in force",
    )
    return preview(cluster, body)


def test_port_that_cannot_be_tried(cluster: Cluster) -> None:
    """Whether another nodePort is free only the real creation tells; the plan says so."""
    deploy(cluster, headless())
    other = headless("None")
    plan = preview(cluster, allowed(other))
    numbered = {**headless("10.96.211.17"), "metadata": {"name": "web"}}

    unproven = preview(cluster, allowed(numbered))

    assert plan.changes[0].sight.predicted == ""
    assert unproven.changes[0].sight.predicted == "unproven: whether clusterIP 10.96.211.17 is free"


def test_full_quota_is_unproven(cluster: Cluster) -> None:
    """A quota that the old object fills says nothing about the new one."""
    deploy(cluster, fixed("blue"))
    # A controller puts it into every namespace, sooner or later.
    listed = cluster.path("ConfigMap")
    until(lambda: "kube-root-ca.crt" in str(cluster.send("GET", listed)), "kube-root-ca.crt")
    count = len(cluster.send("GET", cluster.path("ConfigMap"))["items"])
    limit_count(cluster, "configmaps", count)

    plan = preview(cluster, allowed(fixed("red")))
    outcomes = deploy(cluster, allowed(fixed("red")))

    assert plan.changes[0].sight.predicted == "unproven: the old one fills a quota beside it"
    assert [outcome.state for outcome in outcomes] == [State.DONE]


def limit_count(cluster: Cluster, resource: str, count: int) -> None:
    root = f"api/v1/namespaces/{cluster.namespace}/resourcequotas"
    quota = {"metadata": {"name": "limits"}, "spec": {"hard": {resource: str(count)}}}
    cluster.send("POST", root, quota)
    limits = f"{root}/limits"
    until(lambda: "used" in cluster.send("GET", limits).get("status", {}), "the quota to count")


# -- how it is done --------------------------------------------------------------------------------


def test_pods_of_a_stateful_set_stay(cluster: Cluster) -> None:
    """A StatefulSet goes without its pods, and its successor takes them over."""
    deploy(cluster, stateful(service="a"))
    before = pods(cluster, 2)

    deploy(cluster, allowed(stateful(service="b")))

    owner = live(cluster, stateful(service="b"))["metadata"]["uid"]
    assert uids(pods(cluster, 2, owner=owner)) == uids(before)


def pods(cluster: Cluster, count: int, *, owner: str = "") -> list[Any]:
    """The pods, once there are so many, of that owner if it is named."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = cluster.send("GET", f"api/v1/namespaces/{cluster.namespace}/pods")["items"]
        owned = [
            one
            for one in found
            if not owner
            or [o["uid"] for o in one["metadata"].get("ownerReferences", [])] == [owner]
        ]
        if len(owned) == count:
            return owned
        assert time.monotonic() < deadline, [len(found), len(owned)]
        time.sleep(0.05)


def uids(bodies: list[Any]) -> set[str]:
    return {body["metadata"]["uid"] for body in bodies}


def test_finalizer_is_waited_for(cluster: Cluster) -> None:
    """An object that does not go in time is named with what holds it; the next run goes on."""
    deploy(cluster, fixed("blue"))
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    cluster.patch("ConfigMap", "fixed", held, "somebody")
    target = cluster.target(policy=Policy(object_timeout_s=0.5))

    (outcome,) = deploy(cluster, allowed(fixed("red")), target=target)
    cluster.patch("ConfigMap", "fixed", {"metadata": {"finalizers": []}}, "somebody")
    cluster.until_gone("ConfigMap", "fixed")
    again = deploy(cluster, allowed(fixed("red")))

    assert outcome.state is State.UNKNOWN
    assert "finalizer example.com/hold holds it" in outcome.message
    assert [one.action for one in again] == [Action.CREATE]
    assert cluster.get("ConfigMap", "fixed")["data"] == {"color": "red"}


def test_old_object_that_goes_slowly_is_no_silence(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is waited for, the log says of what, and what holds it."""
    deploy(cluster, fixed("blue"))
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    cluster.patch("ConfigMap", "fixed", held, "somebody")
    monkeypatch.setattr(writes, "HEARTBEAT_S", 0.0)
    lines: list[str] = []
    target = cluster.target(policy=Policy(object_timeout_s=0.5), say=lines.append)

    deploy(cluster, allowed(fixed("red")), target=target)

    cluster.patch("ConfigMap", "fixed", {"metadata": {"finalizers": []}}, "somebody")
    said = f"ConfigMap {cluster.namespace}/fixed: finalizer example.com/hold holds it"
    assert any(line.endswith(said) for line in lines), lines


def test_old_object_must_be_the_one_that_was_seen(cluster: Cluster) -> None:
    """An object that changed since the survey is not deleted."""
    deploy(cluster, fixed("blue"))
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, allowed(fixed("red"))))
    cluster.patch("ConfigMap", "fixed", {"metadata": {"labels": {"a": "b"}}}, "kubectl-label")
    old = cluster.get("ConfigMap", "fixed")["metadata"]["uid"]

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "fixed")["metadata"]["uid"] == old


def test_what_is_not_taken_anew_is_put_back(cluster: Cluster) -> None:
    """When the new object is refused after all, the old one stands again, and people are told."""
    deploy(cluster, fixed("blue"))
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, allowed(fixed("red"))))
    with_policy(cluster, "object.data.color != 'red'", "not red")
    until_denied(cluster, config_map("other", color="red"))

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.REFUSED
    assert "not red" in outcome.message
    assert outcome.message.endswith("the old one was put back")
    assert cluster.get("ConfigMap", "fixed")["data"] == {"color": "blue"}


class Killed(BaseException):
    """What a kill looks like from inside."""


def test_kill_between_deletion_and_creation(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run creates what a killed one has deleted: the inventory names it."""
    deploy(cluster, fixed("blue"))
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, allowed(fixed("red"))))
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)
    write = Objects.write

    def dies(self: Any, resource: Any, id: Any, *rest: Any, **named: Any) -> Any:
        if id.name == "fixed":
            raise Killed
        return write(self, resource, id, *rest, **named)

    with monkeypatch.context() as patch, pytest.raises(Killed), target.claim(claimed) as writing:
        patch.setattr(Objects, "write", dies)
        list(writing.apply(plan.changes))
    assert "fixed" not in cluster.names("ConfigMap")

    with pytest.raises(Stale):  # taking over an unfinished claim, a run looks twice
        deploy(cluster, allowed(fixed("red")), target=(again := cluster.target()))
    outcomes = deploy(cluster, allowed(fixed("red")), target=again)

    assert [(one.action, one.state) for one in outcomes] == [(Action.CREATE, State.DONE)]
    assert at(cluster.get("ConfigMap", "fixed"), "data", "color") == "red"
