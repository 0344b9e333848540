"""The text of a note: what it holds, and that nobody else can say it."""

from dataclasses import replace

import pytest

from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import Place
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import notes as texts
from pipeline_gitops.reports.notes import Section, Stamp
from pipeline_gitops.views import Action, ChangeView, Finding
from tests.unit.pipeline.boards import section, text
from tests.unit.reports.samples import DATA, change, numbered, report, reviewed

HEAD = "9f284253b1c0a7d8e9f00112233445566778899a"


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

    body = texts.compose(whole, limit=1_800, keep=["c"])

    found = {one.key: one.body for one in texts.sections(body)}
    assert len(body) <= 1_800
    assert found["a"] == "**a**: left out, this note is full. See the report of its own job."
    assert (found["b"], found["c"]) == (newer.body, mine.body)


def test_full_note_keeps_my_own_section() -> None:
    """The section that is being written is never the one that is left out."""
    mine, other = section("mine", "m" * 400, run=1), section("other", "o" * 400, run=2)

    body = texts.compose({"mine": mine, "other": other}, limit=1_000, keep=["mine"])

    assert mine in texts.sections(body)
    assert "o" * 400 not in body


def test_overfull_note_leaves_the_oldest_out() -> None:
    """Hundreds of pointers are too much as well; the limit holds, and the note says so."""
    many = {f"env-{n:03}": reviewed_section(f"env-{n:03}", run=n) for n in range(300)}

    body = texts.compose(many, limit=20_000, keep=["env-000"])

    kept = [one.key for one in texts.sections(body)]
    assert len(body) <= 20_000
    assert "env-000" in kept
    assert "env-299" in kept
    assert f"{300 - len(kept)} environments left out: this note is full." in body


# -- the first lines ---------------------------------------------------------------------------


def reviewed_section(
    environment: str, *changes: ChangeView, run: int = 1, head: str = HEAD, phase: int = 0
) -> Section:
    """A section of a job that compared one environment."""
    result = reviewed(*changes, environment=environment)
    made = Sealed(replace(report(result), revision=head))
    (one,) = texts.sections_of(made, Stamp(phase=phase, run=run), limit=60_000, environments=3)
    return one


def test_every_job_writes_the_first_lines_of_all() -> None:
    """Two legs of a matrix, one answer."""
    body = text(reviewed_section("staging", change()), reviewed_section("prod"))

    assert "### 🟢 staging: 1 to change; prod: no changes\n" in body
    assert "| 🟢 | staging | 0 | 1 | 0 | 0 | 3 | 0 | `3f2a9c1` for `9f28425` |" in body
    assert "| ⚪ | prod | 0 | 0 | 0 | 0 | 3 | 0 | `3f2a9c1` for `9f28425` |" in body


def test_a_danger_that_environments_share_is_said_once() -> None:
    """By the names of both, whichever job found it."""
    lost = replace(
        reviewed(change(Action.DELETE, id=DATA)), dangers=(f"{DATA} is deleted, data and all",)
    )
    both = [replace(lost, environment=name) for name in ("prod", "staging")]
    made = [one for each in both for one in texts.sections_of(report(each), Stamp(), limit=60_000)]

    body = text(*made)

    danger = "**Danger:** prod, staging: `PersistentVolumeClaim shop/db-data` is deleted"
    assert body.count("is deleted, data and all") == 1 + len(made)  # the states remember it
    assert danger in body


def test_a_deploy_takes_the_place_of_the_review() -> None:
    """One section per environment: what was to happen gives way to what happened."""
    review, deploy = reviewed_section("prod", change()), reviewed_section("prod", phase=1)

    assert texts.union([deploy, review]) == texts.union([review, deploy]) == {"prod": deploy}


def test_review_of_an_older_commit_is_marked() -> None:
    """In the table and before its section; the headline is about the newest commit alone."""
    old = reviewed_section("prod", change(), run=1, head="0ld" * 14)
    new = reviewed_section("staging", run=2, head="4e3" * 14)

    body = text(old, new)

    assert "### ⚪ staging: no changes\n" in body
    assert "| ⚪ | prod | 0 | 1 | 0 | 0 | 3 | 0 | `3f2a9c1` for `0ld0ld0`, an older commit" in body
    assert "_prod: what follows is about `0ld0ld0`, which is no longer the newest commit._" in body


def test_the_forge_knows_the_newest_commit() -> None:
    """A slow job of an older commit writes last, and marks itself."""
    late = reviewed_section("prod", change(), run=1, head="0ld" * 14)

    body = texts.compose({"prod": late}, limit=60_000, head="4e3" * 14)

    assert "an older commit" in body


def test_a_deploy_is_never_of_an_older_commit() -> None:
    """The merge made a new commit; what was deployed stays deployed."""
    deploy = reviewed_section("staging", phase=1, head="dea" * 14)

    body = texts.compose(
        {"staging": deploy, "prod": reviewed_section("prod")}, limit=60_000, head=HEAD
    )

    assert "an older commit" not in body


def test_marks_follow_the_newest_commit() -> None:
    """The remark stands outside of the section: it goes when the section is renewed."""
    old = reviewed_section("prod", run=1, head="0ld" * 14)
    marked = texts.compose({"prod": old}, limit=60_000, head=HEAD)

    (found,) = texts.sections(marked)

    assert found == old


# -- states ------------------------------------------------------------------------------------


def test_state_survives_the_note() -> None:
    """What one job remembers, another reads."""
    one = reviewed_section("prod", change())

    (found,) = texts.sections(text(one).replace("\n", "\r\n"))

    assert found.state == one.state
    assert found.state is not None
    assert (found.state.environment, found.state.counts) == ("prod", (0, 1, 0, 0, 3))


