"""How many examples a property is tried with: few in the daily loop, many in a soak."""

import os

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")

_SCALE = {"fast": 0.1, "default": 1.0, "soak": 50.0}


def examples(usual: int) -> int:
    """The number of examples in this run, where *usual* is that of `make test`."""
    return max(2, int(usual * _SCALE[PROFILE]))
