"""Volumes that claims are bound to, since no provisioner runs here.

The real volume controller binds them; it only needs volumes to choose from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CLASS = "standard"
VOLUMES = 32
CAPACITY = "1Ti"  # more than any claim in a test asks for


def objects() -> Iterator[tuple[str, dict[str, Any]]]:
    """Collection path and body of a default storage class and of the volumes in it."""
    yield (
        "/apis/storage.k8s.io/v1/storageclasses",
        {
            "metadata": {
                "name": CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/no-provisioner",
            "reclaimPolicy": "Retain",
            "volumeBindingMode": "Immediate",
        },
    )
    for number in range(VOLUMES):
        yield (
            "/api/v1/persistentvolumes",
            {
                "metadata": {"name": f"volume-{number}"},
                "spec": {
                    "storageClassName": CLASS,
                    "capacity": {"storage": CAPACITY},
                    "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    "hostPath": {"path": f"/nowhere/{number}"},
                },
            },
        )
