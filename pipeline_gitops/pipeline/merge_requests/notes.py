"""One note per merge request, written by any number of jobs without a lock.

Forges have no conditional edit, so writers settle it among themselves: everyone writes the union of
what it read and its own sections into the note with the lowest id, waits until nobody who read
before that can still be writing, and looks whether its sections are there. No section is lost as
long as reading, deciding and writing take less than that wait.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pipeline_gitops.errors import InterruptedFault, ReportFault
from pipeline_gitops.masks import Sealed
from pipeline_gitops.ports import Clock, Forge, MergeRequest, Note
from pipeline_gitops.reports import Shown, notes
from pipeline_gitops.reports.notes import Section, Stamp
from pipeline_gitops.values import dataclass

__all__ = ["NotePosted", "Posting", "Section", "Sharing", "Stamp", "report_on", "upsert"]

BOUND_S = 45.0  # a note that is fought over for longer is given up
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 2.0, 5.0
_LONGEST_RANK = 8
_EDITS = 2  # an edit may be sent again: it says the same
_ORPHANED_S = 60.0  # nobody is still writing to a duplicate of this age

_T = TypeVar("_T")
_Make = Callable[[Mapping[str, Section]], Sequence[Section]]  # sections, for those that stand there


class Posting(StrEnum):
    """What came of posting sections."""

    CREATED = "created"
    EDITED = "edited"
    UNCHANGED = "unchanged"  # it stood there already
    OUTDATED = "outdated"  # newer reports of the same keys stand there
    UNNEEDED = "unneeded"  # nothing changes, and there is no note that says otherwise


@dataclass(frozen=True, slots=True)
class NotePosted:
    """Where sections are, and how they came there. *id* "": there is no note."""

    id: str
    how: Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Who shares the note. 0 and () where nobody knows.

    *environments*: how many the configuration has: the note's room is divided by that. *legs*:
    those that jobs of this pipeline report on, in the order of the configuration.
    """

    environments: int = 0
    legs: tuple[str, ...] = ()

    def writers(self, mine: Collection[str]) -> int:
        """How many jobs may write at the same time, one environment each but for *mine*."""
        return 1 + len(set(self.legs) - set(mine))

    def rank(self, mine: Collection[str]) -> int:
        """Our number among them, from 0."""
        return next((number for number, leg in enumerate(self.legs) if leg in mine), 0)


def report_on(
    merge_request: MergeRequest,
    report: Sealed,
    stamp: Stamp,
    forge: Forge,
    clock: Clock,
    sharing: Sharing,
) -> NotePosted:
    """Puts a report into the note, a section per environment. Raises ReportFault."""

    def make(standing: Mapping[str, Section]) -> tuple[Section, ...]:
        return notes.sections_of(
            report,
            stamp,
            limit=forge.limits.note,
            environments=sharing.environments,
            standing=standing,
        )

    mine = [result.environment for result in report.results]
    return _Writer(
        forge,
        merge_request,
        make,
        clock,
        sharing.writers(mine),
        sharing.rank(mine),
        quiet=notes.is_quiet(report),
    ).write()


def upsert(
    forge: Forge,
    merge_request: MergeRequest,
    sections: Sequence[Section],
    *,
    clock: Clock,
    writers: int = 1,
    rank: int = 0,
    quiet: bool = False,
) -> NotePosted:
    """Puts the sections, one at least, into the one note of ours on the merge request.

    *writers* is the number of jobs that may do so at the same time, and *rank* our number among
    them, from 0: the first one creates the note. *quiet*: they are no reason to create one. Raises
    ReportFault; no deploy fails for that.
    """
    made = tuple(sections)
    return _Writer(forge, merge_request, lambda _: made, clock, writers, rank, quiet=quiet).write()


