"""Deployers of different commits at the same time: nothing older wins, and nobody says it did."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.campaigns import SEED, examples
from tests.campaigns.crews import Crew
from tests.campaigns.places import Admin
from tests.campaigns.proxies import Proxy
from tests.campaigns.races import Track
from tests.cluster.controlplane import ControlPlane

RACES = 96  # of `make test`
PARTS = 6
TOLD_EACH = 50


@pytest.mark.parametrize("part", range(PARTS))
def test_races_have_one_winner(
    part: int,
    proxy: Proxy,
    admin: Admin,
    control_plane: ControlPlane,
    namespace: str,
    tmp_path: Path,
    progress: Callable[[str], None],
) -> None:
    """No older write after a newer one, no lost member, one winner, no false success."""
    seeds = range(part, examples(RACES), PARTS)
    with Crew(tmp_path) as crew:
        track = Track(crew, proxy, admin, namespace, control_plane.admin_token, tmp_path)
        for count, seed in enumerate(seeds, 1):
            track.run(SEED * 1_000_000 + seed)
            if not count % TOLD_EACH or count == len(seeds):
                progress(f"races: {part + 1}/{PARTS}: {count} of {len(seeds)}")
