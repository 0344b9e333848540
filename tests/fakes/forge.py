"""A forge in memory, writers that meet on it at chosen moments, and time that does not pass."""

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pipeline_gitops.errors import LackingFault, ReportFault
from pipeline_gitops.inventories import Relation
from pipeline_gitops.ports import (
    Check,
    Clock,
    CommitStatus,
    Deployment,
    Forge,
    Limits,
    MergeRequest,
    Note,
    Surface,
)
from pipeline_gitops.reports import Shown

_START = datetime(2025, 1, 1, tzinfo=UTC)
_T = TypeVar("_T")


class Board:
    """What the forge stores: notes by id, and statuses. Shared by everyone who speaks to it."""

    def __init__(self) -> None:
        self.notes: dict[str, Note] = {}
        self.places: dict[str, int] = {}  # the merge request of a note; others are on every one
        self.statuses: list[CommitStatus] = []
        self.deployments: list[Deployment] = []
        self.checks: list[Check] = []
        self.merge_requests: dict[int, MergeRequest] = {}
        self.brought: dict[str, list[MergeRequest]] = {}  # by the commit that they brought
        self.relations: dict[tuple[str, str], Relation] = {}
        self.ids = itertools.count(9)  # "10" comes after "9", whatever strings say

    def add(self, author: str, body: str, at: str = "") -> Note:
        """Posts a note as anyone."""
        note = Note(id=str(next(self.ids)), author=author, body=body, created_at=at, updated_at=at)
        self.notes[note.id] = note
        return note

    def bodies(self) -> list[str]:
        """The text of every note."""
        return [note.body for note in self.notes.values()]


class FakeForge:
    """Implements `ports.Forge` for one login. *log* names every request by its verb."""

    def __init__(self, clock: Clock, board: Board | None = None, *, limit: int = 65_536) -> None:
        self.limits = Limits(note=limit)
        self.board = board or Board()
        self.log: list[str] = []
        self.lacking: dict[Surface, LackingFault] = {}
        self._clock = clock
        self._before: dict[str, list[Callable[[], object]]] = {}
        self._faults: dict[str, list[bool]] = {}

    def before(self, verb: str, act: Callable[[], object]) -> None:
        """Lets *act* happen just before the next request of this verb takes effect."""
        self._before.setdefault(verb, []).append(act)

    def fail(self, verb: str, *, done: bool) -> None:
        """Loses the answer of the next request of this verb, which is *done* or not."""
        self._faults.setdefault(verb, []).append(done)

    def writes(self) -> list[str]:
        """Requests that changed something, or tried."""
        return [verb for verb in self.log if verb in ("create", "edit", "drop", "status")]

    def me(self) -> str:
        """Always the same login."""
        return self._request("me", lambda: "bot")

    def merge_request(self, number: int) -> MergeRequest:
        """Any that is asked for, as it was arranged."""
        known = self.board.merge_requests.get(number, MergeRequest(number=number))
        return self._request("merge_request", lambda: known)

    def merge_requests_of(self, sha: str) -> tuple[MergeRequest, ...]:
        """Those that were arranged."""
        return self._request("merge_requests_of", lambda: tuple(self.board.brought.get(sha, ())))

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        """All notes on it."""

        def read() -> tuple[Note, ...]:
            number = merge_request.number
            held = self.board.notes.items()
            return tuple(n for id, n in held if self.board.places.get(id, number) == number)

        return self._request("list", read)

    def create_note(self, merge_request: MergeRequest, body: Shown) -> Note:
        """Adds a note, whatever is there."""
        return self._request("create", lambda: self.board.add("bot", body, self._now()))

    def edit_note(self, merge_request: MergeRequest, note: Note, body: Shown) -> Note:
        """Replaces the text, whatever it is by now."""

        def edit() -> Note:
            if note.id not in self.board.notes:
                raise ReportFault("404")
            standing = self.board.notes[note.id]
            self.board.notes[note.id] = replace(standing, body=body, updated_at=self._now())
            return self.board.notes[note.id]

        return self._request("edit", edit)

    def drop_note(self, merge_request: MergeRequest, note: Note) -> None:
        """Deletes a note."""
        self._request("drop", lambda: self.board.notes.pop(note.id, None))

    def status_history(self, sha: str) -> tuple[CommitStatus, ...]:
        """All statuses of the commit, newest first."""
        found = [one for one in self.board.statuses if one.sha == sha]
        return self._request("status_history", lambda: tuple(reversed(found)))

    def set_status(self, status: CommitStatus) -> None:
        """Appends a status."""
        self._request("status", lambda: self.board.statuses.append(status))

    def lacks(self, surface: Surface) -> LackingFault | None:
        """What a test says that it lacks."""
        return self.lacking.get(surface)

    def set_deployment(self, deployment: Deployment) -> None:
        """Appends a state of it."""
        self._request("deployment", lambda: self.board.deployments.append(deployment))

    def set_check(self, check: Check) -> None:
        """Appends a check run."""
        self._request("check", lambda: self.board.checks.append(check))

    def compare(self, base: str, head: str) -> Relation:
        """Unknown, where nothing was arranged."""
        known = self.board.relations.get((base, head), Relation.UNKNOWN)
        return self._request("compare", lambda: known)

    def _now(self) -> str:
        return (_START + timedelta(seconds=self._clock.elapsed())).isoformat()

    def _request(self, verb: str, act: Callable[[], _T]) -> _T:
        self.log.append(verb)
        for other in self._before.pop(verb, []):
            other()
        faults = self._faults.get(verb, [])
        if not faults:
            return act()
        if faults.pop(0):
            act()
        raise ReportFault(f"no answer to {verb}", "look again")


