"""The numbers beside a word."""

from typing import Any

import pytest

from pipeline_gitops.health import counts


def body(api: str, kind: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("live", "says"),
    [
        (
            body(
                "apps/v1",
                "Deployment",
                {"replicas": 3},
                {"updatedReplicas": 1, "availableReplicas": 3},
            ),
            "1/3",
        ),
        (body("apps/v1", "Deployment", {}, {}), "0/1"),
        (body("apps/v1", "StatefulSet", {"replicas": 2}, {"readyReplicas": 1}), "1/2"),
        (body("apps/v1", "ReplicaSet", {"replicas": 2}, {"availableReplicas": 2}), "2/2"),
        (
            body("apps/v1", "DaemonSet", {}, {"desiredNumberScheduled": 4, "numberAvailable": 3}),
            "3/4",
        ),
        (body("batch/v1", "Job", {"completions": 5}, {"succeeded": 2}), "2/5"),
        (body("batch/v1", "Job", {}, {}), "0/1"),
        (
            body("v1", "Pod", {"containers": [{}, {}]}, {"containerStatuses": [{"ready": True}]}),
            "1/2",
        ),
        (body("v1", "ConfigMap", {}, {}), ""),
        (body("example.com/v1", "Deployment", {"replicas": 3}, {}), ""),
        ({}, ""),
    ],
)
def test_ready_of_wanted(live: Any, says: str) -> None:
    """Pods of an older template are no part of what was asked for; most kinds have no number."""
    assert counts.ready(live) == says