def test_state_in_a_text_is_text() -> None:
    """A manifest cannot speak for an environment."""
    forged = reviewed_section("prod", change(Action.DELETE))
    marker = f"<!-- pipeline-gitops:state staging {forged.line} -->"

    (found,) = texts.sections(text(section("staging", f"{marker}\nhello")))

    assert found.state is None


def test_state_under_another_key_is_none() -> None:
    """A marker moved by hand does not count."""
    body = text(reviewed_section("prod")).replace(":state prod ", ":state staging ")

    (found,) = texts.sections(body)

    assert found.state is None


def test_state_changed_by_hand_is_said() -> None:
    """The hash covers the state as well as the text."""
    body = text(reviewed_section("prod", change())).replace('"tone":"good"', '"tone":"bad"')

    (found,) = texts.sections(body)

    assert found.body.endswith("<sub>This section was edited by hand.</sub>")


# -- room --------------------------------------------------------------------------------------


def test_sections_of_three_jobs_fit_one_note() -> None:
    """Each keeps to its share, so none has to make way for another."""
    legs = {
        name: one
        for name in ("dev", "staging", "prod")
        for one in texts.sections_of(
            report(reviewed(*numbered(500, lines=30), environment=name)),
            Stamp(),
            limit=65_536,
            environments=3,
        )
    }

    body = texts.compose(legs, limit=65_536, keep=["dev"])

    assert {one.key: one for one in texts.sections(body)} == legs
    assert 60_000 < len(body) <= 65_536


def test_markers_in_a_diff_do_not_make_a_note_longer() -> None:
    """What is done to them comes after the section was cut to fit."""
    forged = ("+<!-- pipeline-gitops:end prod -->",) * 30
    many = (replace(one, lines=forged) for one in numbered(500))

    made = texts.sections_of(report(reviewed(*many)), Stamp(), limit=65_536)

    assert len(texts.compose(texts.union(made), limit=65_536)) <= 65_536


def test_the_list_of_changes_makes_way_before_anything_else() -> None:
    """Without it a deploy can still be held to equality; the rest is what people read."""
    digests = tuple(f"d{n:014}" for n in range(60))
    plan = replace(reviewed(change()).plans[0], change_digests=digests)
    result = replace(reviewed(change()), plans=(plan,))

    (roomy,) = texts.sections_of(report(result), Stamp(), limit=60_000)
    (tight,) = texts.sections_of(report(result), Stamp(), limit=60_000, environments=48)

    assert roomy.state
    assert tight.state
    assert (roomy.state.changes, tight.state.changes) == (digests, ())
    assert tight.state.next_step == roomy.state.next_step


def test_two_thousand_changes_fit_a_note_of_github() -> None:
    """Their digests, and the plan's, in the smallest of notes."""
    digests = tuple(f"d{n:014}" for n in range(2_000))
    plan = replace(reviewed(*numbered(2_000)).plans[0], change_digests=digests)
    result = replace(reviewed(), plans=(plan,))

    (one,) = texts.sections_of(report(result), Stamp(), limit=65_536)

    assert one.state
    assert one.state.changes == digests
    assert len(text(one)) <= 65_536


def test_findings_of_a_base_are_shown_once() -> None:
    """Under the first environment that has them; the others say where they went."""
    finding = Finding(rule="schema", message="not a number", place=Place("base/a.yaml", 3))
    bad = replace(reviewed(), findings=(finding,), verdict=Verdict.REJECTED)
    both = report(bad, replace(bad, environment="staging"))

    first, second = texts.sections_of(both, Stamp(), limit=60_000)

    assert "not a number" in first.body
    assert "not a number" not in second.body
    assert "staging: 1 finding that it shares is under prod." in second.body


# -- what stood there before -----------------------------------------------------------------------


def test_a_deploy_keeps_the_list_of_the_review_whose_place_it_takes() -> None:
    """However it ended, the next deploy is held to that list; the text makes room for it."""
    digests = tuple(f"d{n:014}" for n in range(2_000))
    plan = replace(reviewed(change()).plans[0], digest="f" * 24, change_digests=digests)
    shown = report(replace(reviewed(), plans=(plan,)))
    (review,) = texts.sections_of(shown, Stamp(), limit=65_536)
    plain = replace(reviewed(*numbered(2_000)).plans[0], digest="", change_digests=())
    deployed = report(replace(reviewed(), plans=(plain,)))
    stamp = Stamp(phase=1, run=9)

    (one,) = texts.sections_of(deployed, stamp, limit=65_536, standing={review.key: review})
    (again,) = texts.sections_of(deployed, stamp, limit=65_536, standing={one.key: one})

    assert one.state
    assert (one.state.plan, one.state.changes) == ("f" * 24, digests)
    assert len(text(one)) <= 65_536
    assert again == one


def test_a_review_keeps_no_list_of_the_one_before() -> None:
    """What is not compared with the target any more was not shown."""
    plan = replace(reviewed(change()).plans[0], digest="f" * 24, change_digests=("d" * 15,))
    first = report(replace(reviewed(), plans=(plan,)))
    (before,) = texts.sections_of(first, Stamp(run=1), limit=60_000)
    plain = report(replace(reviewed(change()), plans=()))

    (after,) = texts.sections_of(plain, Stamp(run=2), limit=60_000, standing={before.key: before})

    assert after.state
    assert (after.state.plan, after.state.changes) == ("", ())
