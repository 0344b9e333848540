"""Which deploy may follow which, on a fake target."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.errors import Verdict
from pipeline_gitops.inventories import Claim, Relation, Stamp
from pipeline_gitops.pipeline import deploys
from pipeline_gitops.pipeline.executions import Course
from pipeline_gitops.views import Result
from tests.fakes.world import FakeClock, FakeJournal, FakeRepository, FakeTarget
from tests.unit.pipeline.orders import config_map, order, prepared

OLDEST, OLD, BAD, GOOD = "a1", "b2", "c3", "d4"
LINE = FakeRepository((OLDEST, OLD, BAD, GOOD))
ROLLBACK = Course(rollback=True)


class Forge:
    """Knows commits that the clone does not. *asked*: pairs of base and head."""

    def __init__(self, relation: Relation) -> None:
        self.relation = relation
        self.asked: list[tuple[str, str]] = []

    def compare(self, base: str, head: str) -> Relation:
        self.asked.append((base, head))
        return self.relation


def deploy(
    target: FakeTarget,
    revision: str,
    *,
    sequence: int = 0,
    course: Course | None = None,
    repository: FakeRepository = LINE,
    forge: Forge | None = None,
    **data: str,
) -> Result:
    """Deploys one ConfigMap that says which commit it is of."""
    wanted = order(prepared(config_map("a", of=revision, **data)), course=course or Course())
    return deploys.deploy(
        replace(wanted, stamp=Stamp(revision=revision, sequence=sequence)),
        target,
        repository=repository,
        clock=FakeClock(),
        journal=FakeJournal(),
        compare=(forge or Forge(Relation.UNKNOWN)).compare,
    )


def deployed(*revisions: str, sequence: int = 0) -> FakeTarget:
    target = FakeTarget()
    for revision in revisions:
        assert deploy(target, revision, sequence=sequence).verdict is Verdict.OK
    target.writes.clear()
    return target


def there(target: FakeTarget) -> Any:
    """Of which commit the target is."""
    (body,) = target.objects.values()
    return body["data"]["of"]  # type: ignore[index,call-overload]


def rules(result: Result) -> list[str]:
    return [refusal.rule for refusal in result.refusals]


# -- which is newer --------------------------------------------------------------------------------


def test_the_clone_is_asked_before_the_forge() -> None:
    """A full clone tells it all, without a request."""
    target, forge = deployed(OLD), Forge(Relation.BEHIND)

    assert deploy(target, BAD, forge=forge).verdict is Verdict.OK
    assert forge.asked == []


@pytest.mark.parametrize(
    ("relation", "verdict"),
    [
        (Relation.AHEAD, Verdict.OK),
        (Relation.BEHIND, Verdict.SUPERSEDED),
        (Relation.DIVERGED, Verdict.REFUSED),
        (Relation.UNKNOWN, Verdict.REFUSED),
    ],
)
def test_the_forge_tells_what_a_shallow_clone_does_not(
    relation: Relation, verdict: Verdict
) -> None:
    """And where it does not either, nothing is guessed."""
    target, forge = deployed(OLD), Forge(relation)

    result = deploy(target, "shallow", forge=forge)

    assert result.verdict is verdict
    assert forge.asked[0] == (OLD, "shallow")


@pytest.mark.parametrize(("mine", "verdict"), [(6, Verdict.SUPERSEDED), (8, Verdict.OK)])
def test_counters_tell_where_commits_do_not(mine: int, verdict: Verdict) -> None:
    """The forge's own, which only grow."""
    target = deployed(OLD, sequence=7)

    assert deploy(target, "branch", sequence=mine).verdict is verdict


def test_what_nothing_tells_is_refused_with_the_way_out() -> None:
    """Exit code 4, and the flag that goes on all the same."""
    target = deployed(OLD)

    refused = deploy(target, "branch")
    allowed = deploy(target, "branch", course=Course(allow_diverged=True))

    assert (refused.verdict, rules(refused)) == (Verdict.REFUSED, ["order-unknown"])
    assert "--allow-diverged" in refused.refusals[0].cure
    assert (allowed.verdict, there(target)) == (Verdict.OK, "branch")


