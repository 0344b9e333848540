"""Whose field it is, on a real control plane: what is taken, what is left, what is refused."""

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clusters import (
    Cluster,
    config_map,
    definition,
    deploy,
    deployment,
    preview,
    rules,
    said,
    until,
)
from tests.contract.owners import MERGE, decisions, noted, the, with_rule

pytestmark = pytest.mark.cluster

# -- the environment's own rules -------------------------------------------------------------------


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
    until(lambda: "keda.sh" in json.dumps(cluster.send("GET", "apis")), "keda.sh in discovery")
    yield
    cluster.send("DELETE", f"{path}/scaledobjects.keda.sh")


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


def test_certificate_of_an_api_service_is_left(cluster: Cluster) -> None:
    """As that of a conversion: whoever injects it keeps it, and the rest is ours."""
    group = f"g{cluster.namespace[-8:]}.example.com"

    def service(priority: int) -> Any:
        return {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1.{group}"},
            "spec": {
                "group": group,
                "version": "v1",
                "groupPriorityMinimum": 1000,
                "versionPriority": priority,
                "service": {"name": "web", "namespace": cluster.namespace},
                "caBundle": base64_certificate("placeholder"),
            },
        }

    path = f"apis/apiregistration.k8s.io/v1/apiservices/v1.{group}"
    deploy(cluster, service(10))
    bundle = base64.b64encode(Path(cluster.ca_file).read_bytes()).decode()
    injected = {"spec": {"caBundle": bundle}}
    cluster.send("PATCH", f"{path}?fieldManager=cert-manager-cainjector", injected, MERGE)

    plan = preview(cluster, service(20))
    deploy(cluster, service(20))

    found = cluster.send("GET", path)["spec"]
    cluster.send("DELETE", path)
    assert ".spec.caBundle: left (cert-manager-cainjector" in noted(plan, "APIService")
    assert (found["caBundle"], found["versionPriority"]) == (bundle, 20)


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
    until(lambda: cluster.send("GET", f"{path}/{cluster.namespace}").get("rules"), "the rules")

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
