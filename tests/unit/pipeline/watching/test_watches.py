"""Following one environment: what is said of it, and when that ends."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest

from pipeline_gitops.config import Environment, Overlay, Policy
from pipeline_gitops.documents import Body
from pipeline_gitops.errors import TerminatedFault, UnreachableFault, Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Member, Owner, Stamp, Version
from pipeline_gitops.pipeline.watching import inspections, watches
from pipeline_gitops.pipeline.watching.watches import Call, Until
from pipeline_gitops.ports import Evidence, Snapshot
from pipeline_gitops.views import Health, Result
from tests.fakes.world import FakeClock, FakeJournal, FakeTarget, FakeWatch
from tests.unit.pipeline.films import job

API = ObjectId("apps", "Deployment", "shop", "api")
WEB = ObjectId("apps", "Deployment", "shop", "web")
JOB = ObjectId("batch", "Job", "shop", "once")
FIRST, SECOND = Stamp(revision="a" * 40, sequence=1), Stamp(revision="b" * 40, sequence=2)
OWNER = Owner(repository="acme/shop", environment="prod")
COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}

Frames = Sequence[Any]


def deployment(available: int, **annotations: str) -> dict[str, Any]:
    status = {"observedGeneration": 1, "updatedReplicas": 1, "replicas": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"generation": 1, "annotations": annotations},
        "spec": {"replicas": 1},
        "status": {**status, "availableReplicas": available},
    }


def crashing(restarts: int) -> Evidence:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    container = {"name": "web", "restartCount": restarts, "ready": False, "state": state}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "uid": "p"},
        "spec": {"containers": [{"name": "web", "image": "web:2"}]},
        "status": {"phase": "Running", "containerStatuses": [{**container, "lastState": ended}]},
    }
    return Evidence(owned=((ObjectId("", "Pod", "shop", "web-1"), pod),))


def inventory(*ids: ObjectId, stamp: Stamp | None = FIRST, **more: Any) -> Inventory:
    members = tuple(Member(id=id) for id in sorted(ids))
    return Inventory(owner=OWNER, stamp=stamp, members=members, **more)


@dataclass
class Film:
    """Implements `ports.ReadTarget` and its runtime: what is recorded and what is live, second by
    second. *inventories*: each with the second from which on it stands."""

    clock: FakeClock
    frames: Mapping[ObjectId, Frames]
    inventories: Sequence[tuple[float, Inventory]]
    found: Mapping[ObjectId, Callable[[int], Evidence]] = field(default_factory=dict)
    looked: int = 0
    fails_at: float = math.inf
    name: str = "cluster test"

    @property
    def runtime(self) -> "Film":
        return self

    def inventory(self) -> Inventory:
        number, recorded = max(
            (number, one)
            for number, (second, one) in enumerate(self.inventories)
            if second <= self.clock.seconds
        )
        return replace(recorded, version=Version(str(number)))

    @contextmanager
    def watching(self, ids: frozenset[ObjectId]) -> Iterator[FakeWatch]:
        yield FakeWatch(self, ids)

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        self.clock.sleep(wait_s)
        if self.clock.seconds >= self.fails_at:
            raise UnreachableFault("cluster test cannot be reached", "look")
        second = int(self.clock.seconds)
        return {id: self.frames[id][min(second, len(self.frames[id]) - 1)] for id in ids}

    def secrets(self, ids: frozenset[ObjectId]) -> Sequence[Body]:
        return ()

    def evidence(
        self, live: Mapping[ObjectId, Body], since: datetime
    ) -> Mapping[ObjectId, Evidence]:
        self.looked += 1
        second = int(self.clock.seconds)
        return {id: self.found[id](second) for id in live if id in self.found}

    def log(self, pod: ObjectId, container: str, *, previous: bool) -> tuple[str, ...]:
        return ("it broke",)

    kinds = survey = None  # nobody asks


def followed(
    frames: Mapping[ObjectId, Frames],
    *inventories: tuple[float, Inventory],
    journal: FakeJournal | None = None,
    until: Until = Until.HEALTHY,
    deadline: float = 100.0,
    clock: FakeClock | None = None,
    stability_s: float = 5.0,
    **film: Any,
) -> tuple[Result, FakeClock]:
    clock = clock or FakeClock()
    policy = Policy(stability_s=stability_s)
    environment = Environment(name="prod", overlay=Overlay(path="."), policy=policy)
    call = Call(environment=environment, until=until, deadline=deadline)
    recorded = inventories or ((0.0, inventory(*frames)),)
    target = Film(clock, frames, recorded, **film)
    result = watches.follow(call, target, clock=clock, journal=journal or FakeJournal())  # type: ignore[arg-type]
    return result, clock


def test_it_ends_once_all_is_well_and_stays_so() -> None:
    """Pods that are ready for a moment and crash the next one are not well."""
    flapping = [deployment(0)] * 3 + [deployment(1)] * 3 + [deployment(0)] + [deployment(1)]

    result, clock = followed({API: flapping, WEB: [deployment(1)]})

    assert (result.verdict, clock.seconds) == (Verdict.OK, 12.0)
    assert result.rollout
    assert {view.health for view in result.rollout.objects} == {Health.CURRENT}


def test_each_transition_is_said_once_with_its_time() -> None:
    """And nothing of what runs from the start."""
    journal = FakeJournal()

    followed({API: [deployment(0)] * 3 + [deployment(1)], WEB: [deployment(1)]}, journal=journal)

    assert journal.lines == [
        "2026-01-02T03:04:05Z deployed: aaaaaaa, number 1; 2 objects",
        "2026-01-02T03:04:05Z Deployment.apps shop/api: InProgress: 0 of 1 pods are available",
        "2026-01-02T03:04:08Z Deployment.apps shop/api: Current: 1 of 1 pods are available",
    ]


def test_what_turns_bad_is_said_with_its_cause() -> None:
    """And ends the watching: it will not get well by itself."""
    journal = FakeJournal()

    result, clock = followed(
        {API: [deployment(1)] * 4 + [deployment(0)]},
        journal=journal,
        stability_s=8.0,
        found={API: lambda second: crashing(3)},
    )

    failed = [line for line in journal.lines if ": Failed: " in line]
    assert (result.verdict, clock.seconds < 20) == (Verdict.UNHEALTHY, True)
    assert len(failed) == 1
    assert "container web ended with exit code 1, 3 restarts" in failed[0]
    (card,) = result.cards
    assert (card.rule, card.log) == ("crash", ("it broke",))


def test_what_failed_may_be_made_well_by_somebody() -> None:
    """No word is the last one: there is no deploy whose verdict it would be."""
    journal = FakeJournal()
    found = {API: lambda second: crashing(3) if second < 20 else Evidence()}

    result, _ = followed(
        {API: [deployment(0)] * 20 + [deployment(1)]},
        journal=journal,
        until=Until.FOREVER,
        deadline=40.0,
        found=found,
    )

    words = [line.split(": ")[1] for line in journal.lines if "shop/api" in line]
    assert words == ["InProgress", "Failed", "Current"]
    assert result.verdict is Verdict.OK


def test_a_deploy_that_comes_meanwhile_is_followed() -> None:
    """It is said who, and its objects count from then on; before it is done nothing is well."""
    claim = Claim(stamp=SECOND, ids=(WEB,))
    journal = FakeJournal()

    result, clock = followed(
        {API: [deployment(1)], WEB: [None] * 12 + [deployment(1)]},
        (0.0, inventory(API)),
        (2.0, inventory(API, WEB, claim=claim)),
        (30.0, inventory(API, WEB, stamp=SECOND)),
        journal=journal,
        stability_s=6.0,
    )

    told = [line.partition(" ")[2] for line in journal.lines]
    assert told == [
        "deployed: aaaaaaa, number 1; 1 object",
        "a deploy is under way: bbbbbbb, number 2, 1 object to write",
        "Deployment.apps shop/web: NotFound: it is not there",
        "Deployment.apps shop/web: Current: 1 of 1 pods are available",
        "deployed: bbbbbbb, number 2; 2 objects",
    ]
    assert (result.verdict, result.objects) == (Verdict.OK, 2)
    assert 30 <= clock.seconds <= 40


def test_a_claim_that_nobody_finishes_is_not_well() -> None:
    """Under it, what runs is still what ran before."""
    claim = Claim(stamp=SECOND, ids=(API,))

    result, clock = followed(
        {API: [deployment(1)]}, (0.0, inventory(API, claim=claim)), deadline=30.0
    )

    assert (result.verdict, clock.seconds) == (Verdict.UNHEALTHY, 30.0)
    assert any("under way, or cut short" in notice for notice in result.notices)


def test_nothing_is_deployed_until_something_is() -> None:
    """Whoever starts to watch before the first deploy sees it come."""
    nothing = inventory(stamp=None)

    never, _ = followed({}, (0.0, nothing), deadline=9.0)
    later, _ = followed({API: [deployment(1)]}, (0.0, nothing), (7.0, inventory(API)))

    assert (never.verdict, never.rollout) == (Verdict.UNHEALTHY, None)
    assert never.notices == ("nothing is deployed there",)
    assert later.verdict is Verdict.OK


def test_the_time_runs_out() -> None:
    """As `status` would put it then; what is waited for is said every half a minute."""
    journal = FakeJournal()

    result, clock = followed({API: [deployment(0)]}, journal=journal, deadline=70.0)

    assert (result.verdict, clock.seconds) == (Verdict.UNHEALTHY, 70.0)
    assert result.rollout
    assert result.rollout.timed_out
    assert sum("still waiting" in line for line in journal.lines) == 2


@pytest.mark.parametrize(
    ("end", "verdict"), [(None, Verdict.INTERRUPTED), ("term", Verdict.TERMINATED)]
)
def test_a_signal_ends_it_with_what_was_seen(end: str | None, verdict: Verdict) -> None:
    """And takes the table away."""
    journal = FakeJournal()

    class Terminated(FakeClock):
        def sleep(self, seconds: float) -> None:
            self.seconds += seconds
            if self.seconds >= 8:
                raise TerminatedFault("stopped by SIGTERM")

    clock = Terminated() if end else FakeClock(interrupt_at=8.0)

    result, _ = followed({API: [deployment(1)]}, journal=journal, until=Until.FOREVER, clock=clock)

    assert result.verdict is verdict
    assert result.fault
    assert result.fault.message == "stopped watching"
    assert result.rollout
    assert journal.pictures[-1] == ()


def test_a_cluster_that_is_away_ends_it() -> None:
    """With the fault, after what one request is repeated for; the table is gone."""
    journal = FakeJournal()

    result, _ = followed({API: [deployment(0)]}, journal=journal, fails_at=4.0)

    assert (result.verdict, journal.pictures[-1]) == (Verdict.UNREACHABLE, ())


def test_a_job_that_was_seen_to_complete_is_not_missing() -> None:
    """Its own TTL says that it will go, also over a deploy that comes meanwhile."""
    frames = {JOB: [job(active=1), job(**COMPLETE), None], API: [deployment(1)]}

    result, _ = followed(
        frames,
        (0.0, inventory(API, JOB)),
        (7.0, inventory(API, JOB, stamp=SECOND)),
        stability_s=20.0,
    )

    assert result.verdict is Verdict.OK


def test_trouble_that_stays_the_same_is_looked_at_less_and_less() -> None:
    """Evidence costs lists; nobody pays for them every few seconds for days."""
    film = Film(
        FakeClock(),
        {API: [deployment(0)]},
        ((0.0, inventory(API)),),
        {API: lambda second: crashing(3)},
    )
    environment = Environment(name="prod", overlay=Overlay(path="."))
    call = Call(environment=environment, until=Until.FOREVER, deadline=600.0)

    watches.follow(call, film, clock=film.clock, journal=FakeJournal())  # type: ignore[arg-type]

    assert film.looked <= 25


def test_an_object_that_is_not_to_be_watched_does_not_count() -> None:
    """By its own annotation, as in a deploy; that is said."""
    ignored = deployment(0, **{"pipeline-gitops.dev/watch": "false"})

    result, _ = followed({API: [ignored], WEB: [deployment(1)]})

    assert result.verdict is Verdict.OK
    assert result.rollout
    assert [view.id for view in result.rollout.objects] == [WEB]
    assert "1 object not watched: an annotation says so" in result.notices


def test_files_cannot_be_watched() -> None:
    """Nothing runs in them."""
    environment = Environment(name="prod", overlay=Overlay(path="."))

    result = watches.follow(
        Call(environment=environment), FakeTarget(), clock=FakeClock(), journal=FakeJournal()
    )

    assert result.verdict is Verdict.USAGE


# -- the same by one look --------------------------------------------------------------------------


def inspected(live: Mapping[ObjectId, Any], recorded: Inventory) -> Result:
    environment = Environment(name="prod", overlay=Overlay(path="."))
    clock = FakeClock()
    target = Film(clock, {id: [body] for id, body in live.items()}, ((0.0, recorded),))
    return inspections.inspect(environment, target, clock=clock, journal=FakeJournal())  # type: ignore[arg-type]


def test_status_knows_jobs_that_were_finished_when_they_were_deployed() -> None:
    """Their TTL has deleted them since; one that nobody saw to its end is missing."""
    done = replace(inventory(), members=(Member(id=JOB, finished=True),))

    assert inspected({JOB: None}, done).verdict is Verdict.OK
    assert inspected({JOB: None}, inventory(JOB)).verdict is Verdict.UNHEALTHY


def test_status_heeds_annotations_of_live_objects() -> None:
    """Nothing is rendered, so that is where they can be read."""
    ignored = deployment(0, **{"pipeline-gitops.dev/watch": "false"})

    assert inspected({API: ignored}, inventory(API)).verdict is Verdict.OK
    assert inspected({API: deployment(0)}, inventory(API)).verdict is Verdict.UNHEALTHY


def test_status_heeds_rules_in_live_definitions() -> None:
    """Rules that tools have in the set are in the cluster, once it is deployed."""
    definition = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "shops.a.example")
    shop = ObjectId("a.example", "Shop", "shop", "one")
    conditions = '{"success_conditions": [{"path": "$.status.phase", "value": "Open"}]}'
    rule = {"krane.shopify.io/instance-rollout-conditions": conditions}
    bodies = {
        definition: {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": definition.name, "annotations": rule},
            "spec": {"group": "a.example", "names": {"kind": "Shop"}},
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        },
        shop: {
            "apiVersion": "a.example/v1",
            "kind": "Shop",
            "metadata": {"name": "one", "generation": 1},
            "status": {"observedGeneration": 1, "phase": "Closed"},
        },
    }

    result = inspected(bodies, inventory(definition, shop))

    assert result.rollout
    assert [view.health for view in result.rollout.objects if view.id == shop] == [
        Health.IN_PROGRESS
    ]
