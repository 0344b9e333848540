"""A deploy that goes back by itself, on a fake target whose workloads run as their image says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.config import Policy
from pipeline_gitops.documents import Body, text
from pipeline_gitops.errors import UsageFault, Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Stamp
from pipeline_gitops.pipeline import deploys, recoveries
from pipeline_gitops.pipeline.executions import Course, Order
from pipeline_gitops.pipeline.recoveries import Prepare, Ready
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.views import Result
from tests.fakes.world import FakeClock, FakeJournal, FakeRepository, FakeRuntime, FakeTarget
from tests.unit.pipeline.orders import config_map, prepared

OLD, GOOD, BAD, NEXT = "a1", "b2", "c3", "d4"
LINE = FakeRepository((OLD, GOOD, BAD, NEXT))
RUNS = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
CONDITION = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
STUCK = {"observedGeneration": 1, "conditions": [CONDITION]}
SLOW = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}


class ByImage(FakeRuntime):
    """A workload runs unless its image is "broken", or "slow"."""

    def _live(self, id: ObjectId) -> Body | None:
        body = self.target.objects.get(id)
        if body is None or id.kind != "Deployment":
            return body
        status = {"broken": STUCK, "slow": SLOW}.get(text(body, "spec", "image"), RUNS)
        return {**body, "status": status}


def workload(name: str, image: str = "fine") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "generation": 1}
    spec = {"replicas": 1, "image": image}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


class Place:
    """One environment: what its commits render, and the target that they go to."""

    def __init__(self, **commits: Sequence[dict[str, Any]]) -> None:
        self.commits = commits
        self.target, self.clock = FakeTarget(), FakeClock()
        self.target.runtime = ByImage(self.target, self.clock)
        self.journal = FakeJournal()
        self.policy = Policy(stability_s=0.0)
        self.prepared: list[str] = []
        self.repository = LINE

    def deploy(self, revision: str, *, goes_back: bool = True, **fields: Any) -> Result:
        return recoveries.deploy(
            self.order(revision, **fields),
            self.target,
            repository=self.repository,
            clock=self.clock,
            journal=self.journal,
            prepare=self.prepare if goes_back else None,
        )

    def order(self, revision: str, **fields: Any) -> Order:
        return Order(
            prepared=self.of(revision),
            stamp=Stamp(revision=revision, sequence=5),
            deadline=self.clock.elapsed() + 30.0,
            **fields,
        )

    def of(self, revision: str) -> Prepared:
        return prepared(*self.commits[revision], policy=self.policy)

    def prepare(self, revision: str) -> Ready:
        self.prepared.append(revision)
        return Ready(
            prepared=self.of(revision), target=self.target, deadline=self.clock.elapsed() + 30.0
        )

    @property
    def there(self) -> dict[str, Any]:
        return {
            id.name: body["data"]["of"] if id.kind == "ConfigMap" else body["spec"]["image"]  # type: ignore[index,call-overload]
            for id, body in self.target.objects.items()
        }

    @property
    def recorded(self) -> inventories.Inventory:
        assert self.target.recorded is not None
        return self.target.recorded


def place() -> Place:
    """Deployed once and running; the next commit breaks the workload and brings a new object."""
    made = Place(
        a1=[config_map("settings", of=OLD), workload("api", "older")],
        b2=[config_map("settings", of=GOOD), workload("api")],
        c3=[config_map("settings", of=BAD), workload("api", "broken"), config_map("new", of=BAD)],
        d4=[config_map("settings", of=NEXT), workload("api", "repaired")],
    )
    assert made.deploy(GOOD).verdict is Verdict.OK
    made.target.writes.clear()
    return made


BEFORE = {"settings": GOOD, "api": "fine"}


def test_what_does_not_run_is_rolled_back() -> None:
    """To what ran last; the exit code stays that of the failure, and both are told."""
    shop = place()

    result = shop.deploy(BAD)

    assert result.verdict is Verdict.UNHEALTHY
    assert result.rollback is not None
    assert (result.rollback.revision, result.rollback.held) == (GOOD, BAD)
    assert result.rollback.result.verdict is Verdict.OK
    assert shop.there == BEFORE
    assert shop.recorded.stamp == Stamp(revision=GOOD, sequence=6)
    assert (shop.recorded.held, shop.recorded.good) == (BAD, shop.recorded.stamp)


def test_without_the_policy_it_stays_as_it_is() -> None:
    """Nobody goes back who was not told to."""
    shop = place()

    result = shop.deploy(BAD, goes_back=False)

    assert (result.verdict, result.rollback) == (Verdict.UNHEALTHY, None)
    assert shop.there["api"] == "broken"


def test_the_revision_that_failed_is_not_deployed_again() -> None:
    """A job that is run again is refused; a newer commit goes through, and lifts the hold."""
    shop = place()
    shop.deploy(BAD)

    again = shop.deploy(BAD)
    repaired = shop.deploy(NEXT)

    assert [refusal.rule for refusal in again.refusals] == ["held"]
    assert (again.verdict, again.rollback) == (Verdict.REFUSED, None)
    assert (repaired.verdict, shop.recorded.held) == (Verdict.OK, "")
    assert shop.there == {"settings": NEXT, "api": "repaired"}


def test_what_failed_is_held_though_something_else_was() -> None:
    """The one that a pipeline would bring back."""

    class Beside(FakeRepository):
        def is_ancestor(self, older: str, newer: str) -> bool | None:
            return False if "beside" in (older, newer) else super().is_ancestor(older, newer)

    shop = place()
    shop.repository = Beside(LINE.history)
    shop.target.recorded = replace(shop.recorded, held="beside")

    shop.deploy(BAD)

    assert shop.recorded.held == BAD


def test_only_what_deploys_have_changed_is_put_back() -> None:
    """Not what a person changed in between."""
    shop = place()
    shop.commits[BAD] = [config_map("settings", of=GOOD), workload("api", "broken")]
    settings = ObjectId("", "ConfigMap", "shop", "settings")
    real = shop.prepare

    def somebody_edits(revision: str) -> Ready:
        shop.target.objects[settings] = config_map("settings", of="a person")
        return real(revision)

    shop.prepare = somebody_edits  # type: ignore[method-assign]

    result = shop.deploy(BAD)

    assert result.rollback is not None
    assert [view.id for view in result.rollback.left] == [settings]
    assert shop.there == {"settings": "a person", "api": "fine"}


def test_what_is_left_is_not_waited_for() -> None:
    """A Job that its TTL deleted meanwhile is not made again, so nobody waits until it is done."""
    shop = place()
    metadata = {"name": "seed", "namespace": "shop"}
    seed = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata}
    shop.commits[GOOD] = [*shop.commits[GOOD], seed]

    result = shop.deploy(BAD)

    assert result.rollback is not None
    assert [view.id.name for view in result.rollback.left] == ["seed"]
    assert result.rollback.result.verdict is Verdict.OK


def test_what_two_deploys_have_changed_goes_back_together() -> None:
    """Half of one revision and half of another is neither."""
    shop = place()
    shop.commits["c3-first"] = [config_map("settings", of="c3-first"), workload("api", "broken")]
    shop.commits[BAD] = [config_map("settings", of="c3-first"), workload("api", "broken"), BROKEN]
    shop.repository = FakeRepository((OLD, GOOD, "c3-first", BAD))
    shop.deploy("c3-first", goes_back=False)

    result = shop.deploy(BAD)

    assert result.verdict is Verdict.UNHEALTHY
    assert shop.there == BEFORE


BROKEN = workload("worker", "broken")


def test_a_good_revision_that_is_no_longer_good() -> None:
    """Both failures are told; it stays what is gone back to, for nothing is better."""
    shop = place()
    shop.commits[BAD] = [config_map("settings", of=BAD), workload("api", "broken")]
    shop.commits[GOOD] = [config_map("settings", of=GOOD), workload("api", "broken")]

    result = shop.deploy(BAD)

    assert result.rollback is not None
    assert (result.verdict, result.rollback.result.verdict) == (Verdict.UNHEALTHY,) * 2
    assert shop.recorded.good == Stamp(revision=GOOD, sequence=5)
    assert shop.recorded.held == BAD


def test_a_rollback_has_time_of_its_own() -> None:
    """The deploy that failed has used up all of its own."""
    shop = place()
    shop.policy = Policy(stability_s=5.0)
    shop.commits[BAD] = [workload("api", "slow")]

    result = shop.deploy(BAD)

    assert result.rollout is not None
    assert result.rollout.timed_out
    assert result.rollback is not None
    assert result.rollback.result.verdict is Verdict.OK


def test_the_first_deploy_has_nothing_to_go_back_to() -> None:
    """Said plainly, and nothing is held."""
    shop = Place(c3=[workload("api", "broken")])

    result = shop.deploy(BAD)

    assert (result.verdict, shop.prepared) == (Verdict.UNHEALTHY, [])
    assert result.rollback is not None
    assert result.rollback.result.fault is not None
    assert "nothing to go back to" in result.rollback.result.fault.message
    assert shop.recorded.held == ""


def test_a_revision_that_cannot_be_had() -> None:
    """A shallow clone: told with its cure, beside the failure itself."""
    shop = place()

    def gone(_revision: str) -> Ready:
        raise UsageFault("commit b2 is not in this clone", "fetch it")

    shop.prepare = gone  # type: ignore[method-assign]

    result = shop.deploy(BAD)

    assert (result.verdict, bool(result.cards)) == (Verdict.UNHEALTHY, True)
    assert result.rollback is not None
    assert result.rollback.result.fault is not None
    assert result.rollback.result.fault.cure == "fetch it"


@pytest.mark.parametrize("revision", [NEXT, GOOD])
def test_whoever_comes_in_between_goes_first(revision: str) -> None:
    """A newer deploy, or a person who goes back to that very revision by hand."""
    shop = place()
    real: Prepare = shop.prepare

    def somebody(good: str) -> Ready:
        course = Course(rollback=revision == GOOD)
        order = shop.order(revision, course=course)
        deploys.deploy(
            replace(order, stamp=replace(order.stamp, sequence=9)),
            shop.target,
            repository=LINE,
            clock=shop.clock,
            journal=shop.journal,
        )
        shop.target.writes.clear()
        return real(good)

    shop.prepare = somebody  # type: ignore[method-assign]

    result = shop.deploy(BAD)

    assert result.rollback is not None
    assert result.rollback.result.verdict is Verdict.SUPERSEDED
    assert result.verdict is Verdict.UNHEALTHY
    assert shop.target.writes == []
    assert f"a deploy of {revision} came in between" in result.rollback.result.notices[0]


@pytest.mark.parametrize("writes", range(3))
def test_a_killed_rollback_is_finished_by_the_same_command(writes: int) -> None:
    """Wherever it was killed; what it began is not left half done for the hold."""
    shop = place()
    real: Prepare = shop.prepare

    def then_killed(revision: str) -> Ready:
        shop.target.die_after = len(shop.target.writes) + writes
        return real(revision)

    shop.prepare = then_killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        shop.deploy(BAD)
    shop.target.die_after = None
    shop.prepare = real  # type: ignore[method-assign]

    result = shop.deploy(BAD)

    assert result.rollback is not None
    assert result.rollback.result.verdict is Verdict.OK
    assert shop.there == BEFORE
    assert (shop.recorded.claim, shop.recorded.held) == (None, BAD)


def test_a_deploy_killed_before_its_rollback_is_rolled_back_by_the_same_command() -> None:
    """It changes nothing any more, and still does not run: what it changed is recorded."""
    shop = place()
    shop.deploy(BAD, goes_back=False)

    result = shop.deploy(BAD)

    assert result.rollback is not None
    assert shop.there == BEFORE


def test_a_signal_ends_a_rollback_as_it_ends_everything() -> None:
    """Exit code 130; the failure and what was done so far are told."""
    shop = place()
    real: Prepare = shop.prepare

    def then_asked_to_stop(revision: str) -> Ready:
        shop.target.interrupt_after = len(shop.target.writes) + 1
        return real(revision)

    shop.prepare = then_asked_to_stop  # type: ignore[method-assign]

    result = shop.deploy(BAD)

    assert result.verdict is Verdict.INTERRUPTED
    assert result.cards
    assert result.rollback is not None
    assert len(result.rollback.result.written) == 1


def test_a_rollback_does_not_roll_back() -> None:
    """Neither one that a person asked for."""
    shop = place()
    shop.deploy(NEXT)
    shop.commits[GOOD] = [workload("api", "broken")]

    result = shop.deploy(GOOD, goes_back=False, course=Course(rollback=True))

    assert (result.verdict, result.rollback) == (Verdict.UNHEALTHY, None)


# -- which deploy is good --------------------------------------------------------------------------


def test_a_deploy_that_nobody_waited_for_is_not_good() -> None:
    """Nobody knows whether it runs."""
    shop = place()

    shop.deploy(NEXT, wait=False)

    assert shop.recorded.stamp == Stamp(revision=NEXT, sequence=5)
    assert shop.recorded.good == Stamp(revision=GOOD, sequence=5)


def test_a_work_tree_is_not_good() -> None:
    """Its commit does not have all of it."""
    shop = place()

    shop.deploy(NEXT, committed=False)

    assert shop.recorded.good == Stamp(revision=GOOD, sequence=5)


def test_what_got_well_later_is_good_from_then_on() -> None:
    """Once; another look writes nothing."""
    shop = place()
    shop.deploy(BAD, goes_back=False)
    shop.target.runtime = FakeRuntime(
        shop.target, shop.clock, {ObjectId("apps", "Deployment", "shop", "api"): [RUNS]}
    )

    shop.deploy(BAD)
    version = shop.target.version
    shop.deploy(BAD)

    assert shop.recorded.good == Stamp(revision=BAD, sequence=5)
    assert shop.target.version == version


def test_a_target_of_before_learns_what_is_good() -> None:
    """An inventory without that knowledge, and a deploy that changes nothing."""
    shop = place()
    shop.target.recorded = replace(shop.recorded, good=None)

    shop.deploy(GOOD)

    assert shop.recorded.good == Stamp(revision=GOOD, sequence=5)
