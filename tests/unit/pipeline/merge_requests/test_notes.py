"""One note per merge request: what one job does with it."""

from dataclasses import replace

import pytest

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import NotePosted, Posting, Sharing, Stamp
from pipeline_gitops.reports import Shown
from tests.fakes.forge import FakeForge
from tests.fakes.world import FakeClock
from tests.unit.pipeline.boards import MERGE_REQUEST, held, post, section, text
from tests.unit.reports.samples import change, report, reviewed


@pytest.fixture
def forge() -> FakeForge:
    """A forge without notes."""
    return FakeForge(FakeClock())


def test_first_report_makes_a_note(forge: FakeForge) -> None:
    """One request that writes, one note."""
    posted = post(forge, section())

    assert posted.how is Posting.CREATED
    assert forge.log == ["me", "list", "create"]
    assert held(forge.board) == {"staging": "3 changes"}


def test_later_report_edits_the_note(forge: FakeForge) -> None:
    """A new run replaces its section in place: an edit notifies nobody."""
    first = post(forge, section())

    second = post(forge, section(body="4 changes", run=2))

    assert second == NotePosted(first.id, Posting.EDITED)
    assert held(forge.board) == {"staging": "4 changes"}


def test_other_sections_stay(forge: FakeForge) -> None:
    """A writer carries on what others wrote."""
    post(forge, section("staging", "s"))

    post(forge, section("prod", "p"))

    assert held(forge.board) == {"staging": "s", "prod": "p"}


def test_same_report_writes_nothing(forge: FakeForge) -> None:
    """A repeated run with the same text costs a list and no write."""
    post(forge, section())
    forge.log.clear()

    posted = post(forge, section())

    assert posted.how is Posting.UNCHANGED
    assert forge.writes() == []


def test_late_older_run_changes_nothing(forge: FakeForge) -> None:
    """A slow run does not overwrite the report of a newer one."""
    post(forge, section(body="new", run=2))
    forge.log.clear()

    posted = post(forge, section(body="old", run=1))

    assert posted.how is Posting.OUTDATED
    assert forge.writes() == []
    assert held(forge.board) == {"staging": "new"}


def test_late_run_loses_to_a_newer_one_with_the_text_of_an_older(forge: FakeForge) -> None:
    """Run 3 says what run 1 said; run 2 comes last and must not win."""
    post(forge, section(body="same", run=1))
    post(forge, section(body="same", run=3))

    posted = post(forge, section(body="other", run=2))

    assert posted.how is Posting.OUTDATED
    assert held(forge.board) == {"staging": "same"}


def test_deploy_is_newer_than_any_review(forge: FakeForge) -> None:
    """Run numbers of two workflows do not compare; the phase decides before them."""
    post(forge, section(body="deployed", run=1, phase=1))

    posted = post(forge, section(body="reviewed", run=900, phase=0))

    assert posted.how is Posting.OUTDATED


def test_text_edited_by_hand_is_written_again(forge: FakeForge) -> None:
    """Our section says what we found, not what somebody made of it."""
    post(forge, section())
    (id,) = forge.board.notes
    edited = forge.board.notes[id].body.replace("3 changes", "all fine")
    forge.edit_note(MERGE_REQUEST, forge.board.notes[id], Shown(edited))

    post(forge, section())

    assert held(forge.board) == {"staging": "3 changes"}


def test_foreign_marker_is_ignored(forge: FakeForge) -> None:
    """Whoever can comment can write our marker; only our own author's note is ours."""
    forged = forge.board.add("mallory", text(section(body="all is well", run=99)))

    post(forge, section())

    assert forge.board.notes[forged.id] == forged
    assert [note.author for note in forge.board.notes.values()] == ["mallory", "bot"]


def test_unmarked_note_of_ours_is_left_alone(forge: FakeForge) -> None:
    """The same bot account may say other things."""
    other = forge.board.add("bot", "Thanks for your contribution!")

    post(forge, section())

    assert forge.board.notes[other.id] == other
    assert len(forge.board.notes) == 2


def test_deleted_note_is_made_again(forge: FakeForge) -> None:
    """A note that a person deletes between our look and our edit comes back once."""
    post(forge, section())
    forge.before("edit", forge.board.notes.clear)

    posted = post(forge, section(body="4 changes", run=2))

    assert posted.how is Posting.CREATED
    assert held(forge.board) == {"staging": "4 changes"}


def test_create_with_a_lost_answer_is_looked_up(forge: FakeForge) -> None:
    """The note was made: finding it is enough."""
    forge.fail("create", done=True)

    posted = post(forge, section())

    assert posted.how is Posting.CREATED
    assert forge.writes() == ["create"]
    assert held(forge.board) == {"staging": "3 changes"}


def test_create_is_never_sent_twice(forge: FakeForge) -> None:
    """The note does not show: it may still come, and a second one would make two."""
    forge.fail("create", done=False)

    with pytest.raises(ReportFault, match="no answer to create"):
        post(forge, section())

    assert forge.writes() == ["create"]


@pytest.mark.parametrize(("done", "edits"), [(True, 1), (False, 2)])
def test_edit_with_a_lost_answer_is_looked_up(forge: FakeForge, done: bool, edits: int) -> None:
    """An edit is sent again only where it did not get through."""
    post(forge, section())
    forge.log.clear()
    forge.fail("edit", done=done)

    posted = post(forge, section(body="4 changes", run=2))

    assert posted.how is Posting.EDITED
    assert forge.writes() == ["edit"] * edits
    assert held(forge.board) == {"staging": "4 changes"}


