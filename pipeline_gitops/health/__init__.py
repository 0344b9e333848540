"""What healthy means, for one live object at a time. Pure: no client, no clock."""

from pipeline_gitops.health.builtin import assess
from pipeline_gitops.health.facts import Condition

__all__ = ["Condition", "assess"]
