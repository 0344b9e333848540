"""Commit status and deployment say the same at any time, as far as the token lets them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pipeline_gitops.errors import LackingFault, ReportFault, Verdict
from pipeline_gitops.pipeline.merge_requests import milestones
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone, Recorder
from pipeline_gitops.ports import Deployment, StatusState, Surface
from tests.fakes.forge import FakeForge
from tests.fakes.world import FakeClock

SHA = "ab" * 20
URL = "https://ci.example.com/1"


def recorder(forge: FakeForge, *, deploys: bool = True) -> Recorder:
    """Of a deploy, unless it is a review."""
    return Recorder(forge, SHA, URL, deploys=deploys)


def well(environment: str = "prod") -> Milestone:
    """It ended well."""
    return Milestone(
        environment=environment, state=StatusState.SUCCESS, description="2 of 2 objects written"
    )


def test_status_and_deployment_move_together() -> None:
    """Waiting, running, ended: on both, in this order."""
    forge = FakeForge(FakeClock())
    telling = recorder(forge)

    telling.tell(milestones.waiting("prod"))
    telling.tell(milestones.running("prod"))
    telling.end([well()])

    states = ["pending", "running", "success"]
    assert [one.state.value for one in forge.board.statuses] == states
    assert [one.state.value for one in forge.board.deployments] == states
    assert forge.log == ["status", "deployment"] * 3
    assert telling.missed == {}


def test_a_review_has_no_deployment() -> None:
    """Nothing is deployed by it."""
    forge = FakeForge(FakeClock())

    recorder(forge, deploys=False).end([well()])

    assert forge.log == ["status"]


def test_statuses_of_all_environments_come_before_deployments() -> None:
    """They are what a merge waits for."""
    forge = FakeForge(FakeClock())

    recorder(forge).end([well("staging"), well("prod")])

    assert forge.log == ["status", "status", "deployment", "deployment"]


def test_what_stands_is_not_told_again() -> None:
    """It costs what changed."""
    forge = FakeForge(FakeClock())
    telling = recorder(forge)
    telling.tell(well())

    telling.end([well()])

    assert forge.log == ["status", "deployment"]


def test_a_forge_that_is_away_costs_its_timeout_once() -> None:
    """Nothing more is tried while the deploy is on, and all of it at the end."""
    forge = FakeForge(FakeClock())
    forge.fail("status", done=False)
    telling = recorder(forge)

    telling.tell(milestones.waiting("prod"))
    telling.tell(milestones.running("prod"))
    tried = forge.log.copy()
    telling.end([well()])

    assert tried == ["status"]
    assert [one.state for one in forge.board.statuses] == [StatusState.SUCCESS]
    assert [one.state for one in forge.board.deployments] == [StatusState.SUCCESS]
    assert telling.missed == {}


@pytest.mark.parametrize("surface", [Surface.STATUS, Surface.DEPLOYMENT])
def test_what_a_token_never_may_is_not_tried(surface: Surface) -> None:
    """The other surface is told, and why this one is not is kept."""
    forge = FakeForge(FakeClock())
    lack = LackingFault("CI_JOB_TOKEN may not", "give it another")
    forge.lacking[surface] = lack
    telling = recorder(forge)

    telling.tell(milestones.running("prod"))
    telling.end([well()])

    other = "deployment" if surface is Surface.STATUS else "status"
    assert set(forge.log) == {other}
    assert telling.missed == {surface: lack}


def test_a_refused_surface_is_left_alone() -> None:
    """It is asked once, not at each step."""
    forge = FakeForge(FakeClock())

    def refuse() -> None:
        raise LackingFault("403", "give the job `permissions: deployments: write`")

    forge.before("deployment", refuse)
    telling = recorder(forge)

    telling.tell(milestones.running("prod"))
    telling.end([well()])

    assert forge.log == ["status", "deployment", "status"]
    assert [*telling.missed] == [Surface.DEPLOYMENT]


def test_an_end_that_is_not_taken_is_missed() -> None:
    """And the other surface is told all the same."""
    forge = FakeForge(FakeClock())
    forge.fail("status", done=False)
    telling = recorder(forge)

    telling.end([well("staging"), well("prod")])

    assert isinstance(telling.missed[Surface.STATUS], ReportFault)
    assert forge.log == ["status", "deployment", "deployment"]


@pytest.mark.parametrize("names", [("dev", "prod", "staging"), ("dev", "staging", "prod")])
def test_one_environment_that_is_protected_leaves_no_other_running(names: Sequence[str]) -> None:
    """GitLab says 403 of a protected one; the others have begun, and have to end."""
    forge = FakeForge(FakeClock())
    set_deployment = forge.set_deployment

    def protected(deployment: Deployment) -> None:
        if deployment.environment == "prod":
            raise LackingFault("403", "give the job's user `Allowed to deploy`")
        set_deployment(deployment)

    forge.set_deployment = protected  # type: ignore[method-assign]
    telling = recorder(forge)

    for name in names:
        telling.tell(milestones.running(name))
    telling.end(map(well, names))

    ends = {one.environment: one.state for one in forge.board.deployments}
    assert ends == {"dev": StatusState.SUCCESS, "staging": StatusState.SUCCESS}
    assert [*telling.missed] == [Surface.DEPLOYMENT]


def test_an_end_that_is_refused_of_one_is_told_of_the_others() -> None:
    """A commit with a thousand statuses of one context takes those of another."""
    forge = FakeForge(FakeClock())
    telling = recorder(forge, deploys=False)
    for name in ("dev", "staging", "prod"):
        telling.tell(milestones.running(name))
    forge.fail("status", done=False)

    telling.end(map(well, ("dev", "staging", "prod")))

    ends = {one.context: one.state for one in forge.board.statuses}
    assert ends == {
        "pipeline-gitops/dev": StatusState.RUNNING,
        "pipeline-gitops/staging": StatusState.SUCCESS,
        "pipeline-gitops/prod": StatusState.SUCCESS,
    }


def test_a_forge_that_went_away_costs_two_timeouts_at_the_end() -> None:
    """However many environments wait to be told."""
    forge = FakeForge(FakeClock())
    names = [f"env{number}" for number in range(9)]
    telling = recorder(forge, deploys=False)
    telling.tell(well("env0"))
    for _ in names:
        forge.fail("status", done=False)

    telling.end(map(well, names))

    assert forge.log == ["status"] * 3


# -- what a status says --------------------------------------------------------------------------

PLAN = "a1" * 12


def test_a_plan_is_read_from_where_it_was_written() -> None:
    """However long the sentence before it is."""
    reviewed = replace(well(), description="3 to update " * 40, plan=PLAN)

    said = milestones.described(reviewed, 140)

    assert len(said) == 140
    assert milestones.plan_in(said) == PLAN


@pytest.mark.parametrize("end", ["", "\n", " ", " \t\n ", "\u2028", "\xa0", "; plan x"])
@pytest.mark.parametrize("start", ["", "x" * 108, "x" * 200])
def test_nobody_else_names_a_plan(start: str, end: str) -> None:
    """A server's message, or a stranger's, would be taken for what was reviewed."""
    failed = replace(well(), description=f"{start}; plan {PLAN}{end}")

    for limit in (140, 255):
        said = milestones.described(failed, limit)
        assert milestones.plan_in(said) == ""
        assert milestones.plan_in(said.strip()) == ""


def test_long_names_that_begin_alike_are_two_contexts() -> None:
    """No longer than every forge takes them, so that none cuts them to the same one."""
    names = ["x" * 300, "x" * 300 + "y", "x" * 10]

    contexts = [*map(milestones.context, names)]

    assert len(set(contexts)) == len(names)
    assert max(map(len, contexts)) == 255
    assert contexts[2] == "pipeline-gitops/xxxxxxxxxx"


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.OK, StatusState.SUCCESS),
        (Verdict.UNHEALTHY, StatusState.FAILURE),
        (Verdict.PARTIAL, StatusState.FAILURE),
        (Verdict.REFUSED, StatusState.FAILURE),
        (Verdict.SUPERSEDED, StatusState.CANCELLED),
        (Verdict.INTERRUPTED, StatusState.CANCELLED),
        (Verdict.TERMINATED, StatusState.CANCELLED),
    ],
)
def test_only_what_went_well_is_a_success(verdict: Verdict, state: StatusState) -> None:
    """What was stopped, or is not needed any more, is no failure of the commit."""
    assert milestones.ended(verdict) is state


def test_whatever_else_ends_is_a_failure() -> None:
    """No verdict is forgotten, and only one is green."""
    states = {verdict: milestones.ended(verdict) for verdict in Verdict}

    assert [verdict for verdict, state in states.items() if state is StatusState.SUCCESS] == [
        Verdict.OK
    ]
    assert not milestones.UNFINISHED & set(states.values())