def test_edit_that_never_gets_through_is_a_fault(forge: FakeForge) -> None:
    """Three times are enough."""
    post(forge, section())
    for _ in range(9):
        forge.fail("edit", done=False)
    forge.log.clear()

    with pytest.raises(ReportFault):
        post(forge, section(run=2))

    assert forge.writes() == ["edit"] * 3


def test_duplicates_become_one(forge: FakeForge) -> None:
    """What a race left behind is gathered in the lowest id, and the others go."""
    first = forge.board.add("bot", text(section("staging", "s")))
    forge.board.add("bot", text(section("prod", "p")))  # "10", a lower string than "9"

    posted = post(forge, section("eu", "e"))

    assert posted.id == first.id
    assert list(forge.board.notes) == [first.id]
    assert held(forge.board) == {"staging": "s", "prod": "p", "eu": "e"}


def test_newest_section_of_duplicates_wins(forge: FakeForge) -> None:
    """Which note holds a section says nothing about its age."""
    forge.board.add("bot", text(section("prod", "old", run=1)))
    forge.board.add("bot", text(section("prod", "new", run=2)))

    post(forge, section())

    assert held(forge.board)["prod"] == "new"


def test_duplicate_that_cannot_be_deleted_is_no_fault(forge: FakeForge) -> None:
    """The report stands; the next run tries again."""
    forge.board.add("bot", text(section("staging")))
    forge.board.add("bot", text(section("staging")))
    forge.fail("drop", done=False)

    posted = post(forge, section(run=2))

    assert posted.how is Posting.EDITED
    assert len(forge.board.notes) == 2


def test_full_note_has_room_for_the_new_report() -> None:
    """Whoever writes stays readable, even under an older stamp than what makes way."""
    forge = FakeForge(FakeClock(), limit=1_000)
    post(forge, section("other", "o" * 400, run=2))

    post(forge, section("mine", "m" * 400, run=1))

    assert held(forge.board)["mine"] == "m" * 400
    assert "left out" in held(forge.board)["other"]


def test_several_sections_cost_one_write(forge: FakeForge) -> None:
    """A job with three environments writes them all at once, in three requests."""
    posted = post(forge, section("dev", "d"), section("staging", "s"), section("prod", "p"))

    assert posted.how is Posting.CREATED
    assert forge.log == ["me", "list", "create"]
    assert held(forge.board) == {"dev": "d", "staging": "s", "prod": "p"}


def test_only_what_is_newer_gives_way(forge: FakeForge) -> None:
    """A late job keeps what nobody else has said."""
    post(forge, section("staging", "newer", run=2))

    posted = post(forge, section("staging", "older"), section("prod", "p"))

    assert posted.how is Posting.EDITED
    assert held(forge.board) == {"staging": "newer", "prod": "p"}


def test_no_note_is_begun_to_say_that_nothing_changes(forge: FakeForge) -> None:
    """A status says that without a notification."""
    posted = post(forge, section(body="no changes"), quiet=True)

    assert posted == NotePosted("", Posting.UNNEEDED)
    assert forge.log == ["me", "list"]


def test_a_note_that_is_there_learns_that_nothing_changes(forge: FakeForge) -> None:
    """What it said of an earlier commit is no longer true."""
    post(forge, section(body="3 changes"))

    posted = post(forge, section(body="no changes", run=2), quiet=True)

    assert posted.how is Posting.EDITED
    assert held(forge.board) == {"staging": "no changes"}


@pytest.mark.parametrize(
    ("mine", "writers", "rank"),
    [(("dev", "staging", "prod"), 1, 0), (("staging",), 3, 1), (("prod",), 3, 2), (("x",), 4, 0)],
)
def test_other_legs_are_known_by_the_configuration(
    mine: tuple[str, ...], writers: int, rank: int
) -> None:
    """Who reports on all environments is alone; of a matrix each leg knows its place."""
    sharing = Sharing(environments=3, legs=("dev", "staging", "prod"))

    assert (sharing.writers(mine), sharing.rank(mine)) == (writers, rank)


def test_who_knows_of_no_legs_is_alone() -> None:
    """As the one job that gathers the reports of others."""
    assert Sharing().writers(["prod"]) == 1


def test_a_report_is_a_section_per_environment(forge: FakeForge) -> None:
    """Each under its name, in three requests."""
    made = report(reviewed(change(), environment="staging"), reviewed(environment="prod"))

    posted = notes.report_on(
        MERGE_REQUEST, made, Stamp(), forge, forge._clock, Sharing(environments=2)
    )

    assert posted.how is Posting.CREATED
    assert set(held(forge.board)) == {"staging", "prod"}
    assert len(forge.log) == 3


def test_a_review_of_an_older_commit_marks_itself(forge: FakeForge) -> None:
    """The forge says which commit is the newest one of the merge request."""
    moved = replace(MERGE_REQUEST, head_sha="4e3" * 14)
    made = report(reviewed(change()))

    notes.report_on(moved, made, Stamp(), forge, forge._clock, Sharing())

    assert "an older commit" in forge.board.bodies()[0]


@pytest.mark.parametrize("rank", [0, 3])
def test_who_is_asked_to_stop_writes_without_waiting(rank: int) -> None:
    """The runner kills in a few seconds: the note is worth more than the wait."""
    clock = FakeClock(interrupt_at=0)
    forge = FakeForge(clock)

    posted = notes.upsert(forge, MERGE_REQUEST, [section()], clock=clock, writers=5, rank=rank)

    assert posted.how is Posting.CREATED
    assert held(forge.board) == {"staging": "3 changes"}