def test_allow_diverged_makes_no_older_commit_newer() -> None:
    """It is for what nothing tells."""
    target = deployed(BAD)

    result = deploy(target, OLD, course=Course(allow_diverged=True))

    assert result.verdict is Verdict.SUPERSEDED


# -- rollbacks -------------------------------------------------------------------------------------


def test_a_rollback_deploys_an_older_commit_and_holds_the_newer_one() -> None:
    """At the next sequence."""
    target = deployed(OLD, BAD, sequence=7)

    result = deploy(target, OLD, course=ROLLBACK)

    assert (result.verdict, there(target)) == (Verdict.OK, OLD)
    assert target.recorded is not None
    assert target.recorded.stamp == Stamp(revision=OLD, sequence=8)
    assert target.recorded.held == BAD
    assert f"{BAD} is held" in result.notices[-1]


@pytest.mark.parametrize("revision", [BAD, "between"])
def test_what_was_rolled_back_is_not_deployed_again(revision: str) -> None:
    """Neither the commit, nor one that led to it: by a pipeline run again, or still under way."""
    line = FakeRepository((OLD, "between", BAD, GOOD))
    target = FakeTarget()
    for commit in (OLD, BAD):
        deploy(target, commit, repository=line)
    deploy(target, OLD, course=ROLLBACK, repository=line)

    result = deploy(target, revision, repository=line)

    assert (result.verdict, rules(result)) == (Verdict.REFUSED, ["held"])
    assert "deploy --release --environment prod" in result.refusals[0].cure
    assert there(target) == OLD


def test_a_commit_after_the_held_one_goes_through_and_lifts_the_hold() -> None:
    """It is how the repair comes."""
    target = deployed(OLD, BAD)
    deploy(target, OLD, course=ROLLBACK)

    result = deploy(target, GOOD)

    assert (result.verdict, there(target)) == (Verdict.OK, GOOD)
    assert target.recorded is not None
    assert target.recorded.held == ""


def test_release_deploys_what_is_held() -> None:
    """And it is held no more."""
    target = deployed(OLD, BAD)
    deploy(target, OLD, course=ROLLBACK)

    result = deploy(target, BAD, course=Course(release=True))

    assert (result.verdict, there(target)) == (Verdict.OK, BAD)
    assert target.recorded is not None
    assert target.recorded.held == ""


def test_a_hold_stands_from_the_claim_on() -> None:
    """A pipeline under way comes back to its inventory while the rollback is not finished yet."""
    target = deployed(OLD, BAD)
    target.before_write = lambda other: seen.append(deploy(other, BAD))
    seen: list[Result] = []

    deploy(target, OLD, course=ROLLBACK)

    assert [rules(result) for result in seen] == [["held"]]


def test_a_killed_rollback_run_again_still_holds_what_it_left() -> None:
    """Not itself."""
    target = deployed(OLD, BAD)
    target.die_after = 0
    with pytest.raises(KeyboardInterrupt):
        deploy(target, OLD, course=ROLLBACK)
    target.die_after = None

    result = deploy(target, OLD, course=ROLLBACK)

    assert result.verdict is Verdict.OK
    assert target.recorded is not None
    assert target.recorded.held == BAD


def test_a_second_rollback_further_back_holds_the_first_one_s() -> None:
    """The newest bad commit is what must not come back."""
    target = deployed(OLDEST, OLD, BAD)
    deploy(target, OLD, course=ROLLBACK)

    deploy(target, OLDEST, course=ROLLBACK)

    assert target.recorded is not None
    assert (there(target), target.recorded.held) == (OLDEST, BAD)


