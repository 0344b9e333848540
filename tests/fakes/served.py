"""Kinds that the fake API server serves, and how discovery tells of them."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Served:
    """One kind."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    fields: frozenset[str] = frozenset({"spec"})


KINDS = (
    Served("", "v1", "Namespace", "namespaces", namespaced=False),
    Served("", "v1", "ConfigMap", "configmaps", fields=frozenset({"data", "binaryData"})),
    Served("", "v1", "Secret", "secrets", fields=frozenset({"data", "stringData", "type"})),
    Served("", "v1", "Service", "services"),
    Served("", "v1", "Pod", "pods"),
    Served("", "v1", "Event", "events", fields=frozenset({"message"})),
    Served("apps", "v1", "Deployment", "deployments"),
    Served("apps", "v1", "ReplicaSet", "replicasets"),
    Served("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Served(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
    ),
)


def discovery(kinds: Iterable[Served], stale: Container[str], *, core: bool) -> Any:
    """The aggregated discovery document of these kinds; groups in *stale* are said to be so."""
    groups: dict[str, dict[str, list[Any]]] = {}
    for kind in kinds:
        resource = {
            "resource": kind.plural,
            "responseKind": {"group": "", "version": "", "kind": kind.kind},
            "scope": "Namespaced" if kind.namespaced else "Cluster",
        }
        if core == (not kind.group):
            groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(resource)
    items = [
        {
            "metadata": {"name": group} if group else {},
            "versions": [
                {
                    "version": version,
                    "resources": resources,
                    "freshness": "Stale" if group in stale else "Current",
                }
                for version, resources in versions.items()
            ],
        }
        for group, versions in groups.items()
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": items,
    }
