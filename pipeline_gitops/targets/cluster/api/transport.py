"""How a request reaches the API server, and when an answer counts as one.

Everything goes through `Transport`. All that is sent may be repeated: reads, dry runs, and writes
with a precondition. A repeated write may meet its own first success; *repeated* says so, and
whoever wrote has to look what is there.
"""

import random
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import urlencode, urlsplit

from urllib3 import BaseHTTPResponse, Timeout, exceptions

from pipeline_gitops.documents import Body, Json
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster.api import payloads, statuses
from pipeline_gitops.targets.cluster.api.connections import Host
from pipeline_gitops.targets.cluster.api.credentials import Connection
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.values import dataclass

CONNECT_S = 5.0
READ_S = 30.0  # for a whole answer, however slowly it comes
TRIES = 5  # where more would not help: a server never heard of, an error about this very request
FIRST_PAUSE_S = 0.25
LONGEST_OWN_PAUSE_S = 5.0  # of our own choice, between two tries
LONGEST_PAUSE_S = 30.0  # of a Retry-After: waiting for an hour would look like a hanging job
PATIENCE_S = 60.0  # for one request, all tries together; the last one begins within
PIECE = 65_536  # bytes of a stream at a time, at most
GRACE_S = 10.0  # after the deadline, for what explains why it was missed

JSON = "application/json"

_BUSY = frozenset({429, 502, 503, 504})
_RENEW = "renew the credentials, and see that they are for this cluster"
_LOOK = "see that the address is right, that the cluster is well and that no proxy is in between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success. *repeated*: it was not the first time that this was sent."""

    status: int
    body: Body = field(repr=False)
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """One request, as often as it is sent."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def secret(self) -> bool:
        return self.path.startswith("/api/v1/") and "secrets" in self.path.split("/")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raw:
    """What came back, whatever it is."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)
    value: Json = field(default=None, repr=False)  # None: no JSON, or broken

    @property
    def success(self) -> bool:
        return 200 <= self.status < 300


class _Lost(Exception):
    """There was no answer; the request may have had its effect all the same."""