def test_a_rollback_gives_way_to_a_deploy_that_comes_in_between() -> None:
    """It was meant for what stood there, not for a repair that has just arrived."""
    target = deployed(OLD, BAD)
    target.before_claim = lambda other: deploy(other, GOOD)

    result = deploy(target, OLD, course=ROLLBACK)

    assert (result.verdict, there(target)) == (Verdict.SUPERSEDED, GOOD)


def test_where_nothing_is_deployed_nothing_is_rolled_back() -> None:
    """Exit code 2."""
    assert deploy(FakeTarget(), OLD, course=ROLLBACK).verdict is Verdict.USAGE


def test_a_newer_commit_is_no_rollback() -> None:
    """Exit code 2: it would hold the older one."""
    assert deploy(deployed(OLD), BAD, course=ROLLBACK).verdict is Verdict.USAGE


def test_a_rollback_to_what_is_there_holds_nothing() -> None:
    """There is nothing that it leaves."""
    target = deployed(BAD)

    deploy(target, BAD, course=ROLLBACK)

    assert target.recorded is not None
    assert target.recorded.held == ""


# -- deploys that meet -----------------------------------------------------------------------------


def test_the_inventory_that_was_judged_is_the_one_that_is_claimed() -> None:
    """Read again for the survey, it could be a newer deploy's, and be overwritten."""
    target = deployed(OLD)
    read = target.inventory

    def inventory() -> Any:
        found = read()
        target.inventory = read  # type: ignore[method-assign]
        deploy(target, GOOD)  # right after we have looked
        return found

    target.inventory = inventory  # type: ignore[method-assign]

    result = deploy(target, BAD)

    assert (result.verdict, there(target)) == (Verdict.SUPERSEDED, GOOD)


def test_a_refused_write_looks_who_has_the_target_now() -> None:
    """A policy may deny what an older claim sends: exit code 8, not 4."""
    target = deployed(OLD)
    target.refuse = frozenset(target.objects)

    def somebody_newer(other: FakeTarget) -> None:
        assert other.recorded is not None
        claim = Claim(stamp=Stamp(revision=GOOD))
        other.version += 1
        other.recorded = replace(other.recorded, claim=claim)

    target.before_write = somebody_newer

    assert deploy(target, BAD).verdict is Verdict.SUPERSEDED


def test_what_an_unfinished_deploy_wrote_meanwhile_is_shown_anew() -> None:
    """It may be alive until its claim is taken over; nothing else gets in that way."""
    target = deployed(OLD)
    (id,) = target.objects
    assert target.recorded is not None
    target.recorded = replace(target.recorded, claim=Claim(stamp=Stamp(revision=OLD), ids=(id,)))

    def it_writes(other: FakeTarget) -> None:
        other.objects[id] = config_map("a", of="nobody", more="fields")

    target.before_write = it_writes

    result = deploy(target, BAD)

    assert (result.verdict, there(target)) == (Verdict.OK, BAD)
    assert any("more" in line for line in result.plans[0].changes[0].lines)


def test_of_two_runs_of_one_commit_the_later_goes_on() -> None:
    """They would take over from each other for ever."""
    target = deployed(OLD)

    def another_run(other: FakeTarget) -> None:
        found = other.inventory()
        other.version += 1
        claimed = inventories.claimed(found, Stamp(revision=BAD), found.ids)
        other.recorded = replace(claimed, epoch=found.epoch + 1)
        other.objects.clear()

    target.before_write = another_run

    result = deploy(target, BAD)

    assert (result.verdict, target.writes) == (Verdict.SUPERSEDED, [])
    assert "another run of this commit" in result.notices[0]


def test_a_run_of_the_same_commit_goes_on_where_a_killed_one_stopped() -> None:
    """A claim that stands at its beginning is nobody's it knows of."""
    target = deployed(OLD)
    target.die_after = 0
    with pytest.raises(KeyboardInterrupt):
        deploy(target, BAD)
    target.die_after = None

    assert deploy(target, BAD).verdict is Verdict.OK
