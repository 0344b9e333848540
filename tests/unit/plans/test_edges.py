"""What has to be there before an object is written."""

from typing import Any

import pytest

from pipeline_gitops import plans
from pipeline_gitops.ids import ObjectId
from tests.unit.plans.schedules import body, names, needs, pods, scheduled, set_of


@pytest.mark.parametrize(
    "spec",
    [
        pods(volumes=[{"name": "v", "configMap": {"name": "needed"}}]),
        pods(
            volumes=[{"name": "v", "projected": {"sources": [{"configMap": {"name": "needed"}}]}}]
        ),
        pods(containers=[{"envFrom": [{"configMapRef": {"name": "needed"}}]}]),
        pods(
            initContainers=[
                {"env": [{"valueFrom": {"configMapKeyRef": {"name": "needed", "key": "k"}}}]}
            ]
        ),
    ],
)
def test_a_workload_comes_after_what_its_pods_name(spec: Any) -> None:
    """Even where the kind alone would not say so: the ConfigMap itself comes after a Job."""
    waves = scheduled(
        body("Deployment", "web", spec),
        body("ConfigMap", "needed", after="Job/made"),
        body("Job", "made"),
    ).main

    assert names(waves) == [["Job made"], ["ConfigMap needed"], ["Deployment web"]]
    assert needs(waves) == [set(), {"Job made"}, set()]


@pytest.mark.parametrize(
    ("kind", "spec", "needed"),
    [
        ("Deployment", pods(serviceAccountName="n"), ("", "ServiceAccount", "shop")),
        ("Deployment", pods(imagePullSecrets=[{"name": "n"}]), ("", "Secret", "shop")),
        (
            "Deployment",
            pods(volumes=[{"secret": {"secretName": "n"}}]),
            ("", "Secret", "shop"),
        ),
        (
            "Deployment",
            pods(volumes=[{"persistentVolumeClaim": {"claimName": "n"}}]),
            ("", "PersistentVolumeClaim", "shop"),
        ),
        (
            "Deployment",
            pods(containers=[{"env": [{"valueFrom": {"secretKeyRef": {"name": "n"}}}]}]),
            ("", "Secret", "shop"),
        ),
        (
            "CronJob",
            {"jobTemplate": {"spec": pods(serviceAccountName="n")}},
            ("", "ServiceAccount", "shop"),
        ),
        ("Deployment", pods(priorityClassName="n"), ("scheduling.k8s.io", "PriorityClass", "")),
        ("Deployment", pods(runtimeClassName="n"), ("node.k8s.io", "RuntimeClass", "")),
        ("StatefulSet", {"serviceName": "n", **pods()}, ("", "Service", "shop")),
        (
            "HorizontalPodAutoscaler",
            {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "n"}},
            ("apps", "StatefulSet", "shop"),
        ),
        ("ScaledObject", {"scaleTargetRef": {"name": "n"}}, ("apps", "Deployment", "shop")),
    ],
)
def test_what_a_manifest_needs(kind: str, spec: Any, needed: tuple[str, str, str]) -> None:
    """By the fields with which Kubernetes finds it."""
    (manifest,) = set_of(body(kind, spec=spec)).manifests

    found = plans.references.named(manifest.id, manifest.body)

    assert found == {ObjectId(*needed, "n")}


def test_a_binding_needs_its_role_and_its_service_accounts() -> None:
    """A ServiceAccount of another namespace as well."""
    binding = {
        **body("RoleBinding"),
        "roleRef": {"kind": "Role", "name": "reader"},
        "subjects": [
            {"kind": "ServiceAccount", "name": "bot", "namespace": "other"},
            {"kind": "User", "name": "ann"},
        ],
    }
    (manifest,) = set_of(binding).manifests

    assert plans.references.named(manifest.id, manifest.body) == {
        ObjectId("rbac.authorization.k8s.io", "Role", "shop", "reader"),
        ObjectId("", "ServiceAccount", "other", "bot"),
    }


def test_a_webhook_needs_the_workload_that_answers_it_to_run() -> None:
    """Before that it would refuse whatever is sent."""
    hook = {"clientConfig": {"service": {"name": "guard", "namespace": "shop"}}}
    waves = scheduled(
        {**body("ValidatingWebhookConfiguration"), "webhooks": [hook]},
        body("Service", "guard", {"selector": {"app": "web"}}),
        body("Deployment", "guard", pods()),
        body("Deployment", "other"),
    ).main

    assert names(waves)[-1] == ["ValidatingWebhookConfiguration a"]
    assert needs(waves)[-1] == {"Deployment guard"}


def test_a_wave_that_somebody_wrote_counts_more_than_a_manifest() -> None:
    """Argo CD sets send a workload before its ConfigMap, and mean it."""
    waves = scheduled(
        body("Deployment", "web", pods(volumes=[{"configMap": {"name": "a"}}]), wave="-1"),
        body("ConfigMap"),
    ).main

    assert names(waves) == [["Deployment web"], ["ConfigMap a"]]


def test_an_ingress_waits_for_nothing() -> None:
    """Kubernetes finds its Service whenever that comes."""
    backend = {"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}}

    waves = scheduled(body("Ingress", spec=backend), body("Service", after="Ingress/a")).main

    assert names(waves) == [["Ingress a"], ["Service a"]]
