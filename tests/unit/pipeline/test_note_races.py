"""One note per merge request, whoever writes to it at the same time."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import NotePosted, Sharing, Stamp
from pipeline_gitops.ports import MergeRequest, Note
from pipeline_gitops.reports import notes as texts
from tests.campaigns import examples
from tests.fakes.forge import Board, FakeForge, SlowForge, Stage
from tests.fakes.world import FakeClock
from tests.unit.pipeline.boards import LONG_AGO, MERGE_REQUEST, held, post, section, text
from tests.unit.reports.samples import change, report, reviewed

T = TypeVar("T")


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
            [section(f"env-{number}", f"report {number}")],
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


# -- on a bad day ------------------------------------------------------------------------------


class Killed(Exception):
    """The job was cancelled in the middle of a request."""


class Memory:
    """What the board held when: forges read from replicas that lag behind."""

    def __init__(self, board: Board, stage: Stage) -> None:
        self._board = board
        self._stage = stage
        self._states: list[tuple[float, dict[str, Note]]] = [(0.0, {})]

    def record(self) -> None:
        self._states.append((self._stage.elapsed(), dict(self._board.notes)))

    def at(self, seconds: float) -> tuple[Note, ...]:
        held = [notes for at, notes in self._states if at <= seconds]
        return tuple(held[-1].values()) if held else ()


class RoughForge(SlowForge):
    """Answers up to a second late in time as well; *dies_at* its so manieth request."""

    def __init__(
        self, stage: Stage, board: Board, chance: random.Random, memory: Memory, dies_at: int
    ) -> None:
        super().__init__(stage, board, chance)
        self._memory = memory
        self._dies_at = dies_at

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        late_s = self._chance.choice([0.0, self._chance.uniform(0.0, 1.0)])
        return self._request("list", lambda: self._memory.at(self._stage.elapsed() - late_s))

    def _request(self, verb: str, act: Callable[[], T]) -> T:
        def recorded() -> T:
            made = act()
            self._memory.record()
            return made

        dies = len(self.log) + 1 == self._dies_at
        if dies and self._chance.random() < 0.5:
            raise Killed
        made = super()._request(verb, recorded)
        if dies:
            raise Killed
        return made


def rough_race(seed: int, writers: int, killed: int) -> tuple[Board, list[object]]:
    """Jobs that each report one environment; the first *killed* of them do not live to the end."""
    stage, board, chance = Stage(), Board(), random.Random(seed)
    memory = Memory(board, stage)
    legs = tuple(f"env-{number}" for number in range(writers))

    def writer(number: int) -> NotePosted:
        stage.sleep(chance.uniform(0, 0.3))
        dies_at = chance.randint(1, 5) if number < killed else 0
        return notes.report_on(
            MERGE_REQUEST,
            report(reviewed(change(), environment=legs[number])),
            Stamp(run=1),
            RoughForge(stage, board, chance, memory, dies_at),
            stage,
            Sharing(environments=writers, legs=legs),
        )

    return board, list(stage.play([lambda n=number: writer(n) for number in range(writers)]))


@pytest.mark.parametrize("killed", [0, 2])
def test_no_environment_is_lost_on_a_bad_day(killed: int) -> None:
    """Late reads, stalls and kills: whoever lives finds itself in the one note, table and all."""
    for seed in range(examples(30)):
        board, ends = rough_race(seed, 8, killed)

        first = board.notes[min(board.notes, key=int)]
        living = [f"env-{number}" for number in range(killed, 8)]
        held_there = {one.key for one in texts.sections(first.body)}
        assert all(isinstance(end, NotePosted) for end in ends[killed:]), (seed, ends)
        assert set(living) <= held_there, seed
        assert all(f"| 🟢 | {name} | 0 | 1 |" in first.body for name in living), seed
        assert killed or len(board.notes) == 1, seed
