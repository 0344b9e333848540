"""How a plan is written: each object under the condition that it is still the one that was seen.

A write that meets another version looks what moved. Status alone: it is sent again. Our own earlier
try, whose answer was lost: it is done. Anything else: it is stale, and planned anew.
"""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from pipeline_gitops import diffs
from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.inventories import Inventory, Version
from pipeline_gitops.plans import Change, Outcome, State
from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster import foresight, owners
from pipeline_gitops.targets.cluster.apis import Apis, Resource
from pipeline_gitops.targets.cluster.applysets import Parent
from pipeline_gitops.targets.cluster.credentials import CONNECTIONS
from pipeline_gitops.targets.cluster.objects import Objects, is_terminating, version_of
from pipeline_gitops.targets.cluster.statuses import ApiError, ForbiddenFault
from pipeline_gitops.views import Action

RESENDS = 5  # a rollout moves an object a few times a second; more than this is a fight
PREPARING_TRIES = 20
PREPARING_S = (
    0.25  # between two tries of what an object's new kind or namespace may not be ready for
)

_MOVED = "it changed since it was planned"


class Writes:
    """Writes under one claim. Implements `ports.Writing`.

    *created*: outcomes of writes that the claim itself had to make.
    """

    def __init__(
        self,
        objects: Objects,
        apis: Apis,
        parent: Parent,
        clock: Clock,
        *,
        version: Version,
        created: Sequence[Outcome],
    ) -> None:
        self._objects = objects
        self._apis = apis
        self._parent = parent
        self._clock = clock
        self._version = version
        self._created = {outcome.id: outcome for outcome in created}
        self._stop: InterruptedFault | None = None

    def settle(self, inventory: Inventory) -> None:
        """Records the finished deploy. Raises Stale."""
        self._version = self._parent.write(inventory, self._version)

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        """Outcomes as they come. After one that is not known, no more is started.

        Raises InterruptedFault at its end, when we were asked to stop meanwhile.
        """
        waiting = list(reversed(changes))
        running: set[Future[Outcome]] = set()
        unknown = False
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            while waiting or running:
                self._listen()
                while waiting and len(running) < CONNECTIONS and not (unknown or self._stop):
                    running.add(pool.submit(self._outcome, waiting.pop()))
                if not running:
                    break
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    outcome = future.result()
                    unknown = unknown or outcome.state is State.UNKNOWN
                    yield outcome
        for change in reversed(waiting):
            yield _outcome(change, State.SKIPPED, "not tried any more")
        if self._stop:
            raise self._stop

    def _listen(self) -> None:
        try:
            self._clock.sleep(0)
        except InterruptedFault as fault:
            self._stop = fault

    def _outcome(self, change: Change) -> Outcome:
        try:
            return self._written(change)
        except InterruptedFault as fault:
            self._stop = fault
            return _outcome(change, State.UNKNOWN, "interrupted while it was sent again")
        except ForbiddenFault as fault:
            return _outcome(change, State.REFUSED, fault.what)
        except ApiError as error:
            if error.conflicts:
                return _outcome(change, State.STALE, _MOVED)
            known = error.rejects or error.status == 404
            return _outcome(change, State.REFUSED if known else State.UNKNOWN, error.message)
        except UnreachableFault as fault:
            return _outcome(change, State.UNKNOWN, fault.what)

    def _written(self, change: Change) -> Outcome:
        if change.id in self._created:
            return self._created.pop(change.id)
        resource = self._resource(change)
        if change.action is Action.DELETE:
            return self._conditioned(change, resource, self._delete)
        return self._conditioned(change, resource, self._apply)

    def _resource(self, change: Change) -> Resource:
        version = change.sight.send.api_version.rpartition("/")[2] if change.sight.send else ""
        resource = self._apis.resource(change.id.group, change.id.kind, version)
        if resource is None:
            raise UnreachableFault(f"{change.id}: its kind is not served any more")
        return resource

    def _conditioned(
        self, change: Change, resource: Resource, write: Callable[..., Outcome]
    ) -> Outcome:
        """The write, and again while nothing but noise stands against it."""
        version = change.sight.version
        for _ in range(1 + RESENDS):
            try:
                return write(change, resource, version)
            except ApiError as error:
                if not error.is_stale:
                    raise
                live = self._objects.read(resource, change.id)
                if (error.repeated or change.action is Action.DELETE) and _stands(change, live):
                    return _outcome(change, State.DONE, live=live)
                if live is None or not _is_noise(change, live):
                    break
                version = version_of(live)
        return _outcome(change, State.STALE, _MOVED)

    def _delete(self, change: Change, resource: Resource, version: Version) -> Outcome:
        try:
            self._objects.delete(resource, change.id, version)
        except ApiError as error:
            # That the kind is not served proves nothing about the object.
            if error.status != 404 or error.is_unserved:
                raise
        return _outcome(change, State.DONE)

    def _apply(self, change: Change, resource: Resource, version: Version) -> Outcome:
        sight = change.sight
        body = sight.send.body if sight.send else {}
        force = owners.is_taking(sight.owners)
        tries = PREPARING_TRIES if sight.predicted else 1
        while True:
            tries -= 1
            try:
                answer = self._objects.write(resource, change.id, body, version, force=force)
            except ApiError as error:
                if not tries or not _is_preparing(error):
                    raise
                self._clock.sleep(PREPARING_S)
            else:
                return _outcome(change, State.DONE, live=answer.body)


def _is_preparing(error: ApiError) -> bool:
    """Whether a kind or a namespace that was made just now may not be ready yet."""
    return error.is_unserved or error.misses_namespace or error.status == 500


def _stands(change: Change, live: Body | None) -> bool:
    """Whether the change has happened already."""
    after = change.sight.after
    if after is None:
        return live is None or is_terminating(live)
    if live is None or is_terminating(live):
        return False
    if change.sight.before is None:
        return foresight.covers(live, after)
    return diffs.same(after, live)


def _is_noise(change: Change, live: Body) -> bool:
    """Whether a live object differs from the planned one only in what controllers write."""
    before = change.sight.before
    if before is None or is_terminating(live):
        return False
    same_object = text(before, "metadata", "uid") == text(live, "metadata", "uid")
    return same_object and diffs.same(before, live)


def _outcome(
    change: Change, state: State, message: str = "", *, live: Body | None = None
) -> Outcome:
    generation = at(live or {}, "metadata", "generation")
    return Outcome(
        id=change.id,
        action=change.action,
        state=state,
        message=message,
        generation=generation if isinstance(generation, int) else 0,
    )
