"""How long a rollout is waited for, and what is said meanwhile."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from pipeline_gitops.documents import Body, Document
from pipeline_gitops.errors import InterruptedFault
from pipeline_gitops.health import Rules
from pipeline_gitops.health.forms import ours
from pipeline_gitops.health.patience import Patience
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.pipeline import rollouts
from pipeline_gitops.pipeline.looks import Expectations, Written
from pipeline_gitops.plans import Change, Outcome, Sight, State
from pipeline_gitops.ports import Event, Evidence, Snapshot
from pipeline_gitops.views import Action, Health, RolloutView
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
    kept = {**job(active=1), "spec": {}}

    view = watched({JOB: [kept, None]}, deadline=3.0)

    assert [one.health for one in view.objects] == [Health.NOT_FOUND]
    assert view.timed_out


def test_a_live_job_says_itself_that_it_goes_once_it_is_complete() -> None:
    """A webhook may have set its TTL, and whoever watches has no manifest."""
    view = watched({JOB: [job(active=1), job(**condition("Complete")), None]})

    assert [one.health for one in view.objects] == [Health.CURRENT]


def test_a_job_that_was_recorded_as_finished_is_not_missing() -> None:
    """Its TTL deleted it before anybody looked."""
    gone = watched({JOB: [None]}, finished=frozenset({JOB}))
    failed = watched({JOB: [job(**condition("Failed")), None]}, finished=frozenset({JOB}))

    assert [one.health for one in gone.objects] == [Health.CURRENT]
    assert [one.health for one in failed.objects] == [Health.FAILED]


# -- load balancers --------------------------------------------------------------------------------

BALANCED = ObjectId("", "Service", "shop", "web")


def balancer(address: str = "", kind: str = "LoadBalancer") -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": kind},
        "status": status,
    }


def wrote(id: ObjectId, before: Any) -> Mapping[ObjectId, Written]:
    sight = Sight(id=id, before=before, after=balancer())
    outcome = Outcome(id=id, action=Action.UPDATE, state=State.DONE)
    return {id: Written(Change(sight), outcome)}


def balanced(frames: Sequence[Any], before: Any = None, **expected: Any) -> RolloutView:
    return watched(
        {BALANCED: frames},
        changed=frozenset({BALANCED}),
        written=wrote(BALANCED, before),
        patience=Patience(seconds=20),
        **expected,
    )


@pytest.mark.parametrize("before", [None, balancer(kind="ClusterIP")])
def test_a_new_load_balancer_is_waited_for(before: Any) -> None:
    """Until it has its address."""
    view = balanced([balancer()] * 8 + [balancer("10.0.0.1")], before)

    (one,) = view.objects
    assert (one.health, one.sentence, view.seconds) == (
        Health.CURRENT,
        "its address is 10.0.0.1",
        8.0,
    )


def test_a_load_balancer_that_nobody_makes_is_said_and_no_failure() -> None:
    """Many clusters have nothing that makes one: patience ends, the deploy does not fail."""
    view = balanced([balancer()])

    (one,) = view.objects
    assert (one.health, view.seconds, view.timed_out) == (Health.CURRENT, 20.0, False)
    assert "no address within 20 s" in one.sentence


def test_a_load_balancer_that_had_no_address_before_is_not_waited_for() -> None:
    """Each deploy that changes a label of it would wait in vain."""
    view = balanced([balancer()], before=balancer())

    assert ([one.health for one in view.objects], view.seconds) == ([Health.CURRENT], 0.0)


def test_a_load_balancer_that_cannot_be_made_fails_with_the_reason() -> None:
    """The cloud says why; it is given as long as any trouble that may heal."""
    message = "Error syncing load balancer: quota of addresses exceeded"
    event = Event(reason="SyncLoadBalancerFailed", message=message, kind="Service", name="web")

    view = balanced([balancer()], found={BALANCED: lambda second: Evidence(events=(event,))})

    (one,) = view.objects
    assert (one.health, one.rule) == (Health.FAILED, "load-balancer")
    assert "quota of addresses exceeded" in one.sentence
    assert 20 <= view.seconds <= 30


def test_a_rule_of_the_user_decides_about_load_balancers() -> None:
    """It may ask for an address for as long as the deploy has time, or for none."""
    wants = {"kind": "Service", "apiVersion": "v1", "current": "has(object.spec.type)"}
    rules = Rules(ours.parse([wants], lambda _: Place("")))

    view = balanced([balancer()], rules=rules)

    assert ([one.health for one in view.objects], view.seconds) == ([Health.CURRENT], 0.0)


# -- what is said meanwhile ------------------------------------------------------------------------


def test_a_cause_is_said_once_as_soon_as_it_is_known() -> None:
    """Whoever looks at the log need not wait for the verdict."""
    journal = FakeJournal()

    watched(
        {API: [revised(0)]},
        journal,
        found={API: shown(replica_set("new", 2), pod("a", **NO_IMAGE))},
        patience=Patience(seconds=20),
    )

    cause = "as container web: there is no image web:2"
    assert sum(cause in line for line in journal.lines) == 1
    assert journal.lines[1] == (
        f"Deployment.apps shop/api: InProgress: 0 of 1 pods are available, {cause}"
    )


def test_the_table_is_taken_away_at_the_end() -> None:
    """Also where the wait is interrupted, or ends in an error."""
    journal, interrupted = FakeJournal(), FakeJournal()
    frames = {API: [deployment(0)] * 4 + [deployment(1)]}
    clock = FakeClock(interrupt_at=3.0)

    watched(frames, journal)
    with pytest.raises(InterruptedFault):
        rollouts.watch(
            Ticking(clock, frames), frames, clock=clock, deadline=9.0, journal=interrupted
        )

    for told in (journal, interrupted):
        assert told.pictures[0][0].health is Health.IN_PROGRESS
        assert told.pictures[-1] == ()


class Ticking(Film):
    """A film in which waiting can be interrupted."""

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        self.clock.sleep(wait_s)
        return super().watch(ids, 0.0)


def test_until_gone_says_what_is_left() -> None:
    """At the deadline; nothing as soon as all are gone."""
    clock = FakeClock()
    frames = {API: [deployment(0), None], WEB: [deployment(0)]}

    left = rollouts.until_gone(Film(clock, frames), frozenset(frames), clock=clock, deadline=5.0)
    gone = rollouts.until_gone(Film(clock, frames), frozenset({API}), clock=clock, deadline=9.0)

    assert (left, gone) == ({WEB}, frozenset())


# -- failing early ---------------------------------------------------------------------------------


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


def test_a_final_cause_ends_the_wait_at_once() -> None:
    """No retry makes a name out of what is none: nobody waits for the deadline."""
    view = watched(
        {API: [revised(0)]},
        found={API: shown(replica_set("new", 2), pod("a", **waiting("InvalidImageName")))},
    )

    (one,) = view.objects
    assert (one.health, one.rule, view.seconds) == (Health.FAILED, "image-name-invalid", 2.0)
    assert not view.timed_out


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
