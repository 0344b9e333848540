"""What every forge must do, through the port, over real HTTP."""

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline_gitops import forges
from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.forges.gitea import Gitea
from pipeline_gitops.forges.github import GitHub
from pipeline_gitops.forges.gitlab import GitLab
from pipeline_gitops.inventories import Relation
from pipeline_gitops.pipeline import notes
from pipeline_gitops.pipeline.notes import NotePosted, Posting, Section, Stamp
from pipeline_gitops.ports import CommitStatus, Forge, MergeRequest, Note, StatusState
from pipeline_gitops.reports import Shown
from tests.fakes.gitea import FakeGitea
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.servers import Stranger
from tests.fakes.world import FakeClock

CANARY = "c4n4ry-t0k3n"
SECRET = "s3cr3t-w0rds"
MERGE_REQUEST = MergeRequest(number=7)
SHA = "ab" * 20
SERVERS: dict[ForgeKind, Callable[[], Any]] = {
    ForgeKind.GITHUB: FakeGitHub,
    ForgeKind.GITLAB: FakeGitLab,
    ForgeKind.GITEA: FakeGitea,
}
CLIENTS: dict[ForgeKind, Callable[..., Any]] = {
    ForgeKind.GITHUB: GitHub,
    ForgeKind.GITLAB: GitLab,
    ForgeKind.GITEA: Gitea,
}


@dataclass
class World:
    """A forge's server, and clients of it. *pauses* holds the waits that clients wanted."""

    kind: ForgeKind
    server: Any
    pauses: list[float] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)

    def context(self, role: str = "writer", **other: Any) -> CIContext:
        """A job's context. The token's first word says what it may do."""
        given = {"forge": self.kind, "api_url": self.server.api_url, "project": "shop/deploy"}
        return CIContext(**{**given, "token": f"{role}-{CANARY}", **other})

    def connect(self, role: str = "writer", *, timeout_s: int = 5, **other: Any) -> Forge:
        """A client that waits for nothing but answers."""
        context = self.context(role, **other)
        if self.kind is ForgeKind.GITHUB:
            client: Any = GitHub(
                context, pause=self.pauses.append, timeout_s=timeout_s, between_writes_s=0
            )
        else:
            client = CLIENTS[self.kind](context, pause=self.pauses.append, timeout_s=timeout_s)
        self.clients.append(client)
        return client

    def note_path(self) -> str:
        """What all paths to notes hold."""
        return "notes" if self.kind is ForgeKind.GITLAB else "comments"

    def edit_method(self) -> str:
        """How a note is edited."""
        return "PUT" if self.kind is ForgeKind.GITLAB else "PATCH"


@pytest.fixture(params=list(SERVERS), ids=lambda kind: kind.value)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Each forge in turn."""
    made = World(request.param, SERVERS[request.param]())
    yield made
    for client in made.clients:
        client.close()
    made.server.close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Another host."""
    server = Stranger()
    yield server
    server.close()


def section(body: str = "3 changes", *, key: str = "staging", run: int = 1) -> Section:
    """A section as a job would post it."""
    return Section(key=key, stamp=Stamp(run=run), body=Shown(body))


def post(forge: Forge, one: Section) -> NotePosted:
    """Posts it as the only writer."""
    return notes.upsert(forge, MERGE_REQUEST, one, clock=FakeClock())


def status(description: str = "no changes", **other: Any) -> CommitStatus:
    """A status of the environment staging."""
    given = {"sha": SHA, "context": "pipeline-gitops/staging", "state": StatusState.SUCCESS}
    return CommitStatus(**{**given, "description": description, **other})


# -- notes -------------------------------------------------------------------------------------


def test_note_is_created_once_and_edited_in_place(world: World) -> None:
    """Two runs, one note, with the text of the second."""
    first = post(world.connect(), section("3 changes"))

    second = post(world.connect(), section("4 changes", run=2))

    assert (first.how, second.how) == (Posting.CREATED, Posting.EDITED)
    assert first.id == second.id
    assert len(world.server.bodies()) == 1
    assert "4 changes" in world.server.bodies()[0]


