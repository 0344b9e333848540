"""What a finished report does at the forge, in which order, and what it says of what it cannot."""

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline_gitops import masks
from pipeline_gitops.errors import InterruptedFault, LackingFault, Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline.merge_requests import deliveries
from pipeline_gitops.pipeline.merge_requests.deliveries import Address, Told
from pipeline_gitops.pipeline.merge_requests.milestones import Recorder
from pipeline_gitops.pipeline.merge_requests.notes import Stamp
from pipeline_gitops.ports import Commit, MergeRequest, StatusState, Surface
from pipeline_gitops.views import (
    Action,
    ChangeView,
    FaultView,
    Finding,
    PlanView,
    Report,
    Result,
    Severity,
)
from tests.fakes.forge import FakeForge
from tests.fakes.world import FakeClock

SHA = "ab" * 20
MERGED = MergeRequest(number=12, state="merged", merge_sha=SHA, head_sha="cd" * 20)
CHANGE = ChangeView(id=ObjectId("apps", "Deployment", "shop", "api"), action=Action.UPDATE)


def result(environment: str = "prod", **other: Any) -> Result:
    """One environment in which something changes."""
    plan = PlanView(compared="cluster prod", changes=(CHANGE,))
    return Result(environment=environment, **{"plans": (plan,), **other})


def report(*results: Result, seconds: float = 60.0) -> Sealed:
    """A report that may leave."""
    made = Report(command="run", revision=SHA, results=results or (result(),), seconds=seconds)
    return masks.seal(made, ())


def deliver(
    forge: FakeForge, sealed: Sealed, *, deploys: bool = True, **address: Any
) -> Sequence[Told]:
    """Delivers it for the commit."""
    clock = FakeClock()
    recorder = Recorder(forge, SHA, "", deploys=deploys)
    where = Address(sha=SHA, **address)
    return tuple(deliveries.deliver(sealed, where, Stamp(phase=1, run=1), recorder, forge, clock))


@pytest.fixture
def forge() -> FakeForge:
    """One that knows which merge request brought the commit."""
    made = FakeForge(FakeClock())
    made.board.brought[SHA] = [MERGED]
    return made


def test_statuses_come_first_then_deployments_then_the_note(forge: FakeForge) -> None:
    """The truth first: forges throttle notes before anything else."""
    told = deliver(forge, report())

    assert forge.writes() == ["status", "create"]
    assert forge.log.index("status") < forge.log.index("deployment") < forge.log.index("create")
    assert told == ()


@pytest.mark.parametrize("verb", ["status", "deployment", "create"])
def test_what_fails_does_not_keep_the_rest(forge: FakeForge, verb: str) -> None:
    """Each surface for itself."""
    forge.fail(verb, done=False)

    told = deliver(forge, report())

    surfaces = {"status": Surface.STATUS, "deployment": Surface.DEPLOYMENT, "create": Surface.NOTE}
    assert [(one.surface, one.is_missed) for one in told] == [(surfaces[verb], True)]
    assert {"status", "deployment", "create"} <= {*forge.log}


def test_a_stop_while_the_note_is_written_is_told_and_ends_nothing(forge: FakeForge) -> None:
    """The statuses stand by then."""

    def stop() -> None:
        raise InterruptedFault("stopped by SIGTERM")

    forge.before("create", stop)

    (told,) = deliver(forge, report())

    assert isinstance(told.fault, InterruptedFault)
    assert [one.state for one in forge.board.statuses] == [StatusState.SUCCESS]


def test_a_note_that_is_not_taken_keeps_no_other_from_its_merge_request(forge: FakeForge) -> None:
    """One merge request is locked, say; the others that came with the deploy are told."""
    other = MergeRequest(number=13, state="merged", merge_sha="ef" * 20)
    forge.board.brought["ef" * 20] = [other]
    forge.fail("create", done=False)

    (told,) = deliver(forge, report(), brought={"prod": [Commit(sha="ef" * 20)]})

    assert told.is_missed
    assert len(forge.board.notes) == 1


def test_a_report_that_is_older_than_the_note_says_so(forge: FakeForge) -> None:
    """Whoever looks for it finds why it is not there."""
    deliver(forge, report())
    clock = FakeClock()
    recorder = Recorder(forge, SHA, "", deploys=True)

    told = deliveries.deliver(
        report(), Address(sha=SHA), Stamp(phase=0, run=9), recorder, forge, clock
    )

    (one,) = told
    assert one.said == "the note on merge request 12 has newer reports: it stays"


def test_without_a_merge_request_that_is_said(forge: FakeForge) -> None:
    """A direct push is no fault: status and job are its report."""
    forge.board.brought.clear()

    (told,) = deliver(forge, report())

    assert told.said.startswith("no merge request brought abababa")
    assert (told.fault, told.is_missed) == (None, False)
    assert forge.board.notes == {}


