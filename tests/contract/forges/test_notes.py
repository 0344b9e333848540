"""What every forge must do with notes, through the port, over real HTTP."""

import pytest

from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.pipeline.merge_requests.notes import NotePosted, Posting
from pipeline_gitops.reports import Shown
from tests.contract.forges.worlds import (
    MERGE_REQUEST,
    World,
    post,
    section,
)

# -- notes --------------------------------------------------------------------------------------


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


# -- unknown outcomes ---------------------------------------------------------------------------


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