def test_our_note_is_found_behind_250_others(world: World) -> None:
    """All pages are read: a note that is not found is a note that is doubled."""
    for number in range(250):
        world.server.add_note("alice", f"comment {number}")
    mine = post(world.connect(), section())
    for number in range(250):
        world.server.add_note("bob", f"reply {number}")

    again = post(world.connect(), section("4 changes", run=2))

    assert again == NotePosted(mine.id, Posting.EDITED)
    assert len(world.server.bodies()) == 501


def test_notes_come_oldest_first_with_author_and_time(world: World) -> None:
    """What the one-note protocol decides by."""
    world.server.add_note("alice", "first")
    world.server.add_note("bob", "second")

    first, second = world.connect().notes(MERGE_REQUEST)

    assert (first.author, first.body) == ("alice", "first")
    assert (second.author, second.body) == ("bob", "second")
    assert first.created_at.startswith("2025-01-01T00:00:00")


def test_created_note_carries_our_login(world: World) -> None:
    """The author of what we write is who we say we are."""
    forge = world.connect()

    note = forge.create_note(MERGE_REQUEST, Shown("hello"))

    assert note.author == forge.me()
    assert note in forge.notes(MERGE_REQUEST)


def test_gone_note_is_deleted_already(world: World) -> None:
    """Two jobs may delete the same duplicate."""
    forge = world.connect()
    note = forge.create_note(MERGE_REQUEST, Shown("hello"))

    forge.drop_note(MERGE_REQUEST, note)
    forge.drop_note(MERGE_REQUEST, note)

    assert world.server.bodies() == []


def test_unicode_survives(world: World) -> None:
    """Emoji and non-Latin letters are stored as they were sent."""
    body = Shown("🔴 größer 変更")

    note = world.connect().create_note(MERGE_REQUEST, body)

    assert note.body == body


def test_body_over_the_limit_is_a_fault(world: World) -> None:
    """The forge's own refusal comes back as a fault with a cure, and is not sent again."""
    if world.kind is ForgeKind.GITEA:
        world.server.fail("POST", world.note_path(), status=413)  # by a proxy: it has no limit
    forge = world.connect()

    with pytest.raises(ReportFault) as caught:
        forge.create_note(MERGE_REQUEST, Shown("x" * (forge.limits.note + 1)))

    assert "too long" in caught.value.cure
    assert len(world.server.writes()) == 1


def test_body_at_the_limit_is_taken(world: World) -> None:
    """Our number is the forge's number."""
    forge = world.connect()

    note = forge.create_note(MERGE_REQUEST, Shown("x" * forge.limits.note))

    assert len(note.body) == forge.limits.note


# -- unknown outcomes --------------------------------------------------------------------------


@pytest.mark.parametrize("code", [502, 504, 0], ids=["502", "504", "reset"])
def test_create_done_but_unanswered_leads_to_one_note(world: World, code: int) -> None:
    """The answer is lost, the note is there: it is found, not made again."""
    world.server.fail("POST", world.note_path(), status=code, done=True)

    posted = post(world.connect(), section())

    assert posted.how is Posting.CREATED
    assert len(world.server.bodies()) == 1
    assert len(world.server.writes()) == 1


@pytest.mark.parametrize("code", [502, 504, 0], ids=["502", "504", "reset"])
def test_create_not_done_and_unanswered_is_a_fault(world: World, code: int) -> None:
    """Never two notes: the create is not sent again, the next run makes it."""
    world.server.fail("POST", world.note_path(), status=code)

    with pytest.raises(ReportFault):
        post(world.connect(), section())

    assert world.server.bodies() == []
    assert len(world.server.writes()) == 1


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("code", [502, 0], ids=["502", "reset"])
def test_unanswered_edit_gets_through(world: World, code: int, done: bool) -> None:
    """An edit says the same however often it is sent."""
    post(world.connect(), section())
    world.server.fail(world.edit_method(), status=code, done=done)

    posted = post(world.connect(), section("4 changes", run=2))

    assert posted.how is Posting.EDITED
    assert "4 changes" in world.server.bodies()[0]


