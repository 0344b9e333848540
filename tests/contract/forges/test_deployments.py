"""What the forges that keep records of deployments must do with them."""

from typing import Any

import pytest

from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.errors import LackingFault, ReportFault
from pipeline_gitops.ports import Deployment, StatusState
from tests.contract.forges.worlds import SHA, World

pytestmark = pytest.mark.parametrize(
    "world", [ForgeKind.GITHUB, ForgeKind.GITLAB], ids=["github", "gitlab"], indirect=True
)

RUN = "https://ci.example.com/shop/deploy/actions/runs/17"


def deployment(state: StatusState, **other: Any) -> Deployment:
    """One of the environment prod."""
    given = {"sha": SHA, "environment": "prod", "url": f"{RUN}/attempts/1"}
    return Deployment(**{**given, "state": state, "description": f"is {state}", **other})


def records(world: World) -> list[list[str]]:
    """The states of each record, oldest first."""
    if world.kind is ForgeKind.GITHUB:
        told = world.server.deployments.told("prod")
        return [[state for state, _ in one] for one in told]
    moves: dict[int, list[str]] = {}
    for id, state in world.server.deployments.moves:
        moves.setdefault(id, []).append(state)
    return list(moves.values())


STATES = {
    ForgeKind.GITHUB: ["pending", "in_progress", "success"],
    ForgeKind.GITLAB: ["running", "success"],  # one that waits cannot be recorded
}


def test_a_deployment_is_begun_once_and_advanced(world: World) -> None:
    """One record, from waiting to its end."""
    forge = world.connect(branch="main")

    for state in (StatusState.PENDING, StatusState.RUNNING, StatusState.SUCCESS):
        forge.set_deployment(deployment(state))

    assert records(world) == [STATES[world.kind]]


@pytest.mark.parametrize("end", [StatusState.FAILURE, StatusState.CANCELLED])
def test_a_deployment_tells_how_it_ended(world: World, end: StatusState) -> None:
    """A cancelled one is not left running."""
    forge = world.connect(branch="main")

    forge.set_deployment(deployment(StatusState.RUNNING))
    forge.set_deployment(deployment(end))

    words = {
        ForgeKind.GITHUB: {"failure": "failure", "cancelled": "error"},
        ForgeKind.GITLAB: {"failure": "failed", "cancelled": "canceled"},
    }
    assert records(world)[0][-1] == words[world.kind][end.value]


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("code", [502, 0], ids=["502", "reset"])
def test_a_beginning_without_an_answer_is_not_doubled(world: World, code: int, done: bool) -> None:
    """It is looked for before the end is told."""
    world.server.fail("POST", "deployments", status=code, done=done)
    forge = world.connect(branch="main")
    with pytest.raises(ReportFault):
        forge.set_deployment(deployment(StatusState.RUNNING))

    forge.set_deployment(deployment(StatusState.SUCCESS))

    (record,) = records(world)
    assert record[-1] == "success"


def test_one_of_a_killed_run_is_taken_up_by_the_next_attempt(world: World) -> None:
    """Another process of the same run finds what the first one left."""
    world.connect(branch="main").set_deployment(deployment(StatusState.RUNNING))

    again = deployment(StatusState.SUCCESS, url=f"{RUN}/attempts/2")
    world.connect(branch="main").set_deployment(again)

    (record,) = records(world)
    assert record[-1] == "success"


def test_environments_have_a_record_each(world: World) -> None:
    """One job may deploy several."""
    forge = world.connect(branch="main")

    forge.set_deployment(deployment(StatusState.SUCCESS))
    forge.set_deployment(deployment(StatusState.SUCCESS, environment="staging"))

    assert len(world.server.deployments.all) == 2


def test_the_record_of_the_job_is_used(world: World) -> None:
    """A job with `environment:` has one from the CI already: two would show two deployments."""
    if world.kind is ForgeKind.GITHUB:
        world.server.deployments.begin(SHA, "prod", log_url=f"{RUN}/job/3")
        forge = world.connect()
    else:
        world.server.deployments.begin(SHA, "prod", job=3)
        forge = world.connect(branch="main", job_environment="prod")

    forge.set_deployment(deployment(StatusState.RUNNING))
    forge.set_deployment(deployment(StatusState.SUCCESS))

    assert len(world.server.deployments.all) == 1


def test_the_record_of_another_run_is_left(world: World) -> None:
    """What somebody else deploys at the same commit is not ours to end."""
    if world.kind is ForgeKind.GITHUB:
        elsewhere = "https://ci.example.com/shop/deploy/actions/runs/170"
        world.server.deployments.begin(SHA, "prod", log_url=f"{elsewhere}/job/3")
        world.server.deployments.begin(SHA, "prod", log_url="", payload={"by": "somebody"})
    else:
        world.server.deployments.begin(SHA, "prod", job=3)
        world.server.deployments.begin("cd" * 20, "prod")
    others = records(world)

    world.connect(branch="main").set_deployment(deployment(StatusState.SUCCESS))

    assert records(world) == [*others, ["success"]]


def test_reader_is_told_which_right_a_deployment_needs(world: World) -> None:
    """The setting that grants it, and nothing is a failure."""

    with pytest.raises(LackingFault) as caught:
        world.connect("readonly").set_deployment(deployment(StatusState.RUNNING))

    lacks = {
        ForgeKind.GITHUB: "permissions: deployments: write",
        ForgeKind.GITLAB: "role Developer",
    }
    assert lacks[world.kind] in caught.value.cure
