"""What a write waits for, how it ends when we are asked to stop, and what is no noise."""

import signal
import threading
import time
from dataclasses import replace

import pytest

from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.errors import TerminatedFault
from pipeline_gitops.manifests import EPOCH, FENCE
from pipeline_gitops.plans import Outcome, State
from pipeline_gitops.targets.cluster import writes
from tests.contract.clusters import (
    Cluster,
    config_map,
    deploy,
    service,
    until,
)
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.world import FakeClock
from tests.unit.targets.cluster.deploys import Deploy, states, status

HANGS_S = 60.0  # far longer than a run that is asked to stop may go on

# -- what is waited for ----------------------------------------------------------------------------


def unready(said: str = 'no endpoints available for service "hook"') -> Fault:
    """What a server answers for a webhook that it cannot ask."""
    call = 'failed calling webhook "w.example.com": failed to call webhook: '
    post = f'Post "https://hook.shop.svc:443/x?timeout=10s": {said}'
    message = f"Internal error occurred: {call}{post}"
    return status(500, message, reason="InternalError", details={"causes": [{"message": call}]})


def test_webhook_that_comes_up(cluster: Cluster, server: FakeApiServer, clock: FakeClock) -> None:
    """A write behind a webhook of the same set is sent until the webhook is up."""
    both = Deploy(cluster, clock, config_map("settings", color="blue"), service("hook"))

    outcomes = both.outcomes(server, *[replace(unready(), path="settings")] * 30)

    assert states(outcomes) == {State.DONE}
    waited = next(outcome.message for outcome in outcomes if outcome.id.name == "settings")
    assert waited.endswith("s for webhook w.example.com")


def test_webhook_that_never_comes_up(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """It is waited for four minutes at most, or until the deploy's time is over."""
    deploy(cluster, service("hook"))
    creation = Deploy(cluster, clock, config_map("settings", color="blue"), service("hook"))

    (outcome,) = creation.outcomes(server, *[replace(unready(), path="settings")] * 10_000)

    assert outcome.state is State.REFUSED
    assert "failed calling webhook" in outcome.message
    assert 50 < clock.elapsed() < 65


def test_webhook_of_somebody_else(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """A webhook that does not come with the set is not waited for."""
    creation = Deploy(cluster, clock, config_map("settings", color="blue"))

    (outcome,) = creation.outcomes(server, *[unready()] * 10_000)

    assert outcome.state is State.REFUSED
    assert clock.elapsed() < 60


def test_what_waits_does_not_hold_up_the_rest(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock
) -> None:
    """Writes that wait need no connection: what they wait for may come behind them."""
    hooked = [config_map(f"c{n}", color="blue") for n in range(10)]
    many = Deploy(cluster, clock, *hooked, service("hook"))
    released = threading.Event()

    def waits(seconds: float) -> None:
        if seconds == 1.0:
            assert released.wait(10), "the Service was never written"

    clock.sleep = waits  # type: ignore[method-assign]
    faults = [replace(unready(), path=f"/c{n}") for n in range(10)]
    done = []
    with many.target.claim(many.claimed) as writing:
        server.faults = faults * 5
        for outcome in writing.apply(many.plan.changes):
            done.append(outcome)
            if outcome.id.kind == "Service":
                released.set()

    assert states(done) == {State.DONE}


# -- when we are asked to stop ---------------------------------------------------------------------


def test_write_that_hangs_while_we_are_asked_to_stop(
    cluster: Cluster, server: FakeApiServer
) -> None:
    """What is in flight has five seconds; then it is not known, and the program may end."""
    clock = SystemClock()
    hanging = Deploy(cluster, clock, config_map("a", b="c"), config_map("z", b="c"))
    hang = Fault(slow_s=HANGS_S, reset=True, only="PATCH", path="/a")
    outcomes: list[Outcome] = []

    with hanging.target.claim(hanging.claimed) as writing, pytest.raises(TerminatedFault):
        server.faults = [hang]
        for outcome in writing.apply(hanging.plan.changes):
            outcomes.append(outcome)
            if outcome.id.name == "z":
                until(lambda: not server.faults, "the other write to be in flight")
                clock._note(signal.SIGTERM, None)
                stopped = time.monotonic()

    assert [(outcome.id.name, outcome.state) for outcome in outcomes] == [
        ("z", State.DONE),
        ("a", State.UNKNOWN),
    ]
    assert writes.STOPPING_S <= time.monotonic() - stopped < HANGS_S


def test_what_is_in_flight_has_less_time_than_a_runner_leaves() -> None:
    """GitHub's sends SIGTERM 7.5 s after SIGINT: two seconds are left for the report."""
    assert writes.STOPPING_S + 2 <= 7.5


# -- what moved meanwhile --------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [EPOCH, FENCE])
def test_mark_of_another_deploy_is_no_noise(
    cluster: Cluster, server: FakeApiServer, clock: FakeClock, mark: str
) -> None:
    """An object that a newer deploy has marked is not written over, though no diff shows it."""
    deploy(cluster, config_map("settings", color="blue"))
    update = Deploy(cluster, clock, config_map("settings", color="red"))
    fenced = {"metadata": {"annotations": {mark: "99"}}}
    cluster.patch("ConfigMap", "settings", fenced, "pipeline-gitops-fence")

    assert states(update.outcomes(server)) == {State.STALE}
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "blue"}
