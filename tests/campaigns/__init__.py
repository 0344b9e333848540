"""Proof by many cases: how many there are, and the campaigns against a real control plane.

Few in the daily loop, many in a soak. The campaigns draw theirs by a seed and say it when they
fail; CAMPAIGN_SEED sets another.
"""

import os

SEED = int(os.environ.get("CAMPAIGN_SEED", "1"))
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

_SCALE = {"fast": 0.1, "default": 1.0, "soak": 50.0}


def examples(usual: int) -> int:
    """The number of examples in this run, where *usual* is that of `make test`."""
    return max(2, int(usual * _SCALE[PROFILE]))
