"""Doing one thing to many at a time: as many as API servers answer gladly."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Thread
from typing import ParamSpec, TypeVar

from pipeline_gitops.ports import Clock

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_Given = ParamSpec("_Given")

AT_ONCE = 8  # requests that a server works on at a time
_TICK_S = 0.1


def begin(work: Callable[_Given, _Out], *args: _Given.args, **named: _Given.kwargs) -> Future[_Out]:
    """Starts *work* on a thread of its own, which keeps nobody from ending the program."""
    future: Future[_Out] = Future()

    def run() -> None:
        try:
            result = work(*args, **named)
        except BaseException as error:  # whoever asks for the result gets it
            future.set_exception(error)
        else:
            future.set_result(result)

    Thread(target=run, daemon=True).start()
    return future


def each(
    work: Callable[[_In], _Out],
    items: Iterable[_In],
    clock: Clock,
    *,
    at_once: int = AT_ONCE,
) -> list[_Out]:
    """*work* of each item, *at_once* at a time, in the items' order. The first that raises ends it.

    Raises InterruptedFault as soon as we are asked to stop.
    """
    waiting = deque(enumerate(items))
    count = len(waiting)
    answers: SimpleQueue[tuple[int, Future[_Out]]] = SimpleQueue()

    def run() -> None:
        while waiting:
            try:
                index, item = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            future: Future[_Out] = Future()
            try:
                future.set_result(work(item))
            except BaseException as error:  # whoever asks for the result gets it
                future.set_exception(error)
            answers.put((index, future))

    done: dict[int, _Out] = {}
    try:
        for _ in range(min(at_once, count)):
            Thread(target=run, daemon=True).start()
        while len(done) < count:
            clock.sleep(0)
            try:
                index, future = answers.get(timeout=_TICK_S)
            except Empty:
                continue
            done[index] = future.result()
    finally:
        waiting.clear()  # what has not begun is not done any more
    return [done[index] for index in range(count)]
