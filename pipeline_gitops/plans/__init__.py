"""What may change in a target, in which order, and what is forbidden."""

from pipeline_gitops.plans.changes import (
    Change,
    FieldOwner,
    Outcome,
    Plan,
    Sight,
    State,
    Survey,
    compute,
)
from pipeline_gitops.plans.digests import digest, exceeding
from pipeline_gitops.plans.guards import Confirmation, guard, is_dangerous
from pipeline_gitops.plans.waves import AWAITED, pruning, waves

__all__ = [
    "AWAITED",
    "Change",
    "Confirmation",
    "FieldOwner",
    "Outcome",
    "Plan",
    "Sight",
    "State",
    "Survey",
    "compute",
    "digest",
    "exceeding",
    "guard",
    "is_dangerous",
    "pruning",
    "waves",
]
