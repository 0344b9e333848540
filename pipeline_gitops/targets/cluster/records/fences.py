"""How a run whose claim was taken over is kept from still having an effect.

Such a run may be dead, or only paused: nobody can tell. Its writes and deletions carry the
resourceVersion of what it saw, so a write of ours that moves the resourceVersion makes them fail.
The fence is that write: an annotation, under a field manager of its own, on every live object that
the claim names. Until then the other run may have written, so the target is surveyed again.

What is not there yet cannot be fenced. So a run asks, after it created something, whether the claim
is still its own, and takes back what it created too late; and the run that took over looks, before
it settles, for what came late from a run that was killed right then.

Every write carries the number of its claim as well. The admission policy in docs/policies denies by
it what comes from an older claim.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import wait
from contextlib import closing

from pipeline_gitops import threads
from pipeline_gitops.documents import Body, mapping, text
from pipeline_gitops.errors import Fault, InterruptedFault, RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Version
from pipeline_gitops.manifests import EPOCH, FENCE
from pipeline_gitops.plans import Change, Outcome, State
from pipeline_gitops.ports import Clock, Stale, Writing
from pipeline_gitops.targets.cluster.api.apis import Apis, Resource
from pipeline_gitops.targets.cluster.api.objects import (
    FIELD_MANAGER,
    Objects,
    is_terminating,
    version_of,
)
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.api.transport import Answer, Transport
from pipeline_gitops.targets.cluster.records.applysets import Parent
from pipeline_gitops.views import Action

MANAGER = "pipeline-gitops-fence"
STOPPING_S = 1.0
TRIES = 10  # a rollout moves an object a few times a second, between our read and our write too

_MAKING = (Action.CREATE, Action.REPLACE)
_MAY_STAND = (State.DONE, State.UNKNOWN)
_LOST = "a newer deploy has claimed the target"


class Stamped(Objects):
    """Objects whose writes say under which claim they are made."""

    def __init__(self, transport: Transport, epoch: int) -> None:
        super().__init__(transport)
        self._epoch = epoch
        self.written: set[ObjectId] = set()

    def write(
        self,
        resource: Resource,
        id: ObjectId,
        body: Body,
        version: Version,
        *,
        force: bool,
        manager: str = FIELD_MANAGER,
    ) -> Answer:
        """Applies the object, with the claim's number, if *version* still holds."""
        if manager == FIELD_MANAGER:  # two owners of one annotation would be in each other's way
            body = self._stamped(body)
        answer = super().write(resource, id, body, version, force=force, manager=manager)
        self.written.add(id)
        return answer

    def _stamped(self, body: Body) -> Body:
        metadata = mapping(body, "metadata")
        annotations = {**mapping(metadata, "annotations"), EPOCH: str(self._epoch)}
        return {**body, "metadata": {**metadata, "annotations": annotations}}


class Fences:
    """The fences that one run raises, over all of its claims."""

    def __init__(self, objects: Objects, clock: Clock) -> None:
        self._objects = objects
        self._clock = clock
        self._claimed = Version("")  # as our last claim left the inventory
        self._open: frozenset[ObjectId] = frozenset()  # may still be created by somebody else
        self._seen: frozenset[ObjectId] = frozenset()  # were there when the plan was made

    def close(
        self, claimed: Inventory, version: Version, apis: Apis, seen: frozenset[ObjectId]
    ) -> None:
        """Fences what the claim inherits. *version*: the inventory's, now that it is claimed.

        *seen*: objects that the survey found as wanted, so that this run will not write them.
        Raises Stale when the target has to be surveyed again: until now, the other run may have
        written, or taken back what it wrote.
        """
        self._seen = seen
        claim = claimed.claim
        inherited = frozenset(claim.inherited if claim else ())
        taken_over = bool(inherited) and claimed.version != self._claimed
        self._claimed = version
        if taken_over:
            self._open |= inherited
        if self._fence(apis, claimed.epoch) or taken_over:
            raise Stale

    def close_late(self, apis: Apis, epoch: int, written: Iterable[ObjectId]) -> None:
        """Fences what came late. Raises Stale when something did."""
        self._open -= frozenset(written)
        if self._fence(apis, epoch):
            raise Stale

    def _fence(self, apis: Apis, epoch: int) -> bool:
        """Whether something that was open is fenced now, or has gone since it was seen.

        The latter came late, was seen as wanted, and was taken back by the run that made it.
        """
        waiting = sorted(self._open)
        done = threads.each(lambda id: self._fenced(id, apis, epoch), waiting, self._clock)
        fenced = frozenset(id for id, is_done in zip(waiting, done, strict=True) if is_done)
        self._open -= fenced
        return bool(fenced or self._open & self._seen)

    def _fenced(self, id: ObjectId, apis: Apis, epoch: int) -> bool:
        """Moves a live object's resourceVersion; False when it is not there."""
        resource = apis.resource(id.group, id.kind)
        if resource is None:
            return False
        for _ in range(TRIES):
            try:
                live = self._objects.read(resource, id)
                if live is None or is_terminating(live):
                    return False
                self._raise(resource, id, version_of(live), epoch)
            except ApiError as error:
                if error.is_unserved:
                    return False
                if not error.is_stale:
                    raise self._refused(id, error) from None
            else:
                return True
        raise RefusedFault(
            f"{id} changes so often that no earlier deploy can be fenced off from it",
            "see what keeps writing it, then run this again",
        )

    def _raise(self, resource: Resource, id: ObjectId, version: Version, epoch: int) -> None:
        named = {"name": id.name} | ({"namespace": id.namespace} if id.namespace else {})
        body: Body = {
            "apiVersion": resource.api_version,
            "kind": id.kind,
            "metadata": {**named, "annotations": {FENCE: str(epoch)}},
        }
        self._objects.write(resource, id, body, version, force=True, manager=MANAGER)

    def _refused(self, id: ObjectId, error: ApiError) -> Fault:
        if not error.rejects:
            return error
        return RefusedFault(
            f"{id} cannot be fenced off from the deploy that was not finished: {error.message}",
            f"let the annotation {FENCE} be set on it, then run this again",
        )