def test_every_merge_request_is_told_of_the_environments_that_it_came_to(
    forge: FakeForge,
) -> None:
    """The one that brought the commit of all, an older one of where it had not been deployed."""
    forge.board.brought["11" * 20] = [
        MergeRequest(number=11, state="merged", merge_sha="11" * 20, head_sha="ee" * 20)
    ]
    brought = {"staging": [Commit(sha=SHA)], "prod": [Commit(sha=SHA), Commit(sha="11" * 20)]}

    found = deliveries._merge_requests(
        report(result("staging"), result("prod")),
        Address(sha=SHA, brought=brought),
        forge,
        FakeClock(),
    )

    assert [(one.merge_request.number, sorted(one.environments)) for one in found] == [
        (12, ["prod", "staging"]),
        (11, ["prod"]),
    ]


def test_statuses_are_on_the_commit_only(forge: FakeForge) -> None:
    """However many merge requests are told."""
    deliver(forge, report(result("staging"), result("prod")))

    assert {one.sha for one in forge.board.statuses} == {SHA}
    assert [one.context for one in forge.board.statuses] == [
        "pipeline-gitops/staging",
        "pipeline-gitops/prod",
    ]


@pytest.mark.parametrize(
    ("surface", "is_missed"),
    [
        (Surface.STATUS, True),
        (Surface.NOTE, True),
        (Surface.DEPLOYMENT, False),
        (Surface.CHECK, False),
    ],
)
def test_only_status_and_note_are_the_report(surface: Surface, is_missed: bool) -> None:
    """A right that is missing for what comes on top is worth a word; anything else is a fault."""
    lack = LackingFault("403", "give the job a right")

    assert Told(surface=surface, fault=lack).is_missed is is_missed
    assert Told(surface=surface, fault=InterruptedFault("stopped")).is_missed
    assert not Told(surface=surface).is_missed


def test_a_note_that_the_token_never_may_write_is_not_tried(forge: FakeForge) -> None:
    """The merge request is there, the note is not, and the setting is named."""
    lack = LackingFault("CI_JOB_TOKEN may not write a note", "create a project access token")
    forge.lacking[Surface.NOTE] = lack

    (told,) = deliver(forge, report())

    assert (told.fault, told.is_missed) == (lack, True)
    assert "list" not in forge.log
    assert "create" not in forge.log


# -- annotations ---------------------------------------------------------------------------------


def finding(number: int = 0, **other: Any) -> Finding:
    """One with a place."""
    given = {"rule": "schema", "message": f"finding {number}", "place": Place("a.yaml", number + 1)}
    return Finding(**{**given, **other})


def test_findings_are_put_beside_their_lines(forge: FakeForge) -> None:
    """Each once, errors first, those without a place left to the report."""
    found = (finding(1, severity=Severity.NOTICE), finding(2), finding(3, place=Place("")))
    sealed = report(result("staging", findings=found), result("prod", findings=found[:2]))

    told = deliver(forge, sealed)

    (check,) = forge.board.checks
    assert [one.message for one in check.annotations] == ["finding 2", "finding 1"]
    assert check.title == "1 error, 0 warnings, 1 notice"
    assert Told(surface=Surface.CHECK) in told
    assert forge.log[-1] == "check"


def test_the_check_run_has_the_name_of_no_status(forge: FakeForge) -> None:
    """A branch rule that asks for a status must not be content with annotations."""
    deliver(forge, report(result(findings=(finding(),))))

    (check,) = forge.board.checks
    assert check.name not in {one.context for one in forge.board.statuses}


def test_no_more_than_the_first_500_are_sent(forge: FakeForge) -> None:
    """Ten requests; the summary counts all of them."""
    deliver(forge, report(result(findings=tuple(map(finding, range(501))))))

    (check,) = forge.board.checks
    assert len(check.annotations) == 500
    assert "500 of 501 findings" in check.summary


def test_without_findings_there_is_no_check_run(forge: FakeForge) -> None:
    """It would only add a line to look at."""
    assert deliver(forge, report()) == ()
    assert forge.board.checks == []


def test_a_forge_without_check_runs_is_not_bothered(forge: FakeForge) -> None:
    """It has other ways, and there is nothing to grant."""
    forge.lacking[Surface.CHECK] = LackingFault("GitLab has no annotations")

    assert deliver(forge, report(result(findings=(finding(),)))) == ()
    assert "check" not in forge.log


# -- milestones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "state", "said"),
    [
        ({}, StatusState.SUCCESS, "1 to update"),
        ({"plans": ()}, StatusState.SUCCESS, "no changes"),
        (
            {"verdict": Verdict.SUPERSEDED, "notices": ("1234567 is newer",)},
            StatusState.CANCELLED,
            "not deployed: 1234567 is newer",
        ),
        (
            {
                "verdict": Verdict.TERMINATED,
                "fault": FaultView(message="stopped by SIGTERM", verdict=Verdict.TERMINATED),
            },
            StatusState.CANCELLED,
            "stopped by SIGTERM",
        ),
        ({"verdict": Verdict.REJECTED, "findings": (finding(),)}, StatusState.FAILURE, "1 error"),
    ],
)
def test_how_an_environment_ended_is_told(
    ended: dict[str, Any], state: StatusState, said: str
) -> None:
    """In one sentence, the same for status and deployment."""
    told = deliveries.milestone(report(result(**ended)).results[0])

    assert (told.environment, told.state) == ("prod", state)
    assert told.description.startswith(said)
