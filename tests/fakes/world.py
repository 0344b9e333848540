"""Small stand-ins for time, the journal, Git and a target. Real behaviour, no mocks."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline_gitops import diffs, hints
from pipeline_gitops.documents import Body, mapping
from pipeline_gitops.errors import InterruptedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Owner, Version
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet, is_secret
from pipeline_gitops.plans import Change, Outcome, Sight, State, Survey
from pipeline_gitops.ports import Commit, Evidence, Runtime, Snapshot, Stale, Tree
from pipeline_gitops.views import Severity, StandingView

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class FakeClock:
    """Sleeping advances it; *interrupt_at* seconds it raises."""

    seconds: float = 0.0
    interrupt_at: float | None = None

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def elapsed(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.interrupt_at is not None and self.seconds >= self.interrupt_at:
            raise InterruptedFault("interrupted")


@dataclass
class FakeJournal:
    """Keeps what was said and hidden."""

    lines: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    pictures: list[tuple[StandingView, ...]] = field(default_factory=list)

    def say(self, text: str, severity: Severity = Severity.NOTICE) -> None:
        self.lines.append(text)

    def picture(self, standings: Callable[[], Sequence[StandingView]]) -> None:
        self.pictures.append(tuple(standings()))

    def hide(self, secrets: Sequence[str]) -> None:
        self.hidden += secrets

    def secrets(self) -> tuple[str, ...]:
        return tuple(self.hidden)


@dataclass
class FakeRepository:
    """A line of commits, oldest first."""

    history: tuple[str, ...] = ()

    def tree(self, revision: str) -> AbstractContextManager[Tree]:
        raise NotImplementedError

    def commit(self, revision: str) -> Commit:
        return Commit(sha=revision)

    def merge_base(self, one: str, other: str) -> str | None:
        return min(one, other, key=self.history.index)

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        if older not in self.history or newer not in self.history:
            return None
        return self.history.index(older) < self.history.index(newer)

    def uncommitted(self) -> tuple[str, ...]:
        return ()


@dataclass
class FakeWatch:
    """Looks at a runtime again and again."""

    runtime: Runtime
    ids: frozenset[ObjectId]

    def read(self) -> Snapshot:
        return self.runtime.watch(self.ids, 0.0)

    def next(self, wait_s: float) -> Snapshot:
        return self.runtime.watch(self.ids, wait_s)


@dataclass
class FakeRuntime:
    """Live objects out of a target's store; *statuses* are laid over them as time passes."""

    target: "FakeTarget"
    clock: FakeClock
    statuses: Mapping[ObjectId, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    found: Mapping[ObjectId, Evidence] = field(default_factory=dict)
    logs: Mapping[tuple[str, str, bool], tuple[str, ...]] = field(default_factory=dict)
    polls: int = 0
    looked: int = 0

    @contextmanager
    def watching(self, ids: frozenset[ObjectId]) -> Iterator["FakeWatch"]:
        yield FakeWatch(self, ids)

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        self.clock.seconds += wait_s
        self.polls += 1
        return {id: self._live(id) for id in ids}

    def secrets(self, ids: frozenset[ObjectId]) -> Sequence[Body]:
        live = (self.target.objects.get(id) for id in ids)
        return [body for body in live if body is not None and is_secret(body)]

    def _live(self, id: ObjectId) -> Body | None:
        body = self.target.objects.get(id)
        steps = self.statuses.get(id)
        if body is None or not steps:
            return body
        status = steps[min(self.polls, len(steps)) - 1]
        return {**body, "status": status}

    def evidence(
        self, live: Mapping[ObjectId, Body], since: datetime
    ) -> Mapping[ObjectId, Evidence]:
        self.looked += 1
        return {id: self.found[id] for id in live if id in self.found}

    def log(self, pod: ObjectId, container: str, *, previous: bool) -> tuple[str, ...]:
        return self.logs.get((pod.name, container, previous), ())


def _leaving(body: Body) -> Body:
    metadata = {**mapping(body, "metadata"), "deletionTimestamp": "2026-01-01T00:00:00Z"}
    return {**body, "metadata": metadata}


@dataclass
class FakeTarget:
    """A store of bodies with an inventory under compare-and-swap.

    *before_claim*, *before_write* and *before_settle* run once each, to let somebody else in;
    *refuse* are ids whose write fails; *die_after* writes raise KeyboardInterrupt, as a kill does.
    """

    owner: Owner = Owner(repository="acme/shop", environment="prod")
    objects: dict[ObjectId, Body] = field(default_factory=dict)
    recorded: Inventory | None = None
    runtime: Runtime | None = None
    refuse: frozenset[ObjectId] = frozenset()
    lose: frozenset[ObjectId] = frozenset()  # written, but the answer is lost
    completed: frozenset[ObjectId] = frozenset()  # finished, and not to run again
    interrupt_after: int | None = None
    before_claim: Any = None
    before_write: Any = None
    before_settle: Any = None
    held: frozenset[ObjectId] = frozenset()  # by a finalizer: deleted, and still there
    die_after: int | None = None
    version: int = 0
    writes: list[str] = field(default_factory=list)
    name: str = "fake"

    def kinds(self) -> Kinds:
        return Kinds()

    def inventory(self) -> Inventory:
        recorded = self.recorded or Inventory(owner=self.owner)
        return replace(recorded, version=Version(str(self.version)))

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        sights, unchanged = [], set()
        for manifest in desired.manifests:
            live = self.objects.get(manifest.id)
            hook = hints.of(manifest.body).hook
            is_same = live is not None and diffs.same(live, manifest.body)
            if manifest.id in self.completed or (is_same and not (hook and hook.anew)):
                unchanged.add(manifest.id)
                continue
            sights.append(Sight(id=manifest.id, before=live, after=manifest.body, send=manifest))
        left = inventory.ids - desired.ids
        sights += [
            Sight(id=id, before=self.objects[id]) for id in sorted(left) if id in self.objects
        ]
        gone = frozenset(id for id in left if id not in self.objects)
        return Survey(
            inventory=inventory,
            unchanged=frozenset(unchanged),
            sights=tuple(sights),
            gone=gone,
            completed=self.completed,
        )

    @contextmanager
    def claim(self, inventory: Inventory) -> Iterator["FakeTarget"]:
        meanwhile, self.before_claim = self.before_claim, None
        if meanwhile:
            meanwhile(self)
        self._record(inventory)
        yield self

    def settle(self, inventory: Inventory) -> None:
        meanwhile, self.before_settle = self.before_settle, None
        if meanwhile:
            meanwhile(self)
        self._record(replace(inventory, version=Version(str(self.version))))

    def retire(self) -> None:
        if self.recorded is None:
            raise Stale
        self.version += 1
        self.recorded = None

    def _record(self, inventory: Inventory) -> None:
        if inventory.version != str(self.version):
            raise Stale
        self.version += 1
        self.recorded = inventory

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        for change in changes:
            meanwhile, self.before_write = self.before_write, None
            if meanwhile:
                meanwhile(self)
            yield self._write(change)

    def _write(self, change: Change) -> Outcome:
        if self.die_after is not None and len(self.writes) >= self.die_after:
            raise KeyboardInterrupt
        if self.interrupt_after is not None and len(self.writes) >= self.interrupt_after:
            raise InterruptedFault("interrupted")
        state = self._state(change)
        if state is State.DONE:
            self.writes.append(f"{change.action.value} {change.id}")
            if change.id in self.held and change.sight.send is None:
                self.objects[change.id] = _leaving(self.objects[change.id])
            elif change.sight.send is None:
                self.objects.pop(change.id, None)
            elif change.sight.send is not None:
                self.objects[change.id] = change.sight.send.body
        if change.id in self.lose:
            state = State.UNKNOWN
        return Outcome(id=change.id, action=change.action, state=state)

    def _state(self, change: Change) -> State:
        if change.id in self.refuse:
            return State.REFUSED
        live, before = self.objects.get(change.id), change.sight.before
        if (live is None) != (before is None):
            return State.STALE
        is_same = live is None or before is None or diffs.same(live, before)
        return State.DONE if is_same else State.STALE
