"""Which objects fail or pass alike when the server compares them with its schema."""

from typing import Any

import pytest

from pipeline_gitops.targets.cluster.fields import shapes


def body(spec: Any, **head: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", **head, "spec": spec}


PORTS = [{"name": "a", "port": 1}, {"name": "b", "port": 2}]


@pytest.mark.parametrize(
    "other",
    [
        body({"ports": [{"name": "c", "port": 8}, {"name": "d", "port": 9}], "type": "NodePort"}),
        body({"type": "ClusterIP", "ports": PORTS}),
    ],
)
def test_values_and_order_do_not_count(other: dict[str, Any]) -> None:
    """Objects that differ in values, or in the order of keys, have one shape."""
    assert shapes.of(other) == shapes.of(body({"ports": PORTS, "type": "ClusterIP"}))


@pytest.mark.parametrize(
    "other",
    [
        body({"ports": PORTS, "type": "ClusterIP"}, apiVersion="v2"),
        body({"ports": PORTS, "type": "ClusterIP"}, kind="Other"),
        body({"ports": PORTS, "typo": "ClusterIP"}),
        body({"ports": PORTS, "type": 1}),
        body({"ports": PORTS, "type": None}),
        body({"ports": PORTS, "type": {}}),
        body({"ports": PORTS[:1], "type": "ClusterIP"}),
        body({"ports": [PORTS[0], {**PORTS[1], "port": 1}], "type": "ClusterIP"}),
        body({"ports": [PORTS[0], {"name": "b"}], "type": "ClusterIP"}),
        body({"ports": ["a", "b"], "type": "ClusterIP"}),
    ],
)
def test_what_counts(other: dict[str, Any]) -> None:
    """Version, kind, fields, types, and which items of a list are equal make another shape."""
    assert shapes.of(other) != shapes.of(body({"ports": PORTS, "type": "ClusterIP"}))


def test_true_is_no_number() -> None:
    """A boolean among numbers is another type, though the two are equal in Python."""
    assert shapes.of(body({"sizes": [1, True]})) != shapes.of(body({"sizes": [1, 2]}))
    assert shapes.of(body([{"a": 1}, {"a": True}])) != shapes.of(body([{"a": 1}, {"a": 1}]))
