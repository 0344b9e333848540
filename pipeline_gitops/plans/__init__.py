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
from pipeline_gitops.plans.contradictions import findings
from pipeline_gitops.plans.digests import (
    PLAN_LENGTH,
    Unshown,
    change_digests,
    digest,
    exceeding,
    reshown,
    salt,
    summed,
    unshown,
)
from pipeline_gitops.plans.guards import (
    Confirmation,
    Intent,
    guard,
    guard_destruction,
    is_dangerous,
)
from pipeline_gitops.plans.hooks import hook_of, with_hooks, without_run
from pipeline_gitops.plans.outlines import outline
from pipeline_gitops.plans.waves import Schedule, Wave, node_ports, prune_first, schedule

__all__ = [
    "PLAN_LENGTH",
    "Change",
    "Confirmation",
    "FieldOwner",
    "Intent",
    "Outcome",
    "Plan",
    "Schedule",
    "Sight",
    "State",
    "Survey",
    "Unshown",
    "Wave",
    "change_digests",
    "compute",
    "digest",
    "exceeding",
    "findings",
    "guard",
    "guard_destruction",
    "hook_of",
    "is_dangerous",
    "node_ports",
    "outline",
    "prune_first",
    "reshown",
    "salt",
    "schedule",
    "summed",
    "unshown",
    "with_hooks",
    "without_run",
]
