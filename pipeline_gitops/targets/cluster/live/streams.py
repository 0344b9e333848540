"""Live objects as they change: an open watch for each kind and namespace, up to a number.

Kinds that have no status hardly ever change their word; they are read again from time to time, and
so is what exceeds the number.

What came to its end and was deleted between two looks is shown once as it was in the end: whether a
Job was complete is not to be known any more once its TTL has deleted it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline_gitops.documents import Body, text
from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Clock, Snapshot
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.api.transport import Stream
from pipeline_gitops.targets.cluster.live.informers import GONE, WATCH_S, Informers, Source

MOST_OPEN = 20  # watches at a time: each is a request that the server holds for us
TICK_S = 0.1
RARELY_S = 10.0
OFTEN_S = 1.0
# A watch that ends sooner is refused rather than over: the next one is not asked for at once.
SHORTEST_S = 1.0
# A proxy that holds a stream back looks like calm: nothing is only heard of for longer than this.
TRUST_S = 10.0

Group = tuple[str, str, str]  # API group, kind, namespace


class ClusterWatch:
    """Implements `ports.Watch`. Watches nothing before somebody asks for what comes *next*.

    *read* reads everything; *live* one group, or one object of it. *still* are groups without a
    status.
    """

    def __init__(
        self,
        groups: Mapping[Group, Sequence[ObjectId]],
        *,
        objects: Objects,
        resource: Callable[[str, str], Resource | None],
        read: Callable[[], Snapshot],
        live: Callable[[Group, str], Mapping[str, Body]],
        still: Callable[[Group], bool],
        clock: Clock,
    ) -> None:
        self._groups = groups
        self._objects = objects
        self._resource = resource
        self._read = read
        self._live = live
        self._still = still
        self._clock = clock
        self._informers: Informers | None = None
        self._streamed: list[Group] = []
        self._polled: dict[Group, float] = {}  # when it is read again
        self._known: dict[ObjectId, Body | None] = {}
        self._changes = -1
        self._read_s = 0.0

    def read(self) -> Snapshot:
        """The live objects as they are stored now."""
        self._known = dict(self._read())
        self._read_s = self._clock.elapsed()
        if self._informers is not None:
            self._remember(self._informers)
        return self._known

    def next(self, wait_s: float) -> Snapshot:
        """The live objects after *wait_s* seconds, or as soon as something changed."""
        informers = self._started()
        if self._clock.elapsed() - self._read_s >= TRUST_S:
            return self.read()
        left = wait_s
        while not (self._has_polled() | self._has_heard(informers)) and left > 0:
            pause = min(TICK_S, left)
            self._clock.sleep(pause)
            left -= pause
        return self._known

    def close(self) -> None:
        """Ends all that is open."""
        if self._informers is not None:
            self._informers.close()

    def _started(self) -> Informers:
        if self._informers is None:
            now = self._clock.elapsed()
            sources: list[Source] = []
            for group in sorted(self._groups):
                resource = self._resource(*group[:2])
                if resource is None or self._still(group) or len(sources) == MOST_OPEN:
                    self._polled[group] = now + self._pause(group)
                    continue
                sources.append(self._source(resource, group))
                self._streamed.append(group)
            self._informers = Informers(sources)
            self._informers.start()
        return self._informers

    def _pause(self, group: Group) -> float:
        return RARELY_S if self._still(group) else OFTEN_S

    def _source(self, resource: Resource, group: Group) -> Source:
        followed = _Followed(self._objects, resource, group[2], self._only(group), self._clock)
        return Source(listed=followed.listed, watched=followed.watched, close=followed.close)

    def _only(self, group: Group) -> str:
        """The name of the one object that is asked for, if it is one."""
        wanted = self._groups[group]
        return wanted[0].name if len(wanted) == 1 else ""

    def _has_polled(self) -> bool:
        """Reads what nobody tells about, once its time has come."""
        now = self._clock.elapsed()
        due = [group for group, at in self._polled.items() if now >= at]
        for group in due:
            self._take(group, self._live(group, self._only(group)))
            self._polled[group] = self._clock.elapsed() + self._pause(group)
        return bool(due)

    def _has_heard(self, informers: Informers) -> bool:
        """Takes over what has changed. Raises the fault that ended a watch."""
        found = informers.snapshot()
        if found is None or found[1] == self._changes:
            return False
        listed, self._changes = found
        for group, objects in zip(self._streamed, listed, strict=True):
            self._take(group, objects)
        self._remember(informers)
        return True

    def _remember(self, informers: Informers) -> None:
        """Shows what is gone since the last look; the next one no longer does."""
        for group, gone in zip(self._streamed, informers.gone(), strict=True):
            for id in self._groups[group]:
                if id.name in gone and self._known.get(id) is None:
                    self._known[id] = gone[id.name]
                    self._changes = -1

    def _take(self, group: Group, objects: Mapping[str, Body]) -> None:
        for id in self._groups[group]:
            self._known[id] = objects.get(id.name)


class _Followed:
    """One kind in one namespace, or one object of it, as an informer asks for it."""

    def __init__(
        self, objects: Objects, resource: Resource, namespace: str, name: str, clock: Clock
    ) -> None:
        self._objects = objects
        self._resource = resource
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._stream: Stream | None = None
        self._is_closed = False
        self._began_s = -SHORTEST_S  # the last watch

    def listed(self) -> tuple[Mapping[str, Body], str]:
        try:
            found, version = self._objects.listing(self._resource, self._namespace, name=self._name)
        except ApiError as error:
            if not error.is_unserved:  # a kind that was defined a moment ago
                raise
            return {}, ""
        return {text(body, "metadata", "name"): body for body in found}, version

    def watched(self, version: str) -> Iterator[Body]:
        """Events; one of an ERROR where nothing can be watched: then it is listed anew.

        An account that may list and not watch sees what changes all the same.
        """
        self._rest()
        self._began_s = self._clock.elapsed()
        try:
            self._stream = self._objects.watched(
                self._resource, self._namespace, version, name=self._name, seconds=WATCH_S
            )
            if self._is_closed:
                self._stream.close()
            yield from self._stream
        except InterruptedFault:
            raise
        except UnreachableFault as fault:
            if isinstance(fault, ApiError) and fault.status == GONE:
                raise
            yield {"type": "ERROR"}

    def _rest(self) -> None:
        left = self._began_s + SHORTEST_S - self._clock.elapsed()
        if left > 0 and not self._is_closed:
            self._clock.sleep(left)

    def close(self) -> None:
        self._is_closed = True
        if self._stream is not None:
            self._stream.close()
