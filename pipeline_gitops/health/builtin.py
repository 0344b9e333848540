"""Health of built-in kinds, and of any object that follows the condition conventions.

The words are kstatus'. Each rule names the controller behaviour that it rests on; the generic part
follows the API conventions
(https://github.com/kubernetes/community/blob/main/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline_gitops.documents import Body, at, items, mapping, text
from pipeline_gitops.manifests import group_of
from pipeline_gitops.views import Health

Judged = tuple[Health, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of status.conditions. *status* is "True", "False" or "Unknown"."""

    status: str
    reason: str
    message: str


def assess(body: Body | None) -> Judged:
    """The word and a sentence for a live object; None is one that was not found."""
    if body is None:
        return Health.NOT_FOUND, "it is not there"
    if text(body, "metadata", "deletionTimestamp"):
        return Health.TERMINATING, "it is being deleted"
    generation, observed = (
        _number(body, "metadata", "generation"),
        at(body, "status", "observedGeneration"),
    )
    if isinstance(observed, int) and observed < generation:
        return Health.IN_PROGRESS, "its controller has not seen this version yet"
    rule = _RULES.get((group_of(text(body, "apiVersion")), text(body, "kind")))
    return rule(body) if rule else _generic(body)


def _generic(body: Body) -> Judged:
    conditions = _conditions(body)
    for name, word in (("Stalled", Health.FAILED), ("Reconciling", Health.IN_PROGRESS)):
        condition = conditions.get(name)
        if condition and condition.status == "True":
            return word, condition.message or condition.reason
    ready = conditions.get("Ready")
    if ready and ready.status != "True":
        return Health.IN_PROGRESS, ready.message or ready.reason or "it is not ready"
    return Health.CURRENT, ""


def _deployment(body: Body) -> Judged:
    wanted = _replicas(body)
    conditions = _conditions(body)
    progressing = conditions.get("Progressing")
    # Set by the deployment controller once spec.progressDeadlineSeconds passed without a new ready
    # pod.
    if progressing and progressing.reason == "ProgressDeadlineExceeded":
        return Health.FAILED, "it made no progress within its deadline"
    if "observedGeneration" not in mapping(body, "status"):
        return Health.IN_PROGRESS, "its controller has not seen it yet"
    updated = _number(body, "status", "updatedReplicas")
    total = _number(body, "status", "replicas")
    available = _number(body, "status", "availableReplicas")
    if updated < wanted:
        return Health.IN_PROGRESS, f"{updated} of {wanted} pods are of the new version"
    if total > updated:
        return Health.IN_PROGRESS, f"{total - updated} old pods are still there"
    if available < wanted:
        return Health.IN_PROGRESS, f"{available} of {wanted} pods are available"
    return Health.CURRENT, f"{available} of {wanted} pods are available"


def _stateful_set(body: Body) -> Judged:
    wanted = _replicas(body)
    if "observedGeneration" not in mapping(body, "status"):
        return Health.IN_PROGRESS, "its controller has not seen it yet"
    ready = _number(body, "status", "readyReplicas")
    if ready < wanted:
        return Health.IN_PROGRESS, f"{ready} of {wanted} pods are ready"
    # With OnDelete nothing is updated until a person deletes the pods: waiting would never end.
    if text(body, "spec", "updateStrategy", "type") == "OnDelete":
        return Health.CURRENT, f"{ready} of {wanted} pods are ready; updated when they are deleted"
    partition = _number(body, "spec", "updateStrategy", "rollingUpdate", "partition")
    expected = max(wanted - partition, 0)
    updated = _number(body, "status", "updatedReplicas")
    same = text(body, "status", "currentRevision") == text(body, "status", "updateRevision")
    # The controller drops updatedReplicas to currentReplicas once both revisions are one.
    if not same and updated < expected:
        return Health.IN_PROGRESS, f"{updated} of {expected} pods are of the new version"
    return Health.CURRENT, f"{ready} of {wanted} pods are ready"


def _daemon_set(body: Body) -> Judged:
    if "observedGeneration" not in mapping(body, "status"):
        return Health.IN_PROGRESS, "its controller has not seen it yet"
    wanted = _number(body, "status", "desiredNumberScheduled")
    updated = _number(body, "status", "updatedNumberScheduled")
    available = _number(body, "status", "numberAvailable")
    if text(body, "spec", "updateStrategy", "type") != "OnDelete" and updated < wanted:
        return Health.IN_PROGRESS, f"{updated} of {wanted} nodes have the new version"
    if available < wanted:
        return Health.IN_PROGRESS, f"{available} of {wanted} nodes have an available pod"
    return Health.CURRENT, f"{available} of {wanted} nodes have an available pod"


def _job(body: Body) -> Judged:
    conditions = _conditions(body)
    failed = conditions.get("Failed")
    if failed and failed.status == "True":
        return Health.FAILED, failed.message or failed.reason or "the job failed"
    complete = conditions.get("Complete")
    if complete and complete.status == "True":
        return Health.CURRENT, "the job is complete"
    if at(body, "spec", "suspend") is True:
        return Health.CURRENT, "the job is suspended"
    active = _number(body, "status", "active")
    return (
        Health.IN_PROGRESS,
        f"the job runs {active} pods" if active else "the job has not started",
    )


def _custom_resource_definition(body: Body) -> Judged:
    conditions = _conditions(body)
    names = conditions.get("NamesAccepted")
    if names and names.status == "False":
        return Health.FAILED, names.message or "its names are taken"
    established = conditions.get("Established")
    if established and established.status == "True":
        return Health.CURRENT, "it is established"
    return Health.IN_PROGRESS, "it is not established yet"


def _namespace(body: Body) -> Judged:
    if text(body, "status", "phase") == "Active":
        return Health.CURRENT, "it is active"
    return Health.IN_PROGRESS, "it is not active yet"


_RULES: Mapping[tuple[str, str], Callable[[Body], Judged]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("batch", "Job"): _job,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _custom_resource_definition,
    ("", "Namespace"): _namespace,
}


def _replicas(body: Body) -> int:
    written = at(body, "spec", "replicas")
    return written if isinstance(written, int) else 1  # the API server's default


def _number(body: Body, *path: str) -> int:
    value = at(body, *path)
    return value if isinstance(value, int) else 0


def _conditions(body: Body) -> Mapping[str, Condition]:
    return {
        text(item, "type"): Condition(
            text(item, "status"), text(item, "reason"), text(item, "message")
        )
        for item in items(body, "status", "conditions")
        if isinstance(item, Mapping)
    }
