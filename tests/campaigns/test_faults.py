"""One fault at one request, whichever: the deploy says so or comes through, and a second one heals.

Every fault at every request of every scenario in a soak, a sample of them otherwise.
TRIAL=scenario/fault/index/state runs exactly one, as a failure says.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaigns import PROFILE, SEED, examples
from tests.campaigns.places import Admin
from tests.campaigns.proxies import Proxy
from tests.campaigns.scenarios import SCENARIOS
from tests.campaigns.trials import Trial, sampled, staged
from tests.cluster.controlplane import ControlPlane

RUNS = 1020  # of `make test`, over all scenarios
PARTS = 4  # of each scenario, so that workers can share them
TOLD_EACH = 50

ONE = os.environ.get("TRIAL", "")


def parts() -> list[tuple[str, int]]:
    """Scenario and part, or the scenario of the one trial that is asked for."""
    if ONE:
        return [(Trial.parse(ONE).scenario, 0)]
    return [(scenario, part) for part in range(PARTS) for scenario in SCENARIOS]


@pytest.mark.parametrize(("scenario", "part"), parts())
def test_a_deploy_under_one_fault(
    scenario: str,
    part: int,
    proxy: Proxy,
    admin: Admin,
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
    progress: Callable[[str], None],
) -> None:
    """Success is true, failure is said, and the same deploy again leaves what a clean one does."""
    token = control_plane.admin_token
    with staged(scenario, proxy, admin, namespace, token, tmp_path) as stage:
        clean = stage.learn()
        trials = drawn(list(clean.trials(scenario)), part)
        for count, trial in enumerate(trials, 1):
            stage.run(trial, clean)
            if not count % TOLD_EACH or count == len(trials):
                progress(f"faults: {scenario} {part + 1}/{PARTS}: {count} of {len(trials)}")


def drawn(trials: list[Trial], part: int) -> list[Trial]:
    """The trials of one part: all of them in a soak, else as many as `make test` has time for."""
    if ONE:
        return [Trial.parse(ONE)]
    count = len(trials) if PROFILE == "soak" else -(-examples(RUNS) // len(SCENARIOS))
    return sampled(trials, count, SEED)[part::PARTS]
