"""What objects look like, second by second, to a rollout that is watched."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline_gitops.documents import Body
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline.watching import rollouts
from pipeline_gitops.pipeline.watching.looks import Expectations
from pipeline_gitops.ports import Evidence, Snapshot
from pipeline_gitops.views import RolloutView
from tests.fakes.world import FakeClock, FakeJournal, FakeWatch

API = ObjectId("apps", "Deployment", "shop", "api")
WEB = ObjectId("apps", "Deployment", "shop", "web")
JOB = ObjectId("batch", "Job", "shop", "once")


def deployment(available: int) -> dict[str, Any]:
    status = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"generation": 1},
        "spec": {"replicas": 1},
        "status": {**status, "availableReplicas": available},
    }


def job(**status: Any) -> dict[str, Any]:
    spec = {"ttlSecondsAfterFinished": 1}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {}, "spec": spec, "status": status}


def condition(kind: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True"}]}


@dataclass
class Film:
    """Implements `ports.Runtime`: what each object looks like, second by second."""

    clock: FakeClock
    frames: Mapping[ObjectId, Sequence[Any]] = field(default_factory=dict)
    found: Mapping[ObjectId, Callable[[int], Evidence]] = field(default_factory=dict)

    @contextmanager
    def watching(self, ids: frozenset[ObjectId]) -> Iterator[FakeWatch]:
        yield FakeWatch(self, ids)

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        self.clock.seconds += wait_s
        second = int(self.clock.seconds)
        return {id: self.frames[id][min(second, len(self.frames[id]) - 1)] for id in ids}

    def secrets(self, ids: frozenset[ObjectId]) -> Sequence[Body]:
        return ()

    def evidence(
        self, live: Mapping[ObjectId, Body], since: datetime
    ) -> Mapping[ObjectId, Evidence]:
        second = int(self.clock.seconds)
        return {id: self.found[id](second) for id in live if id in self.found}

    def log(self, pod: ObjectId, container: str, *, previous: bool) -> tuple[str, ...]:
        return ()


def watched(
    frames: Mapping[ObjectId, Sequence[Any]],
    journal: FakeJournal | None = None,
    *,
    deadline: float = 100.0,
    found: Mapping[ObjectId, Callable[[int], Evidence]] | None = None,
    **expected: Any,
) -> RolloutView:
    clock = FakeClock()
    return rollouts.watch(
        Film(clock, frames, found or {}),
        frames,
        clock=clock,
        deadline=deadline,
        journal=journal or FakeJournal(),
        expected=Expectations(**expected),
    )


def pod(name: str, *, restarts: int = 0, owner: str = "new", **state: Any) -> Any:
    status = {"name": "web", "restartCount": restarts, "ready": False, "state": state}
    return (
        ObjectId("", "Pod", "shop", name),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": owner}]},
            "spec": {"containers": [{"name": "web", "image": "web:2"}]},
            "status": {"phase": "Running", "containerStatuses": [status]},
        },
    )


def replica_set(name: str, revision: int) -> Any:
    annotations = {"deployment.kubernetes.io/revision": str(revision)}
    metadata = {"name": name, "uid": name, "annotations": annotations}
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": {}}
    return ObjectId("apps", "ReplicaSet", "shop", name), body


def waiting(reason: str) -> Any:
    return {"waiting": {"reason": reason, "message": "web:2: not found"}}


def revised(available: int, revision: int = 2) -> dict[str, Any]:
    body = deployment(available)
    body["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": str(revision)}
    return body


def shown(*owned: Any) -> Callable[[int], Evidence]:
    return lambda second: Evidence(owned=owned)


NO_IMAGE = waiting("ImagePullBackOff")
