"""What every forge must know of merge requests and commits."""

import pytest

from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.inventories import Relation
from tests.contract.forges.worlds import (
    SHA,
    World,
)

# -- merge requests -----------------------------------------------------------------------------


def test_merge_request_is_read(world: World) -> None:
    """Everything that a report needs to know of it."""
    found = world.connect().merge_request(7)

    assert (found.number, found.state) == (7, "open")
    assert (found.head_sha, found.merge_sha) == (f"{7:040x}", "")


def test_unknown_merge_request_is_a_fault(world: World) -> None:
    """A wrong number, or a token that may not see the project."""
    with pytest.raises(ReportFault) as caught:
        world.connect().merge_request(8)

    assert "404" in caught.value.what
    assert "shop/deploy" in caught.value.cure


def test_merge_that_made_the_commit_comes_first(world: World) -> None:
    """Never blindly the first: open and otherwise merged ones hold the commit too."""
    world.server.opened(11, seen_at=SHA)
    world.server.merged(12, "cd" * 20, seen_at=SHA)
    world.server.merged(13, SHA)

    found = world.connect().merge_requests_of(SHA)

    expected = [(13, "merged"), (12, "merged"), (11, "open")]
    if world.kind is ForgeKind.GITEA:  # it knows the one that made the commit, and no others
        expected = expected[:1]
    assert [(one.number, one.state) for one in found] == expected
    assert found[0].merge_sha == SHA


def test_direct_push_has_no_merge_request(world: World) -> None:
    """Nothing is found, and that is no fault."""
    assert world.connect().merge_requests_of(SHA) == ()


# -- commits ------------------------------------------------------------------------------------


ROOT, MAIN, NEXT, BRANCH, FOREIGN = (letter * 40 for letter in "abcde")


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        (MAIN, NEXT, Relation.AHEAD),
        (NEXT, MAIN, Relation.BEHIND),
        (ROOT, NEXT, Relation.AHEAD),
        (NEXT, BRANCH, Relation.DIVERGED),
        (MAIN, MAIN, Relation.IDENTICAL),
        ("9" * 40, MAIN, Relation.UNKNOWN),
        (MAIN, "9" * 40, Relation.UNKNOWN),
    ],
)
def test_commits_are_compared(world: World, base: str, head: str, expected: Relation) -> None:
    """What a shallow clone cannot tell, and unknown where the forge cannot either."""
    world.server.parents = {ROOT: "", MAIN: ROOT, NEXT: MAIN, BRANCH: MAIN, FOREIGN: ""}

    assert world.connect().compare(base, head) is expected


@pytest.mark.parametrize("text", ["[]", "{}", '{"status": "newer", "id": null}', "<html>"])
def test_a_comparison_that_is_none_is_a_fault(world: World, text: str) -> None:
    """A login page decides nothing."""
    path = "merge_base" if world.kind is ForgeKind.GITLAB else "compare"
    world.server.fail("GET", path, status=200, text=text)

    with pytest.raises(ReportFault):
        world.connect().compare(MAIN, NEXT)
