"""One fault at one request of a deploy: what can go wrong between us and an API server.

A request is told by its name and by how often it came, not by its place in time: eight threads send
them in another order each run, and a replay has to hit the same one.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.campaigns.proxies import Exchange, Reply, Request

DRIP_S = 0.05
JSON = {"Content-Type": "application/json"}

Harm = Callable[[Request, Exchange], None]


def _status(code: int, reason: str, **headers: str) -> Harm:
    """The server's own kind of refusal, before any effect."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"injected: {reason}",
        "reason": reason,
        "code": code,
    }

    def harm(request: Request, exchange: Exchange) -> None:
        exchange.send(
            Reply(status=code, headers={**JSON, **headers}, body=json.dumps(body).encode())
        )

    return harm


def _page(code: int, **headers: str) -> Harm:
    """What stands between answers, in a language of its own."""

    def harm(request: Request, exchange: Exchange) -> None:
        given = {"Content-Type": "text/html; charset=utf-8", **headers}
        exchange.send(Reply(status=code, headers=given, body=b"<h1>Hello</h1>"))

    return harm


def _object(kind: str, version: str = "v1") -> Harm:
    """JSON with status 200, about something else."""
    body = json.dumps({"kind": kind, "apiVersion": version, "metadata": {"name": "other"}}).encode()

    def harm(request: Request, exchange: Exchange) -> None:
        exchange.send(Reply(status=200, headers=JSON, body=body))

    return harm


def _reset(request: Request, exchange: Exchange) -> None:
    exchange.reset()


def _hang(request: Request, exchange: Exchange) -> None:
    exchange.hang()


def _after(harm: Harm) -> Harm:
    """The same once the request has had its effect."""

    def later(request: Request, exchange: Exchange) -> None:
        exchange.forward(request)
        harm(request, exchange)

    return later


def _cut_short(request: Request, exchange: Exchange) -> None:
    exchange.send_part(exchange.forward(request))


def _half_json(request: Request, exchange: Exchange) -> None:
    reply = exchange.forward(request)
    headers = {k: v for k, v in reply.headers.items() if k.lower() != "content-encoding"}
    exchange.send(Reply(status=200, headers=headers, body=reply.body[: len(reply.body) // 2]))


def _drip(request: Request, exchange: Exchange) -> None:
    exchange.drip(exchange.forward(request), DRIP_S)


# By name. What has an effect first matters to writes only: to a read it is the same.
BEFORE: Mapping[str, Harm] = {
    "reset": _reset,
    "timeout": _hang,
    "429": _status(429, "TooManyRequests", **{"Retry-After": "1"}),
    "500": _status(500, "InternalError"),
    "503": _status(503, "ServiceUnavailable"),
    "504": _status(504, "Timeout"),
    "502-page": _page(502),
    "409": _status(409, "Conflict"),
    "410": _status(410, "Expired"),
    "401": _status(401, "Unauthorized"),
    "403": _status(403, "Forbidden"),
    "redirect": _page(302, Location="http://127.0.0.1:9/login"),
    "200-page": _page(200),
    "200-status": _object("Status"),
    "200-other": _object("ConfigMap"),
    "cut-short": _cut_short,
    "half-json": _half_json,
    "drip": _drip,
}
AFTER: Mapping[str, Harm] = {
    "reset-after": _after(_reset),
    "timeout-after": _after(_hang),
    "500-after": _after(_status(500, "InternalError")),
    "503-after": _after(_status(503, "ServiceUnavailable")),
    "504-after": _after(_status(504, "Timeout")),
    "200-page-after": _after(_page(200)),
    "200-status-after": _after(_object("Status")),
    "409-after": _after(_status(409, "Conflict")),
}
FAULTS: Mapping[str, Harm] = {**BEFORE, **AFTER}
# They end when the client's patience does, so that is made short for them.
SLOW = frozenset({"timeout", "timeout-after", "drip"})


@dataclass(frozen=True, order=True)
class Spot:
    """One request of a deploy: its name, and the how-manieth of that name it is."""

    name: str
    turn: int = 0

    def __str__(self) -> str:
        return f"{self.name} #{self.turn}" if self.turn else self.name


@dataclass
class Survey:
    """A watcher that passes everything on and remembers it. *told*: as in a dump."""

    told: Mapping[str, str]
    seen: dict[Spot, Request] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def attend(self, request: Request, exchange: Exchange) -> None:
        """As if there were no proxy."""
        self.note(request)
        exchange.send(exchange.forward(request))

    def note(self, request: Request) -> Spot:
        """Where in the deploy we are."""
        name = request.name
        for value, word in self.told.items():
            name = name.replace(value, word)
        with self.lock:
            spot = Spot(name, self.counts[name])
            self.counts[name] += 1
            self.seen[spot] = request
        return spot

    def spots(self) -> dict[str, tuple[Spot, ...]]:
        """Where each fault can strike, the same in every run.

        Polls are as many as a controller is slow: of reads only the first of a name counts.
        """
        stable = [
            spot for spot, request in self.seen.items() if request.method != "GET" or not spot.turn
        ]
        writes = [spot for spot in stable if self.seen[spot].writes]
        return {
            **{fault: tuple(sorted(stable)) for fault in BEFORE},
            **{fault: tuple(sorted(writes)) for fault in AFTER},
        }


@dataclass
class Strike(Survey):
    """A watcher that does harm once, at one spot."""

    spot: Spot = Spot("")
    fault: str = ""
    struck: bool = False

    def attend(self, request: Request, exchange: Exchange) -> None:
        """Harm at the spot, nothing elsewhere."""
        if self.note(request) != self.spot:
            exchange.send(exchange.forward(request))
            return
        self.struck = True
        FAULTS[self.fault](request, exchange)
