"""What our client relies on in a Gitea, on a real one and on the fake that stands for it."""

from __future__ import annotations

import pytest

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.inventories import Relation
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import Posting, Section, Stamp
from pipeline_gitops.ports import CommitStatus, MergeRequest, Note, StatusState
from pipeline_gitops.reports import Shown
from tests.fakes.forge import newest
from tests.fakes.world import FakeClock
from tests.gitea.places import STYLES, Place


def opened(place: Place) -> MergeRequest:
    """A new pull request."""
    place.push("feature")
    return MergeRequest(number=place.open("feature"))


def status(sha: str, description: str = "no changes", **other: object) -> CommitStatus:
    """A status of the environment staging."""
    given = {"context": "pipeline-gitops/staging", "state": StatusState.SUCCESS, **other}
    return CommitStatus(sha=sha, description=description, **given)  # type: ignore[arg-type]


# -- notes -----------------------------------------------------------------------------------------


def test_note_is_written_edited_and_deleted(place: Place) -> None:
    """Under our login, in its place."""
    forge = place.connect()
    merge_request = opened(place)

    made = forge.create_note(merge_request, Shown("🔴 größer 変更"))
    edited = forge.edit_note(merge_request, made, Shown("second"))

    assert (made.author, made.body) == (forge.me(), "🔴 größer 変更")
    assert (edited.id, edited.body) == (made.id, "second")
    assert [note.id for note in forge.notes(merge_request)] == [made.id]
    forge.drop_note(merge_request, made)
    assert forge.notes(merge_request) == ()


def test_a_note_that_is_gone(place: Place) -> None:
    """Deleting it again is fine; editing it is a fault."""
    forge = place.connect()
    merge_request = opened(place)
    note = forge.create_note(merge_request, Shown("hello"))
    forge.drop_note(merge_request, note)

    forge.drop_note(merge_request, note)

    with pytest.raises(ReportFault, match="404"):
        forge.edit_note(merge_request, note, Shown("again"))


def test_all_notes_come_at_once_oldest_first(place: Place) -> None:
    """The list has no pages: more than one page of elsewhere comes in one answer."""
    merge_request = opened(place)
    ids = [place.write(merge_request.number, f"comment {number}") for number in range(60)]

    found = place.connect().notes(merge_request)

    assert [note.id for note in found] == ids
    assert found[0].body == "comment 0"


def test_notes_of_another_merge_request_are_not_ours(place: Place) -> None:
    """The same repository holds others."""
    forge = place.connect()
    one = opened(place)
    place.push("other")
    other = MergeRequest(number=place.open("other"))

    forge.create_note(one, Shown("hello"))

    assert forge.notes(other) == ()


def test_line_ends_come_back_as_they_were_sent(place: Place) -> None:
    """A note that a person edited in a browser has CRLF."""
    forge = place.connect()
    merge_request = opened(place)

    note = forge.create_note(merge_request, Shown("one\r\ntwo\n"))

    assert note.body == "one\r\ntwo\n"


def said(run: int) -> list[Section]:
    """What a run has to say of one environment."""
    return [Section(key="prod", stamp=Stamp(run=run), body=Shown(f"run {run}"))]


def test_a_note_that_a_browser_edited_is_still_ours(place: Place) -> None:
    """Its lines end otherwise; the next run edits it and makes no second one."""
    forge = place.connect()
    merge_request = opened(place)
    notes.upsert(forge, merge_request, said(1), clock=FakeClock())
    (note,) = forge.notes(merge_request)
    forge.edit_note(merge_request, note, Shown(note.body.replace("\n", "\r\n")))

    posted = notes.upsert(forge, merge_request, said(2), clock=FakeClock())

    assert (posted.id, posted.how) == (note.id, Posting.EDITED)
    (body,) = place.bodies(merge_request.number)
    assert "run 2" in body


def test_a_marked_note_of_somebody_else_is_left_alone(place: Place) -> None:
    """Whoever can read a public repository may write one there."""
    forge = place.connect()
    merge_request = opened(place)
    notes.upsert(forge, merge_request, said(1), clock=FakeClock())
    (first,) = forge.notes(merge_request)
    forge.drop_note(merge_request, first)
    place.write(merge_request.number, first.body)

    posted = notes.upsert(forge, merge_request, said(2), clock=FakeClock())

    theirs, mine = forge.notes(merge_request)
    assert posted.how is Posting.CREATED
    assert (theirs.body, mine.author) == (first.body, forge.me())
    assert theirs.author != mine.author


def test_an_empty_note_is_refused(place: Place) -> None:
    """The cure names the text."""
    with pytest.raises(ReportFault, match="422") as caught:
        place.connect().create_note(opened(place), Shown(""))

    assert "empty" in caught.value.cure


def test_a_note_as_long_as_our_limit_is_taken(place: Place) -> None:
    """The server has no limit of its own."""
    forge = place.connect()

    note = forge.create_note(opened(place), Shown("x" * forge.limits.note))

    assert len(note.body) == forge.limits.note


def test_a_missing_merge_request_is_a_fault(place: Place) -> None:
    """Of its notes the server says 500, of itself 404."""
    forge = place.connect()

    with pytest.raises(ReportFault, match="404"):
        forge.merge_request(999)
    with pytest.raises(ReportFault, match="500"):
        forge.create_note(MergeRequest(number=999), Shown("hello"))


# -- statuses --------------------------------------------------------------------------------------