@pytest.mark.parametrize("code", [500, 503, 0], ids=["500", "503", "reset"])
def test_read_is_sent_again(world: World, code: int) -> None:
    """Reads survive three bad moments, with growing pauses."""
    for _ in range(3):
        world.server.fail("GET", world.note_path(), status=code)

    found = world.connect().notes(MERGE_REQUEST)

    assert found == ()
    assert world.pauses == [0.5, 1.0, 2.0]


def test_read_is_given_up(world: World) -> None:
    """A forge that is away for longer is a fault."""
    for _ in range(9):
        world.server.fail("GET", world.note_path(), status=503)

    with pytest.raises(ReportFault, match="503"):
        world.connect().notes(MERGE_REQUEST)

    assert len(world.server.seen) == 4


# -- limits of requests ------------------------------------------------------------------------


def test_short_limit_is_waited_for(world: World) -> None:
    """A read waits for as long as the forge asks."""
    world.server.fail("GET", world.note_path(), status=429, headers={"Retry-After": "7"})

    found = world.connect().notes(MERGE_REQUEST)

    assert found == ()
    assert world.pauses == [7.0]


def test_long_limit_is_a_fault_at_once(world: World) -> None:
    """A job does not sit out an hour."""
    world.server.fail("GET", world.note_path(), status=429, headers={"Retry-After": "3600"})

    with pytest.raises(ReportFault) as caught:
        world.connect().notes(MERGE_REQUEST)

    assert "throttles" in caught.value.cure
    assert world.pauses == []


@pytest.mark.parametrize("code", [429, 500, 503])
def test_write_is_sent_once(world: World, code: int) -> None:
    """Whatever a write is answered, the client does not send it again."""
    world.server.fail("POST", world.note_path(), status=code, headers={"Retry-After": "1"})

    with pytest.raises(ReportFault):
        world.connect().create_note(MERGE_REQUEST, Shown("hello"))

    assert len(world.server.writes()) == 1
    assert world.pauses == []


def test_hanging_server_is_left(world: World) -> None:
    """A server that takes a request and says nothing costs one timeout, not four."""
    world.server.fail("GET", world.note_path(), hang=True)
    forge = world.connect(timeout_s=1)
    started = time.monotonic()

    with pytest.raises(ReportFault, match="does not answer within 1 s"):
        forge.notes(MERGE_REQUEST)

    assert time.monotonic() - started < 3


def test_no_server_is_a_fault(world: World) -> None:
    """A refused connection is told as such."""
    forge = world.connect()
    world.server.close()

    with pytest.raises(ReportFault, match="no connection"):
        forge.notes(MERGE_REQUEST)


# -- who we are, and what we may do ------------------------------------------------------------


@pytest.mark.parametrize("act", ["create", "edit", "drop", "status"])
def test_reader_is_told_what_it_lacks(world: World, act: str) -> None:
    """A token that may not write gets a fault with the permission that is missing."""
    id = world.server.add_note("bot", "hello")
    forge = world.connect("readonly")
    note = Note(id=id, author="bot", body="hello")
    acts: dict[str, Callable[[], object]] = {
        "create": lambda: forge.create_note(MERGE_REQUEST, Shown("hello")),
        "edit": lambda: forge.edit_note(MERGE_REQUEST, note, Shown("hello")),
        "drop": lambda: forge.drop_note(MERGE_REQUEST, note),
        "status": lambda: forge.set_status(status()),
    }

    with pytest.raises(ReportFault) as caught:
        acts[act]()

    lacks = {
        ForgeKind.GITHUB: "permissions: pull-requests: write, statuses: write",
        ForgeKind.GITLAB: "scope api, role Developer",
        ForgeKind.GITEA: "write:repository" if act == "status" else "write:issue",
    }
    assert "403" in caught.value.what
    assert lacks[world.kind] in caught.value.cure


