"""An informer knows what a kind's objects are now, whatever becomes of its watches."""

import time
from collections.abc import Iterator, Mapping, Sequence
from queue import Queue
from typing import Any

import pytest

from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.live.informers import Informers, Source

PATIENCE_S = 30.0


class Server:
    """Answers lists from *objects*; a watch hands on what is put into *events*."""

    def __init__(self, **objects: int) -> None:
        self.objects = {name: body(name, version) for name, version in objects.items()}
        self.version = "1"
        self.events: Queue[Any] = Queue()
        self.listed = 0
        self.watched_from: list[str] = []

    def source(self) -> Source:
        return Source(listed=self._list, watched=self._watch, close=self._close)

    def _close(self) -> None:
        self.events.put("end")

    def _list(self) -> tuple[Mapping[str, Any], str]:
        self.listed += 1
        return dict(self.objects), self.version

    def _watch(self, version: str) -> Iterator[Any]:
        self.watched_from.append(version)
        while True:
            event = self.events.get(timeout=PATIENCE_S)
            if event == "end":
                return
            if isinstance(event, Exception):
                raise event
            yield event


def body(name: str, version: int) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": str(version)}}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": body(name, version)}


def followed(server: Server) -> Informers:
    informers = Informers([server.source()])
    informers.start()
    return informers


def known(informers: Informers, wanted: Sequence[str]) -> Mapping[str, Any]:
    """The objects, as soon as they are those *wanted* ("name@version")."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = informers.snapshot()
        if found is not None:
            (objects,), _ = found
            named = sorted(
                f"{name}@{one['metadata']['resourceVersion']}" for name, one in objects.items()
            )
            if named == sorted(wanted):
                return objects
        time.sleep(0.01)
    raise AssertionError(f"never saw {wanted}")


def test_the_list_comes_first() -> None:
    """What was there before the watch is known."""
    server = Server(web=1, api=1)

    informers = followed(server)

    known(informers, ["web@1", "api@1"])
    informers.close()


def test_events_change_what_is_known() -> None:
    """Objects come, change and go."""
    server = Server(web=1)
    informers = followed(server)

    for one in (event("ADDED", "api", 2), event("MODIFIED", "web", 3), event("DELETED", "api", 4)):
        server.events.put(one)

    known(informers, ["web@3"])
    informers.close()


def test_what_was_deleted_is_told_once_as_it_was_in_the_end() -> None:
    """Whoever looks from time to time would not see how it ended."""
    server = Server(web=1, api=1)
    informers = followed(server)

    for one in (event("MODIFIED", "web", 3), event("DELETED", "web", 4), event("ADDED", "db", 5)):
        server.events.put(one)

    known(informers, ["api@1", "db@5"])
    assert [*informers.gone()] == [{"web": body("web", 4)}]
    assert [*informers.gone()] == [{}]
    informers.close()


def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    """From the last version that was seen, a bookmark's too; without another list."""
    server = Server(web=1)
    informers = followed(server)

    server.events.put({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}})
    server.events.put("end")
    server.events.put(event("MODIFIED", "web", 8))

    known(informers, ["web@8"])
    assert (server.listed, server.watched_from) == (1, ["1", "7"])
    informers.close()


@pytest.mark.parametrize("inside", [True, False], ids=["as an event", "as an answer"])
def test_a_forgotten_version_is_listed_anew(inside: bool) -> None:
    """410 Gone may come inside the stream or instead of it."""
    server = Server(web=1)
    informers = followed(server)
    known(informers, ["web@1"])
    server.objects = {"web": body("web", 9)}
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410}}

    server.events.put(
        gone if inside else ApiError(410, {"reason": "Expired"}, asked="GET", secret=False)
    )

    known(informers, ["web@9"])
    assert server.listed == 2
    informers.close()


def test_a_server_that_is_away_is_not_taken_for_calm() -> None:
    """Whoever asks gets the fault, and never what was true before."""
    server = Server(web=1)
    informers = followed(server)
    known(informers, ["web@1"])

    server.events.put(UnreachableFault("cluster test cannot be reached", "look"))

    with pytest.raises(UnreachableFault):
        known(informers, ["what nobody sees"])
    informers.close()


def test_nothing_is_known_before_everything_is_listed() -> None:
    """Half a picture would call the other half absent."""
    informers = Informers([Server(web=1).source(), Server(api=1).source()])

    assert informers.snapshot() is None
