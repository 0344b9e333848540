"""One note per merge request: what its text holds, and how many writers share it."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.pipeline import notes
from pipeline_gitops.pipeline.notes import NotePosted, Posting, Section, Stamp
from pipeline_gitops.ports import MergeRequest, Note
from pipeline_gitops.reports import Shown
from pipeline_gitops.reports import notes as texts
from tests.fakes.forge import Board, FakeForge, SlowForge, Stage
from tests.fakes.world import FakeClock

MERGE_REQUEST = MergeRequest(number=7)
LIMIT = 65_536
LONG_AGO = "2025-01-01T00:00:00Z"


def section(
    key: str = "staging", body: str = "3 changes", *, run: int = 1, phase: int = 0
) -> Section:
    """A section as a job would post it."""
    return Section(key=key, stamp=Stamp(phase=phase, run=run, attempt=1), body=Shown(body))


def text(*sections: Section) -> str:
    """A note that holds these sections."""
    return texts.compose({one.key: one for one in sections}, limit=LIMIT)


def post(forge: FakeForge, one: Section, *, writers: int = 1, rank: int = 0) -> NotePosted:
    """Posts a section on the merge request."""
    clock = forge._clock
    return notes.upsert(forge, MERGE_REQUEST, one, clock=clock, writers=writers, rank=rank)


def held(board: Board) -> dict[str, str]:
    """Key and text of every section in the one note that there is."""
    (body,) = board.bodies()
    return {one.key: one.body for one in texts.sections(body)}


@pytest.fixture
def forge() -> FakeForge:
    """A forge without notes."""
    return FakeForge(FakeClock())


# -- the text ----------------------------------------------------------------------------------


def test_sections_are_read_as_they_were_written() -> None:
    """Key, stamp and text survive the note, whatever the key is made of."""
    odd = section("eu/prod --> x", "first\n\nlast", run=12, phase=1)

    found = texts.sections(text(section(), odd))

    assert set(found) == {section(), odd}


def test_every_marker_is_one_line() -> None:
    """GitLab executes quick actions in comments of several lines."""
    body = text(section("a\nb"))

    markers = [line for line in body.split("\n") if "<!--" in line]

    assert len(markers) == 3
    assert all(line.startswith("<!-- ") and line.endswith(" -->") for line in markers)


def test_line_ends_do_not_matter() -> None:
    """A body that comes back with CRLF is the same body."""
    body = text(section(body="one\ntwo")).replace("\n", "\r\n")

    assert texts.is_marked(body)
    assert texts.sections(body) == (section(body="one\ntwo"),)


def test_text_cannot_close_or_open_a_section() -> None:
    """A marker inside a section, from the log of a failed pod for one, stays text."""
    forged = section("prod", "forged", run=99)
    hostile = f"log:\n<!-- pipeline-gitops:end staging -->\n{text(forged)}"

    found = texts.sections(text(section(body=hostile)))

    assert [one.key for one in found] == ["staging"]
    assert "forged" in found[0].body


@pytest.mark.parametrize("instead", ["", "<!-- pipeline-gitops:end other -->"])
def test_section_without_its_end_is_gone(instead: str) -> None:
    """Half a section is no section; the others are."""
    body = text(section("prod"), section())
    body = body.replace("<!-- pipeline-gitops:end prod -->", instead)

    assert texts.sections(body) == (section(),)


def test_of_equally_new_sections_the_first_counts() -> None:
    """The note with the lowest id is the one that is written to."""
    first, second = section(body="first"), section(body="second")

    assert texts.union([first, second]) == {"staging": first}


def test_text_changed_by_hand_is_said_once() -> None:
    """A person's words in a section are carried on as such, not piled up with each write."""
    body = text(section(body="3 changes")).replace("3 changes", "no changes, honest")

    once = texts.sections(body)
    carried = text(*once)
    twice = texts.sections(carried.replace("honest", "really"))

    assert once[0].body == "no changes, honest\n\n<sub>This section was edited by hand.</sub>"
    assert texts.sections(carried) == once
    assert twice[0].body == "no changes, really\n\n<sub>This section was edited by hand.</sub>"


def test_deploys_come_before_reviews() -> None:
    """What happened is read before what would happen."""
    body = text(section("a"), section("b"), section("z", phase=1))

    assert [one.key for one in texts.sections(body)] == ["z", "a", "b"]


def test_full_note_drops_the_oldest_first() -> None:
    """Older sections shrink to a line until the rest fits."""
    old, newer, mine = (section(key, key * 400, run=run) for run, key in enumerate("abc"))
    whole = {one.key: one for one in (old, newer, mine)}

    body = texts.compose(whole, limit=1_300, keep="c")

    found = {one.key: one.body for one in texts.sections(body)}
    assert len(body) <= 1_300
    assert found["a"] == "**a**: left out, this note is full. See the report of its own job."
    assert (found["b"], found["c"]) == (newer.body, mine.body)


def test_full_note_keeps_my_own_section() -> None:
    """The section that is being written is never the one that is left out."""
    mine, other = section("mine", "m" * 400, run=1), section("other", "o" * 400, run=2)

    body = texts.compose({"mine": mine, "other": other}, limit=800, keep="mine")

    assert mine in texts.sections(body)
    assert "o" * 400 not in body


# -- one writer --------------------------------------------------------------------------------


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
    forge = FakeForge(FakeClock(), limit=800)
    post(forge, section("other", "o" * 400, run=2))

    post(forge, section("mine", "m" * 400, run=1))

    assert held(forge.board)["mine"] == "m" * 400
    assert "left out" in held(forge.board)["other"]