class Transport:
    """One API server, as one user, for all threads. *deadline*: on the clock's elapsed seconds.

    *patience_s*: how long one request is repeated while the server is busy or away.
    """

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        deadline: float,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._deadline = deadline
        self._patience_s = patience_s
        self._is_known = False  # whether this server has ever given a definite answer
        # One host, asked directly: what a PoolManager does to find it is a tenth of a request.
        self._host = Host(connection)
        self._prefix = urlsplit(connection.server).path
        self._random = random.Random()  # noqa: S311 - it spreads retries and protects nothing

    @property
    def at_once(self) -> int:
        """How many requests keep the server busy, and no busier than it likes."""
        return self._host.at_once

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | Sequence[Body] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> Answer:
        """The JSON object that the server answers with success.

        Raises ApiError where the server refuses, UnreachableFault where it cannot be asked.
        """
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = payloads.written(body)
        sent = _Sent(method=method, path=path, query=query or {}, data=data, headers=headers)
        raw, tries = self._exchange(sent)
        if not raw.success:
            raise self._refusal(sent, raw, repeated=tries > 1)
        if not isinstance(raw.value, Mapping):
            raise self._unreachable(f"answers {sent} with JSON that is no object", _LOOK)
        return Answer(status=raw.status, body=raw.value, repeated=tries > 1)

    def text(self, path: str, query: Mapping[str, str]) -> str:
        """The text that the server answers a GET with, as for logs."""
        sent = _Sent(method="GET", path=path, query=query, headers={"Accept": "*/*"})
        raw, _ = self._exchange(sent, text=True)
        if not raw.success:
            raise self._refusal(sent, raw, repeated=False)
        return raw.data.decode("utf-8", "replace")

    def stream(self, path: str, query: Mapping[str, str], *, seconds: float) -> "Stream":
        """What the server sends from now on, for *seconds* at most.

        Raises as `request` does where nothing can be had from the start; it is not repeated.
        """
        sent = _Sent(method="GET", path=path, query=query, headers={"Accept": JSON})
        try:
            response = self._opened(sent, read_s=seconds, whole=False)
            if response.status == 401:
                response.close()
                self._connection.authorization.headers(renew=True)
                response = self._opened(sent, read_s=seconds, whole=False)
            if response.status != 200:
                raise self._refusal(sent, self._counted(sent, response, text=False), repeated=False)
        except _Lost as error:
            raise self._unreachable(f"cannot be reached: {error}", _LOOK) from None
        return Stream(response)

    def _exchange(self, sent: _Sent, *, text: bool = False) -> tuple[_Raw, int]:
        """The first answer that counts, or the last that did not, and how often it was sent."""
        started = self._clock.elapsed()
        tries = 0
        while True:
            tries += 1
            raw: _Raw | None = None
            lost = ""
            try:
                raw = self._once(sent, text=text)
            except _Lost as error:
                lost = str(error)
            if raw is not None and not _passing(raw):
                self._is_known = True
                return self._renewed(sent, raw, text=text), tries
            pause = self._pause(raw, tries)
            patience = self._patience_s - (self._clock.elapsed() - started)
            if pause > min(patience, self._left()) or self._is_enough(raw, tries):
                break
            self._clock.sleep(pause)
        if raw is None:
            raise self._unreachable(f"cannot be reached: {lost}", _LOOK)
        return raw, tries

    def _is_enough(self, raw: _Raw | None, tries: int) -> bool:
        """Whether to give up before the patience is over.

        A server that has answered us once is restarted or busy, and comes back. One that never has
        may be a mistyped address, and a 500 is about what was asked: nobody should wait a minute
        for either.
        """
        is_away = raw is None or raw.status in _BUSY
        return tries >= TRIES and not (is_away and self._is_known)

    def _renewed(self, sent: _Sent, raw: _Raw, *, text: bool) -> _Raw:
        """The answer; after a 401 once more with credentials read again, if they changed."""
        if raw.status != 401:
            return raw
        authorization = self._connection.authorization
        if authorization.headers() == authorization.headers(renew=True):
            return raw
        try:
            return self._once(sent, text=text)
        except _Lost as error:
            raise self._unreachable(f"cannot be reached: {error}", _LOOK) from None

    def _once(self, sent: _Sent, *, text: bool) -> _Raw:
        return self._counted(sent, self._opened(sent, read_s=READ_S, whole=True), text=text)

    def _opened(self, sent: _Sent, *, read_s: float, whole: bool) -> BaseHTTPResponse:
        """The server's answer, as a *whole* or to be read as it comes."""
        left = self._left()
        if left <= 0:
            raise self._unreachable("was not asked any more: the time is over", "raise --timeout")
        query = f"?{_encoded(tuple(sent.query.items()))}" if sent.query else ""
        try:
            return self._host.pool.urlopen(
                sent.method,
                f"{self._prefix}{sent.path}{query}",
                body=sent.data,
                headers={**sent.headers, **self._connection.authorization.headers()},
                timeout=Timeout(connect=CONNECT_S, read=min(read_s, max(left, 1.0))),
                retries=False,
                redirect=False,
                assert_same_host=False,  # there is no other
                preload_content=whole,
            )
        except exceptions.SSLError as error:
            if error.args and isinstance(error.args[0], ssl.SSLCertVerificationError):
                raise self._untrusted() from None
            raise _Lost("the TLS connection broke") from None
        except exceptions.HTTPError as error:
            raise _Lost(_said(error)) from None

    def _counted(self, sent: _Sent, response: BaseHTTPResponse, *, text: bool) -> _Raw:
        """The answer. Raises for what no API server gives: a redirect, a login page, half a body"""
        if 300 <= response.status < 400:
            raise self._unreachable(f"answers {sent} with a redirect", _LOOK)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        success = 200 <= response.status < 300
        if success and not text and kind != JSON:
            raise self._unreachable(
                f"answers {sent} with {kind or 'no content type'}, as a proxy or a login page does",
                _LOOK,
            )
        value: Json = None
        if kind == JSON:
            try:
                value = payloads.read(response.data)
            except ValueError:
                raise _Lost("the answer is broken JSON") from None
        return _Raw(
            status=response.status,
            headers=response.headers,
            data=response.data,
            value=value,
        )

    def _left(self) -> float:
        return self._deadline + GRACE_S - self._clock.elapsed()

    def _pause(self, raw: _Raw | None, tries: int) -> float:
        asked = _asked(raw.headers, self._clock.now()) if raw is not None else None
        if asked is not None:
            return min(asked, LONGEST_PAUSE_S) + self._random.random()
        grown = min(FIRST_PAUSE_S * 2 ** (tries - 1), LONGEST_OWN_PAUSE_S)
        return float(grown * (0.5 + self._random.random()))

    def _refusal(self, sent: _Sent, raw: _Raw, *, repeated: bool) -> UnreachableFault:
        value = raw.value
        if raw.status == 401:
            return UnreachableFault(f"{self._name()} does not accept the credentials (401)", _RENEW)
        missing = statuses.denied(value) if raw.status == 403 else None
        if missing:
            return ForbiddenFault(
                f"{self._name()} forbids this account to {missing}",
                "grant it that with a Role or ClusterRole and a binding, or use another account",
            )
        if isinstance(value, Mapping):
            return ApiError(
                raw.status, value, asked=str(sent), secret=sent.secret, repeated=repeated
            )
        # The router of the API server itself, for a path that nothing serves.
        if raw.status == 404 and raw.data.strip() == b"404 page not found":
            said: Body = {"message": "the server does not serve this path"}
            return ApiError(404, said, asked=str(sent), secret=sent.secret, repeated=repeated)
        return self._unreachable(f"answers {sent} with {raw.status}, and no reason", _LOOK)

    def _unreachable(self, what: str, cure: str) -> UnreachableFault:
        return UnreachableFault(f"{self._name()} {what}", cure)

    def _untrusted(self) -> UnreachableFault:
        return self._unreachable(
            "has a certificate that is not trusted",
            "put the cluster's certificate-authority into the kubeconfig",
        )

    def _name(self) -> str:
        return f"cluster {self._connection.context} ({self._connection.where})"


