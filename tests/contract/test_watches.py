"""Watches of the real API server, cut, refused and forgotten: what is seen stays true.

Between us and the server stands a proxy that does to streams what networks and servers do.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Snapshot
from pipeline_gitops.targets.cluster.live import streams
from pipeline_gitops.targets.cluster.live.informers import WATCH_S
from pipeline_gitops.targets.cluster.live.streams import MOST_OPEN, ClusterWatch
from tests.campaigns.proxies import Exchange, Proxy, Reply, Request
from tests.contract.clusters import (
    PATIENCE_S,
    Cluster,
    config_map,
    deployment,
    secret,
    service,
    until,
)

JSON = {"Content-Type": "application/json"}


class Streams(Proxy):
    """A proxy that counts watches and can harm them; everything else passes."""

    def __init__(self, server: str, ca_file: Path) -> None:
        super().__init__(server, ca_file)
        self.watcher = self
        self.lists: list[str] = []
        self.versions: list[str] = []  # each watch's resource version, as it was asked for
        self.refuse: Reply | None = None  # instead of the next watches
        self.refused = 0
        self.most = 0  # watches at a time
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()

    def attend(self, request: Request, exchange: Exchange) -> None:
        self.lists.append(request.name)
        exchange.send(exchange.forward(request))

    def _pipe(self, request: Request, client: socket.socket) -> None:
        version = request.query.get("resourceVersion", "")
        if self.refuse is not None:
            self.versions.append(version)
            self.refused += 1
            client.sendall(self.refuse.raw())
            return
        with self._guard:
            self._open.add(client)
            self.most = max(self.most, len(self._open))
        self.versions.append(version)  # who waits for it may cut it
        try:
            self._carry(request, client)
        finally:
            with self._guard:
                self._open.discard(client)

    def _carry(self, request: Request, client: socket.socket) -> None:
        with self._connection() as server:
            server.sendall(request.raw)
            while piece := server.recv(1 << 16):
                client.sendall(piece)
                if piece.endswith(b"0\r\n\r\n"):
                    return  # a stream that the server has ended: the connection goes with it

    def cut(self) -> int:
        """Breaks every open watch; how many there were."""
        with self._guard:
            broken = list(self._open)
        for client in broken:
            client.shutdown(socket.SHUT_RDWR)
        return len(broken)


@pytest.fixture(autouse=True)
def _only_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no watch tells is not read again in time: whatever is seen, a watch has told."""
    monkeypatch.setattr(streams, "TRUST_S", 2 * PATIENCE_S)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Streams]:
    with Streams(cluster.url, Path(cluster.ca_file)) as made:
        yield made


