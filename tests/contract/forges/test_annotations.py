"""Findings beside their lines: the check runs of GitHub."""

import pytest

from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.errors import LackingFault
from pipeline_gitops.ports import Annotation, Check
from pipeline_gitops.views import Severity
from tests.contract.forges.worlds import SHA, World

pytestmark = pytest.mark.parametrize("world", [ForgeKind.GITHUB], ids=["github"], indirect=True)


def check(count: int) -> Check:
    """A check run with so many annotations."""
    return Check(
        sha=SHA,
        name="pipeline-gitops findings: prod",
        title=f"{count} errors",
        summary="Beside their lines.",
        url="https://ci.example.com/1",
        annotations=tuple(
            Annotation(
                path="deploy/app.yaml",
                line=number + 1,
                severity=[*Severity][number % 3],
                title="schema",
                message=f"finding {number}",
            )
            for number in range(count)
        ),
    )


@pytest.mark.parametrize("count", [1, 50, 51, 120])
def test_all_annotations_arrive(world: World, count: int) -> None:
    """GitHub takes fifty in a request; the rest is added."""
    world.connect().set_check(check(count))

    (run,) = world.server.checks.all.values()
    told = world.server.checks.annotations()
    assert [one["message"] for one in told] == [f"finding {number}" for number in range(count)]
    assert len(world.server.writes()) == -(-count // 50)
    assert (run["head_sha"], run["status"], run["conclusion"]) == (SHA, "completed", "neutral")
    assert {one["annotation_level"] for one in told} <= {"failure", "warning", "notice"}


def test_long_texts_are_cut(world: World) -> None:
    """A finding may quote a long line."""
    long = Annotation(
        path="a.yaml", line=1, severity=Severity.ERROR, title="t" * 300, message="m" * 70_000
    )

    world.connect().set_check(Check(sha=SHA, name="n", title="t", summary="s", annotations=(long,)))

    (told,) = world.server.checks.annotations()
    assert len(told["title"]) == 255
    assert len(told["message"].encode()) < 64 * 1024


def test_token_without_the_right_is_told(world: World) -> None:
    """The log takes the annotations then."""
    world.server.denied.add("checks")

    with pytest.raises(LackingFault) as caught:
        world.connect().set_check(check(1))

    assert "permissions: checks: write" in caught.value.cure
