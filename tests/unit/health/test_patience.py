"""What may heal is waited for, what cannot is not."""

import pytest

from pipeline_gitops.health.causes import Cause
from pipeline_gitops.health.patience import Patience, is_over

PATIENCE = Patience(restarts=2, seconds=60)


@pytest.mark.parametrize(
    ("cause", "lasting_s", "over"),
    [
        (Cause(rule="missing-key", sentence="", final=True), 0, True),
        (Cause(rule="crash", sentence="", restarts=2), 1, False),
        (Cause(rule="crash", sentence="", restarts=3), 1, True),
        (Cause(rule="crash", sentence="", restarts=0), 60, True),
        (Cause(rule="image-not-found", sentence=""), 59, False),
        (Cause(rule="image-not-found", sentence=""), 60, True),
        (Cause(rule="scaling-up", sentence=""), 600, False),
    ],
    ids=lambda value: value.rule if isinstance(value, Cause) else str(value),
)
def test_patience(cause: Cause, lasting_s: float, over: bool) -> None:
    """Final causes at once; restarts and seconds by their bounds; a growing cluster never."""
    assert is_over(cause, lasting_s, PATIENCE) is over