@dataclass(kw_only=True)
class Seen:
    """A watch by way of a proxy."""

    watch: ClusterWatch

    def until(self, is_so: Callable[[Snapshot], bool]) -> None:
        """Follows until that is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so(self.watch.next(1.0)):
            assert time.monotonic() < deadline


@contextmanager
def watching(cluster: Cluster, proxy: Proxy, *ids: ObjectId) -> Iterator[Seen]:
    near = Cluster(
        folder=cluster.folder,
        url=proxy.url,
        token=cluster.token,
        viewer_token="",
        namespace=cluster.namespace,
    )
    with near.target().runtime.watching(frozenset(ids)) as watch:
        watch.read()
        yield Seen(watch=watch)


def web(cluster: Cluster) -> ObjectId:
    return ObjectId("apps", "Deployment", cluster.namespace, "web")


def label(cluster: Cluster, value: str) -> None:
    cluster.patch("Deployment", "web", {"metadata": {"labels": {"a": value}}}, "somebody")


def labelled(id: ObjectId, value: str) -> Callable[[Snapshot], bool]:
    def is_so(seen: Snapshot) -> bool:
        body: Any = seen[id]
        return body is not None and body["metadata"].get("labels", {}).get("a") == value

    return is_so


def until_open(proxy: Streams, count: int, seen: Seen) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(proxy.versions) < count:
        assert time.monotonic() < deadline
        seen.watch.next(0.2)


def test_a_stream_that_is_cut_is_resumed(cluster: Cluster, proxy: Streams) -> None:
    """What changed meanwhile is seen, and what changes afterwards as well."""
    cluster.create(deployment("web"), "somebody")
    id = web(cluster)
    with watching(cluster, proxy, id) as seen:
        until_open(proxy, 1, seen)
        label(cluster, "before")
        seen.until(labelled(id, "before"))
        broken = proxy.cut()
        label(cluster, "meanwhile")
        seen.until(labelled(id, "meanwhile"))
        until_open(proxy, 2, seen)
        label(cluster, "after")
        seen.until(labelled(id, "after"))

    assert broken == 1


def test_what_is_gone_is_shown_once_as_it_was_in_the_end(cluster: Cluster, proxy: Streams) -> None:
    """A Job may end, and its TTL delete it, between two looks: it counts how it ended."""
    cluster.create(deployment("web"), "somebody")
    id = web(cluster)
    with watching(cluster, proxy, id) as seen:
        until_open(proxy, 1, seen)
        label(cluster, "last")
        cluster.send("DELETE", cluster.path("Deployment", "web"))
        informers = seen.watch._informers
        assert informers is not None
        until(lambda: not any((informers.snapshot() or ([{"web": {}}], 0))[0]), "it is gone")

        assert labelled(id, "last")(seen.watch.next(1.0))
        assert seen.watch.next(1.0)[id] is None


EXPIRED = (
    b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired",'
    b'"message":"too old resource version","code":410}'
)
GONE = {
    "as an answer": Reply(status=410, headers=JSON, body=EXPIRED),
    "as an event": Reply(
        status=200, headers=JSON, body=b'{"type":"ERROR","object":' + EXPIRED + b"}\n"
    ),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_a_version_that_the_server_has_forgotten_is_listed_anew(
    cluster: Cluster, proxy: Streams, gone: Reply
) -> None:
    """410 Gone, in one of its two forms: the next watch begins where the new list ended."""
    cluster.create(deployment("web"), "somebody")
    id = web(cluster)
    with watching(cluster, proxy, id) as seen:
        until_open(proxy, 1, seen)
        proxy.lists.clear()
        proxy.refuse = gone
        proxy.cut()
        label(cluster, "meanwhile")
        seen.until(labelled(id, "meanwhile"))
        proxy.refuse = None
        until_open(proxy, len(proxy.versions) + 1, seen)
        label(cluster, "after")
        seen.until(labelled(id, "after"))

    assert 1 <= proxy.refused <= len(proxy.lists) + 1  # no second watch from there
    assert int(proxy.versions[-1]) > int(proxy.versions[0])


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE)
def test_a_server_that_refuses_every_watch_is_not_flooded(
    cluster: Cluster, proxy: Streams, gone: Reply
) -> None:
    """About a list and a watch a second, however fast it refuses."""
    cluster.create(deployment("web"), "somebody")
    with watching(cluster, proxy, web(cluster)) as seen:
        until_open(proxy, 1, seen)
        proxy.lists.clear()
        proxy.refuse = gone
        proxy.cut()
        started = time.monotonic()
        while proxy.refused < 3:
            assert time.monotonic() - started < PATIENCE_S
            seen.watch.next(1.0)
        spent = time.monotonic() - started

    assert max(proxy.refused, len(proxy.lists)) <= spent + 3


def test_who_may_list_and_not_watch_sees_everything(cluster: Cluster, proxy: Streams) -> None:
    """By lists, about a second apart: less fresh, and not less true."""
    cluster.create(deployment("web"), "somebody")
    id = web(cluster)
    denied = (
        b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden",'
        b'"message":"deployments.apps is forbidden: User \\"bot\\" cannot watch resource '
        b'\\"deployments\\" in API group \\"apps\\" in the namespace \\"shop\\"","code":403}'
    )
    proxy.refuse = Reply(status=403, headers=JSON, body=denied)
    with watching(cluster, proxy, id) as seen:
        until_open(proxy, 1, seen)
        proxy.lists.clear()
        started = time.monotonic()
        label(cluster, "changed")
        seen.until(labelled(id, "changed"))
        until_open(proxy, 4, seen)
        spent = time.monotonic() - started

    assert len(proxy.lists) <= 2 * spent + 3  # no storm of lists


def test_a_watch_goes_on_from_a_bookmark(cluster: Cluster, proxy: Streams) -> None:
    """Its version moves along though nothing that is watched changes: no list is needed for it."""
    cluster.create(deployment("web"), "somebody")
    cluster.create(config_map("other"), "somebody")
    id = web(cluster)
    with watching(cluster, proxy, id) as seen:
        until_open(proxy, 1, seen)
        for number in range(5):
            change = {"data": {"n": str(number)}}
            cluster.patch("ConfigMap", "other", change, "somebody")
        proxy.lists.clear()
        # The server ends a watch in good order after WATCH_S, with a bookmark before.
        deadline = time.monotonic() + WATCH_S + PATIENCE_S
        while len(proxy.versions) < 2:
            assert time.monotonic() < deadline
            seen.watch.next(1.0)
        label(cluster, "after")
        seen.until(labelled(id, "after"))

    assert int(proxy.versions[1]) > int(proxy.versions[0])


def test_a_thousand_objects_are_few_open_requests(cluster: Cluster, proxy: Streams) -> None:
    """One for each kind and namespace, and never more than twenty."""
    bodies = [
        make(f"web-{number}")
        for make in (config_map, secret, service, _idle)
        for number in range(5)
    ]
    for body in bodies:
        cluster.create(body, "somebody")
    kinds = {"ConfigMap": "", "Secret": "", "Service": "", "Deployment": "apps"}
    spaces = [cluster.namespace, *(f"elsewhere-{number}" for number in range(24))]
    ids = [
        ObjectId(group, kind, space, f"web-{number}")
        for kind, group in kinds.items()
        for space in spaces
        for number in range(10)
    ]
    with watching(cluster, proxy, *ids) as seen:
        until_open(proxy, MOST_OPEN, seen)
        for _ in range(5):
            snapshot = seen.watch.next(1.0)

    assert len(ids) == 1000
    assert proxy.most <= MOST_OPEN == 20
    assert sum(body is not None for body in snapshot.values()) == 20


def _idle(name: str) -> dict[str, Any]:
    return deployment(name, replicas=0)
