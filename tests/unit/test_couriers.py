"""The forge is told on a thread of its own: in order, within bounds, hurting nobody."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from pipeline_gitops.cli import couriers
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.cli.couriers import Courier
from pipeline_gitops.errors import InterruptedFault, ReportFault
from pipeline_gitops.pipeline.merge_requests import milestones
from pipeline_gitops.pipeline.merge_requests.deliveries import Told
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone, Recorder
from pipeline_gitops.ports import Clock, Forge, StatusState, Surface
from tests.fakes.forge import FakeForge
from tests.fakes.world import FakeClock

SHA = "ab" * 20
WELL = Milestone(environment="prod", state=StatusState.SUCCESS)


class StoppedClock(SystemClock):
    """Real time in which we were asked to stop long ago."""

    def sleep(self, seconds: float) -> None:
        raise InterruptedFault("stopped")


class HangingClock(FakeClock):
    """A second for each look, from the moment that a forge hangs."""

    def __init__(self, *, asked_s: float | None = None) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self._asked_s = asked_s

    def sleep(self, seconds: float) -> None:
        self.seconds += self.hangs.is_set()
        if self._asked_s is not None:
            raise InterruptedFault("stopped", asked_s=self._asked_s)


def courier(forge: FakeForge | None, clock: Clock | None = None) -> Courier:
    """One that speaks to this forge."""
    return Courier(lambda _pause: forge, clock or SystemClock(), sha=SHA, url="")


@pytest.fixture
def forge() -> FakeForge:
    """One that answers at once."""
    return FakeForge(FakeClock())


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """What a hanging request waits for."""
    event = threading.Event()
    yield event
    event.set()


def ends(_forge: Forge, recorder: Recorder) -> Iterator[Told]:
    """A delivery of one environment that ended well."""
    recorder.end([WELL])
    yield from ()


def test_a_deploy_is_followed_from_waiting_to_its_end(forge: FakeForge) -> None:
    """In order; what was overtaken may be left out, the end never."""
    with courier(forge) as telling:
        telling.follow(["prod"])
        telling.tell(milestones.running("prod"))
        delivery = telling.deliver(ends)

    order = [StatusState.PENDING, StatusState.RUNNING, StatusState.SUCCESS]
    told = [one.state for one in forge.board.statuses]
    assert told == sorted(told, key=order.index)
    assert told[-1] == forge.board.deployments[-1].state == StatusState.SUCCESS
    assert (delivery.connected, delivery.told) == (True, ())


def test_what_is_no_longer_so_is_not_told(forge: FakeForge, held: threading.Event) -> None:
    """A slow forge hears of where an environment is, not of where it was."""
    reached = threading.Event()

    def hang() -> None:
        reached.set()
        held.wait(10)

    forge.before("status", hang)
    with courier(forge) as telling:
        telling.follow(["staging", "prod"])
        assert reached.wait(10)
        telling.tell(milestones.running("prod"))
        telling.tell(WELL)
        held.set()
        telling.deliver(ends)

    assert [one.state for one in forge.board.statuses if one.context.endswith("prod")] == [
        StatusState.SUCCESS
    ]


def test_nobody_waits_for_a_forge_that_hangs(forge: FakeForge, held: threading.Event) -> None:
    """It still hangs when all that there is to tell was handed over."""
    reached, answered = threading.Event(), threading.Event()

    def hang() -> None:
        reached.set()
        held.wait(60)
        answered.set()

    forge.before("status", hang)
    with courier(forge) as telling:
        telling.follow(["prod"])
        assert reached.wait(60)
        telling.tell(milestones.running("prod"))

    assert not answered.is_set()


def test_a_report_is_given_up_at_the_bound(forge: FakeForge, held: threading.Event) -> None:
    """What was told by then counts, and the rest is a fault."""
    clock = HangingClock()
    half = Told(surface=Surface.CHECK)

    def act(_forge: Forge, _recorder: Recorder) -> Iterator[Told]:
        yield half
        clock.hangs.set()
        held.wait(60)

    with courier(forge, clock) as telling:
        delivery = telling.deliver(act)

    assert clock.elapsed() == couriers.BOUND_S
    assert delivery.told[0] == half
    assert delivery.told[1].is_missed


@pytest.mark.parametrize("writing_s", [0.0, 5.0])
def test_once_asked_to_stop_there_are_seconds_left(
    forge: FakeForge, held: threading.Event, writing_s: float
) -> None:
    """A runner kills soon after it asks: the minute is over then, and so is what a write took."""
    clock = HangingClock(asked_s=0.0)
    clock.seconds = writing_s

    def act(_forge: Forge, _recorder: Recorder) -> Iterator[Told]:
        clock.hangs.set()
        held.wait(60)
        yield from ()

    with courier(forge, clock) as telling:
        delivery = telling.deliver(act)

    assert clock.elapsed() == couriers.STOPPING_S <= 7.5
    assert delivery.told[-1].is_missed


def test_a_run_that_is_asked_to_stop_still_tells_its_end(forge: FakeForge) -> None:
    """The signal ends waiting, not telling."""
    with courier(forge, StoppedClock()) as telling:
        telling.follow(["prod"])
        telling.deliver(ends)

    assert forge.board.statuses[-1].state is StatusState.SUCCESS


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (InterruptedFault("stopped by SIGTERM"), StatusState.CANCELLED),
        (ReportFault("anything"), StatusState.FAILURE),
        (ValueError("a bug"), StatusState.FAILURE),
    ],
)
def test_no_environment_stays_running_when_a_run_breaks_off(
    forge: FakeForge, error: Exception, state: StatusState
) -> None:
    """Only those that had not ended: the others keep how they ended."""
    with pytest.raises(type(error)), courier(forge) as telling:
        telling.follow(["staging", "prod"])
        telling.tell(Milestone(environment="staging", state=StatusState.SUCCESS))
        raise error

    last = {one.context: one.state for one in forge.board.statuses}
    assert last["pipeline-gitops/prod"] is state
    assert last["pipeline-gitops/staging"] is StatusState.SUCCESS


def test_without_a_forge_there_is_nobody_to_tell() -> None:
    """The report goes to the log and a file."""
    with courier(None) as telling:
        telling.follow(["prod"])
        delivery = telling.deliver(ends)

    assert (delivery.connected, delivery.told) == (False, ())


@pytest.mark.parametrize("error", [ReportFault("no address"), ValueError("a bug")])
def test_what_keeps_us_from_the_forge_is_told_and_ends_nothing(error: Exception) -> None:
    """Not even a mistake of our own in telling may end a deploy."""

    def connect(_pause: Callable[[float], None]) -> Forge | None:
        raise error

    with Courier(connect, SystemClock(), sha=SHA, url="") as telling:
        telling.follow(["prod"])
        delivery = telling.deliver(ends)

    (told,) = delivery.told
    assert told.is_missed
    assert "a bug" not in str(told.fault)


def test_a_long_wait_is_taken_only_at_the_end(forge: FakeForge) -> None:
    """A forge that throttles is asked again then, not while environments wait to be told."""
    pauses: SimpleQueue[Callable[[float], None]] = SimpleQueue()

    def connect(pause: Callable[[float], None]) -> Forge | None:
        pauses.put(pause)
        return forge

    with Courier(connect, FakeClock(), sha=SHA, url="") as telling:
        telling.follow(["prod"])
        pause = pauses.get(timeout=60)
        with pytest.raises(ReportFault):
            pause(30.0)
        pause(couriers.SHORT_S)
        telling.deliver(ends)
        pause(30.0)
