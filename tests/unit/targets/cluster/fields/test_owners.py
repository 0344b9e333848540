"""Whose fields are taken, left, or not touched."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline_gitops.config import FieldRule
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.targets.cluster.api.statuses import Cause
from pipeline_gitops.targets.cluster.fields import owners
from pipeline_gitops.targets.cluster.fields.owners import Dispute

WEB = ObjectId("apps", "Deployment", "shop", "web")


def conflict(manager: str, field: str = ".spec.x", rest: str = "") -> Cause:
    return Cause("FieldManagerConflict", field, f'conflict with "{manager}"{rest}')


SENT: Any = {"spec": {"replicas": 2, "x": 1}}


def dispute(
    *,
    id: ObjectId = WEB,
    sent: Any = SENT,
    live: Any = None,
    rules: Sequence[FieldRule] = (),
    scaled: bool = False,
) -> Dispute:
    return Dispute(id=id, sent=sent, live=live or {}, rules=rules, is_scaled=lambda: scaled)


def decision(cause: Cause, **options: Any) -> str:
    (owner,) = owners.decide([cause], dispute(**options))
    return owner.decision


@pytest.mark.parametrize(
    "manager",
    [
        "kubectl",
        "kubectl-client-side-apply",
        "kubectl-edit",
        "kubectl-patch",
        "helm",
        "before-first-apply",
        "pipeline-gitops-handover",
        "k9s",
        "Mozilla",
    ],
)
def test_people_and_earlier_tools(manager: str) -> None:
    """What people and the tools before us set is as in Git again."""
    assert decision(conflict(manager)) == owners.TAKEN


@pytest.mark.parametrize(
    "manager",
    [
        "kube-controller-manager",
        "cert-manager-cainjector",
        "argocd-controller",
        "kustomize-controller",
        "helm-controller",
        "kubectlike",
        "lensing",
        "",
    ],
)
def test_controllers(manager: str) -> None:
    """What a controller sets is not fought over, whatever its name begins with."""
    assert decision(conflict(manager)) == owners.REFUSED


def test_replicas_under_an_autoscaler() -> None:
    """Replicas are left alone where an autoscaler sets them, whoever is named as their owner."""
    scale = ' with subresource "scale" using apps/v1'

    for manager in ("kubectl", "kube-controller-manager"):
        cause = conflict(manager, owners.REPLICAS, scale)
        assert decision(cause, scaled=True) == owners.LEFT


def test_other_fields_under_an_autoscaler() -> None:
    """An autoscaler covers nothing but the replicas."""
    assert decision(conflict("some-operator"), scaled=True) == owners.REFUSED


def test_since() -> None:
    """The owner's last write is found by name, operation and subresource; else it is unknown."""
    live = {
        "metadata": {
            "managedFields": [
                {"manager": "a", "operation": "Apply", "time": "2026-01-01T00:00:00Z"},
                {"manager": "a", "operation": "Update", "time": "2026-02-02T00:00:00Z"},
                {"manager": "b", "operation": "Update", "subresource": "scale"},
            ]
        }
    }
    causes = [
        conflict("a", ".x"),
        conflict("a", ".y", " using v1"),
        conflict("b", ".z", ' with subresource "scale" using apps/v1'),
        conflict("c", ".zz", " using v1 at 2026-03-03T00:00:00Z"),
    ]

    found = owners.decide(causes, dispute(live=live))

    assert [owner.since for owner in found] == [
        "2026-01-01T00:00:00Z",
        "2026-02-02T00:00:00Z",
        "",
        "2026-03-03T00:00:00Z",
    ]


def test_refusal_names_all() -> None:
    """A refusal lists every field that is not ours to take, and none of the others."""
    causes = [conflict("operator-a", ".x"), conflict("operator-b", ".y"), conflict("helm", ".z")]

    refusal = owners.refusal(WEB, owners.decide(causes, dispute()))

    assert refusal
    assert refusal.message == f"{WEB}: .x is set by operator-a, and 1 more"
    listed = [(one.field, one.owner) for one in refusal.conflicts]
    assert listed == [(".x", "operator-a"), (".y", "operator-b")]


def test_unreadable_conflict() -> None:
    """A conflict whose owner cannot be read is refused."""
    (owner,) = owners.decide([Cause("FieldManagerConflict", ".x", "?")], dispute())

    assert (owner.owner, owner.decision) == ("somebody else", owners.REFUSED)


