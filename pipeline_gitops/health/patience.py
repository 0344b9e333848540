"""How long something that may heal is waited for."""

from pipeline_gitops.health.causes import Cause
from pipeline_gitops.values import dataclass

# The cluster itself does something about it.
_HOPEFUL = frozenset({"scaling-up", "node-not-ready"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a container may restart, and how many seconds any other trouble may last."""

    restarts: int = 2
    seconds: float = 60.0


def is_over(cause: Cause, lasting_s: float, patience: Patience) -> bool:
    """Whether a cause that has lasted for *lasting_s* is to be called a failure.

    Failing at first sight is wrong as often as right: a registry has a bad moment, a sidecar starts
    later than who needs it. Waiting for the deadline tells people ten minutes late.
    """
    if cause.final:
        return True
    if cause.rule in _HOPEFUL:
        return False
    if cause.restarts > patience.restarts:
        return True
    return lasting_s >= patience.seconds + cause.grace_s
