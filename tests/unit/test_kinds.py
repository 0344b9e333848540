"""Which kinds exist, how their resources are called, and whether they live in a namespace."""

from pathlib import Path

import pytest

from pipeline_gitops import kinds
from pipeline_gitops.kinds import Kind, Kinds

PACKED = Path(__file__).resolve().parents[2] / "schemas" / "kubernetes" / "kinds.json"
TABLE = kinds.parse(PACKED.read_bytes())


def kind(name: str, *, plural: str = "", namespaced: bool = True) -> Kind:
    return Kind(group="example.com", kind=name, plural=plural, namespaced=namespaced)


@pytest.mark.parametrize(
    ("group", "name", "plural", "namespaced"),
    [
        ("", "Pod", "pods", True),
        ("", "Namespace", "namespaces", False),
        ("", "Endpoints", "endpoints", True),
        ("apps", "Deployment", "deployments", True),
        ("networking.k8s.io", "Ingress", "ingresses", True),
        ("networking.k8s.io", "NetworkPolicy", "networkpolicies", True),
        ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", False),
        ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", False),
        ("apiregistration.k8s.io", "APIService", "apiservices", False),
        ("storage.k8s.io", "StorageClass", "storageclasses", False),
        ("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities", True),
        ("resource.k8s.io", "ResourceClass", "resourceclasses", False),
    ],
)
def test_the_packed_table_knows_plural_and_scope(
    group: str, name: str, plural: str, namespaced: bool
) -> None:
    """Also of irregular plurals, and of kinds that are gone."""
    found = TABLE.get(group, name)

    assert found
    assert (plural, namespaced) == (found.plural, found.namespaced)


def test_the_versions_of_a_kind_start_with_the_one_to_prefer() -> None:
    """Stable before beta before alpha, newer before older."""
    found = TABLE.get("autoscaling", "HorizontalPodAutoscaler")

    assert found
    assert found.versions == ("v2", "v1", "v2beta2")


@pytest.mark.parametrize("name", ["Scale", "TokenRequest", "PodList", "Status", "DeleteOptions"])
def test_what_cannot_be_created_is_no_kind(name: str) -> None:
    """Subresources, lists and what only travels in requests have no collection of their own."""
    assert not [key for key in TABLE.table if key[1] == name]


def test_an_unknown_kind_is_none() -> None:
    """Nobody told us about it: not an error, other sources may know."""
    assert TABLE.get("example.com", "Backup") is None


def test_of_two_entries_the_last_stays() -> None:
    """One group and kind has one entry."""
    table = Kinds.of([kind("Backup", plural="old"), kind("Backup", plural="new")])

    assert kind("Backup", plural="new") == table.get("example.com", "Backup")


def test_a_table_laid_over_another_wins() -> None:
    """What a cluster serves counts more than what is packed; the rest shines through."""
    packed = Kinds.of([kind("Backup"), kind("Plan")])
    served = Kinds.of([kind("Backup", namespaced=False)])

    table = served.over(packed)

    assert kind("Backup", namespaced=False) == table.get("example.com", "Backup")
    assert kind("Plan") == table.get("example.com", "Plan")