class FencedWrites:
    """Writes under a claim that somebody else may take over. Implements `ports.Writing`."""

    def __init__(
        self,
        writes: Writing,
        stamped: Stamped,
        *,
        parent: Parent,
        fences: Fences,
        apis: Apis,
        epoch: int,
    ) -> None:
        self._writes = writes
        self._stamped = stamped
        self._parent = parent
        self._fences = fences
        self._apis = apis
        self._epoch = epoch
        self._made: list[Outcome] = []  # under a claim that has not been looked at since

    def settle(self, inventory: Inventory) -> None:
        """Records the finished deploy. Raises Stale."""
        self._finish(lambda: self._writes.settle(inventory))

    def retire(self) -> None:
        """Deletes the inventory. Raises Stale."""
        self._finish(self._writes.retire)

    def _finish(self, record: Callable[[], None]) -> None:
        self._fences.close_late(self._apis, self._epoch, self._stamped.written)
        try:
            record()
        except Stale:
            list(self._taken_back())
            raise

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        """Outcomes as they come; at the end, again those of objects that came too late."""
        try:
            with closing(self._writes.apply(changes)) as stream:
                for outcome in stream:
                    if outcome.action in _MAKING and outcome.state in _MAY_STAND:
                        self._made.append(outcome)
                    yield outcome
        except InterruptedFault:
            yield from self._last_look()
            raise
        yield from self._taken_back()

    def _last_look(self) -> Sequence[Outcome]:
        """The same for a moment only: whoever asked us to stop kills us soon."""
        looking = threads.begin(self._taken_back)
        wait([looking], timeout=STOPPING_S)
        return looking.result() if looking.done() else ()

    def _taken_back(self) -> Sequence[Outcome]:
        """What was created, if the claim was lost meanwhile: once more, and not done.

        Nothing where that cannot be asked now: the next wave, and settling, ask again.
        """
        try:
            if not self._made or self._parent.epoch() == self._epoch:
                self._made.clear()
                return ()
            late = tuple(map(self._late, self._made))
        except Fault:
            return ()
        self._made.clear()
        return late

    def _late(self, made: Outcome) -> Outcome:
        message = f"taken back: {_LOST}" if self._take_back(made.id) else _LOST
        return Outcome(id=made.id, action=made.action, state=State.STALE, message=message)

    def _take_back(self, id: ObjectId) -> bool:
        """Deletes what only we have written. Whoever took over and keeps it has fenced it."""
        resource = self._apis.resource(id.group, id.kind)
        if resource is None:
            return False
        for _ in range(TRIES):
            live = self._stamped.read(resource, id)
            if live is None or is_terminating(live) or not self._is_mine(live):
                return False
            try:
                self._stamped.delete(resource, id, version_of(live))
            except ApiError as error:
                if error.status == 404:
                    return True
                if not error.is_stale:
                    raise
            else:
                return True
        return False

    def _is_mine(self, live: Body) -> bool:
        return _number(live, EPOCH) == self._epoch and _number(live, FENCE) < self._epoch


def _number(live: Body, annotation: str) -> int:
    written = text(live, "metadata", "annotations", annotation)
    return int(written) if written.isdecimal() else 0