@cache  # a deploy has a handful
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query)


class Stream:
    """JSON objects, one a line, as the server sends them.

    Ends where the answer does or the connection breaks: whoever watches goes on from what came
    last.
    """

    def __init__(self, response: BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Body]:
        # Closed, not given back: what is left of a stream that nobody reads would come first.
        with closing(self._response):
            try:
                yield from self._objects()
            except (exceptions.HTTPError, OSError, ValueError):
                return

    def _objects(self) -> Iterator[Body]:
        """Raises ValueError for half an object."""
        rest = b""
        for piece in self._response.stream(PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            for line in filter(None, lines):
                value = payloads.read(line)
                if isinstance(value, Mapping):
                    yield value

    def close(self) -> None:
        """Ends it, also for a thread that waits for the next object."""
        with suppress(OSError, ValueError, RuntimeError):  # it has ended by itself
            self._response.shutdown()


def _passing(raw: _Raw) -> bool:
    """Whether the same request may be answered otherwise in a moment."""
    if raw.status == 500:
        return not statuses.is_final(raw.value)
    return raw.status in _BUSY


def _asked(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that Retry-After asks for; None when it does not, or cannot be read.

    A date counts from the server's own, where it tells that: our clocks may differ.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal() and asked.isascii():
        return float(asked[:6])
    until = _date(asked)
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("Date", "")) or now)).total_seconds())


def _date(header: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _said(error: exceptions.HTTPError) -> str:
    """Our own words: those of the library hold the whole address."""
    match error:
        case exceptions.NameResolutionError():
            return "its name does not resolve"
        case exceptions.NewConnectionError():
            return "it takes no connections"
        case exceptions.ConnectTimeoutError():
            return f"no connection within {CONNECT_S:.0f} s"
        case exceptions.ReadTimeoutError():
            return "no answer in time"
        case exceptions.ProxyError():
            return "the proxy does not let us through"
        case _:
            return "the connection broke"
