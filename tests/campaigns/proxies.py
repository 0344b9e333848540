"""A proxy in front of the real API server that sees every request, and may do harm to one.

It speaks plain HTTP on loopback and TLS to the server. Connections to the server are kept across
runs: a handshake costs more than all the rest of a request. What happens to a request is decided by
a `Watcher`; the proxy itself only carries bytes.
"""

import http.client
import re
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import parse_qsl, urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ACCEPT = re.compile(rb"\r\naccept: *([^\r]*)", re.IGNORECASE)
_CLIENT = re.compile(r"/~([^/]+)")
_HOP = frozenset({"transfer-encoding", "connection", "content-length"})


@dataclass(frozen=True, kw_only=True)
class Request:
    """What arrived, as bytes and as people name it. *client*: who sent it, by its address of us."""

    client: str
    method: str
    path: str
    query: Mapping[str, str]
    accept: str
    body: bytes = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.method != "GET" and "dryRun" not in self.query

    @property
    def name(self) -> str:
        """What it asks for, told from all other requests of a run but its own repetitions."""
        # A replacement is tried out under a name that is drawn anew each time.
        told = [self.method, _PROBE.sub("-probe", self.path)]
        told += [f"{key}={self.query[key]}" for key in sorted({*self.query} & _TELLING)]
        if "PartialObjectMetadata" in self.accept:
            told.append("metadata")
        return " ".join(told)


_PROBE = re.compile(r"-probe-[0-9a-z]+$")
_TELLING = {"dryRun", "fieldSelector", "labelSelector", "force", "continue"}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer as it goes to the client."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    def raw(self) -> bytes:
        """The answer's bytes, with the length that is its own."""
        phrase = http.client.responses.get(self.status, "")
        lines = [f"HTTP/1.1 {self.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


class Watcher(Protocol):
    """What becomes of a request."""

    def attend(self, request: Request, exchange: "Exchange") -> None:
        """Answers it, by way of the server or not. Called by many threads."""
        ...


class Plain:
    """Passes everything on."""

    def attend(self, request: Request, exchange: "Exchange") -> None:
        """As if there were no proxy."""
        exchange.send(exchange.forward(request))


class Proxy:
    """Runs between `with` and its end. *watcher* may be exchanged between two runs.

    Whoever asks below `/~name` is the client of that name.
    """

    def __init__(self, server: str, ca_file: Path) -> None:
        self.watcher: Watcher = Plain()
        self._upstream = urlsplit(server)
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._thread.join()
        self._listener.close()
        for connection in self._idle:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One client's requests, until either side hangs up."""
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client:
            exchange = Exchange(self, client)
            try:
                while not exchange.over and (request := _received(client)):
                    if request.query.get("watch") == "true":
                        self._pipe(request, client)
                        return
                    self.watcher.attend(request, exchange)
            except OSError:
                return  # the client went away, as one that is killed does

    def _pipe(self, request: Request, client: socket.socket) -> None:
        """A watch goes on as its bytes come, until one of the two has enough. No harm is done."""
        with self._connection() as server:
            server.sendall(request.raw)
            while piece := server.recv(1 << 16):
                client.sendall(piece)

    def ask(self, request: Request) -> Reply:
        """The server's own answer."""
        connection = self._connection()
        try:
            connection.sendall(request.raw)
            answer = http.client.HTTPResponse(connection, method=request.method)
            answer.begin()
            body = answer.read()
        except BaseException:
            connection.close()
            raise
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
        if answer.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return Reply(status=answer.status, headers=headers, body=body)

    def _connection(self) -> socket.socket:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        host, port = self._upstream.hostname or "", self._upstream.port or 443
        plain = socket.create_connection((host, port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(plain, server_hostname=host)


class Exchange:
    """One client's connection, with everything that can happen to an answer."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self.over = False

    def forward(self, request: Request) -> Reply:
        """The request takes effect; this is what the server says."""
        return self._proxy.ask(request)

    def send(self, reply: Reply) -> None:
        """The client gets this."""
        self._client.sendall(reply.raw())

    def send_part(self, reply: Reply) -> None:
        """The client gets half of the bytes that were announced, then the connection ends."""
        raw = reply.raw()
        self._client.sendall(raw[: len(raw) - len(reply.body) // 2 - 1])
        self.over = True

    def reset(self) -> None:
        """The connection breaks, as with a killed server or a firewall."""
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True

    def hang(self) -> None:
        """Nothing comes until the client gives up."""
        while self._client.recv(1):
            pass
        self.over = True

    def drip(self, reply: Reply, pause_s: float) -> None:
        """A byte at a time, for as long as the client endures it."""
        self.over = True
        self._client.settimeout(pause_s)
        for byte in reply.raw():
            self._client.sendall(bytes([byte]))
            try:
                if not self._client.recv(1):
                    return
            except TimeoutError:
                continue


def _received(client: socket.socket) -> Request | None:
    """The next request; None when the client hung up."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = client.recv(65_536)
        if not more:
            return None
        raw += more
    head, _, body = raw.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    while length and len(body) < int(length[1]):
        more = client.recv(65_536)
        if not more:
            return None
        body += more
    line, _, rest = head.partition(b"\r\n")
    method, target, version = line.decode().split(" ")
    named = _CLIENT.match(target)
    if named:
        target = target[named.end() :]
        head = f"{method} {target} {version}\r\n".encode() + rest
    url = urlsplit(target)
    accept = _ACCEPT.search(head)
    return Request(
        client=named[1] if named else "",
        method=method,
        path=url.path,
        query=dict(parse_qsl(url.query)),
        accept=accept[1].decode() if accept else "",
        body=body,
        raw=head + b"\r\n\r\n" + body,
    )
