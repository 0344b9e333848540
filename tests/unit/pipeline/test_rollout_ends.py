"""When a rollout is called failed, and when green."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline_gitops.documents import Document
from pipeline_gitops.health import Rules
from pipeline_gitops.health.forms import ours
from pipeline_gitops.health.patience import Patience
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.pipeline.watching import rollouts
from pipeline_gitops.pipeline.watching.looks import DELETED_S, Written
from pipeline_gitops.plans import Change, Outcome, Sight, State
from pipeline_gitops.ports import Event, Evidence, Snapshot
from pipeline_gitops.views import Action, Health
from tests.fakes.world import FakeClock, FakeJournal, FakeWatch
from tests.unit.pipeline.films import (
    API,
    JOB,
    NO_IMAGE,
    WEB,
    Film,
    condition,
    deployment,
    job,
    pod,
    replica_set,
    revised,
    shown,
    waiting,
    watched,
)

# -- failing early ---------------------------------------------------------------------------------


def test_a_final_cause_ends_the_wait_at_once() -> None:
    """No retry makes a name out of what is none: nobody waits for the deadline."""
    view = watched(
        {API: [revised(0)]},
        found={API: shown(replica_set("new", 2), pod("a", **waiting("InvalidImageName")))},
    )

    (one,) = view.objects
    assert (one.health, one.rule, view.seconds) == (Health.FAILED, "image-name-invalid", 2.0)
    assert not view.timed_out


def test_what_somebody_deletes_meanwhile_is_not_waited_for() -> None:
    """It was there, and nothing that this deploy does brings it back."""
    view = watched({API: [deployment(0), None]})

    (one,) = view.objects
    assert (one.health, view.seconds) == (Health.FAILED, 1 + DELETED_S)
    assert one.sentence == "it was there, and somebody has deleted it since"
    assert not view.timed_out


def test_what_is_made_anew_is_waited_for() -> None:
    """Some controllers delete an object to change it."""
    gone = [None] * (int(DELETED_S) - 1)

    view = watched({API: [deployment(0), *gone, deployment(0), deployment(1)]})

    assert [one.health for one in view.objects] == [Health.CURRENT]


def test_what_may_heal_fails_when_its_patience_is_over() -> None:
    """A registry may have a bad moment, but not a bad minute."""
    view = watched(
        {API: [revised(0)]},
        found={API: shown(replica_set("new", 2), pod("a", **NO_IMAGE))},
        patience=Patience(seconds=10),
    )

    (one,) = view.objects
    assert (one.health, one.rule) == (Health.FAILED, "image-not-found")
    assert 10 <= view.seconds <= 16
    assert one.sentence == "container web: there is no image web:2"


def test_one_object_may_be_given_more_patience() -> None:
    """By its annotation."""
    view = watched(
        {API: [revised(0)]},
        found={API: shown(replica_set("new", 2), pod("a", **NO_IMAGE))},
        patience=Patience(seconds=10),
        patiences={API: Patience(seconds=40)},
    )

    assert 40 <= view.seconds <= 46


def test_what_heals_starts_anew() -> None:
    """Trouble that comes and goes is no failure as long as it goes."""

    def flapping(second: int) -> Evidence:
        sick = second % 10 < 7
        state = NO_IMAGE if sick else {"running": {}}
        return Evidence(owned=(replica_set("new", 2), pod("a", **state)))

    view = watched(
        {API: [revised(0)] * 60 + [revised(1)]},
        found={API: flapping},
        patience=Patience(seconds=10),
    )

    assert [one.health for one in view.objects] == [Health.CURRENT]


def test_pods_of_an_older_template_never_count() -> None:
    """What ailed before says nothing about what is being deployed."""
    broken = pod("old-a", owner="old", **waiting("InvalidImageName"))
    frames = [revised(0)] * 20 + [revised(1)]

    view = watched(
        {API: frames},
        found={API: shown(replica_set("old", 1), replica_set("new", 2), broken)},
    )

    assert [one.health for one in view.objects] == [Health.CURRENT]


def test_evidence_counts_once_the_controller_has_seen_the_version() -> None:
    """Before that, the newest ReplicaSet is the one of the version before."""
    unseen = revised(1, revision=1)
    unseen["metadata"]["generation"] = 2
    broken = pod("old-a", owner="old", **waiting("InvalidImageName"))

    view = watched(
        {API: [unseen] * 20 + [revised(1)]},
        found={API: shown(replica_set("old", 1), broken)},
    )

    assert [one.health for one in view.objects] == [Health.CURRENT]


def test_a_crash_loop_has_failed_after_its_restarts() -> None:
    """More than two, without any further waiting."""
    crashed = {**waiting("CrashLoopBackOff")}
    frames = {API: [revised(0)]}
    owned = replica_set("new", 2), pod("a", restarts=3, **crashed)

    view = watched(frames, found={API: shown(*owned)})
    patient = watched(
        frames, found={API: shown(*owned)}, patience=Patience(restarts=5), deadline=20
    )

    assert ([one.rule for one in view.objects], view.seconds) == (["crash"], 2.0)
    assert patient.timed_out


def test_a_job_counts_its_failures_itself() -> None:
    """Its backoff limit says how often a pod may fail; the last one may do it."""
    failing = pod("a", owner="job", terminated={"exitCode": 127})
    end = job(**condition("Complete"))

    view = watched({JOB: [job(active=1)] * 90 + [end]}, found={JOB: shown(failing)})

    assert [one.health for one in view.objects] == [Health.CURRENT]


def test_a_quota_may_have_room_once_old_pods_are_gone() -> None:
    """A rolling update at the limit goes on when the first old pod has ended."""
    replacing = revised(0)
    replacing["status"] = {**replacing["status"], "replicas": 2}
    full = "pods is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: 2"
    happening = Event(reason="FailedCreate", message=full, kind="ReplicaSet", name="new")
    _, lacking = replica_set("new", 2)
    evidence = Evidence(
        owned=((ObjectId("apps", "ReplicaSet", "shop", "new"), lacking),), events=(happening,)
    )

    view = watched({API: [replacing] * 20 + [revised(1)]}, found={API: lambda _: evidence})
    never = watched({API: [revised(0)]}, found={API: lambda _: evidence})

    assert [one.health for one in view.objects] == [Health.CURRENT]
    assert [one.rule for one in never.objects] == ["quota"]


def test_a_long_wait_says_why() -> None:
    """The heartbeat names the cause, as far as there is one."""
    journal = FakeJournal()

    watched(
        {API: [revised(0)]},
        journal,
        found={API: shown(replica_set("new", 2), pod("a", **NO_IMAGE))},
        deadline=40,
    )

    beats = [line for line in journal.lines if line.startswith("still waiting")]
    assert "as container web: there is no image web:2" in beats[0]


# -- green -----------------------------------------------------------------------------------------


def test_what_was_changed_has_to_stay_well() -> None:
    """Pods that are ready for a moment and crash the next one are not green."""
    frames = [deployment(1)] * 3 + [deployment(0)] * 4 + [deployment(1)]

    view = watched({API: frames, WEB: [deployment(1)]}, changed=frozenset({API}), stability_s=5)

    assert [one.health for one in view.objects] == [Health.CURRENT] * 2
    assert view.seconds == 12.0  # ready again at 7
    assert [one.seconds for one in view.objects] == [12.0, 0.0]


def test_min_ready_seconds_are_part_of_it() -> None:
    """Pods that count as available have been ready for that long already."""
    steady = deployment(1)
    steady["spec"] = {"replicas": 1, "minReadySeconds": 30}

    view = watched({API: [steady]}, changed=frozenset({API}), stability_s=5)

    assert view.seconds == 0.0


def test_what_was_not_changed_need_not_stay() -> None:
    """A deploy that changes nothing does not wait."""
    assert watched({API: [deployment(1)]}, stability_s=5).seconds == 0.0


def write(generation: int, image: str = "web:2") -> Mapping[ObjectId, Written]:
    body = {"kind": "Deployment", "spec": {"replicas": 1, "template": {"image": image}}}
    manifest = Manifest(id=API, body=body, document=Document(body=body, place=Place("x"), number=1))
    change = Change(Sight(id=API, after=body, send=manifest))
    outcome = Outcome(id=API, action=Action.UPDATE, state=State.DONE, generation=generation)
    return {API: Written(change, outcome)}


def at_generation(number: int, *, replicas: int = 1, image: str = "web:2") -> dict[str, Any]:
    body = deployment(replicas)
    body["metadata"] = {
        "generation": number,
        "managedFields": [{"manager": "kubectl-edit", "time": "2026-01-01T00:00:00Z"}],
    }
    body["spec"] = {"replicas": replicas, "template": {"image": image}}
    body["status"] = {
        **body["status"],
        "observedGeneration": number,
        "updatedReplicas": replicas,
        "replicas": replicas,
    }
    return body


def test_a_state_that_is_older_than_the_write_is_not_green() -> None:
    """A cache may still show what was well before."""
    frames = [at_generation(3)] * 4 + [at_generation(4)]

    view = watched({API: frames}, written=write(4))

    assert (view.objects[0].health, view.seconds) == (Health.CURRENT, 4.0)


def test_what_somebody_else_has_changed_since_is_not_green() -> None:
    """It runs, but it is not what was deployed."""
    view = watched({API: [at_generation(5, image="web:3")]}, written=write(4))

    (one,) = view.objects
    assert one.health is Health.FAILED
    assert one.sentence == (
        "kubectl-edit has changed spec.template.image since: what runs is not what was deployed"
    )


def test_an_autoscaler_does_not_supersede_a_deploy() -> None:
    """It raises the generation, and the version stays."""
    view = watched({API: [at_generation(5, replicas=3)]}, written=write(4))

    assert [one.health for one in view.objects] == [Health.CURRENT]


SHOP = ObjectId("example.com", "Shop", "shop", "s")


def shop(**status: Any) -> dict[str, Any]:
    metadata = {"generation": 1}
    return {
        "apiVersion": "example.com/v1",
        "kind": "Shop",
        "metadata": metadata,
        "spec": {},
        "status": status,
    }


def test_a_custom_resource_that_tells_no_version_has_to_stay_well() -> None:
    """What it says may be about the version before."""
    ready = shop(**condition("Ready"))
    seen = shop(observedGeneration=1, **condition("Ready"))

    slow = watched({SHOP: [ready]}, changed=frozenset({SHOP}), stability_s=5)
    fast = watched({SHOP: [seen]}, changed=frozenset({SHOP}), stability_s=5)

    assert (slow.seconds, fast.seconds) == (5.0, 0.0)


def test_a_failure_of_the_version_before_is_not_ours() -> None:
    """A custom resource that tells no version is given time to say something else."""
    frames = [shop(**condition("Stalled"))] * 20 + [shop(**condition("Ready"))]
    changed = frozenset({SHOP})

    view = watched({SHOP: frames}, changed=changed)
    broken = watched({SHOP: frames[:1]}, changed=changed, patience=Patience(seconds=30))

    assert [one.health for one in view.objects] == [Health.CURRENT]
    assert (broken.objects[0].health, broken.seconds) == (Health.FAILED, 30.0)


def test_rules_of_the_run_judge_custom_resources() -> None:
    """Those of the configuration, before anything else."""
    rules = Rules(
        ours.parse(
            [{"group": "example.com", "kind": "Shop", "current": {"path": "status.open"}}],
            lambda _: Place("x"),
        )
    )

    view = watched({SHOP: [shop()] * 3 + [shop(open=True)]}, rules=rules)

    assert (view.objects[0].health, view.seconds) == (Health.CURRENT, 3.0)


@dataclass
class Calm(Film):
    """A stream on which everything is well for ever, over what is stored."""

    @contextmanager
    def watching(self, ids: frozenset[ObjectId]) -> Iterator[Any]:
        film = self

        class Stream(FakeWatch):
            def next(self, wait_s: float) -> Snapshot:
                film.clock.seconds += wait_s
                return {API: deployment(1)}

        yield Stream(self, ids)


def test_what_is_green_was_read() -> None:
    """A stream may be behind, or silent: what it says last does not decide."""
    clock = FakeClock()
    film = Calm(clock, {API: [deployment(0)] * 6 + [deployment(1)]})

    view = rollouts.watch(film, {API}, clock=clock, deadline=50, journal=FakeJournal())

    assert (view.objects[0].health, view.seconds) == (Health.CURRENT, 6.0)
