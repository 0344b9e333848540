"""What every forge must do with commit statuses."""

import pytest

from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.ports import StatusState
from tests.contract.forges.worlds import (
    SHA,
    World,
    status,
)
from tests.fakes.forge import newest


@pytest.mark.parametrize("state", list(StatusState))
def test_status_is_set_and_read(world: World, state: StatusState) -> None:
    """What is set is what is read, in the words that the forge has."""
    forge = world.connect()
    in_its_words = {
        (ForgeKind.GITHUB, StatusState.RUNNING): StatusState.PENDING,
        (ForgeKind.GITEA, StatusState.RUNNING): StatusState.PENDING,
        (ForgeKind.GITEA, StatusState.CANCELLED): StatusState.FAILURE,
    }
    wanted = status(state=state, url="https://ci.example.com/1")

    forge.set_status(wanted)

    (found,) = newest(forge, SHA)
    read = in_its_words.get((world.kind, state), state)
    assert (found.context, found.state) == (wanted.context, read)
    assert (found.description, found.url) == ("no changes", "https://ci.example.com/1")
    assert found.creator == forge.me()


def test_newest_status_per_context(world: World) -> None:
    """A context has one status: the last one."""
    forge = world.connect()
    forge.set_status(status("starts", state=StatusState.PENDING))
    forge.set_status(status("2 of 2 objects written"))
    forge.set_status(status("failed", context="pipeline-gitops/prod", state=StatusState.FAILURE))

    found = {one.context: (one.state, one.description) for one in newest(forge, SHA)}

    assert found == {
        "pipeline-gitops/staging": (StatusState.SUCCESS, "2 of 2 objects written"),
        "pipeline-gitops/prod": (StatusState.FAILURE, "failed"),
    }


def test_every_status_that_was_set_is_remembered(world: World) -> None:
    """What a review said is found behind what a deploy says later, newest first."""
    forge = world.connect()
    said = ["no changes; plan 1", "1 to change; plan 2", "1 of 1 objects written"]
    for description in said:
        forge.set_status(status(description))

    found = forge.status_history(SHA)

    assert [one.description for one in found] == said[::-1]
    assert {one.sha for one in found} == {SHA}


def test_newest_status_is_found_over_pages(world: World) -> None:
    """A commit of a large repository has hundreds of them."""
    forge = world.connect()
    for number in range(120):
        forge.set_status(status(f"try {number}", context=f"check {number % 60}"))

    found = {one.context: one.description for one in newest(forge, SHA)}

    assert len(found) == 60
    assert found["check 0"] == "try 60"


def test_description_is_cut_to_the_limit(world: World) -> None:
    """Both forges refuse a longer one instead of cutting it."""
    forge = world.connect()

    forge.set_status(status("d" * 300))

    ((_, _, description),) = world.server.statuses_of(SHA)
    limit = forge.limits.description
    assert description == "d" * (limit - 1) + "…"


def test_address_over_the_limit_is_left_out(world: World) -> None:
    """Half an address is none."""
    forge = world.connect()

    forge.set_status(status(url=f"https://ci.example.com/{'x' * 2_000}"))

    (found,) = newest(forge, SHA)
    assert found.url == ""


def test_equal_status_is_fine(world: World) -> None:
    """A job that runs again says the same again."""
    forge = world.connect()

    for _ in range(2):
        forge.set_status(status("starts", state=StatusState.PENDING))

    (found,) = newest(forge, SHA)
    assert found.state is StatusState.PENDING


def test_status_moves_from_waiting_to_its_end(world: World) -> None:
    """Every step is taken, none is refused."""
    forge = world.connect()
    steps = (StatusState.PENDING, StatusState.RUNNING, StatusState.RUNNING, StatusState.SUCCESS)

    for state in steps:
        forge.set_status(status(state=state))

    (found,) = newest(forge, SHA)
    assert found.state is StatusState.SUCCESS
