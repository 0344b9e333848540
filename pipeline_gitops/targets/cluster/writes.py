"""How a plan is written: each object under the condition that it is still the one that was seen.

A write that meets another version looks what moved. Status alone: it is sent again. Our own earlier
try, whose answer was lost: it is done. Anything else: it is stale, and planned anew.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from functools import partial
from threading import Lock

from pipeline_gitops import diffs, threads
from pipeline_gitops.documents import Body, at, mapping, text
from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Receipt, Version
from pipeline_gitops.manifests import EPOCH, FENCE
from pipeline_gitops.plans import Change, Outcome, State
from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster.api import readiness
from pipeline_gitops.targets.cluster.api.apis import Apis, Resource
from pipeline_gitops.targets.cluster.api.objects import (
    FIELD_MANAGER,
    Objects,
    is_terminating,
    version_of,
)
from pipeline_gitops.targets.cluster.api.readiness import Brought
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.api.transport import Answer
from pipeline_gitops.targets.cluster.fields import (
    fieldsets,
    foresight,
    migrations,
    owners,
    transfers,
)
from pipeline_gitops.targets.cluster.fields.fieldsets import APPLY
from pipeline_gitops.targets.cluster.records import receipts
from pipeline_gitops.targets.cluster.records.applysets import Parent
from pipeline_gitops.targets.cluster.records.receipts import Terms
from pipeline_gitops.targets.cluster.survey.replacements import Replacement
from pipeline_gitops.views import Action

RESENDS = 5  # a rollout moves an object a few times a second; more than this is a fight
STOPPING_S = 5.0  # GitHub's runner sends SIGTERM 7.5 s after SIGINT, then kills

HEARTBEAT_S = 30.0

_TICK_S = 0.1
_MOST_NAMED = 3  # objects in a line of progress

_MOVED = "it changed since it was planned"


class Writes:
    """Writes under one claim. Implements `ports.Writing`.

    *created*: outcomes of writes that the claim itself had to make. *brought*: what of the set
    others have to wait for. *deadline*: on the clock's elapsed seconds. *patience_s*: how long an
    object that is replaced may take to go, where it does not say so itself. *say* takes a line of
    progress: CI systems take a silent job for a dead one.
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
        terms: Terms,
        brought: Brought,
        deadline: float,
        patience_s: float | None,
        say: Callable[[str], None],
    ) -> None:
        self._objects = objects
        self._apis = apis
        self._parent = parent
        self._clock = clock
        self._version = version
        self._terms = terms
        self._created = {outcome.id: outcome for outcome in created}
        self._brought = brought
        self._deadline = deadline
        self._patience_s = patience_s
        self._say = say
        self._held: dict[ObjectId, str] = {}  # what a write waits for
        self._stop: InterruptedFault | None = None
        self._stop_at = 0.0
        self._resting = 0  # writes that wait for something, and need no connection
        self._lock = Lock()

    def settle(self, inventory: Inventory) -> None:
        """Records the finished deploy. Raises Stale."""
        self._version = self._parent.write(inventory, self._version)

    def retire(self) -> None:
        """Deletes the inventory. Raises Stale."""
        self._parent.delete(self._version)

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        """Outcomes as they come. After one that is not known, no more is started.

        Raises InterruptedFault at its end, when we were asked to stop meanwhile. What is in flight
        then has five seconds to end.
        """
        waiting = list(reversed(changes))
        running: dict[Future[Outcome], Change] = {}
        unknown = False
        started = told = self._clock.elapsed()
        try:
            while waiting or running:
                self._listen()
                while waiting and self._has_room(len(running)) and not (unknown or self._stop):
                    change = waiting.pop()
                    running[threads.begin(self._outcome, change)] = change
                if not running or self._is_over():
                    break
                finished, _ = wait(running, timeout=_TICK_S, return_when=FIRST_COMPLETED)
                now = self._clock.elapsed()
                if finished:
                    told = now
                elif now - told >= HEARTBEAT_S:
                    told = now
                    self._say(self._heartbeat(running.values(), now - started))
                for future in finished:
                    del running[future]
                    outcome = future.result()
                    unknown = unknown or outcome.state is State.UNKNOWN
                    yield outcome
        finally:  # whoever closes us early finds nothing under way afterwards
            wait(running, timeout=0 if self._is_over() else STOPPING_S)
        for change in running.values():
            yield _outcome(change, State.UNKNOWN, "asked to stop, and no answer came in time")
        for change in reversed(waiting):
            yield _outcome(change, State.SKIPPED, "not tried any more")
        if self._stop:
            raise self._stop

    def _heartbeat(self, changes: Iterable[Change], seconds: float) -> str:
        ids = sorted(change.id for change in changes)
        named = [f"{id}: {self._held.get(id, 'no answer yet')}" for id in ids[:_MOST_NAMED]]
        more = f"; and {len(ids) - len(named)} more" if len(ids) > len(named) else ""
        return f"still writing after {seconds:.0f} s: {'; '.join(named)}{more}"

    def _has_room(self, running: int) -> bool:
        return running - self._resting < self._objects.at_once

    def _is_over(self) -> bool:
        return self._stop is not None and self._clock.elapsed() >= self._stop_at + STOPPING_S

    def _listen(self) -> None:
        if self._stop:
            return
        try:
            self._clock.sleep(0)
        except InterruptedFault as fault:
            self._stop, self._stop_at = fault, self._clock.elapsed()

    def _outcome(self, change: Change) -> Outcome:
        try:
            return self._written(change)
        except InterruptedFault:  # that we are asked to stop, `apply` hears by itself
            return _outcome(change, State.UNKNOWN, "interrupted while it was sent again")
        except ForbiddenFault as fault:
            return _outcome(change, State.REFUSED, fault.what)
        except ApiError as error:
            if error.conflicts:
                return _outcome(change, State.STALE, _MOVED)
            known = error.rejects or error.status == 404 or error.webhook is not None
            return _outcome(change, State.REFUSED if known else State.UNKNOWN, error.message)
        except UnreachableFault as fault:
            return _outcome(change, State.UNKNOWN, fault.what)

    def _written(self, change: Change) -> Outcome:
        if change.id in self._created:
            return self._created.pop(change.id)
        resource = self._resource(change)
        if change.action is Action.DELETE:
            return self._conditioned(change, resource, self._delete)
        if change.action is Action.REPLACE:
            return self._conditioned(change, resource, self._replace)
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
        # What a wait has seen to end is deleted as it was seen: it carries its version itself.
        before = change.sight.before
        version = change.sight.version or (version_of(before) if before else Version(""))
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

    def _replace(self, change: Change, resource: Resource, version: Version) -> Outcome:
        replacement = Replacement(
            self._objects,
            self._clock,
            change,
            resource,
            patience_s=self._patience_s,
            held=partial(self._held.__setitem__, change.id),
        )
        return replacement.outcome(
            version, lambda: self._sent(change, resource, Version(""), force=False)
        )

    def _apply(self, change: Change, resource: Resource, version: Version) -> Outcome:
        version = transfers.transfer(self._objects, resource, change, version)
        before = change.sight.before
        hidden = before is not None and _hides_a_conflict(before)
        force = hidden or owners.is_taking(change.sight.owners)
        return self._sent(change, resource, version, force=force)

    def _sent(
        self, change: Change, resource: Resource, version: Version, *, force: bool
    ) -> Outcome:
        """The apply, repeated while what it needs is on its way with the same deploy."""
        sight = change.sight
        body = sight.send.body if sight.send else {}
        started = self._clock.elapsed()
        message = ""
        while True:
            try:
                answer = self._objects.write(resource, change.id, body, version, force=force)
            except ApiError as error:
                awaited = readiness.wait(
                    error, predicted=bool(sight.predicted), brought=self._brought
                )
                until = min(started + awaited.most_s, self._deadline) if awaited else 0.0
                if not awaited or self._clock.elapsed() + awaited.every_s > until:
                    raise
            else:
                done = _outcome(change, State.DONE, message, live=answer.body)
                return replace(done, receipt=self._receipt(change, answer))
            self._held[change.id] = f"waits for {awaited.what}"
            self._rest(awaited.every_s)
            waited = self._clock.elapsed() - started
            message = f"waited {waited:.0f} s for {awaited.what}" if waited >= 1 else ""

    def _rest(self, seconds: float) -> None:
        """Waits, and lets another write be sent meanwhile: it may be what this one waits for."""
        with self._lock:
            self._resting += 1
        try:
            self._clock.sleep(seconds)
        finally:
            with self._lock:
                self._resting -= 1

    def _receipt(self, change: Change, answer: Answer) -> Receipt:
        """What proves later that this write still stands; "" where it depends on more than that."""
        sent = change.sight.send
        if sent is None or owners.is_leaving(change.sight.owners):
            return Receipt("")
        if migrations.moved(answer.body):  # the server's stand-in for owners that it did not know
            return Receipt("")
        return receipts.made(sent.body, answer.body, self._terms)


