"""How health rules read a live object: numbers and conditions, whatever is missing."""

from collections.abc import Mapping

from pipeline_gitops.documents import Body, at, bodies, items, text
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Health

Judged = tuple[Health, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of status.conditions. *status* is "True", "False" or "Unknown"."""

    status: str
    reason: str
    message: str

    @property
    def said(self) -> str:
        """What it says in words, as far as it says anything."""
        return self.message or self.reason


_FOREGROUND = "foregroundDeletion"
NO_CONDITION = Condition("", "", "")


def conditions(body: Body) -> Mapping[str, Condition]:
    """The conditions by type; of two of a type, the later one, as clients read them."""
    return {
        text(item, "type"): Condition(
            text(item, "status"), text(item, "reason"), text(item, "message")
        )
        for item in bodies(body, "status", "conditions")
    }


def condition(body: Body, name: str) -> Condition:
    """One condition; an empty one where there is none of that type."""
    return conditions(body).get(name, NO_CONDITION)


def leaving(body: Body) -> Judged:
    """The word of an object that is being deleted, with what holds it.

    A namespace says so in conditions; of anything else its finalizers tell who still has to agree
    (https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/).
    """
    remaining = [
        one.message
        for name, one in sorted(conditions(body).items())
        if name.startswith("Namespace") and one.status == "True" and one.message
    ]
    holders = [str(item) for item in items(body, "metadata", "finalizers")]
    if remaining:
        return Health.TERMINATING, f"it is being deleted; {'; '.join(remaining)}"
    if holders == [_FOREGROUND]:
        return Health.TERMINATING, "it is being deleted, after what it owns"
    if holders:
        return Health.TERMINATING, f"it is being deleted; finalizer {', '.join(holders)} holds it"
    return Health.TERMINATING, "it is being deleted"


def number(body: Body, *path: str) -> int:
    """The whole number at *path*; 0 when it is missing or something else."""
    value = at(body, *path)
    return value if isinstance(value, int) else 0


def replicas(body: Body) -> int:
    """spec.replicas with the API server's default of one."""
    written = at(body, "spec", "replicas")
    return written if isinstance(written, int) else 1


def is_unobserved(body: Body) -> bool:
    """Whether the controller of a built-in workload has never looked at it."""
    return at(body, "status", "observedGeneration") is None
