"""Objects with fields that cannot change: as they are, and as they are wanted."""

from typing import Any

import pytest

from pipeline_gitops.config import Policy
from tests.contract.clusters import config_map, deployment, service

ALLOWED = Policy(replace=True)
ANNOTATION = "pipeline-gitops.dev/replace"
CORE, APPS, BATCH = "api/v1", "apis/apps/v1", "apis/batch/v1"


def allowed(body: dict[str, Any]) -> dict[str, Any]:
    """The object with the annotation that lets it be replaced."""
    return {**body, "metadata": {**body["metadata"], "annotations": {ANNOTATION: "true"}}}


def fixed(color: str, **more: Any) -> dict[str, Any]:
    """A ConfigMap whose values cannot change."""
    return {**config_map("fixed", color=color), "immutable": True, **more}


def relabelled(app: str) -> dict[str, Any]:
    """A Deployment with another selector each time."""
    body = deployment("web")
    body["spec"]["selector"]["matchLabels"] = {"app": app}
    body["spec"]["template"]["metadata"]["labels"] = {"app": app}
    return body


def stateful(*, service: str, app: str = "db", size: int = 2) -> dict[str, Any]:
    body = deployment("db", replicas=size)
    body["kind"] = "StatefulSet"
    body["spec"]["serviceName"] = service
    body["spec"]["selector"]["matchLabels"] = {"app": app}
    body["spec"]["template"]["metadata"]["labels"] = {"app": app}
    return body


def job(image: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": image, "env": [{"name": "KEY", "value": "c4n4ry"}]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {"template": template, **spec},
    }


def claim(size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            **spec,
        },
    }


def pod(command: str, image: str = "web:1") -> dict[str, Any]:
    containers = [{"name": "web", "image": image, "command": [command]}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "naked"},
        "spec": {"containers": containers},
    }


def binding(role: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "readers"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}],
    }


def headless(address: str = "") -> dict[str, Any]:
    body = service("web")
    return {**body, "spec": {**body["spec"], **({"clusterIP": address} if address else {})}}


def locked(kind: str = "Opaque", **values: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "type": kind,
        "stringData": values,
    }


CASES = [
    pytest.param(relabelled("a"), relabelled("b"), "spec.selector", id="Deployment"),
    pytest.param(
        stateful(service="a"), stateful(service="b"), "spec.serviceName", id="StatefulSet"
    ),
    pytest.param(job("a:1"), job("a:2"), "spec.template", id="Job"),
    pytest.param(claim(), claim(storageClassName="other"), "spec.storageClassName", id="PVC"),
    pytest.param(pod("a"), pod("b"), "spec.containers", id="Pod"),
    pytest.param(binding("view"), binding("edit"), "roleRef", id="RoleBinding"),
    pytest.param(headless(), headless("None"), "spec.clusterIP", id="Service"),
    pytest.param(fixed("blue"), fixed("red"), "data", id="ConfigMap"),
    pytest.param(locked(a="x"), locked("example.com/x", a="x"), "type", id="Secret"),
]
