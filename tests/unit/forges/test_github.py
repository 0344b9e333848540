"""What only GitHub does."""

import email.utils
from collections.abc import Callable, Iterator

import pytest

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.errors import LackingFault, ReportFault
from pipeline_gitops.forges.github import GitHub
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import Posting, Section, Stamp
from pipeline_gitops.ports import CommitStatus, MergeRequest, StatusState
from pipeline_gitops.reports import Shown
from tests.fakes.github import FakeGitHub
from tests.fakes.world import FakeClock

MERGE_REQUEST = MergeRequest(number=7)


@pytest.fixture
def server() -> Iterator[FakeGitHub]:
    """A GitHub."""
    made = FakeGitHub()
    yield made
    made.close()


@pytest.fixture
def connect(server: FakeGitHub) -> Iterator[Callable[..., GitHub]]:
    """Makes clients of it."""
    made: list[GitHub] = []

    def client(token: str = "writer", pauses: list[float] | None = None) -> GitHub:
        context = CIContext(
            forge=ForgeKind.GITHUB, api_url=server.api_url, project="shop/deploy", token=token
        )
        waits = [] if pauses is None else pauses
        made.append(GitHub(context, pause=waits.append, between_writes_s=0))
        return made[-1]

    yield client
    for one in made:
        one.close()


def test_token_of_actions_knows_its_name(connect: Callable[..., GitHub]) -> None:
    """It may not call /user; the GraphQL API tells."""
    assert connect("actions").me() == "github-actions[bot]"


def test_other_apps_are_not_taken_for_actions(
    server: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    """With a wrong name, every run would add a note."""
    viewer = '{"data": {"viewer": {"login": "shop-deployer[bot]"}}}'
    server.fail("POST", "/api/graphql", status=200, text=viewer)

    assert connect("actions").me() == "shop-deployer[bot]"


@pytest.mark.parametrize("text", ["{}", '{"data": null}', "[]", "nonsense"])
@pytest.mark.parametrize("status", [200, 403, 404])
def test_app_without_a_name_is_actions(
    server: FakeGitHub, connect: Callable[..., GitHub], status: int, text: str
) -> None:
    """Where GraphQL does not tell, it is by far the likeliest."""
    server.fail("POST", "/api/graphql", status=status, text=text)

    assert connect("actions").me() == "github-actions[bot]"


@pytest.mark.parametrize("status", [0, 502])
def test_app_is_not_guessed_while_nobody_answers(
    server: FakeGitHub, connect: Callable[..., GitHub], status: int
) -> None:
    """Under another account's name we would begin a second note, and take its word for ours."""
    for _ in range(4):
        server.fail("POST", "/api/graphql", status=status)

    with pytest.raises(ReportFault):
        connect("actions").me()


def test_name_of_an_app_is_asked_for_again(
    server: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    """It is sent like a write, and changes nothing."""
    server.fail("POST", "/api/graphql", status=502)

    assert connect("actions").me() == "github-actions[bot]"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_secondary_limit_without_headers_is_no_lack_of_rights(
    server: FakeGitHub, connect: Callable[..., GitHub], method: str
) -> None:
    """It lasts a minute at least: whoever asks again at once is banned."""
    pauses: list[float] = []
    text = '{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}'
    server.fail(method, "comments", status=403, text=text)
    forge = connect(pauses=pauses)

    with pytest.raises(ReportFault) as caught:
        if method == "GET":
            forge.notes(MERGE_REQUEST)
        else:
            forge.create_note(MERGE_REQUEST, Shown("hello"))

    assert not isinstance(caught.value, LackingFault)
    assert "throttles" in caught.value.cure
    assert pauses == []


def test_note_of_actions_is_found_again(connect: Callable[..., GitHub]) -> None:
    """The login that we ask for is the one that comments carry."""
    said = [Section(key="staging", stamp=Stamp(run=run), body=Shown(f"{run}")) for run in (1, 2)]

    hows = [
        notes.upsert(connect("actions"), MERGE_REQUEST, [one], clock=FakeClock()).how
        for one in said
    ]

    assert hows == [Posting.CREATED, Posting.EDITED]


def test_throttled_token_is_not_taken_for_an_app(
    server: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    """GitHub says 403 for a spent limit too."""
    far = {"X-RateLimit-Remaining": "0", "Retry-After": "3600"}
    server.fail("GET", "/user", status=403, headers=far)

    with pytest.raises(ReportFault) as caught:
        connect().me()

    assert "throttles" in caught.value.cure


def test_limit_that_lifts_soon_is_waited_for(
    server: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    """The moment of the reset counts by the server's clock, not by ours."""
    pauses: list[float] = []
    spent = {
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1735732812",
        "Date": email.utils.formatdate(1_735_732_800, usegmt=True),
    }
    server.fail("GET", "comments", status=403, headers=spent)

    assert connect(pauses=pauses).notes(MERGE_REQUEST) == ()
    assert pauses == [12.0]


def test_comment_of_a_deleted_account_has_no_author(
    server: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    """GitHub shows it as a ghost and sends null."""
    id = server.add_note("ghost", "boo")
    server.comments[int(id)]["user"] = None

    (note,) = connect().notes(MERGE_REQUEST)

    assert (note.author, note.body) == ("", "boo")


def test_pages_are_large(server: FakeGitHub, connect: Callable[..., GitHub]) -> None:
    """A hundred at a time: thirty, GitHub's default, costs three times the requests."""
    for number in range(101):
        server.add_note("alice", f"{number}")

    connect().notes(MERGE_REQUEST)

    assert [one.query for one in server.seen] == [
        {"per_page": "100", "page": "1"},
        {"per_page": "100", "page": "2"},
    ]


def test_many_writes_are_paced(server: FakeGitHub) -> None:
    """A handful follow each other; a hundred environments would be taken for an attack."""
    pauses: list[float] = []
    context = CIContext(
        forge=ForgeKind.GITHUB, api_url=server.api_url, project="shop/deploy", token="writer"
    )
    forge = GitHub(context, pause=pauses.append)

    for number in range(12):
        forge.set_status(
            CommitStatus(sha="ab" * 20, context=f"check {number}", state=StatusState.SUCCESS)
        )
    forge.close()

    assert pauses == [1.0, 1.0]


def test_an_answer_that_is_yet_to_come_is_not_asked_for_again_and_again(
    server: FakeGitHub, connect: Callable[..., GitHub]
) -> None:
    """PyGithub asks for as long as it is answered with 202."""
    server.fail("GET", "comments", status=202, text="[]")

    with pytest.raises(ReportFault, match="not one of GitHub"):
        connect().notes(MERGE_REQUEST)

    assert len(server.seen) == 1
