"""The story of a deployment, on a fake target."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_gitops.config import Deletes, Policy
from pipeline_gitops.errors import Verdict
from pipeline_gitops.inventories import Claim, Inventory, Member, Stamp
from pipeline_gitops.plans import Confirmation
from pipeline_gitops.views import Finding
from tests.fakes.world import FakeClock, FakeRuntime, FakeTarget
from tests.unit.pipeline.orders import (
    API,
    CONFIG,
    NEW,
    NEWER,
    OLD,
    READY,
    config_map,
    deploy,
    deployed,
    deployment,
    order,
    prepared,
)


def test_a_deploy_writes_what_is_new_and_deletes_what_is_left_over() -> None:
    """In that order, and the inventory lists exactly what is there."""
    target = deployed(config_map("kept"), config_map("left"))

    result = deploy(order(prepared(config_map("kept"), config_map("new"))), target)

    assert Verdict.OK is result.verdict
    assert target.writes == ["create ConfigMap shop/new", "delete ConfigMap shop/left"]
    assert {"kept", "new"} == {member.id.name for member in target.recorded.members}  # type: ignore[union-attr]


def test_a_second_deploy_changes_nothing() -> None:
    """Not even the inventory."""
    target = deployed(config_map("kept"), revision=NEW)
    version = target.version

    result = deploy(order(prepared(config_map("kept"))), target)

    assert (Verdict.OK, [], version) == (result.verdict, target.writes, target.version)
    assert result.plans[0].unchanged == 1


def test_rejected_manifests_reach_no_target() -> None:
    """Exit code 3, before anything is asked of the target."""
    target = FakeTarget()
    wrong = prepared(config_map("a"), findings=(Finding(rule="schema", message="wrong"),))

    result = deploy(order(wrong), target)

    assert Verdict.REJECTED is result.verdict
    assert (target.recorded, target.objects) == (None, {})


def test_a_guarded_plan_is_refused_before_any_write() -> None:
    """Exit code 4; not even a claim is left behind."""
    target = deployed(*(config_map(f"old-{number}") for number in range(5)))
    version = target.version
    wanted = prepared(config_map("old-0"), policy=Policy(max_deletes=Deletes(number=1)))

    result = deploy(order(wanted), target)

    assert Verdict.REFUSED is result.verdict
    assert [refusal.rule for refusal in result.refusals] == ["max-deletes"]
    assert ([], version) == (target.writes, target.version)


def test_a_confirmed_plan_goes_through() -> None:
    """What was refused passes with a word for it."""
    target = deployed(*(config_map(f"old-{number}") for number in range(5)))
    wanted = prepared(config_map("old-0"), policy=Policy(max_deletes=Deletes(number=1)))

    result = deploy(order(wanted, confirmation=Confirmation(by="label")), target)

    assert Verdict.OK is result.verdict
    assert len(target.writes) == 4


def test_an_older_commit_does_not_overwrite_a_newer_one() -> None:
    """Exit code 8, nothing written."""
    target = deployed(config_map("a", v="new"), revision=NEWER)

    result = deploy(order(prepared(config_map("a", v="old")), revision=OLD), target)

    assert (result.verdict, target.writes) == (Verdict.SUPERSEDED, [])


def test_a_newer_claim_supersedes_as_well() -> None:
    """A newer deploy under way counts, finished or not."""
    target = deployed(config_map("a"))
    assert target.recorded is not None
    claim = Claim(stamp=Stamp(revision=NEWER, sequence=9))
    target.recorded = replace(target.recorded, claim=claim)

    result = deploy(order(prepared(config_map("a", v="2"))), target)

    assert Verdict.SUPERSEDED is result.verdict


def test_a_lost_race_for_the_claim_is_planned_again() -> None:
    """Stale means: look again, and do what is left."""
    target = FakeTarget()

    def somebody_settles(other: FakeTarget) -> None:
        other.version += 1

    target.before_claim = somebody_settles

    result = deploy(order(prepared(config_map("a"))), target)

    assert (result.verdict, target.writes) == (Verdict.OK, ["create ConfigMap shop/a"])


def test_what_moved_otherwise_than_shown_is_not_written() -> None:
    """Promise one: the new plan would do what nobody saw."""
    target = deployed(config_map("a", v="1"))

    def somebody_deletes(other: FakeTarget) -> None:
        other.objects.clear()

    target.before_write = somebody_deletes

    result = deploy(order(prepared(config_map("a", v="2"))), target)

    assert [refusal.rule for refusal in result.refusals] == ["not-as-shown"]
    assert (result.verdict, target.writes) == (Verdict.REFUSED, [])


def test_a_target_that_never_rests_is_given_up() -> None:
    """Five attempts, then a refusal with a cure."""
    target = FakeTarget()

    def again(other: FakeTarget) -> None:
        other.version += 1
        other.before_claim = again

    target.before_claim = again

    result = deploy(order(prepared(config_map("a"))), target)

    assert [refusal.rule for refusal in result.refusals] == ["moving-target"]


def test_a_refused_write_ends_the_deploy_in_part() -> None:
    """Exit code 6, nothing pruned, and the claim names what may be there."""
    target = deployed(config_map("left"))
    target.refuse = frozenset({API})

    result = deploy(order(prepared(config_map("settings"), deployment("api"))), target)

    assert Verdict.PARTIAL is result.verdict
    assert target.writes == ["create ConfigMap shop/settings"]
    assert target.recorded is not None
    assert target.recorded.claim is not None
    assert {CONFIG, API} <= target.recorded.ids


def test_a_refusal_of_everything_wrote_nothing() -> None:
    """Exit code 4 rather than 6 where no object was written."""
    target = FakeTarget(refuse=frozenset({CONFIG}))

    result = deploy(order(prepared(config_map("settings"))), target)

    assert Verdict.REFUSED is result.verdict


@pytest.mark.parametrize("writes", range(4))
def test_a_killed_run_is_finished_by_the_next(writes: int) -> None:
    """Kill it after any write and run it again: same end state, nothing forgotten."""
    wanted = prepared(config_map("a"), config_map("b"), config_map("c"))
    target = deployed(config_map("left"))
    target.die_after = writes

    with pytest.raises(KeyboardInterrupt):
        deploy(order(wanted), target)
    target.die_after = None
    result = deploy(order(wanted), target)

    assert Verdict.OK is result.verdict
    assert {"a", "b", "c"} == {id.name for id in target.objects}
    assert target.recorded is not None
    assert {"a", "b", "c"} == {id.name for id in target.recorded.ids}
    assert target.recorded.claim is None


def running(*steps: dict[str, Any]) -> tuple[FakeTarget, FakeClock]:
    target, clock = FakeTarget(), FakeClock()
    target.runtime = FakeRuntime(target, clock, {API: steps})
    return target, clock


def test_green_means_running() -> None:
    """A deploy waits until what it wrote is ready."""
    target, clock = running({}, {"observedGeneration": 1}, READY)

    result = deploy(order(prepared(deployment("api"))), target, clock)

    assert Verdict.OK is result.verdict
    assert result.rollout is not None
    assert (result.rollout.seconds, result.rollout.timed_out) == (2.0, False)


def test_what_never_gets_ready_ends_in_seven_and_prunes_nothing() -> None:
    """At the deadline, with a card that says why."""
    target, clock = running({"observedGeneration": 1})
    target.objects[CONFIG] = config_map("settings")
    target.recorded = Inventory(owner=target.owner, members=(Member(id=CONFIG),))

    result = deploy(order(prepared(deployment("api"))), target, clock)

    assert Verdict.UNHEALTHY is result.verdict
    assert CONFIG in target.objects
    assert [card.cause for card in result.cards] == ["0 of 1 pods are of the new version"]


def test_what_has_failed_is_not_waited_for() -> None:
    """A failed rollout ends at once, not at the deadline."""
    failed = {
        "observedGeneration": 1,
        "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        ],
    }
    target, clock = running(failed)

    result = deploy(order(prepared(deployment("api"))), target, clock)

    assert (result.verdict, clock.seconds) == (Verdict.UNHEALTHY, 0.0)


def test_nothing_to_change_over_something_broken_is_not_green() -> None:
    """The change is nothing, and the health is bad."""
    target, clock = running(READY)
    wanted = prepared(deployment("api"))
    assert Verdict.OK is deploy(order(wanted), target, clock).verdict
    target.runtime = FakeRuntime(target, clock, {API: [{"observedGeneration": 1}]})

    result = deploy(order(wanted), target, clock)

    assert Verdict.UNHEALTHY is result.verdict
    assert result.plans[0].changes == ()


def test_without_waiting_nothing_is_called_healthy() -> None:
    """--no-wait says written."""
    target, clock = running({"observedGeneration": 1})

    result = deploy(order(prepared(deployment("api")), wait=False), target, clock)

    assert (result.verdict, result.rollout) == (Verdict.OK, None)


def test_an_interrupted_deploy_starts_no_new_wave_and_says_what_it_wrote() -> None:
    """Exit code 130, the claim stays for the next run."""
    target = FakeTarget()
    clock = FakeClock(interrupt_at=5.0)
    target.runtime = FakeRuntime(target, clock, {API: [{"observedGeneration": 1}]})

    result = deploy(order(prepared(deployment("api"))), target, clock)

    assert Verdict.INTERRUPTED is result.verdict
    assert [written.state for written in result.written] == ["done"]
    assert target.recorded is not None
    assert target.recorded.claim is not None


def test_an_interruption_within_a_wave_forgets_nothing_of_it() -> None:
    """What was written before the signal is in the report."""
    target = FakeTarget(interrupt_after=2)

    result = deploy(order(prepared(*(config_map(name) for name in "abc"))), target)

    assert result.verdict is Verdict.INTERRUPTED
    assert [written.id.name for written in result.written] == ["a", "b"]


def test_a_lost_answer_is_not_called_refused() -> None:
    """The write may have happened: exit code 6, and the claim stays."""
    target = FakeTarget(lose=frozenset({CONFIG}))

    result = deploy(order(prepared(config_map("settings"))), target)

    assert result.verdict is Verdict.PARTIAL
    assert target.recorded is not None
    assert target.recorded.claim is not None
