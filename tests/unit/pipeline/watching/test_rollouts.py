"""How long a rollout is waited for, and what is said meanwhile."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pipeline_gitops.errors import InterruptedFault
from pipeline_gitops.health import Rules
from pipeline_gitops.health.forms import ours
from pipeline_gitops.health.patience import Patience
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.pipeline.watching import rollouts
from pipeline_gitops.pipeline.watching.looks import Written
from pipeline_gitops.plans import Change, Outcome, Sight, State
from pipeline_gitops.ports import Event, Evidence, Snapshot
from pipeline_gitops.views import Action, Health, HealthView, RolloutView
from tests.fakes.world import FakeClock, FakeJournal
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
    watched,
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

    left = until_gone(clock, frames, deadline=5.0)
    gone = until_gone(clock, {API: frames[API]}, deadline=9.0)

    assert ([view.id for view in left], gone) == ([WEB], ())


def until_gone(
    clock: FakeClock,
    frames: Mapping[ObjectId, Sequence[Any]],
    *,
    deadline: float,
    journal: FakeJournal | None = None,
    begun: bool = False,
) -> tuple[HealthView, ...]:
    return rollouts.until_gone(
        Film(clock, frames),
        frozenset(frames),
        clock=clock,
        deadline=deadline,
        journal=journal or FakeJournal(),
        begun=begun,
    )


def leaving(*finalizers: str) -> dict[str, Any]:
    metadata = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": list(finalizers)}
    return {**deployment(1), "metadata": metadata}


def test_a_deletion_that_takes_long_is_no_silence() -> None:
    """What holds it is said every half minute, and a terminal shows it all the time."""
    journal = FakeJournal()

    until_gone(FakeClock(), {WEB: [leaving("example.com/hold")]}, deadline=70.0, journal=journal)

    held = f"{WEB}: it is being deleted; finalizer example.com/hold holds it"
    assert journal.lines == [
        f"still waiting after 30 s: {held}",
        f"still waiting after 60 s: {held}",
    ]
    assert [row.health for row in journal.pictures[0]] == [Health.TERMINATING]
    assert journal.pictures[-1] == ()


def test_of_a_deletion_that_somebody_else_began_only_what_goes_is_waited_for() -> None:
    """An object that stays has been made anew: it is theirs."""
    frames = {API: [deployment(1)], WEB: [leaving("example.com/hold")]}

    left = until_gone(FakeClock(), frames, deadline=2.0, begun=True)

    assert [view.id for view in left] == [WEB]
