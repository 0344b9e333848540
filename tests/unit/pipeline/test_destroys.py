"""Taking an environment down: by its name only, in order, with its inventory last."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_gitops.config import Environment, Overlay
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Member, Stamp
from pipeline_gitops.pipeline import destroys
from pipeline_gitops.pipeline.destroys import Order
from pipeline_gitops.plans import Intent
from pipeline_gitops.views import Result
from tests.fakes.world import FakeClock, FakeJournal, FakeRuntime, FakeTarget

STAMP = Stamp(revision="a" * 40)
CONFIG = ObjectId("", "ConfigMap", "shop", "settings")
WORKLOAD = ObjectId("apps", "Deployment", "shop", "web")
ENVIRONMENT = Environment(name="prod", overlay=Overlay(path="x"))


def body(id: ObjectId, **metadata: Any) -> dict[str, Any]:
    version = "apps/v1" if id.group else "v1"
    named = {"name": id.name, "namespace": id.namespace, **metadata}
    return {"apiVersion": version, "kind": id.kind, "metadata": named}


def deployed(*ids: ObjectId) -> FakeTarget:
    """A target that holds these objects, and an inventory of them."""
    target = FakeTarget(objects={id: body(id) for id in ids})
    members = tuple(Member(id=id) for id in sorted(ids))
    target.recorded = Inventory(owner=target.owner, stamp=STAMP, members=members)
    return target


def destroy(target: FakeTarget, clock: FakeClock, intent: Intent | None = None) -> Result:
    order = Order(
        environment=ENVIRONMENT,
        stamp=STAMP,
        intent=intent or Intent(confirmed="prod"),
        deadline=60.0,
    )
    return destroys.destroy(order, target, clock=clock, journal=FakeJournal())


def test_users_go_before_what_they_use_and_the_inventory_goes_last() -> None:
    """A Deployment before its ConfigMap."""
    target = deployed(CONFIG, WORKLOAD)

    result = destroy(target, FakeClock())

    assert result.verdict is Verdict.OK
    assert target.writes == [f"delete {WORKLOAD}", f"delete {CONFIG}"]
    assert (target.objects, target.recorded) == ({}, None)


def test_without_the_name_it_is_only_shown() -> None:
    """Every object that would go is in the plan."""
    target = deployed(CONFIG, WORKLOAD)

    result = destroy(target, FakeClock(), Intent())

    assert result.verdict is Verdict.REFUSED
    assert {change.id for change in result.plans[0].changes} == {CONFIG, WORKLOAD}
    assert target.writes == []
    assert target.recorded is not None
    assert target.recorded.claim is None


@pytest.mark.parametrize("writes", [0, 1])
def test_killed_anywhere_the_same_call_finishes(writes: int) -> None:
    """The inventory lists what is left until nothing is."""
    target = deployed(CONFIG, WORKLOAD)
    target.die_after = writes
    with pytest.raises(KeyboardInterrupt):
        destroy(target, FakeClock())
    assert target.recorded is not None
    assert target.recorded.ids == {CONFIG, WORKLOAD}
    target.die_after = None

    result = destroy(target, FakeClock())

    assert (result.verdict, target.objects, target.recorded) == (Verdict.OK, {}, None)


def test_what_is_still_going_keeps_the_inventory() -> None:
    """A finalizer that nobody removes: not done at the deadline, and nothing is forgotten."""
    clock, target = FakeClock(), deployed(CONFIG)
    target.runtime = Lingering(target=target, clock=clock)

    result = destroy(target, clock)

    assert (result.verdict, clock.seconds >= 60.0) == (Verdict.UNHEALTHY, True)
    assert result.rollout is not None
    assert [view.id for view in result.rollout.objects] == [CONFIG]
    assert target.recorded is not None


class Lingering(FakeRuntime):
    """A server on which nothing ever goes."""

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> dict[ObjectId, Any]:
        self.clock.seconds += wait_s
        return {id: body(id, deletionTimestamp="2026-01-01T00:00:00Z") for id in ids}


def test_a_deletion_that_is_refused_ends_it_in_part() -> None:
    """What was deleted is told, the rest stays in the inventory."""
    target = deployed(CONFIG, WORKLOAD)
    target.refuse = frozenset({CONFIG})

    result = destroy(target, FakeClock())

    assert result.verdict is Verdict.PARTIAL
    assert target.recorded is not None
    assert CONFIG in target.recorded.ids


def test_an_object_that_appears_meanwhile_is_not_deleted_unseen() -> None:
    """Another deploy adds one between the plan and the claim: that was not shown."""
    target = deployed(CONFIG)

    def add(other: FakeTarget) -> None:
        other.objects[WORKLOAD] = body(WORKLOAD)
        assert other.recorded is not None
        members = (*other.recorded.members, Member(id=WORKLOAD))
        other.recorded = replace(other.recorded, members=members)
        other.version += 1

    target.before_claim = add

    result = destroy(target, FakeClock())

    assert result.verdict is Verdict.REFUSED
    assert [refusal.rule for refusal in result.refusals] == ["not-as-shown"]
    assert WORKLOAD in target.objects


def test_nothing_is_there() -> None:
    """A second call is no failure."""
    result = destroy(FakeTarget(), FakeClock())

    assert (result.verdict, result.notices) == (Verdict.OK, ("nothing is deployed there",))
