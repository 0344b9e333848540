"""What healthy means, for one live object at a time. Pure: no client, no clock."""

from pipeline_gitops.health.builtin import Condition, assess

__all__ = ["Condition", "assess"]