def test_login_is_asked_for_once(world: World) -> None:
    """A login does not change within a run."""
    forge = world.connect()

    first, second = forge.me(), forge.me()

    assert first == second != ""
    assert len(world.server.seen) == 1


# -- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_to_another_host_is_refused(
    world: World, stranger: Stranger, method: str, code: int
) -> None:
    """No request reaches the other host: neither the token nor the text."""
    to = {"Location": f"{stranger.origin}/api/v4/projects/elsewhere/notes"}
    for _ in range(9):
        world.server.fail(method, status=code, headers=to)
    forge = world.connect()

    with pytest.raises(ReportFault) as caught:
        if method == "GET":
            forge.notes(MERGE_REQUEST)
        else:
            forge.create_note(MERGE_REQUEST, Shown("hello"))

    assert stranger.seen == []
    assert stranger.origin not in caught.value.what + caught.value.cure


def test_redirect_is_no_empty_list(world: World, stranger: Stranger) -> None:
    """Taken for "no notes", a redirect would make a second one."""
    post(world.connect(), section())
    to = {"Location": stranger.origin}
    world.server.fail("GET", world.note_path(), status=302, headers=to, text="[]")

    with pytest.raises(ReportFault):
        post(world.connect(), section("4 changes", run=2))

    assert len(world.server.bodies()) == 1


def test_next_page_on_another_host_is_not_called(world: World, stranger: Stranger) -> None:
    """The address of a page comes from an answer; the token does not follow it out."""
    elsewhere = {"Link": f'<{stranger.origin}/page?page=2>; rel="next"'}
    world.server.fail("GET", world.note_path(), status=200, text="[]", headers=elsewhere)

    try:
        found = world.connect().notes(MERGE_REQUEST)
    except ReportFault:
        found = ()

    assert found == ()
    assert stranger.seen == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (200, "<html>Log in</html>"),
        (200, ""),
        (200, "{}"),
        (200, "null"),
        (200, '{"message": "hello"}'),
        (200, '[{"id": 1}]'),
        (200, "[null]"),
        (204, ""),
    ],
)
def test_login_page_is_no_empty_list(world: World, code: int, text: str) -> None:
    """A success that is not the forge's is a fault: nothing is concluded from it."""
    world.server.fail("GET", world.note_path(), status=code, text=text)

    with pytest.raises(ReportFault, match="the answer is not one of"):
        world.connect().notes(MERGE_REQUEST)


@pytest.mark.parametrize("code", [0, 302, 400, 401, 403, 404, 409, 418, 422, 429, 500])
def test_no_fault_holds_a_token_or_a_body(world: World, code: int) -> None:
    """Neither what we sent nor what came back is in a message, or in a printed traceback."""
    text = f'{{"message": "{SECRET}", "token": "{CANARY}"}}'
    for method in ("GET", "GET", "GET", "GET", "POST"):
        world.server.fail(method, status=code, text=text, headers={"Location": f"/{CANARY}"})
    forge = world.connect()

    said = [
        _said(lambda: forge.notes(MERGE_REQUEST)),
        _said(lambda: forge.create_note(MERGE_REQUEST, Shown(f"body {SECRET}"))),
    ]

    assert "ReportFault" in said[1]
    assert not any(CANARY in text or SECRET in text for text in said)


def _said(act: Callable[[], object]) -> str:
    """All that a fault can say; "" where there is none."""
    try:
        act()
    except ReportFault as fault:
        return "".join([fault.what, fault.cure, repr(fault), *traceback.format_exception(fault)])
    return ""


def test_client_does_not_show_its_token(world: World) -> None:
    """A client in a log line or a traceback is only its name."""
    forge = world.connect()

    assert CANARY not in repr(forge)
    assert CANARY not in repr(world.context())


