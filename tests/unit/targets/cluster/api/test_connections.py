"""How many requests are worth sending at a time, by how far away the server is."""

import time

import pytest

from pipeline_gitops.targets.cluster.api import connections
from pipeline_gitops.targets.cluster.api.connections import at_once
from pipeline_gitops.targets.cluster.api.credentials import MOST_CONNECTIONS
from pipeline_gitops.threads import AT_ONCE


@pytest.mark.parametrize("distance_s", [0.0, 0.001, connections.NEAR_S])
def test_a_server_that_is_near_gets_what_it_works_on(distance_s: float) -> None:
    assert at_once(distance_s) == AT_ONCE


def test_a_server_that_is_far_gets_as_many_more_as_are_under_way() -> None:
    twice = connections.NEAR_S + connections.SERVED_S

    assert at_once(twice) == 2 * AT_ONCE


def test_no_distance_makes_it_a_flood() -> None:
    assert at_once(10.0) == MOST_CONNECTIONS


class _Pool:
    """What of urllib3 is asked: the class that connections are made of."""

    class ConnectionCls:
        is_verified = True

        def _new_conn(self) -> object:
            return object()

        def connect(self) -> None:
            self._new_conn()
            time.sleep(self.handshake_s)

        handshake_s = 0.02


def test_the_quickest_handshake_counts() -> None:
    came: list[float] = []
    pool = _Pool()
    connections._time(pool, came.append)  # type: ignore[arg-type]

    pool.ConnectionCls().connect()

    assert [seconds >= 0.02 for seconds in came] == [True]


def test_without_a_handshake_nothing_is_known() -> None:
    """Over plain HTTP there is only the server's answer, and a busy one is not far away."""
    came: list[float] = []
    pool = _Pool()
    connections._time(pool, came.append)  # type: ignore[arg-type]
    connection = pool.ConnectionCls()
    connection.is_verified = False

    connection.connect()

    assert came == []
