"""How long a rollout is waited for, and what is said meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline import rollouts
from pipeline_gitops.ports import Evidence, Snapshot
from pipeline_gitops.views import Health, RolloutView
from tests.fakes.world import FakeClock, FakeJournal

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

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        self.clock.seconds += wait_s
        second = int(self.clock.seconds)
        return {id: self.frames[id][min(second, len(self.frames[id]) - 1)] for id in ids}

    def evidence(self, id: ObjectId, since: datetime) -> Evidence:
        return Evidence()


def watched(
    frames: Mapping[ObjectId, Sequence[Any]], journal: FakeJournal | None = None, **given: Any
) -> RolloutView:
    clock = FakeClock()
    return rollouts.watch(
        Film(clock, frames),
        frames,
        clock=clock,
        deadline=given.pop("deadline", 100.0),
        journal=journal or FakeJournal(),
        **given,
    )


def test_an_object_that_takes_longer_than_it_may_has_failed() -> None:
    """Although the deploy has time left; the others are seen to their end."""
    frames = {API: [deployment(0)], WEB: [deployment(0)] * 8 + [deployment(1)]}

    view = watched(frames, limits={API: 5.0})

    assert [(one.health, one.sentence) for one in view.objects] == [
        (Health.FAILED, "not ready within 5 s: 0 of 1 pods are available"),
        (Health.CURRENT, "1 of 1 pods are available"),
    ]
    assert (view.seconds, view.timed_out) == (8.0, False)


def test_what_has_failed_stays_failed() -> None:
    """It became ready while others were waited for: the next deploy may say so, this one not."""
    frames = {
        API: [deployment(0)] * 6 + [deployment(1)],
        WEB: [deployment(0)] * 8 + [deployment(1)],
    }

    view = watched(frames, limits={API: 5.0})

    assert [one.health for one in view.objects] == [Health.FAILED, Health.CURRENT]


def test_a_long_wait_says_what_it_waits_for() -> None:
    """Every half a minute, by name and reason: CI takes a silent job for a dead one."""
    journal = FakeJournal()
    others = {ObjectId("apps", "Deployment", "shop", f"x{n}"): [deployment(0)] for n in range(3)}

    watched({API: [deployment(0)], **others}, journal, deadline=65.0)

    beats = [line for line in journal.lines if line.startswith("still waiting")]
    assert [line.partition(":")[0] for line in beats] == [
        "still waiting after 30 s",
        "still waiting after 60 s",
    ]
    assert "Deployment.apps shop/api: 0 of 1 pods are available" in beats[0]
    assert beats[0].endswith("; and 1 more")


@pytest.mark.parametrize(
    "last",
    [
        job(**condition("Complete")),
        job(**condition("SuccessCriteriaMet")),
        job(succeeded=1, active=0),
    ],
)
def test_a_job_that_its_ttl_deleted_is_complete_if_it_was_seen_so(last: Any) -> None:
    """Also where it goes between its last pod's end and its condition."""
    view = watched(
        {JOB: [job(active=1), last, None], API: [deployment(0)] * 4 + [deployment(1)]},
        vanishing=frozenset({JOB}),
    )

    assert [one.health for one in view.objects] == [Health.CURRENT, Health.CURRENT]


@pytest.mark.parametrize("frames", [[job(active=1), None], [None]])
def test_a_job_that_went_unseen_is_no_success(frames: Any) -> None:
    """A TTL deletes failed jobs as well. It is not waited for: it does not come back."""
    view = watched({JOB: frames}, vanishing=frozenset({JOB}))

    (one,) = view.objects
    assert (one.health, view.timed_out) == (Health.FAILED, False)
    assert "ttlSecondsAfterFinished" in one.sentence


def test_a_job_without_ttl_that_is_gone_is_missing() -> None:
    """Somebody deleted it, or it never came: waited for until the deadline."""
    view = watched({JOB: [job(active=1), None]}, deadline=3.0)

    assert [one.health for one in view.objects] == [Health.NOT_FOUND]
    assert view.timed_out


def test_until_gone_says_what_is_left() -> None:
    """At the deadline; nothing as soon as all are gone."""
    clock = FakeClock()
    frames = {API: [deployment(0), None], WEB: [deployment(0)]}

    left = rollouts.until_gone(Film(clock, frames), frozenset(frames), clock=clock, deadline=5.0)
    gone = rollouts.until_gone(Film(clock, frames), frozenset({API}), clock=clock, deadline=9.0)

    assert (left, gone) == ({WEB}, frozenset())
