"""A pushed commit is traced to the merge request that brought it, or to none."""

import pytest

from pipeline_gitops.inventories import Relation
from pipeline_gitops.pipeline.merge_requests.origins import carried, origin
from pipeline_gitops.ports import Commit, MergeRequest
from tests.fakes.forge import FakeForge
from tests.fakes.world import FakeClock

SHA, HEAD = "ab" * 20, "cd" * 20
MERGED = MergeRequest(number=12, state="merged", head_sha=HEAD, merge_sha=SHA)


def test_the_merge_that_made_the_commit_counts() -> None:
    """Others may hold the commit as well."""
    clock = FakeClock()
    forge = FakeForge(clock)
    other = MergeRequest(number=9, state="merged", merge_sha="ef" * 20)
    forge.board.brought[SHA] = [MergeRequest(number=7), other, MERGED]

    assert origin(SHA, "", forge, clock, 10) == MERGED
    assert clock.seconds == 0


def test_the_forge_may_know_a_moment_later() -> None:
    """Its index runs behind the merge that started this very job."""
    clock = FakeClock()
    forge = FakeForge(clock)

    def index() -> None:
        if clock.seconds >= 4:
            forge.board.brought[SHA] = [MERGED]
        else:
            forge.before("merge_requests_of", index)

    forge.before("merge_requests_of", index)

    assert origin(SHA, "", forge, clock, 10) == MERGED
    assert clock.seconds == 4


def test_a_direct_push_has_none() -> None:
    """Said after the forge has had its time."""
    clock = FakeClock()

    assert origin(SHA, "Fix the build", FakeForge(clock), clock, 10) is None
    assert clock.seconds == 10


def test_a_run_that_took_long_does_not_wait() -> None:
    """The forge has had its time already."""
    clock = FakeClock()

    assert origin(SHA, "Fix the build", FakeForge(clock), clock, 0) is None
    assert clock.seconds == 0


@pytest.mark.parametrize(
    "subject",
    ["Add a cache (#12)", "Merge pull request #12 from shop/cache", "Add a cache (!12)"],
)
def test_the_first_line_may_name_it(subject: str) -> None:
    """Merged on somebody's machine: counts if its head is part of the history."""
    clock = FakeClock()
    forge = FakeForge(clock)
    local = MergeRequest(number=12, state="merged", head_sha=HEAD)
    forge.board.merge_requests[12] = local
    forge.board.relations[HEAD, SHA] = Relation.AHEAD

    assert origin(SHA, subject, forge, clock, 10) == local
    assert clock.seconds == 0


@pytest.mark.parametrize("relation", [Relation.DIVERGED, Relation.BEHIND, Relation.UNKNOWN])
def test_a_number_alone_proves_nothing(relation: Relation) -> None:
    """A first line is text: it could name anything."""
    clock = FakeClock()
    forge = FakeForge(clock)
    forge.board.merge_requests[12] = MergeRequest(number=12, state="merged", head_sha=HEAD)
    forge.board.relations[HEAD, SHA] = relation

    assert origin(SHA, "Add a cache (#12)", forge, clock, 0) is None


def test_an_open_merge_request_is_none() -> None:
    """What was not merged did not bring it."""
    clock = FakeClock()
    forge = FakeForge(clock)
    forge.board.merge_requests[12] = MergeRequest(number=12, state="open", head_sha=HEAD)
    forge.board.relations[HEAD, SHA] = Relation.AHEAD

    assert origin(SHA, "Add a cache (#12)", forge, clock, 0) is None


def commits(*shas: str) -> list[Commit]:
    """By their hashes, newest first."""
    return [Commit(sha=sha) for sha in shas]


def test_a_deploy_carries_the_merge_requests_of_deploys_that_were_superseded() -> None:
    """Each is found once, with the environments that it came to."""
    forge = FakeForge(FakeClock())
    older = MergeRequest(number=11, state="merged", merge_sha="11" * 20)
    forge.board.brought = {SHA: [MERGED], "11" * 20: [older]}
    brought = {"staging": commits(SHA), "prod": commits(SHA, "dd" * 20, "11" * 20)}

    found = carried(brought, forge)

    assert [(one.merge_request.number, sorted(one.environments)) for one in found] == [
        (12, ["prod", "staging"]),
        (11, ["prod"]),
    ]
    assert forge.log.count("merge_requests_of") == 3


def test_no_more_than_ten_are_told() -> None:
    """A first deploy after months must not write to hundreds of merge requests."""
    forge = FakeForge(FakeClock())
    shas = [f"{number:040x}" for number in range(30)]
    for number, sha in enumerate(shas):
        forge.board.brought[sha] = [MergeRequest(number=number + 1, state="merged", merge_sha=sha)]

    found = carried({"prod": commits(*shas)}, forge)

    assert [one.merge_request.number for one in found] == [*range(1, 11)]
