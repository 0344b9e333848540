"""Which object a document means, and what of it nobody sends."""

from typing import Any

import pytest

from pipeline_gitops import manifests
from pipeline_gitops.documents import Document
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.kinds import Kind, Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.views import Finding, Severity

SCALER = Kind(
    group="autoscaling",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    namespaced=True,
    versions=("v2", "v1"),
)


def document(api_version: str, kind: str, name: str = "a", **fields: Any) -> Document:
    body = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}
    return Document(body=body, place=Place("shop.yaml", 1), number=1)


def resolved(*documents: Document) -> tuple[ManifestSet, tuple[Finding, ...]]:
    return manifests.resolve(documents, Kinds.of([SCALER]), "shop")


def test_the_same_object_in_two_versions_of_its_kind_is_there_twice() -> None:
    """The server stores one, whichever version it is asked for."""
    one = document("autoscaling/v1", "HorizontalPodAutoscaler")
    other = document("autoscaling/v2", "HorizontalPodAutoscaler")

    set_, (finding,) = resolved(one, other)

    assert (finding.rule, len(set_.manifests)) == ("object-twice", 1)


def test_one_kind_in_two_groups_is_two_objects() -> None:
    """They are stored apart."""
    one, other = document("apps/v1", "Deployment"), document("example.com/v1", "Deployment")

    set_, findings = resolved(one, other)

    assert (findings, len(set_.manifests)) == ((), 2)


@pytest.mark.parametrize(("scope", "namespace"), [("Cluster", ""), ("Namespaced", "shop")])
def test_a_definition_of_the_same_set_says_where_its_instances_live(
    scope: str, namespace: str
) -> None:
    """No namespace is put into an object of a kind that has none."""
    names = {"kind": "Widget", "plural": "widgets"}
    spec = {"group": "example.com", "scope": scope, "names": names, "versions": [{"name": "v1"}]}
    definition = document(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com", spec=spec
    )

    set_, _ = resolved(definition, document("example.com/v1", "Widget", "w"))

    assert ObjectId("example.com", "Widget", namespace, "w") in set_.ids


def test_a_status_is_ignored_with_a_notice() -> None:
    """One for each kind; an empty one, as generators write it, is not worth a word."""
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    set_, _ = resolved(
        document("v1", "Service", "a", status=status),
        document("v1", "Service", "b", status=status),
        document("apps/v1", "Deployment", "c", status={}),
    )

    (finding,) = manifests.ignored_status(set_)

    assert (finding.rule, finding.severity) == ("status-ignored", Severity.NOTICE)
    assert "Service shop/a and of 1 more Service" in finding.message
