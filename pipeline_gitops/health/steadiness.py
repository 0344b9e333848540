"""What a first good word is worth: which objects have to stay well for a while before it counts.

Between an apply and the controller's answer, some objects still say what was true before; pods that
are ready for a moment crash the next one.
"""

from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.health.custom import Rules
from pipeline_gitops.health.facts import number
from pipeline_gitops.manifests import group_of

# Built-in kinds whose pods are meant to go on running.
_RUNNING = frozenset(
    {
        ("", "Pod"),
        ("", "ReplicationController"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
    }
)


def is_custom(body: Body, rules: Rules) -> bool:
    """Whether somebody's controller, of which nobody knows much, looks after it."""
    group, kind = group_of(text(body, "apiVersion")), text(body, "kind")
    by_convention = "." in group and not group.endswith(".k8s.io")
    return by_convention or rules.rule_for(group, kind) is not None


def tells_generation(body: Body) -> bool:
    """Whether its controller says which version its status is about."""
    return at(body, "status", "observedGeneration") is not None


def window(body: Body, seconds: float, rules: Rules) -> float:
    """How long a changed object has to stay well, where pods have to for *seconds*."""
    if (group_of(text(body, "apiVersion")), text(body, "kind")) in _RUNNING:
        if text(body, "status", "phase") == "Succeeded":
            return 0.0
        # A pod counts as available once it was ready for that long.
        return max(seconds - number(body, "spec", "minReadySeconds"), 0.0)
    if is_custom(body, rules) and not tells_generation(body):
        return seconds
    return 0.0