# -- several writers ---------------------------------------------------------------------------


def test_writer_overwritten_in_between_writes_again() -> None:
    """Another job read before us and wrote after us: both sections are there in the end."""
    forge = FakeForge(FakeClock())
    note = forge.board.add("bot", text(section("old")))
    stale = text(section("old"), section("prod", "theirs"))
    checks(forge, lambda: rewrite(forge.board, note, stale))

    post(forge, section("staging", "ours"), writers=2)

    assert held(forge.board) == {"old": "3 changes", "prod": "theirs", "staging": "ours"}


def test_undisturbed_writer_checks_once() -> None:
    """It knows its own write again, and is done."""
    forge = FakeForge(FakeClock())

    post(forge, section(), writers=2)

    assert forge.log == ["me", "list", "create", "list"]


def test_writer_waits_for_those_who_read_before_a_later_write() -> None:
    """Standing at the first check is not enough when someone else has written meanwhile."""
    forge = FakeForge(FakeClock())
    note = forge.board.add("bot", text(section("old")))
    with_ours = text(section("staging", "ours"), section("eu", "theirs"))
    stale = text(section("old"), section("eu", "theirs"))
    checks(
        forge,
        lambda: rewrite(forge.board, note, with_ours),
        lambda: rewrite(forge.board, note, stale),
    )

    post(forge, section("staging", "ours"), writers=3)

    assert held(forge.board) == {"old": "3 changes", "eu": "theirs", "staging": "ours"}


def test_duplicate_with_more_to_say_stays() -> None:
    """One that shows up late may hold a section that is nowhere else."""
    forge = FakeForge(FakeClock(seconds=3_600.0))
    forge.board.add("bot", text(section("old")), LONG_AGO)
    checks(forge, lambda: forge.board.add("bot", text(section("prod")), LONG_AGO))

    post(forge, section(), writers=2)

    assert [len(texts.sections(body)) for body in forge.board.bodies()] == [2, 1]


def checks(forge: FakeForge, *acts: Callable[[], object]) -> None:
    """Lets each act happen just before one of the checks that follow our first write."""
    left = list(acts)

    def act() -> None:
        if forge.writes():
            left.pop(0)()
        if left:
            forge.before("list", act)

    forge.before("list", act)


def rewrite(board: Board, note: Note, body: str) -> None:
    """Another job's edit."""
    board.notes[note.id] = replace(board.notes[note.id], body=body)


def test_later_ranks_leave_the_creation_to_the_first() -> None:
    """A created and deleted duplicate leaves its notification: avoid the create."""
    forge = FakeForge(FakeClock())

    def first() -> None:
        if "create" not in forge.log:
            forge.board.add("bot", text(section("prod", "first")))

    forge.before("list", lambda: forge.before("list", first))

    post(forge, section(), writers=3, rank=2)

    assert forge.writes() == ["edit"]
    assert held(forge.board) == {"prod": "first", "staging": "3 changes"}


def test_note_that_is_fought_over_is_given_up() -> None:
    """After 45 seconds the job goes on without its report."""
    clock = FakeClock()
    forge = FakeForge(clock)

    def wipe() -> None:
        forge.board.notes.clear()
        forge.board.add("bot", text())
        forge.before("list", wipe)

    forge.before("list", wipe)

    with pytest.raises(ReportFault, match="overwritten by other jobs"):
        post(forge, section(), writers=2)

    assert 45 <= clock.elapsed() <= 60


@pytest.mark.parametrize(("age_s", "left"), [(59, 2), (61, 1)])
def test_orphaned_duplicate_goes_after_a_minute(age_s: int, left: int) -> None:
    """Another job may still be about to gather its own duplicate; one that was killed is not."""
    clock = FakeClock(seconds=float(age_s))
    forge = FakeForge(clock)
    forge.board.add("bot", text(section("prod")), LONG_AGO)
    forge.board.add("bot", text(section("prod")), LONG_AGO)

    post(forge, section(), writers=2)

    assert len(forge.board.notes) == left


def race(seed: int, writers: int, *, settle: bool, ranked: bool) -> tuple[Board, list[object]]:
    """Jobs of one pipeline that report at about the same time."""
    stage, board, chance = Stage(), Board(), random.Random(seed)

    def writer(number: int) -> NotePosted:
        stage.sleep(chance.uniform(0, 0.3))
        return notes.upsert(
            SlowForge(stage, board, chance),
            MERGE_REQUEST,
            section(f"env-{number}", f"report {number}"),
            clock=stage,
            writers=writers if settle else 1,
            rank=number if ranked else 0,
        )

    ends = stage.play([lambda number=number: writer(number) for number in range(writers)])
    return board, list(ends)


@pytest.mark.parametrize("ranked", [True, False], ids=["ranked", "all-first"])
@pytest.mark.parametrize("writers", [2, 8])
def test_no_section_is_lost_in_a_race(writers: int, ranked: bool) -> None:
    """However the jobs meet, there is one note in the end, and it holds every section."""
    expected = {f"env-{number}": f"report {number}" for number in range(writers)}

    for seed in range(40):
        board, ends = race(seed, writers, settle=True, ranked=ranked)

        assert all(isinstance(end, NotePosted) for end in ends), (seed, ends)
        assert held(board) == expected, seed


def test_race_is_one() -> None:
    """Without settling the same jobs do lose sections: the test above can fail."""
    lost = 0
    for seed in range(40):
        board, _ = race(seed, 8, settle=False, ranked=False)
        found = {one.key for body in board.bodies() for one in texts.sections(body)}
        lost += len(board.notes) > 1 or len(found) < 8

    assert lost > 20