def test_token_goes_to_the_forge_only_in_a_header(world: World) -> None:
    """Addresses end up in logs of proxies."""
    world.connect().notes(MERGE_REQUEST)

    (seen,) = world.server.seen

    assert seen.token == f"writer-{CANARY}"
    assert CANARY not in seen.path + str(seen.query)


# -- statuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(StatusState))
def test_status_is_set_and_read(world: World, state: StatusState) -> None:
    """What is set is what is read."""
    forge = world.connect()
    wanted = status(state=state, url="https://ci.example.com/1")

    forge.set_status(wanted)

    (found,) = forge.statuses(SHA)
    assert (found.context, found.state) == (wanted.context, state)
    assert (found.description, found.url) == ("no changes", "https://ci.example.com/1")
    assert found.creator == forge.me()


def test_newest_status_per_context(world: World) -> None:
    """A context has one status: the last one."""
    forge = world.connect()
    forge.set_status(status("starts", state=StatusState.PENDING))
    forge.set_status(status("2 of 2 objects written"))
    forge.set_status(status("failed", context="pipeline-gitops/prod", state=StatusState.FAILURE))

    found = {one.context: (one.state, one.description) for one in forge.statuses(SHA)}

    assert found == {
        "pipeline-gitops/staging": (StatusState.SUCCESS, "2 of 2 objects written"),
        "pipeline-gitops/prod": (StatusState.FAILURE, "failed"),
    }


def test_newest_status_is_found_over_pages(world: World) -> None:
    """A commit of a large repository has hundreds of them."""
    forge = world.connect()
    for number in range(120):
        forge.set_status(status(f"try {number}", context=f"check {number % 60}"))

    found = {one.context: one.description for one in forge.statuses(SHA)}

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

    (found,) = forge.statuses(SHA)
    assert found.url == ""


def test_equal_status_is_fine(world: World) -> None:
    """A job that runs again says the same again."""
    forge = world.connect()

    for _ in range(2):
        forge.set_status(status("starts", state=StatusState.PENDING))

    (found,) = forge.statuses(SHA)
    assert found.state is StatusState.PENDING


# -- merge requests ----------------------------------------------------------------------------


def test_merge_request_is_read(world: World) -> None:
    """Everything that a report needs to know of it."""
    found = world.connect().merge_request(7)

    assert (found.number, found.title, found.state) == (7, "Change 7", "open")
    assert (found.head_sha, found.base_branch) == (f"{7:040x}", "main")
    assert found.merge_sha == ""
    assert found.labels == ("urgent",)
    assert found.url.startswith(world.server.origin)


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


# -- connecting --------------------------------------------------------------------------------


def test_connect_gives_the_forge_of_the_context(world: World) -> None:
    """The CI job names its forge; nothing is sent for that."""
    forge = forges.connect(world.context())

    world.clients.append(forge)
    assert type(forge) is CLIENTS[world.kind]
    assert world.server.seen == []


def test_address_of_the_server_is_enough(world: World) -> None:
    """A job of another CI vendor may not know the address of the API."""
    forge = world.connect(api_url="", server_url=f"{world.server.origin}/")

    assert forge.merge_request(7).number == 7


@pytest.mark.parametrize("address", ["", "git.example.com"])
def test_token_is_not_tried_out_on_the_public_forge(world: World, address: str) -> None:
    """Without an address both client libraries would take the public one."""
    with pytest.raises(ReportFault, match="not the address"):
        forges.connect(world.context(api_url=address))


@pytest.mark.parametrize("lacks", [{"token": ""}, {"project": ""}, {"forge": ForgeKind.NONE}])
def test_no_forge_without_token_project_or_name(world: World, lacks: dict[str, Any]) -> None:
    """A job that cannot speak to a forge reports without one."""
    assert forges.connect(world.context(**lacks)) is None


# -- commits -----------------------------------------------------------------------------------

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