class _Writer:
    """One job on its way from the first look at the note to the last."""

    def __init__(
        self,
        forge: Forge,
        merge_request: MergeRequest,
        make: _Make,
        clock: Clock,
        writers: int,
        rank: int,
        *,
        quiet: bool,
    ) -> None:
        self._forge = forge
        self._merge_request = merge_request
        self._make = make
        self._mine: dict[str, Section] = {}
        self._name = ""
        self._quiet = quiet
        self._clock = clock
        self._alone = writers <= 1
        self._rank = min(rank, _LONGEST_RANK)
        self._until = clock.elapsed() + BOUND_S
        self._slowest_s = 0.0
        self._writes = 0
        self._edits_failed = 0
        self._create_failed: ReportFault | None = None
        self._created: set[str] = set()
        self._me = self._timed(forge.me)

    def write(self) -> NotePosted:
        how = Posting.UNCHANGED
        while True:
            ours = self._ours()
            if not ours and not self._writes:
                if self._quiet:
                    return NotePosted("", Posting.UNNEEDED)
                ours = self._await_first()
            union = _union(ours)
            if not self._name:
                self._begin(union)
            self._give_way(union)
            if not self._mine:
                return NotePosted(ours[0].id, Posting.OUTDATED)
            wanted = {**union, **self._mine}
            if not ours or _union(ours[:1]) != wanted:
                how = Posting.EDITED if ours else Posting.CREATED
                ours = self._put(ours, wanted)
            if ours and not self._alone and self._writes:
                ours = self._settled()
            if ours:
                self._tidy(ours)
                return NotePosted(ours[0].id, how)
            self._check_time()

    # -- steps -------------------------------------------------------------------------------------

    def _ours(self) -> tuple[Note, ...]:
        """Marked notes of our own author, the lowest id first; those after it are duplicates."""
        found = self._timed(lambda: self._forge.notes(self._merge_request))
        ours = [note for note in found if note.author == self._me and notes.is_marked(note.body)]
        return tuple(sorted(ours, key=lambda note: (len(note.id), note.id)))

    def _begin(self, union: Mapping[str, Section]) -> None:
        """Makes our sections: what stands there first may have to be kept in them."""
        made = self._make(union)
        self._mine = notes.union(made)
        self._name = " ".join(f"{one.key}@{one.stamp}" for one in made)

    def _give_way(self, union: Mapping[str, Section]) -> None:
        """Leaves to newer reports what they have said."""
        for key in [key for key, one in self._mine.items() if _is_newer(union.get(key), one)]:
            del self._mine[key]

    def _await_first(self) -> tuple[Note, ...]:
        """Leaves the creation to a lower rank: a second note is a second notification."""
        ours: tuple[Note, ...] = ()
        for _ in range(0 if self._alone else self._rank):
            self._rest(1.0)
            ours = self._ours()
            if ours:
                break
        return ours

    def _put(self, ours: Sequence[Note], wanted: dict[str, Section]) -> tuple[Note, ...]:
        """Writes the note and gives what should stand now; () where only another look can tell."""
        self._writes += 1
        body = notes.compose(
            wanted,
            limit=self._forge.limits.note,
            keep=self._mine,
            nonce="" if self._alone else self._nonce(),
            head=self._merge_request.head_sha,
        )
        if not ours:
            return self._create(body)
        try:
            edited = self._timed(lambda: self._forge.edit_note(self._merge_request, ours[0], body))
        except ReportFault:
            # Gone, refused or of unknown outcome: the next look tells which.
            self._edits_failed += 1
            if self._edits_failed > _EDITS:
                raise
            return ()
        return (edited, *ours[1:])

    def _create(self, body: Shown) -> tuple[Note, ...]:
        if self._create_failed:
            raise self._create_failed  # it may still show up: a second one would make two
        try:
            created = self._timed(lambda: self._forge.create_note(self._merge_request, body))
        except ReportFault as fault:
            self._create_failed = fault
            return ()
        self._created.add(created.id)
        return (created,)

    def _settled(self) -> tuple[Note, ...]:
        """Our notes once our sections stand for good; () when somebody overwrote one."""
        seen = self._nonce()
        while True:
            self._rest(self._wait_s())
            ours = self._ours()
            if not ours or not self._mine.items() <= _union(ours[:1]).items():
                self._rest(self._jitter_s())
                return ()
            last = notes.nonce(ours[0].body)
            if last == seen:
                return ours
            seen = last  # someone wrote after us: wait for those who read before that
            self._check_time()

    def _tidy(self, ours: Sequence[Note]) -> None:
        """Deletes duplicates that say nothing that the note does not say. Never a lower id."""
        held = _union(ours[:1])
        for note in ours[1:]:
            said = notes.sections(note.body)
            known = all(one.key in held and held[one.key].stamp >= one.stamp for one in said)
            if known and self._is_abandoned(note, ours[0]):
                with suppress(ReportFault):  # the report stands; the next run tries again
                    self._forge.drop_note(self._merge_request, note)

    # -- waits -------------------------------------------------------------------------------------

    def _rest(self, seconds: float) -> None:
        """Waits, but not once we are asked to stop: the note is worth more than the wait."""
        with suppress(InterruptedFault):
            self._clock.sleep(seconds)

    def _wait_s(self) -> float:
        return min(max(4 * self._slowest_s + 0.5, _SHORTEST_WAIT_S), _LONGEST_WAIT_S)

    def _jitter_s(self) -> float:
        """Keeps writers that lost to each other from meeting again; differs by key and try."""
        seed = hashlib.sha256(self._nonce().encode()).digest()
        return 0.15 * min(8.0, 2.0**self._writes) * seed[0] / 255

    def _is_abandoned(self, note: Note, canonical: Note) -> bool:
        if self._alone or note.id in self._created:
            return True
        try:
            created = datetime.fromisoformat(note.created_at)
            now = datetime.fromisoformat(canonical.updated_at)  # the server's own clock
            return (now - created).total_seconds() > _ORPHANED_S
        except (TypeError, ValueError):
            return False

    def _check_time(self) -> None:
        if self._clock.elapsed() >= self._until:
            raise ReportFault(
                f"the note on merge request {self._merge_request.number} was overwritten by other "
                f"jobs for {BOUND_S:.0f} seconds",
                "let one job at the end of the pipeline report for all environments",
            )

    # -- parts -------------------------------------------------------------------------------------

    def _nonce(self) -> str:
        """Known to nobody else: our keys and stamps, and how often we have written."""
        name = self._name.encode("utf-8", "surrogatepass")
        return f"{self._writes}.{hashlib.sha256(name).hexdigest()[:16]}"

    def _timed(self, request: Callable[[], _T]) -> _T:
        started = self._clock.elapsed()
        try:
            return request()
        finally:
            self._slowest_s = max(self._slowest_s, self._clock.elapsed() - started)


def _union(found: Sequence[Note]) -> dict[str, Section]:
    return notes.union(section for note in found for section in notes.sections(note.body))


def _is_newer(held: Section | None, mine: Section) -> bool:
    return held is not None and held.stamp > mine.stamp
