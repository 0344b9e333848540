"""A deploy that is killed, whenever, and started again leaves what an undisturbed one leaves."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaigns import SEED, examples
from tests.campaigns.crews import Crew
from tests.campaigns.kills import Yard
from tests.campaigns.places import Admin
from tests.campaigns.proxies import Proxy
from tests.campaigns.scenarios import SCENARIOS, failing
from tests.cluster.controlplane import ControlPlane

SEEDS = 120  # of `make test`
# One with a rollout to be killed in; the others end without waiting for a controller.
CHOSEN = {
    "first": SCENARIOS["first"].without("Deployment"),
    "mixed": SCENARIOS["mixed"].without("Deployment"),
    "conflict": SCENARIOS["conflict"],
    "failing": failing(),
}
# A run takes seconds where a rollout has to fail, and another one to succeed.
SHARES = {"first": 20, "mixed": 20, "conflict": 20, "failing": 3}
PARTS = 2
TOLD_EACH = 50


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", CHOSEN)
def test_a_killed_deploy_is_finished_by_the_next(
    scenario: str,
    part: int,
    proxy: Proxy,
    admin: Admin,
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
    progress: Callable[[str], None],
) -> None:
    """The same command again: the same end state as without a kill, and exit code 0."""
    seeds = range(part, -(-examples(SEEDS) * SHARES[scenario] // sum(SHARES.values())), PARTS)
    with Crew(tmp_path) as crew:
        token = control_plane.admin_token
        yard = Yard(CHOSEN[scenario], crew, proxy, admin, namespace, token, tmp_path)
        yard.learn()
        for count, seed in enumerate(seeds, 1):
            yard.run(SEED * 1_000_000 + seed)
            if not count % TOLD_EACH or count == len(seeds):
                progress(f"kills: {scenario} {part + 1}/{PARTS}: {count} of {len(seeds)}")
