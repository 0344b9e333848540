"""What only GitLab does."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.forges.gitlab import GitLab
from pipeline_gitops.ports import CommitStatus, Deployment, MergeRequest, StatusState, Surface
from pipeline_gitops.reports import Shown
from tests.fakes.gitlab import FakeGitLab

MERGE_REQUEST = MergeRequest(number=7)
SHA = "ab" * 20


@pytest.fixture
def server() -> Iterator[FakeGitLab]:
    """A GitLab."""
    made = FakeGitLab()
    yield made
    made.close()


@pytest.fixture
def connect(server: FakeGitLab) -> Iterator[Callable[..., GitLab]]:
    """Makes clients of it."""
    made: list[GitLab] = []

    def client(pauses: list[float] | None = None, **other: Any) -> GitLab:
        given = {"api_url": server.api_url, "project": "shop/deploy", "token": "writer"}
        context = CIContext(**{"forge": ForgeKind.GITLAB, **given, **other})
        waits = [] if pauses is None else pauses
        made.append(GitLab(context, pause=waits.append))
        return made[-1]

    yield client
    for one in made:
        one.close()


def status(state: StatusState = StatusState.SUCCESS, said: str = "no changes") -> CommitStatus:
    """A status of the environment staging."""
    return CommitStatus(sha=SHA, context="pipeline-gitops/staging", state=state, description=said)


# -- projects and servers ------------------------------------------------------------------------


@pytest.mark.parametrize("project_id", ["", "42"])
def test_project_goes_by_number_or_path(connect: Callable[..., GitLab], project_id: str) -> None:
    """The number where the job knows it: a project may be renamed while it runs."""
    assert connect(project_id=project_id).merge_request(7).number == 7


def test_redirect_within_the_server_is_refused_too(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """Followed with a POST, it would turn into a GET and write nothing."""
    server.fail("POST", "notes", status=301, headers={"Location": f"{server.api_url}/elsewhere"})

    with pytest.raises(ReportFault, match="301"):
        connect().create_note(MERGE_REQUEST, Shown("hello"))

    assert len(server.seen) == 1


# -- job tokens ----------------------------------------------------------------------------------


def test_job_token_may_read(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """Merge requests and notes need no secret of their own."""
    server.merged(8, SHA)
    forge = connect(token="job", job_token=True)

    assert forge.notes(MERGE_REQUEST) == ()
    assert [one.number for one in forge.merge_requests_of(SHA)] == [8]


@pytest.mark.parametrize("act", ["me", "create"])
def test_job_token_may_not_write(connect: Callable[..., GitLab], act: str) -> None:
    """The cure names the token that can."""
    forge = connect(token="job", job_token=True)
    acts: dict[str, Callable[[], object]] = {
        "me": forge.me,
        "create": lambda: forge.create_note(MERGE_REQUEST, Shown("hello")),
    }

    with pytest.raises(ReportFault) as caught:
        acts[act]()

    assert caught.value.cure == (
        "a job token may not do this: create a project access token with scope api, "
        "role Developer, as masked variable PIPELINE_GITOPS_TOKEN"
    )


def test_job_token_records_deployments(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """That is what it may do, without a secret of its own."""
    forge = connect(token="job", job_token=True, branch="main")

    forge.set_deployment(deployment(StatusState.RUNNING))
    forge.set_deployment(deployment(StatusState.SUCCESS))

    assert server.deployments.moves == [(1, "running"), (1, "success")]


@pytest.mark.parametrize("surface", [Surface.NOTE, Surface.STATUS])
def test_what_a_job_token_may_not_is_known_without_asking(
    server: FakeGitLab, connect: Callable[..., GitLab], surface: Surface
) -> None:
    """It is not tried, and the setting is named."""
    forge = connect(token="job", token_name="CI_JOB_TOKEN", job_token=True)

    lack = forge.lacks(surface)

    assert lack is not None
    assert lack.what == f"CI_JOB_TOKEN may not write a {surface}"
    assert "scope api, role Developer" in lack.cure
    assert forge.lacks(Surface.DEPLOYMENT) is None
    assert connect().lacks(surface) is None
    assert server.seen == []


# -- deployments ---------------------------------------------------------------------------------


def deployment(state: StatusState) -> Deployment:
    """One of the environment prod."""
    return Deployment(sha=SHA, environment="prod", state=state)


def test_deployment_that_waits_is_not_recorded(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """Only jobs of GitLab's own can have such."""
    connect(branch="main").set_deployment(deployment(StatusState.PENDING))

    assert server.seen == []


