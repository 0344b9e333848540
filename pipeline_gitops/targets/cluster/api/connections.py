"""Connections to one API server: how long an answer may take as a whole, and how far away it is.

How far tells how many requests are worth sending at a time. The server shall work on AT_ONCE of
them, and over a long way as many again are on their way there and back: by Little's law their
number grows with the time that they are under way. Only the TLS handshake is timed, a round trip
that waits in no queue of the server: a server that is near and slow never gets more for that.
"""

import io
import socket
import time
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool

from pipeline_gitops.targets.cluster.api.credentials import (
    MOST_CONNECTIONS,
    Connection,
)
from pipeline_gitops.threads import AT_ONCE

NEAR_S = 0.005  # a handshake's own work, which says nothing about the way
SERVED_S = 0.008  # what a server takes for a write, about


class Host:
    """One server, its pool, and how far away it is."""

    def __init__(self, connection: Connection) -> None:
        self.pool = connection.pool.connection_from_url(connection.server)
        self._distance_s: float | None = None  # of the quickest handshake so far
        _time(self.pool, self._came)

    @property
    def at_once(self) -> int:
        """How many requests are worth sending at a time."""
        return at_once(self._distance_s or 0.0)

    def _came(self, seconds: float) -> None:
        held = self._distance_s
        self._distance_s = seconds if held is None else min(held, seconds)


def at_once(distance_s: float) -> int:
    """How many requests are worth sending at a time to a server that is *distance_s* away.

    >>> [at_once(distance_s) for distance_s in (0.0, 0.003, 0.021, 0.2)]
    [8, 8, 24, 32]
    """
    under_way = max(0.0, distance_s - NEAR_S) / SERVED_S
    return min(AT_ONCE + int(AT_ONCE * under_way), MOST_CONNECTIONS)


def _time(pool: HTTPConnectionPool, came: Any) -> None:
    """Has the pool make connections that are bound, and that tell how long a handshake took."""
    own: Any = pool.ConnectionCls  # Any: a class made of a class that is only known at run time

    def _new_conn(self: Any) -> socket.socket:
        made: socket.socket = own._new_conn(self)
        self.opened = time.monotonic()
        return made

    def connect(self: Any) -> None:
        own.connect(self)
        if self.is_verified:  # not so over plain HTTP, where nothing was shaken
            came(time.monotonic() - self.opened)

    parts = {"response_class": _Whole, "_new_conn": _new_conn, "connect": connect}
    pool.ConnectionCls = type(own.__name__, (own,), parts)


class _Whole(HTTPResponse):
    """An answer that has to be there within the socket's timeout.

    To a socket alone every byte starts its timeout anew: a byte a second would hold us for hours.
    """

    def __init__(self, sock: socket.socket, *given: Any, **named: Any) -> None:
        super().__init__(sock, *given, **named)
        allowed = sock.gettimeout()
        if allowed is not None:
            pieces: Any = _Pieces(self.fp.detach(), sock, time.monotonic() + allowed)
            self.fp = io.BufferedReader(pieces)


class _Pieces(io.RawIOBase):
    """What a socket receives until a time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, until: float) -> None:
        self._raw = raw
        self._sock = sock
        self._until = until

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Raises TimeoutError once the time is over."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        if self._sock.fileno() >= 0:  # the connection's part of it may be closed already
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Lets the socket go."""
        super().close()
        self._raw.close()
