"""Speaking to the forge without anybody waiting for it.

A deploy must not take longer, let alone fail, because a forge is slow: one thread tells the forge
how far each environment is, in order, while the deploy goes on. At the end it delivers the report
within a bound; what does not answer by then is left, with its thread.
"""

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import Self

from pipeline_gitops.errors import Fault, InterruptedFault, ReportFault
from pipeline_gitops.pipeline.merge_requests import milestones
from pipeline_gitops.pipeline.merge_requests.deliveries import Told
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone, Recorder
from pipeline_gitops.ports import Clock, Forge, StatusState, Surface
from pipeline_gitops.values import dataclass

BOUND_S = 60.0  # for the whole report, once the work is done
# From when we are asked to stop, writes in flight included: GitHub's runner asks again after 7.5 s,
# and a second signal ends the program.
STOPPING_S = 7.0
SHORT_S = 1.0  # what a forge may make us wait while a deploy is on

_TICK_S = 0.05

Connect = Callable[[Callable[[float], None]], Forge | None]  # given how to wait between two tries
Deliver = Callable[[Forge, Recorder], Iterable[Told]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of a report. *connected* False: there is no forge to tell."""

    connected: bool = True
    told: tuple[Told, ...] = ()


class Courier:
    """One thread, and what it has yet to tell the forge about a commit."""

    def __init__(self, connect: Connect, clock: Clock, *, sha: str, url: str) -> None:
        self._connect = connect
        self._clock = clock
        self._sha = sha
        self._url = url
        self._deploys = False
        self._newest: dict[str, Milestone] = {}
        self._errands: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._is_ending = False
        # Of the thread: whom it speaks to, what keeps it from that, and what came of the report.
        self._forge: Forge | None = None
        self._recorder: Recorder | None = None
        self._cut_off: Fault | None = None
        self._told: list[Told] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """No environment stays "running" at the forge because its run has ended early."""
        unfinished = [one for one in self._newest.values() if one.state in milestones.UNFINISHED]
        if error is not None and unfinished:
            ends = [_broken_off(one, error) for one in unfinished]
            asked_s = self._asked_s(error)
            self._until_done(lambda: self._end(ends), asked_s + STOPPING_S)
        if self._thread:
            self._errands.put(None)

    def follow(self, environments: Iterable[str]) -> None:
        """From here on each of them has a status and a deployment that tell how far it is."""
        self._deploys = True
        for environment in environments:
            self.tell(milestones.waiting(environment))

    def tell(self, milestone: Milestone) -> None:
        """Has it told, unless something newer of that environment is there by then."""
        self._newest[milestone.environment] = milestone
        self._send(lambda: self._put(milestone))

    def deliver(self, act: Deliver) -> Delivery:
        """What came of *act*, within 60 seconds, or within 7 of being asked to stop."""
        cut_off: Fault | None = ReportFault(
            f"the forge did not take the report within {BOUND_S:.0f} s, or before we had to stop",
            "run the job again when the forge is well",
        )
        if self._until_done(lambda: self._deliver(act), self._clock.elapsed() + BOUND_S):
            cut_off = self._cut_off
        rest = (Told(surface=Surface.NOTE, fault=cut_off),) if cut_off else ()
        return Delivery(connected=bool(self._forge or rest), told=(*self._told, *rest))

    # -- where nobody waits ------------------------------------------------------------------------

    def _send(self, errand: Callable[[], None]) -> None:
        if self._thread is None:
            # A daemon: it keeps nobody from ending the program.
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        self._errands.put(errand)

    def _until_done(self, errand: Callable[[], None], until: float) -> bool:
        """Whether it was done in time. A signal shortens the time, and ends nothing."""
        self._is_ending = True
        done = Event()
        self._send(errand)
        self._send(done.set)
        is_asked = False
        while not done.wait(_TICK_S):
            try:
                self._clock.sleep(0)
            except InterruptedFault as error:
                if not is_asked:
                    until, is_asked = min(until, self._asked_s(error) + STOPPING_S), True
            if self._clock.elapsed() >= until:
                return False
        return True

    def _asked_s(self, error: BaseException) -> float:
        """When what ended the run came, on the clock's elapsed seconds."""
        asked_s = error.asked_s if isinstance(error, InterruptedFault) else None
        return self._clock.elapsed() if asked_s is None else asked_s

    # -- on the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        self._guarded(self._open)
        while errand := self._errands.get():
            self._guarded(errand)

    def _guarded(self, errand: Callable[[], None]) -> None:
        try:
            errand()
        except Fault as fault:
            self._cut_off = fault
        except Exception as error:  # a mistake of ours in telling must not end a deploy
            name = type(error).__name__
            self._cut_off = ReportFault(f"the report ended in a {name}", "this is a bug: report it")

    def _open(self) -> None:
        self._forge = self._connect(self._pause)
        if self._forge:
            self._recorder = Recorder(self._forge, self._sha, self._url, deploys=self._deploys)

    def _put(self, milestone: Milestone) -> None:
        if self._recorder and self._newest[milestone.environment] is milestone:
            self._recorder.tell(milestone)

    def _end(self, ends: Iterable[Milestone]) -> None:
        if self._recorder:
            self._recorder.end(ends)

    def _deliver(self, act: Deliver) -> None:
        if self._forge and self._recorder:
            for told in act(self._forge, self._recorder):
                self._told.append(told)

    def _pause(self, seconds: float) -> None:
        """Between two tries. While a deploy is on nothing is worth a long wait: the end tells."""
        if seconds > SHORT_S and not self._is_ending:
            raise ReportFault(f"the forge asks to wait for {seconds:.0f} s")
        self._clock.sleep(seconds)


def _broken_off(milestone: Milestone, error: BaseException) -> Milestone:
    stopped = isinstance(error, InterruptedFault)
    return Milestone(
        environment=milestone.environment,
        state=StatusState.CANCELLED if stopped else StatusState.FAILURE,
        description="stopped" if stopped else "ended by a fault: see the job",
    )