def test_deployment_of_the_job_moves_by_itself(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """A job with `environment: prod` has its record from GitLab, and nobody else may change it."""
    connect(branch="main", job_environment="prod").set_deployment(deployment(StatusState.SUCCESS))

    assert server.seen == []


@pytest.mark.parametrize("code", [400, 409])
def test_deployment_that_has_moved_already_is_fine(
    server: FakeGitLab, connect: Callable[..., GitLab], code: int
) -> None:
    """The answer to the first try was lost: the second is refused, and it stands as wanted."""
    forge = connect(branch="main")
    forge.set_deployment(deployment(StatusState.RUNNING))
    server.fail("PUT", "deployments", status=code, done=True)

    forge.set_deployment(deployment(StatusState.SUCCESS))

    assert server.deployments.all[1]["status"] == "success"


def test_deployment_that_cannot_move_is_a_fault(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """Its end is not told: that must not count as told."""
    forge = connect(branch="main")
    forge.set_deployment(deployment(StatusState.RUNNING))
    server.fail("PUT", "deployments", status=400)

    with pytest.raises(ReportFault, match="400"):
        forge.set_deployment(deployment(StatusState.SUCCESS))


# -- notes ---------------------------------------------------------------------------------------


def test_system_notes_are_left_out(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """Also by a server that does not know the filter."""
    server.add_note("alice", "approved this merge request", system=True)
    server.add_note("alice", "looks good")
    listed = f'[{{"id": 9, "system": true}}, {server_note(server, 2)}]'
    server.fail("GET", "notes", status=200, text=listed)
    forge = connect()

    unfiltered, filtered = forge.notes(MERGE_REQUEST), forge.notes(MERGE_REQUEST)

    assert [note.body for note in unfiltered] == ["looks good"]
    assert [note.body for note in filtered] == ["looks good"]


def server_note(server: FakeGitLab, id: int) -> str:
    """A note as the server sends it."""
    return json.dumps(server.notes[id])


# -- statuses ------------------------------------------------------------------------------------


def test_status_joins_the_pipeline(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """Without its number GitLab opens a second pipeline that may block the merge for ever."""
    connect(pipeline_id="314").set_status(status())

    (sent,) = [one.body for one in server.seen if one.method == "POST"]

    assert sent["pipeline_id"] == 314


def test_where_pending_cannot_end_it_runs_first(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """From running every end can be reached, from pending not on all versions."""
    forge = connect()
    forge.set_status(status(StatusState.PENDING))
    said = '{"message": "Cannot transition status via :succeed from :pending (Reason: ...)"}'
    server.fail("POST", "statuses", status=400, text=said)

    forge.set_status(status(StatusState.SUCCESS))

    sent = [one.body["state"] for one in server.seen if one.method == "POST"]
    assert sent == ["pending", "success", "running", "success"]


def test_an_end_that_is_refused_is_a_fault(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """A status that stays as it is must not count as told."""
    said = '{"message": "Cannot transition status via :succeed from :canceled (Reason: ...)"}'
    server.fail("POST", "statuses", status=400, text=said)

    with pytest.raises(ReportFault, match="400"):
        connect().set_status(status(StatusState.SUCCESS))


@pytest.mark.parametrize("state", list(StatusState))
def test_equal_status_is_not_sent(
    server: FakeGitLab, connect: Callable[..., GitLab], state: StatusState
) -> None:
    """GitLab answers an equal one with an error."""
    forge = connect(pipeline_id="314")
    forge.set_status(status(state))

    forge.set_status(status(state))

    assert len(server.writes()) == 1


def test_status_of_another_pipeline_is_not_ours(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """A rerun of the pipeline gets its own status."""
    connect(pipeline_id="314").set_status(status())

    connect(pipeline_id="315").set_status(status())

    assert len(server.statuses_of(SHA)) == 2


def test_new_words_are_sent(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """The same state may mean something else."""
    forge = connect()
    forge.set_status(status(said="no changes"))

    forge.set_status(status(said="2 of 2 objects written"))

    assert [said for _, _, said in server.statuses_of(SHA)][-1] == "2 of 2 objects written"


def test_refused_transition_is_a_success(
    server: FakeGitLab, connect: Callable[..., GitLab]
) -> None:
    """Another job was faster: the status is in that state."""
    said = '{"message": "Cannot transition status via :run from :running (Reason: ...)"}'
    server.fail("POST", "statuses", status=400, text=said)

    connect().set_status(status(StatusState.PENDING))

    assert len(server.writes()) == 1


def test_conflict_is_tried_once_more(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """409: another job is setting one on this pipeline at this moment; ours is not set."""
    pauses: list[float] = []
    server.fail("POST", "statuses", status=409)

    connect(pauses).set_status(status())

    assert len(server.statuses_of(SHA)) == 1
    assert pauses == [1.0]


def test_second_conflict_is_a_fault(server: FakeGitLab, connect: Callable[..., GitLab]) -> None:
    """One repetition, not an endless one."""
    for _ in range(9):
        server.fail("POST", "statuses", status=409)

    with pytest.raises(ReportFault, match="409"):
        connect().set_status(status())

    assert len(server.writes()) == 2


# -- merge requests ------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["merge_commit_sha", "squash_commit_sha", "sha"])
def test_every_way_of_merging_is_recognised(
    server: FakeGitLab, connect: Callable[..., GitLab], made: str
) -> None:
    """A merge commit, a squash commit, or the head itself where the branch was fast-forwarded."""
    server.merged(8, "cd" * 20, seen_at=SHA)
    server.merged(9, "ef" * 20, seen_at=SHA)
    server.requests[9] |= {"merge_commit_sha": None, "squash_commit_sha": None, made: SHA}

    found = connect().merge_requests_of(SHA)

    assert [one.number for one in found] == [9, 8]
    assert found[0].merge_sha == SHA