def test_autoscaler_of_another_workload() -> None:
    """An autoscaler covers the workload that it names, not one of another kind or group."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = {"spec": {"scaleTargetRef": reference}}

    assert owners.targets(autoscaler, WEB)
    assert not owners.targets(autoscaler, ObjectId("apps", "StatefulSet", "shop", "web"))
    assert not owners.targets(autoscaler, ObjectId("x.io", "Deployment", "shop", "web"))
    assert not owners.targets({}, WEB)


def test_autoscaler_of_keda() -> None:
    """A ScaledObject scales a Deployment, unless it says what else."""
    scaled = {"kind": "ScaledObject", "spec": {"scaleTargetRef": {"name": "web"}}}
    other = {"kind": "ScaledObject", "spec": {"scaleTargetRef": {"kind": "Job", "name": "web"}}}

    assert owners.targets(scaled, WEB)
    assert not owners.targets(other, WEB)
    assert not owners.targets({**scaled, "kind": "HorizontalPodAutoscaler"}, WEB)


# -- rules -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (FieldRule(manager="some-*", decision="take"), owners.TAKEN),
        (FieldRule(manager="some-*", decision="leave"), owners.LEFT),
        (FieldRule(manager="some", decision="take"), owners.REFUSED),
        (FieldRule(manager="*", decision="leave", fields=(".spec.*",)), owners.LEFT),
        (FieldRule(manager="*", decision="leave", fields=(".spec",)), owners.REFUSED),
        (FieldRule(manager="*", decision="leave", kind="Deployment"), owners.LEFT),
        (FieldRule(manager="*", decision="leave", kind="Deployment.apps"), owners.LEFT),
        (FieldRule(manager="*", decision="leave", kind="Deployment.x.io"), owners.REFUSED),
        (FieldRule(manager="some.operator", decision="take"), owners.REFUSED),
    ],
)
def test_rules(rule: FieldRule, expected: str) -> None:
    """A rule speaks of the managers, fields and kinds that it names."""
    assert decision(conflict("some-operator"), rules=[rule]) == expected


def test_rule_comes_first() -> None:
    """A rule wins over what is known of people and of autoscalers; the first that fits decides."""
    take = FieldRule(manager="*", decision="take")
    leave = FieldRule(manager="*", decision="leave")

    assert decision(conflict("kubectl-edit"), rules=[leave, take]) == owners.LEFT
    scaled = decision(conflict("hpa", owners.REPLICAS), rules=[take, leave], scaled=True)
    assert scaled == owners.TAKEN


def test_left_to_all() -> None:
    """A field that is left to one of its owners is not taken from another."""
    causes = [conflict("kubectl-edit"), conflict("some-operator")]
    rules = [FieldRule(manager="some-operator", decision="leave")]

    found = owners.decide(causes, dispute(rules=rules))

    assert [owner.decision for owner in found] == [owners.LEFT, owners.LEFT]


def test_left_only_if_it_can_be_left_out() -> None:
    """A field that cannot be found in the manifest cannot be taken out of it: refused."""
    rules = [FieldRule(manager="*", decision="leave")]

    assert decision(conflict("some-operator", '.y[name="z"].a'), rules=rules) == owners.REFUSED


# -- what controllers own --------------------------------------------------------------------------

BUNDLE = '.webhooks[name="a"].clientConfig.caBundle'


@pytest.mark.parametrize(
    ("group", "kind", "path"),
    [
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", BUNDLE),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", BUNDLE),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            ".spec.conversion.webhook.clientConfig.caBundle",
        ),
        ("apiregistration.k8s.io", "APIService", ".spec.caBundle"),
    ],
)
def test_certificates(group: str, kind: str, path: str) -> None:
    """A CA bundle is left to whichever controller filled it in; one that kubectl set is ours."""
    live = {
        "metadata": {
            "managedFields": [
                {
                    "fieldsV1": {
                        "f:webhooks": {
                            'k:{"name":"a"}': {"f:clientConfig": {"f:caBundle": {}}},
                        },
                        "f:spec": {
                            "f:caBundle": {},
                            "f:conversion": {"f:webhook": {"f:clientConfig": {"f:caBundle": {}}}},
                        },
                    }
                }
            ]
        }
    }
    config = {"clientConfig": {"caBundle": ""}}
    sent = {
        "webhooks": [{"name": "a", **config}],
        "spec": {"caBundle": "", "conversion": {"webhook": config}},
    }
    about = {"id": ObjectId(group, kind, "", "it"), "live": live, "sent": sent}

    assert decision(conflict("cert-manager-cainjector", path), **about) == owners.LEFT
    assert decision(conflict("kubectl-edit", path), **about) == owners.TAKEN
    elsewhere = {**about, "id": ObjectId("x.io", kind, "", "it")}
    assert decision(conflict("cert-manager-cainjector", path), **elsewhere) == owners.REFUSED


def test_rules_of_a_role() -> None:
    """Rules are another's only where they are made out of other roles."""
    id = ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "it")
    cause = conflict("clusterrole-aggregation-controller", ".rules")

    aggregated = {"rules": [], "aggregationRule": {}}
    assert decision(cause, id=id, sent=aggregated) == owners.LEFT
    assert decision(cause, id=id, sent={"rules": []}) == owners.REFUSED


def test_revision_of_a_deployment() -> None:
    """What a controller counts in is left to it, where an exported manifest has it."""
    name = "deployment.kubernetes.io/revision"
    sent = {"metadata": {"annotations": {name: "3"}}}
    cause = conflict("kube-controller-manager", f".metadata.annotations.{name}")

    assert decision(cause, sent=sent) == owners.LEFT


# -- what is shown ---------------------------------------------------------------------------------


def test_values() -> None:
    """Both values are shown, in short."""
    sent, live = {"spec": {"x": {"a": "ä"}}}, {"spec": {"x": "y" * 100}}

    (owner,) = owners.decide([conflict("some-operator")], dispute(sent=sent, live=live))

    assert owner.ours == '{"a": "ä"}'
    assert owner.theirs == f'"{"y" * 59} ...'


def test_values_of_a_secret() -> None:
    """Of a Secret nothing is shown but that there is a value."""
    sent = {"apiVersion": "v1", "kind": "Secret", "data": {"password": "aHVudGVyMg=="}}

    (owner,) = owners.decide(
        [conflict("some-operator", ".data.password")], dispute(sent=sent, live=sent)
    )

    assert (owner.ours, owner.theirs) == ("[masked]", "[masked]")
