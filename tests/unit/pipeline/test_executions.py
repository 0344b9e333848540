"""Hooks, waves and completed jobs in the story of a deployment, on a fake target."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Stamp
from pipeline_gitops.pipeline import executions
from pipeline_gitops.plans import Outcome, State
from pipeline_gitops.ports import Stale
from pipeline_gitops.views import Action, Result
from tests.fakes.world import FakeClock, FakeRuntime, FakeTarget
from tests.unit.pipeline.orders import NEW, config_map, deploy, order, prepared

COMPLETE = {"conditions": [{"type": "Complete", "status": "True"}]}
BROKEN = {"conditions": [{"type": "Failed", "status": "True", "message": "it broke"}]}


def id_of(name: str) -> ObjectId:
    return ObjectId("batch", "Job", "shop", name)


def job(name: str, hook: str = "", delete: str = "", **annotations: str) -> dict[str, Any]:
    given = {"hook": hook, "hook-delete": delete, **annotations}
    named = {f"pipeline-gitops.dev/{key}": value for key, value in given.items() if value}
    metadata = {"name": name, "namespace": "shop", "annotations": named}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {}}


def place(**statuses: Any) -> tuple[FakeTarget, FakeClock]:
    """A target whose jobs have these statuses."""
    target, clock = FakeTarget(), FakeClock()
    steps: Mapping[ObjectId, Sequence[Any]] = {id_of(n): [s] for n, s in statuses.items()}
    target.runtime = FakeRuntime(target, clock, steps)
    return target, clock


def run(target: FakeTarget, clock: FakeClock, *bodies: Any, **fields: Any) -> Result:
    return deploy(order(prepared(*bodies), **fields), target, clock)


def test_hooks_run_around_the_rest() -> None:
    """Before, after, and those of a failed deploy not at all."""
    target, clock = place(first=COMPLETE, last=COMPLETE, alarm=COMPLETE)

    result = run(
        target,
        clock,
        job("last", "after"),
        job("alarm", "failed"),
        config_map("settings"),
        job("first", "before"),
    )

    assert result.verdict is Verdict.OK
    assert target.writes == [
        "create Job.batch shop/first",
        "create ConfigMap shop/settings",
        "create Job.batch shop/last",
    ]
    assert target.recorded is not None
    assert {member.id.name for member in target.recorded.members} == {"first", "settings", "last"}


@pytest.mark.parametrize(
    ("status", "policies", "writes"),
    [
        (COMPLETE, "succeeded", ["create first", "delete first", "create settings"]),
        (COMPLETE, "failed", ["create first", "create settings"]),
        (BROKEN, "failed", ["create first", "delete first"]),
        (BROKEN, "succeeded", ["create first"]),
    ],
)
def test_a_hook_is_deleted_as_it_asked_for(status: Any, policies: str, writes: list[str]) -> None:
    """Once it succeeded, or failed; the card of a failed one is made before."""
    target, clock = place(first=status)

    result = run(target, clock, job("first", "before", policies), config_map("settings"))

    assert [f"{w.split()[0]} {w.split('/')[1]}" for w in target.writes] == writes
    assert bool(result.cards) == (status is BROKEN)
    if result.cards:
        assert [(card.id.name, card.cause) for card in result.cards] == [("first", "it broke")]


def test_a_failed_hook_leaves_the_set_unwritten() -> None:
    """Exit code 6, as the hook itself was written; what was not sent is named, the claim stays."""
    target, clock = place(first=BROKEN, alarm=COMPLETE)

    result = run(
        target, clock, job("first", "before"), job("alarm", "failed"), config_map("settings")
    )

    assert result.verdict is Verdict.PARTIAL
    assert target.writes == ["create Job.batch shop/first", "create Job.batch shop/alarm"]
    assert [(one.id.name, one.message) for one in result.written if one.state == "skipped"] == [
        ("settings", "not sent: Job.batch shop/first: it broke")
    ]
    assert target.recorded is not None
    assert target.recorded.claim is not None


def test_a_hook_after_the_deploy_that_failed_runs_again() -> None:
    """The set is as wanted, but the last word is not spoken: the next deploy is not green."""
    target, clock = place(smoke=BROKEN)
    bodies = (config_map("settings"), job("smoke", "after"))
    first = run(target, clock, *bodies)
    target.writes.clear()

    second = run(target, clock, *bodies)

    assert (first.verdict, second.verdict) == (Verdict.UNHEALTHY, Verdict.UNHEALTHY)
    assert target.writes == ["delete Job.batch shop/smoke", "create Job.batch shop/smoke"]


def test_a_sick_rollout_owes_its_hooks() -> None:
    """They do not run now, and do once it is well."""
    target, clock = place(work={"active": 1}, smoke=COMPLETE)
    bodies = (job("work"), job("smoke", "after"))
    first = run(target, clock, *bodies)
    assert isinstance(target.runtime, FakeRuntime)
    target.runtime.statuses = {id_of("work"): [COMPLETE], id_of("smoke"): [COMPLETE]}
    target.writes.clear()
    clock.seconds = 0.0

    second = run(target, clock, *bodies)

    assert (first.verdict, second.verdict) == (Verdict.UNHEALTHY, Verdict.OK)
    assert target.writes == ["create Job.batch shop/smoke"]


def test_a_hook_runs_once_in_a_deploy_that_looks_again() -> None:
    """The target moved before the deploy was recorded: the hooks have run already."""
    target, clock = place(first=COMPLETE, last=COMPLETE)

    def somebody_records(other: FakeTarget) -> None:
        raise Stale

    target.before_settle = somebody_records

    result = run(
        target, clock, config_map("settings"), job("first", "before"), job("last", "after")
    )

    assert result.verdict is Verdict.OK
    assert target.writes == [
        "create Job.batch shop/first",
        "create ConfigMap shop/settings",
        "create Job.batch shop/last",
    ]


def test_a_deploy_that_looks_again_has_not_failed() -> None:
    """The hooks of a failed deploy stay where they are."""
    target, clock = place(alarm=COMPLETE)
    run(target, clock, config_map("settings", v="1"))
    target.writes.clear()

    def somebody_edits(other: FakeTarget) -> None:
        for id in list(other.objects):
            other.objects[id] = config_map("settings", v="?")

    target.before_write = somebody_edits

    run(target, clock, config_map("settings", v="2"), job("alarm", "failed"))

    assert target.writes == ["update ConfigMap shop/settings"]


def test_what_is_left_of_a_hook_has_to_be_gone_first() -> None:
    """While something holds it, nothing is created over it; the report says so."""
    target, clock = place(first=COMPLETE)
    bodies = (config_map("settings", v="1"), job("first", "before"))
    run(target, clock, *bodies)
    target.held = frozenset({id_of("first")})

    result = run(target, clock, config_map("settings", v="2"), job("first", "before"))

    assert result.verdict is Verdict.PARTIAL
    (skipped,) = [one for one in result.written if one.state == "skipped"]
    assert skipped.message == (
        "not sent: Job.batch shop/first was deleted, and is still there: it is being deleted"
    )


def test_files_have_no_hooks() -> None:
    """Whoever applies a directory or a branch runs them: all of them are written."""
    target = FakeTarget()

    result = run(target, FakeClock(), job("a", "before"), job("b", "failed"), job("c", "never"))

    assert result.verdict is Verdict.OK
    assert {write.split("/")[1] for write in target.writes} == {"a", "b", "c"}


def test_without_waiting_no_hook_follows() -> None:
    """Nobody knows whether everything is healthy."""
    target, clock = place(first=COMPLETE, last=COMPLETE)

    result = run(
        target,
        clock,
        config_map("settings"),
        job("first", "before"),
        job("last", "after"),
        wait=False,
    )

    assert (result.verdict, result.rollout) == (Verdict.OK, None)
    assert target.writes == ["create Job.batch shop/first", "create ConfigMap shop/settings"]


def test_what_is_complete_is_not_waited_for() -> None:
    """A Job that ran, and that Kubernetes deleted since, is neither missing nor to be run."""
    target, clock = place()
    target.completed = frozenset({id_of("once")})

    result = run(target, clock, job("once"), config_map("settings"))

    assert (result.verdict, clock.seconds) == (Verdict.OK, 0.0)
    assert target.writes == ["create ConfigMap shop/settings"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ([(Action.CREATE, State.DONE)], {"a": True}),
        ([(Action.CREATE, State.DONE), (Action.DELETE, State.DONE)], {"a": False}),
        ([(Action.DELETE, State.DONE), (Action.CREATE, State.DONE)], {"a": True}),
        ([(Action.DELETE, State.DONE), (Action.CREATE, State.STALE)], {}),
    ],
)
def test_what_ran_so_far(written: list[tuple[Action, State]], found: dict[str, bool]) -> None:
    """A hook whose leftover was deleted, but that was not created, has yet to run."""
    outcomes = [Outcome(id=id_of("a"), action=action, state=state) for action, state in written]

    assert {id.name: there for id, there in executions.ran(outcomes).items()} == found


def test_a_stamp_is_recorded_only_when_the_hooks_are_through() -> None:
    """Until then the deploy is not finished."""
    target, clock = place(smoke=BROKEN)

    run(target, clock, config_map("settings"), job("smoke", "after"))

    assert target.recorded is not None
    assert target.recorded.stamp is None
    assert target.recorded.claim is not None
    assert target.recorded.claim.stamp == Stamp(revision=NEW, sequence=5)