def test_the_highest_id_is_the_newest_status(place: Place) -> None:
    """Many are set within the second that the server's times have."""
    forge = place.connect()
    sha = place.push("main")

    for number in range(55):  # more than a page
        forge.set_status(status(sha, f"try {number}"))
    forge.set_status(status(sha, "failed", context="other", state=StatusState.FAILURE))

    found = {one.context: (one.state, one.description) for one in newest(forge, sha)}
    assert found == {
        "pipeline-gitops/staging": (StatusState.SUCCESS, "try 54"),
        "other": (StatusState.FAILURE, "failed"),
    }


@pytest.mark.parametrize("state", [StatusState.PENDING, StatusState.SUCCESS, StatusState.FAILURE])
def test_a_status_says_what_was_set(place: Place, state: StatusState) -> None:
    """With our login as who set it."""
    forge = place.connect()
    sha = place.push("main")
    wanted = status(sha, "2 to create", state=state, url="https://ci.example.com/1")

    forge.set_status(wanted)

    (found,) = newest(forge, sha)
    assert (found.state, found.description, found.url) == (state, wanted.description, wanted.url)
    assert found.creator == forge.me()


def test_a_status_of_an_unknown_commit_is_a_fault(place: Place) -> None:
    """The server says 500 then."""
    with pytest.raises(ReportFault, match="500"):
        place.connect().set_status(status("a" * 40))


# -- tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "act", "lacks"),
    [
        (("read:issue", "read:repository", "read:user"), "note", "write:issue"),
        (("write:issue", "read:repository", "read:user"), "status", "write:repository"),
        (("write:issue", "read:user"), "merge request", "read:repository"),
        (("write:issue", "write:repository"), "me", "read:user"),
        (("write:repository", "read:user"), "notes", "read:issue"),
    ],
)
def test_a_missing_scope_is_named(
    place: Place, held: tuple[str, ...], act: str, lacks: str
) -> None:
    """The cure has the scope that the server asked for, and no other."""
    merge_request = opened(place)
    forge = place.connect(*held)
    acts = {
        "note": lambda: forge.create_note(merge_request, Shown("hello")),
        "status": lambda: forge.set_status(status(place.push("main"))),
        "merge request": lambda: forge.merge_request(merge_request.number),
        "me": forge.me,
        "notes": lambda: forge.notes(merge_request),
    }

    with pytest.raises(ReportFault) as caught:
        acts[act]()

    assert "403" in caught.value.what
    assert f"access token with {lacks}" in caught.value.cure


# -- merge requests --------------------------------------------------------------------------------


def test_a_merge_request_is_read(place: Place) -> None:
    """Everything that a report needs to know of it."""
    head = place.push("feature")
    number = place.open("feature")

    found = place.connect().merge_request(number)

    assert (found.number, found.state) == (number, "open")
    assert (found.head_sha, found.merge_sha) == (head, "")


@pytest.mark.parametrize("style", STYLES)
def test_the_last_commit_of_a_merge_leads_to_its_merge_request(place: Place, style: str) -> None:
    """Whichever way it was merged; the state, the head and the commit are told."""
    place.push("feature")
    head = place.push("feature")
    number = place.open("feature")
    if style != "fast-forward-only":
        place.push("main")

    tip = place.merge(number, style)

    forge = place.connect()
    (found,) = forge.merge_requests_of(tip)
    assert (found.number, found.state, found.merge_sha) == (number, "merged", tip)
    assert found.head_sha == head
    assert forge.compare(head, tip) is expected_relation(style)


def expected_relation(style: str) -> Relation:
    """How the last commit of main relates to the head that was merged."""
    if style == "fast-forward-only":
        return Relation.IDENTICAL
    return Relation.AHEAD if style == "merge" else Relation.DIVERGED


def test_other_commits_lead_to_no_merge_request(place: Place) -> None:
    """Inner ones, open heads and what was pushed directly."""
    inner = place.push("feature")
    head = place.push("feature")
    place.open("feature")
    direct = place.push("main")
    forge = place.connect()

    found = [forge.merge_requests_of(sha) for sha in (inner, head, direct, "a" * 40)]

    assert found == [(), (), (), ()]


# -- commits ---------------------------------------------------------------------------------------


def test_commits_are_compared(place: Place) -> None:
    """By the commits that one has and the other lacks; unknown where the server lacks one."""
    old = place.push("main")
    branch = place.push("feature")
    new = place.push("main")
    forge = place.connect()

    pairs = [(old, new), (new, old), (new, branch), (new, new), (new, "a" * 40), ("a" * 40, new)]

    assert [forge.compare(base, head) for base, head in pairs] == [
        Relation.AHEAD,
        Relation.BEHIND,
        Relation.DIVERGED,
        Relation.IDENTICAL,
        Relation.UNKNOWN,
        Relation.UNKNOWN,
    ]


# -- addresses -------------------------------------------------------------------------------------


def test_a_renamed_repository_is_not_followed(place: Place) -> None:
    """A token is not carried along, nothing is written there, and the cure says what to change."""
    forge = place.connect()
    merge_request = opened(place)
    note = Note(id="1", author="bot", body="")
    sha = place.push("main")
    place.rename()

    for act in (
        lambda: forge.notes(merge_request),
        lambda: forge.create_note(merge_request, Shown("hello")),
        lambda: forge.edit_note(merge_request, note, Shown("hello")),
        lambda: forge.set_status(status(sha)),
        lambda: forge.merge_requests_of(sha),
    ):
        with pytest.raises(ReportFault, match="301") as caught:
            act()
        assert "the address" in caught.value.cure


def test_an_unknown_token_is_told_as_such(place: Place) -> None:
    """Expired, or of another server."""
    with pytest.raises(ReportFault, match="401") as caught:
        place.stranger().me()

    assert "TOKEN is expired" in caught.value.cure
