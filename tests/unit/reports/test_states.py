"""The state of an environment survives its marker; nothing else is taken for one."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import masks
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.reports import states
from pipeline_gitops.reports.states import EnvironmentState
from pipeline_gitops.reports.words import Concern, Tone
from pipeline_gitops.views import Action, FaultView, Report
from tests.campaigns import examples
from tests.unit.reports.samples import DATA, change, deployed, hostile, report, reviewed, rollout

ROOM = 100_000
LOST = Concern(label="Danger", text="is deleted", id=DATA, place=Place("base/db.yaml", 14))
STATE = EnvironmentState(
    environment="prod",
    head="9f28425",
    run_url="https://forge.example/runs/17",
    at="2026-03-09 21:14",
    verdict=Verdict.REFUSED,
    tone=Tone.BAD,
    outcome="refused",
    counts=(1, 2, 0, 1, 228),
    refused=1,
    concerns=(LOST,),
    more=3,
    next_step="confirm it: --confirm-deletes",
    plan="3f2a9c1d",
    changes=("abc/def+ghi", "jkl"),
)


def line(**other: object) -> str:
    """A marker's text with something else in it."""
    return json.dumps({**json.loads(states.text(STATE, ROOM)), **other})


def test_a_state_is_read_as_it_was_written() -> None:
    """All of it."""
    assert states.parse(states.text(STATE, ROOM)) == STATE


def test_a_state_says_what_a_result_came_to() -> None:
    """Counts by action, and whether anything was done."""
    state = states.of(deployed(change(), rollout=rollout()), report())

    assert (state.count(Action.UPDATE), state.unchanged, state.acted) == (1, 3, True)
    assert (state.outcome, state.tone) == ("deployed, 3 objects running", Tone.GOOD)
    assert (state.head[:7], state.at) == ("9f28425", "2026-03-09 21:14")


def test_a_fault_of_the_whole_command_is_that_of_every_environment() -> None:
    """What broke the report must not look green in the note."""
    broken = report(reviewed(), fault=FaultView(message="no disk", cure="free some"))

    state = states.of(reviewed(), broken)

    assert (state.tone, state.concerns[0].text, state.next_step) == (
        Tone.BAD,
        "no disk",
        "free some",
    )


@given(hostile)
@settings(max_examples=examples(100))
def test_nothing_in_a_state_acts(made: Report) -> None:
    """One line in which nothing can end the comment, or be a mention, whatever is inside."""
    sealed = masks.seal(made, ())
    for result in sealed.results:
        state = states.of(result, sealed)
        text = states.text(state, ROOM)

        assert not set(text) & set("\n\r<>@#!`|&~-")
        assert text.isascii()
        assert states.parse(text) == (state if state.environment else None)


@given(hostile, st.integers(0, 3_000))
@settings(max_examples=examples(100))
def test_a_state_keeps_to_its_room(made: Report, room: int) -> None:
    """With less and less in it, and at last not at all."""
    for result in made.results:
        text = states.text(states.of(result, masks.seal(made, ())), room)

        assert len(text) <= room


def test_what_people_read_goes_last() -> None:
    """First the list of changes, then dangers, and verdict and counts never."""
    rooms = range(len(states.text(STATE, ROOM)), 0, -20)
    read = [one for room in rooms if (one := states.parse(states.text(STATE, room) or "{}"))]

    assert read[1].changes == ()
    assert read[1].concerns == STATE.concerns
    assert read[-1].concerns == ()
    assert {(one.verdict, one.counts) for one in read} == {(STATE.verdict, STATE.counts)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "NaN",
        "[" * 100_000,
        '{"v":1}',
        line(v=2),
        line(v=True, environment=""),
        line(unknown="x"),
        line(environment=7),
        line(environment="x" * 300),
        line(outcome="x" * 301),
        line(at="@everyone"),
        line(at="[x](//evil.test)"),
        line(at="٢٠٢٦-03-09 21:14"),
        line(verdict="fine"),
        line(tone="loud"),
        line(counts=[1, 2]),
        line(counts=[1, 2, 3, 4, -5]),
        line(counts=[1, 2, 3, 4, 1.5]),
        line(counts=[1, 2, 3, 4, True]),
        line(counts=[1, 2, 3, 4, 10**12]),
        line(refused="1"),
        line(concerns=[["Danger", "x", [], "", 0]] * 6),
        line(concerns=[["Praise", "x", [], "", 0]]),
        line(concerns=[["Danger", "x", ["", "Pod"], "", 0]]),
        line(concerns=[["Danger", "x", [], "", "14"]]),
        line(concerns=["Danger"]),
        line(changes="not<digests>"),
        line(changes="x " * 20_001),
        line(next={"text": "x"}),
    ],
)
def test_what_is_no_state_is_none(text: str) -> None:
    """Wrong types, sizes, words, versions, and things that we do not know."""
    assert states.parse(text) is None


def test_huge_texts_are_not_even_read() -> None:
    """A note may hold a megabyte of anything."""
    assert states.parse(line(outcome="x", padding="") + " " * states.LONGEST) is None


def test_what_is_read_is_cleaned() -> None:
    """Control characters and line ends of a hand-made marker do not reach the first lines."""
    state = states.parse(line(outcome="a\u202eb\x1b[31m\nc"))

    assert state is not None
    assert state.outcome == "a\\u202eb\\u001b[31m c"


def test_an_object_is_bounded_part_by_part() -> None:
    """A name from a manifest that no server took can be of any length."""
    long = ObjectId("", "PersistentVolumeClaim", "shop", "x" * 5_000)
    lost = replace(reviewed(change(Action.DELETE, id=long)), dangers=(f"{long} is deleted",))

    state = states.of(lost, report(lost))

    assert states.parse(states.text(state, ROOM)) == state
