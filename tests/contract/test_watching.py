"""Live objects are followed as they change, whatever becomes of the connection."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Snapshot
from pipeline_gitops.targets.cluster.live import streams
from pipeline_gitops.targets.cluster.live.streams import ClusterWatch
from tests.campaigns.proxies import Exchange, Proxy, Request
from tests.contract.clusters import PATIENCE_S, Cluster, config_map, deployment


def web(cluster: Cluster) -> ObjectId:
    return ObjectId("apps", "Deployment", cluster.namespace, "web")


@pytest.fixture(autouse=True)
def _only_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read again in time: whatever is seen, a watch has told."""
    monkeypatch.setattr(streams, "TRUST_S", 2 * PATIENCE_S)
    monkeypatch.setattr(streams, "RARELY_S", 2 * PATIENCE_S)


def until(watch: ClusterWatch, is_so: Callable[[Snapshot], bool]) -> None:
    """Follows until that is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so(watch.next(1.0)):
        assert time.monotonic() < deadline


def image(body: Any) -> str:
    containers = body["spec"]["template"]["spec"]["containers"] if body else [{"image": ""}]
    return str(containers[0]["image"])


def test_what_changes_is_seen_at_once(cluster: Cluster) -> None:
    """Objects come, change and go; nobody has to ask again."""
    id = web(cluster)
    target = cluster.target()
    with target.runtime.watching(frozenset({id})) as watch:
        assert watch.read() == {id: None}
        watch.next(0.5)

        cluster.create(deployment("web"), "somebody")
        until(watch, lambda seen: image(seen[id]) == "web:1")
        cluster.patch("Deployment", "web", {"metadata": {"labels": {"a": "b"}}}, "somebody")
        until(watch, lambda seen: "b" in str(seen[id] and seen[id]["metadata"]))  # type: ignore[index]
        cluster.send("DELETE", cluster.path("Deployment", "web"))
        until(watch, lambda seen: seen[id] is None)


class Counting:
    """Passes everything on, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def attend(self, request: Request, exchange: Exchange) -> None:
        self.asked.append(request.name)
        exchange.send(exchange.forward(request))


def test_nobody_asks_while_nothing_changes(cluster: Cluster) -> None:
    """A thousand objects of a kind are one open request, and not one each second."""
    cluster.create(deployment("web"), "somebody")
    cluster.create(config_map("settings"), "somebody")
    ids = frozenset({web(cluster), ObjectId("", "ConfigMap", cluster.namespace, "settings")})
    counting = Counting()
    with Proxy(cluster.url, Path(cluster.ca_file)) as proxy:
        proxy.watcher = counting
        plain = Cluster(
            folder=cluster.folder,
            url=proxy.url,
            token=cluster.token,
            viewer_token="",
            namespace=cluster.namespace,
        )
        target = plain.target()
        with target.runtime.watching(ids) as watch:
            watch.read()
            counting.asked.clear()
            until(watch, lambda _: bool(counting.asked))
            ended = time.monotonic() + 5
            while time.monotonic() < ended:
                watch.next(1.0)

    assert counting.asked == [f"GET {_collection(cluster)} fieldSelector=metadata.name=web"]


def _collection(cluster: Cluster) -> str:
    return f"/{cluster.path('Deployment')}"
