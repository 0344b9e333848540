"""The live objects of a kind, kept up to date: one list, then a watch from where the list ended.

The protocol is that of the API's own clients
(https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes): a
watch ends after a while and goes on from the last resource version; bookmarks move that version
along; a version that the server has forgotten (410) makes it list anew.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from threading import Event, Lock, Thread

from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.errors import Fault
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.values import dataclass

WATCH_S = 30  # one watch request; a connection that died without a word is noticed after this
GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the objects of one kind in one namespace come from.

    *listed*: all objects by name, and the list's resource version. *watched*: the events after a
    resource version, until the server ends the stream. Both raise faults. *close* ends a stream.
    """

    listed: Callable[[], tuple[Mapping[str, Body], str]]
    watched: Callable[[str], Iterator[Body]]
    close: Callable[[], None]


@dataclass(slots=True)
class _State:
    """What is known of one source. *objects* None: nothing yet. *gone*: as deletions left them."""

    objects: dict[str, Body] | None = None
    gone: dict[str, Body] = field(default_factory=dict)
    version: str = ""
    fault: Fault | None = field(default=None, repr=False)


class Informers:
    """Watches several sources at once, each in a thread of its own, until it is closed."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._states = [_State() for _ in sources]
        self._lock = Lock()
        self._changes = 0
        self._stop = Event()

    def start(self) -> None:
        """Starts to list and to watch."""
        for number in range(len(self._sources)):
            # Daemons: a stream that is silent for half a minute must not hold up the program's end.
            Thread(target=self._follow, args=(number,), daemon=True).start()

    def close(self) -> None:
        """Ends the open watches, and starts no more requests."""
        self._stop.set()
        for source in self._sources:
            source.close()

    def snapshot(self) -> tuple[Sequence[Mapping[str, Body]], int] | None:
        """The objects of each source, and how many changes led there; None before all are listed.

        Raises the fault that ended a source.
        """
        with self._lock:
            for state in self._states:
                if state.fault:
                    raise state.fault
            known = [dict(state.objects) for state in self._states if state.objects is not None]
            return (known, self._changes) if len(known) == len(self._states) else None

    def gone(self) -> Sequence[Mapping[str, Body]]:
        """What was deleted from each source since this was asked last, as it was in the end."""
        with self._lock:
            left = [state.gone for state in self._states]
            for state in self._states:
                state.gone = {}
            return left

    # -- one source, in its thread -----------------------------------------------------------------

    def _follow(self, number: int) -> None:
        source, state = self._sources[number], self._states[number]
        try:
            while not self._stop.is_set():
                self._list(source, state)
                while not self._stop.is_set() and self._watch(source, state):
                    pass
        except Fault as fault:
            with self._lock:
                state.fault = fault
                self._tell()

    def _list(self, source: Source, state: _State) -> None:
        objects, version = source.listed()
        with self._lock:
            if objects != state.objects:
                state.objects = dict(objects)
                self._tell()
            state.version = version

    def _watch(self, source: Source, state: _State) -> bool:
        """One watch to its end. False: the server has forgotten the version, list anew."""
        try:
            for event in source.watched(state.version):
                if self._stop.is_set():
                    return False
                if not self._take(event, state):
                    return False
        except ApiError as error:
            if error.status != GONE:
                raise
            return False
        return True

    def _take(self, event: Body, state: _State) -> bool:
        kind, body = text(event, "type"), at(event, "object")
        version = text(body, "metadata", "resourceVersion")
        if kind == "ERROR" or not isinstance(body, Mapping) or not version:
            return False
        with self._lock:
            state.version = version
            objects = state.objects if state.objects is not None else {}
            name = text(body, "metadata", "name")
            if kind in ("ADDED", "MODIFIED"):
                objects[name] = body
                state.gone.pop(name, None)
                self._tell()
            elif kind == "DELETED":
                objects.pop(name, None)
                state.gone[name] = body
                self._tell()
            return True

    def _tell(self) -> None:
        self._changes += 1
