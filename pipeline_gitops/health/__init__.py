"""What healthy means, for one live object at a time. Pure: no client, no clock."""

from pipeline_gitops.documents import Body
from pipeline_gitops.health import builtin, custom
from pipeline_gitops.health.custom import PACKED, Rules
from pipeline_gitops.health.facts import Condition, Judged

__all__ = ["PACKED", "Condition", "Judged", "Rules", "assess"]


def assess(body: Body | None, rules: Rules = PACKED) -> Judged:
    """The word and a sentence for a live object; None is one that was not found.

    A rule for its kind is asked first: what its user suspended is well, though its controller will
    not see the newest version before it is resumed.
    """
    judged = custom.assess(body, rules) if body is not None else None
    return judged or builtin.assess(body)
