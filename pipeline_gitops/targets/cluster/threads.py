"""Doing one thing to many objects at a time: as many as API servers answer gladly."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster.credentials import CONNECTIONS

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def each(work: Callable[[_In], _Out], items: Iterable[_In], clock: Clock) -> list[_Out]:
    """*work* of each item, in the items' order. The first that raises ends it.

    Raises InterruptedFault as soon as we are asked to stop.
    """
    given = list(items)
    if len(given) < 2:
        return [work(item) for item in given]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        try:
            done = []
            for result in pool.map(work, given):
                clock.sleep(0)
                done.append(result)
            return done
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