def newest(forge: Forge, sha: str) -> tuple[CommitStatus, ...]:
    """The newest status per context: what the forge shows beside a commit."""
    return tuple({one.context: one for one in reversed(forge.status_history(sha))}.values())


class Stage:
    """Runs writers in virtual time, one at a time: whoever wakes first goes on. A clock for all."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, threading.Semaphore]] = []
        self._idle = threading.Semaphore(0)

    def now(self) -> datetime:
        """The time of day on this stage."""
        return _START + timedelta(seconds=self._seconds)

    def elapsed(self) -> float:
        """Virtual seconds."""
        return self._seconds

    def sleep(self, seconds: float) -> None:
        """Hands over to whoever wakes first."""
        mine = self._enqueue(seconds)
        self._idle.release()
        mine.acquire()

    def _enqueue(self, seconds: float) -> threading.Semaphore:
        semaphore = threading.Semaphore(0)
        heapq.heappush(self._sleepers, (self._seconds + seconds, next(self._order), semaphore))
        return semaphore

    def play(self, writers: Sequence[Callable[[], _T]]) -> list[_T | Exception]:
        """What became of each writer."""
        ends: list[_T | Exception] = [RuntimeError("did not end")] * len(writers)

        def act(number: int, start: threading.Semaphore) -> None:
            start.acquire()
            try:
                ends[number] = writers[number]()
            except Exception as error:
                ends[number] = error
            self._idle.release()

        threads = [
            threading.Thread(target=act, args=(number, self._enqueue(0.0)), daemon=True)
            for number in range(len(writers))
        ]
        for thread in threads:
            thread.start()
        while self._sleepers:
            self._seconds, _, semaphore = heapq.heappop(self._sleepers)
            semaphore.release()
            self._idle.acquire()
        for thread in threads:
            thread.join()
        return ends


class SlowForge(FakeForge):
    """Takes 40 to 160 ms there and back, and now and then stalls for most of a second."""

    def __init__(self, stage: Stage, board: Board, chance: random.Random) -> None:
        super().__init__(stage, board)
        self._stage = stage
        self._chance = chance

    def _request(self, verb: str, act: Callable[[], _T]) -> _T:
        self._hop()
        try:
            return super()._request(verb, act)
        finally:
            self._hop()

    def _hop(self) -> None:
        stall = 0.8 if self._chance.random() < 0.02 else 0.0
        self._stage.sleep(self._chance.uniform(0.02, 0.08) + stall)
