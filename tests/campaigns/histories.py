"""What may not happen to a cluster that several deploys write to, judged by its own watch log.

Pure: events in, violations out. Which deploy is newer is told by the commits' ranks, and what each
of them wants is known; nothing that a deployer says is believed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Wants = Mapping[str, Mapping[str, str]]  # by commit: what it wants, value by object


@dataclass(frozen=True)
class Change:
    """An object got another value; "" = it is gone. *epoch*: the claim that it says it is of."""

    version: int
    name: str
    value: str
    epoch: int = 0


@dataclass(frozen=True)
class Record:
    """The inventory was written. *claim*: the commit under way, "" when settled; *stamp*: the last
    that was settled, "" before the first."""

    version: int
    claim: str
    stamp: str
    members: frozenset[str]
    epoch: int = 0


@dataclass(frozen=True)
class Exit:
    """A deployer of a commit ended; *version*: the newest in the cluster at that time."""

    version: int
    commit: str
    code: int


OK, SUPERSEDED = 0, 8

Event = Change | Record


@dataclass(frozen=True)
class Rules:
    """*ranks*: the order of the commits; *wants*: what each wants."""

    ranks: Mapping[str, int]
    wants: Wants

    def violations(self, log: Sequence[Event], exits: Iterable[Exit] = ()) -> list[str]:
        """Everything that is wrong with a history, in words."""
        ordered = sorted(log, key=lambda event: event.version)
        withdrawn = _withdrawn(ordered)
        found = [*self._replayed([event for event in ordered if event not in withdrawn])]
        for exit_ in exits:
            until = [event for event in ordered if event.version <= exit_.version]
            found += self._exited(exit_, until)
        return found

    def unlike(self, log: Sequence[Event], commit: str) -> list[str]:
        """How the end of a history differs from a settled deploy of a commit."""
        ordered = sorted(log, key=lambda event: event.version)
        record = _last(ordered)
        found = [*self._settled(record, _state(ordered))] if record else ["there is no inventory"]
        if record and (record.claim, record.stamp) != ("", commit):
            found.append(
                f"the inventory ends with {record.stamp}, claimed by {record.claim or '-'}"
            )
        return found

    def _replayed(self, log: Sequence[Event]) -> Iterator[str]:
        state: dict[str, str] = {}
        epochs: dict[str, int] = {}
        removed: dict[str, int] = {}  # by the claim of which rank
        seen: set[int] = set()  # ranks of the commits that claimed so far
        record: Record | None = None
        for event in log:
            if isinstance(event, Record):
                yield from self._recorded(event, record)
                record = event
                seen.add(self.ranks[event.claim or event.stamp])
                if not event.claim:
                    yield from self._settled(event, state)
                continue
            old = state.get(event.name, "")
            had = self._wanting(event.name, old) & seen
            # What is absent may never have been there: only who took it away was after somebody.
            latest = min(had, default=-1) if old else removed.get(event.name, -1)
            if not self._is_taken_back(event, epochs.get(event.name, 0), record):
                yield from self._changed(event, latest, seen, record)
            if old and event.value and event.epoch < epochs.get(event.name, 0):
                yield f"@{event.version}: {event.name} is written by an older claim after a newer"
            state[event.name] = event.value
            epochs[event.name] = event.epoch
            if record and not event.value:
                removed[event.name] = self.ranks[record.claim or record.stamp]

    def _is_taken_back(self, change: Change, epoch: int, record: Record | None) -> bool:
        """Whether an object goes that came from an older claim too late: nobody has to want that.

        While nothing is settled, that is; whoever has the claim now creates it again.
        """
        return (
            record is not None
            and bool(record.claim)
            and not change.value
            and (0 < epoch < record.epoch)
        )

    def _recorded(self, record: Record, before: Record | None) -> Iterator[str]:
        """The order of deploys never goes back."""
        if before is None:
            return
        newest, was = record.claim or record.stamp, before.claim or before.stamp
        if self.ranks[newest] < self.ranks[was]:
            yield f"@{record.version}: {newest} takes over from {was}, which is newer"
        if not record.claim and record.stamp != before.claim:
            yield f"@{record.version}: {record.stamp} settles what {before.claim or '-'} claimed"

    def _changed(
        self, change: Change, latest: int, seen: Iterable[int], record: Record | None
    ) -> Iterator[str]:
        """No older value after one of rank *latest*, and none but the settled commit's."""
        about = f"@{change.version}: {change.name} = {change.value or 'absent'}"
        if record is None:
            yield f"{about} before anything is claimed"
            return
        wanting = self._wanting(change.name, change.value) & frozenset(seen)
        if not wanting:
            yield f"{about}, which nobody wants"
            return
        if max(wanting) < latest:
            yield f"{about} after what is newer"
        if not record.claim and self.ranks[record.stamp] not in wanting:
            yield f"{about} after {record.stamp} settled"
        if change.value and change.name not in record.members:
            yield f"{about}, but no member"

    def _settled(self, record: Record, state: Mapping[str, str]) -> Iterator[str]:
        """What is settled is there, all of it, and everything that is there is a member."""
        if record.claim:
            return
        wanted = self.wants[record.stamp]
        for name in sorted({*wanted, *state}):
            if state.get(name, "") != wanted.get(name, ""):
                yield (
                    f"@{record.version}: {record.stamp} is settled, but {name} is "
                    f"{state.get(name) or 'absent'}"
                )
        there = {name for name, value in state.items() if value}
        for name in sorted(there - record.members):
            yield f"@{record.version}: {name} is there, but no member any more"

    def _exited(self, exit_: Exit, until: Sequence[Event]) -> Iterator[str]:
        """Success means that the commit, or a newer one, is what is there."""
        record = _last(until)
        mine = self.ranks[exit_.commit]
        about = f"@{exit_.version}: {exit_.commit} ended with {exit_.code}"
        if exit_.code == SUPERSEDED:
            # Another run of the same commit may be at it: which of the two claimed is not told.
            if record is None or self.ranks[record.claim or record.stamp] < mine:
                yield f"{about}, but nothing newer is recorded"
            return
        if exit_.code != OK:
            return
        records = [one for one in until if isinstance(one, Record)]
        seen = {self.ranks[one.claim or one.stamp] for one in records}
        if max((self.ranks[one.stamp] for one in records if one.stamp), default=-1) < mine:
            yield f"{about}, but it was never settled"
        state = _state(until)
        for name in sorted({*state, *self.wants[exit_.commit]}):
            if max(self._wanting(name, state.get(name, "")) & seen, default=-1) < mine:
                yield f"{about}, but {name} is {state.get(name) or 'absent'}, which is older"

    def _wanting(self, name: str, value: str) -> frozenset[int]:
        """The ranks of the commits that want an object so; "" = not at all."""
        return frozenset(
            self.ranks[commit]
            for commit, wanted in self.wants.items()
            if wanted.get(name, "") == value
        )


def _withdrawn(log: Sequence[Event]) -> frozenset[Event]:
    """Creations that came after a newer claim, each with the deletion by which its run withdrew it.

    What is not there cannot be fenced: without the admission policy, a creation that is under way
    while the newer deploy settles shows for a moment. The next thing that happens to it has to be
    its own run's deletion.
    """
    found: set[Event] = set()
    last: dict[str, Change] = {}
    late: dict[str, Change] = {}
    epoch = 0
    for event in log:
        if isinstance(event, Record):
            epoch = event.epoch
            continue
        made = late.pop(event.name, None)
        if made and not event.value and event.epoch == made.epoch:
            found |= {made, event}
        was_there = event.name in last and bool(last[event.name].value)
        if event.value and not was_there and 0 < event.epoch < epoch:
            late[event.name] = event
        last[event.name] = event
    return frozenset(found)


def _last(log: Sequence[Event]) -> Record | None:
    return next((event for event in reversed(log) if isinstance(event, Record)), None)


def _state(log: Sequence[Event]) -> dict[str, str]:
    return {event.name: event.value for event in log if isinstance(event, Change)}