def _hides_a_conflict(before: Body) -> bool:
    """Whether the claim's number will be in the way, of which no dry run tells, as it sends none.

    That is so where nobody owns anything and the server's stand-in does, and where somebody made
    the object again from a copy, and so owns the number that was in it.
    """
    entries = tuple(fieldsets.entries(before))
    return not entries or any(
        f"f:{EPOCH}" in mapping(entry, "fieldsV1", "f:metadata", "f:annotations")
        for entry in entries
        if (text(entry, "manager"), text(entry, "operation")) != (FIELD_MANAGER, APPLY)
    )


def _stands(change: Change, live: Body | None) -> bool:
    """Whether the change has happened already."""
    after = change.sight.after
    if after is None:
        return live is None or is_terminating(live)
    if live is None or is_terminating(live):
        return False
    if change.action is Action.REPLACE:
        sent = change.sight.send
        is_new = not _is_same(change.sight.before, live)
        return is_new and sent is not None and foresight.covers(live, sent.body)
    if change.sight.before is None:
        return foresight.covers(live, after)
    return diffs.same(after, live)


def _is_noise(change: Change, live: Body) -> bool:
    """Whether a live object differs from the planned one only in what controllers write."""
    before = change.sight.before
    if before is None or is_terminating(live) or not _is_same(before, live):
        return False
    # Our own migration may stand between what was seen and what is there now.
    known = (_touch(before), _touch(_migrated(before, change.sight.retired)))
    return _touch(live) in known and diffs.same(before, live)


def _migrated(before: Body, retired: Collection[str]) -> Body:
    """The object with its owners as a migration leaves them."""
    if not migrations.moved(before, retired):
        return before
    owners_then = migrations.entries(before, retired)
    metadata = {**mapping(before, "metadata"), "managedFields": owners_then}
    return {**before, "metadata": metadata}


def _is_same(before: Body | None, live: Body) -> bool:
    return text(before, "metadata", "uid") == text(live, "metadata", "uid")


def _touch(body: Body) -> tuple[object, ...]:
    """What shows that another run of ours wrote, though it shows in no diff."""
    marks = (text(body, "metadata", "annotations", key) for key in (EPOCH, FENCE))
    return (fieldsets.owned(body, FIELD_MANAGER), *marks)


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
