"""A real HTTP server on loopback, with a log of what it saw and faults on order."""

import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.fakes.descriptions import Description, Sent

TOKEN_HEADERS = ("Authorization", "PRIVATE-TOKEN", "JOB-TOKEN")


@dataclass(frozen=True)
class Seen:
    """A request that arrived, and what it was answered (0: nothing)."""

    method: str
    path: str
    status: int
    token: str
    query: dict[str, str]
    body: Any


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next request of this method whose path holds *path*."""

    method: str
    path: str = ""
    status: int = 0  # 0: the connection is reset
    done: bool = False  # whether the request takes effect first
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "{}"
    hang: bool = False  # no answer at all until the server is closed


@dataclass(frozen=True)
class Request:
    """What a fake forge has to answer. Path segments are decoded one by one."""

    method: str
    segments: tuple[str, ...]
    query: dict[str, str]
    lists: dict[str, list[str]]  # of parameters that may come several times
    body: Any
    token: str


@dataclass(frozen=True)
class Reply:
    """A fake forge's answer."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """Base of the fakes: subclasses answer requests, one at a time.

    Every request must be as the forge's own *description* has it: `close` raises AssertionError
    for one that is not.
    """

    description: Description | None = None

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._sent: set[Sent] = set()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                server._serve(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.origin = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening, lets hanging requests go and checks what was sent."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        mistakes = self.mistakes()
        assert not mistakes, "\n".join(["requests that the forge does not describe:", *mistakes])

    def mistakes(self) -> list[str]:
        """Requests that are not in the description, and what about them is not."""
        if self.description is None:
            return []
        found = ((sent, self.description.mistake(sent)) for sent in self._sent)
        return sorted(f"{sent.method} {sent.path}: {mistake}" for sent, mistake in found if mistake)

    def fail(self, method: str, path: str = "", **how: Any) -> None:
        """Orders a fault. Faults are used up in order, one a request."""
        self._faults.append(Fault(method=method, path=path, **how))

    def writes(self) -> list[tuple[str, str]]:
        """Method and path of every request that was no read."""
        return [(one.method, one.path) for one in self.seen if one.method != "GET"]

    def answer(self, request: Request) -> Reply:
        """What the forge answers; changes its state."""
        raise NotImplementedError

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        sent = next(
            (handler.headers[name] for name in TOKEN_HEADERS if name in handler.headers), ""
        )
        request = Request(
            method=handler.command,
            segments=tuple(unquote(part) for part in url.path.strip("/").split("/")),
            query=dict(parse_qsl(url.query)),
            lists=parse_qs(url.query),
            body=json.loads(raw) if raw else None,
            token=sent.split(" ")[-1],
        )
        with self._lock:
            content_type = handler.headers.get("Content-Type") or ""
            self._sent.add(Sent(handler.command, url.path, url.query, raw, content_type))
            fault = self._fault(request.method, url.path)
            reply = self.answer(request) if fault is None or fault.done else Reply(0)
            status = fault.status if fault else reply.status
            seen = Seen(
                request.method, url.path, status, request.token, request.query, request.body
            )
            self.seen.append(seen)
        if fault is None:
            text = "" if reply.body is None else json.dumps(reply.body)
            _send(handler, reply.status, reply.headers, text)
        elif fault.hang:
            self.closing.wait()
            handler.close_connection = True
        elif fault.status:
            _send(handler, fault.status, fault.headers, fault.text)
        else:
            _reset(handler)

    def _fault(self, method: str, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.method == method and fault.path in path:
                self._faults.remove(fault)
                return fault
        return None


def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], text: str) -> None:
    raw = text.encode()
    handler.send_response_only(status)
    given = {
        "Date": handler.date_time_string(),
        "Content-Type": "application/json",
        **headers,
    }
    for name, value in given.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(raw)))
    handler.end_headers()
    handler.wfile.write(raw)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Closes with RST, as a killed server or a firewall does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


class Stranger(Server):
    """Another host, which must never hear of us."""

    def answer(self, request: Request) -> Reply:
        """Takes everything."""
        return Reply(200, {})


def lineage(parents: dict[str, str], sha: str) -> list[str]:
    """A commit and its ancestors, newest first. Parents are separated by blanks, as Git does."""
    found = []
    left = [sha]
    while left:
        sha = left.pop(0)
        if sha and sha not in found:
            found.append(sha)
            left += parents.get(sha, "").split()
    return found


def page(items: list[Any], query: dict[str, str], default: int) -> tuple[list[Any], int, bool]:
    """The items of the page that was asked for, its number, and whether one follows."""
    size = min(int(query.get("per_page", default)), 100)
    number = int(query.get("page", 1))
    return items[(number - 1) * size : number * size], number, number * size < len(items)
