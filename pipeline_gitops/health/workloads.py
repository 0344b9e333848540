"""When what runs pods is well: each rule rests on what the kind's controller in
kube-controller-manager writes into the status, and when."""

from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.health.facts import (
    Judged,
    condition,
    is_unobserved,
    number,
    replicas,
)
from pipeline_gitops.views import Health

# Set with the first ReplicaSet, which a paused Deployment does not get; one that it has it scales.
_REVISION = "deployment.kubernetes.io/revision"
_UNSEEN: Judged = (Health.IN_PROGRESS, "its controller has not seen it yet")


def deployment(body: Body) -> Judged:
    """Every pod is of the newest template and available, and no older one is left.

    https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
    """
    if is_unobserved(body):
        return _UNSEEN
    wanted = replicas(body)
    updated = number(body, "status", "updatedReplicas")
    total = number(body, "status", "replicas")
    available = number(body, "status", "availableReplicas")
    paused = at(body, "spec", "paused") is True
    if updated >= wanted and total <= updated and available >= wanted:
        return Health.CURRENT, f"{available} of {wanted} pods are available"
    # The controller neither starts nor goes on with a rollout of a paused Deployment, and does not
    # count its deadline: what is there is all that there will be.
    if paused and available >= wanted:
        return Health.CURRENT, f"it is paused; {available} of {wanted} pods are available"
    progressing = condition(body, "Progressing")
    # Set when spec.progressDeadlineSeconds passed without a new ready pod. A newer template makes
    # the controller raise observedGeneration and take the condition back in the same status update.
    if progressing.reason == "ProgressDeadlineExceeded" and progressing.status == "False":
        return Health.FAILED, "it made no progress within its deadline" + _creating(body)
    if paused and not text(body, "metadata", "annotations", _REVISION):
        return Health.FAILED, "it is paused since it was made: no pod is made before it is resumed"
    if paused:
        return Health.IN_PROGRESS, f"it is paused; {available} of {wanted} pods are available"
    if updated < wanted:
        said = f"{updated} of {wanted} pods are of the new version"
    elif total > updated:
        # With Recreate they have to end before a new one starts; else they end one by one.
        said = f"{total - updated} of {total} pods are of the old version"
    else:
        said = f"{available} of {wanted} pods are available"
    return Health.IN_PROGRESS, said + _creating(body)


def _creating(body: Body) -> str:
    """Why pods cannot even be created: quota, admission, a missing account."""
    failure = condition(body, "ReplicaFailure")
    return f"; {failure.said}" if failure.status == "True" and failure.said else ""


def replica_set(body: Body) -> Judged:
    """All pods are there and available; also of a ReplicationController.

    https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
    """
    if is_unobserved(body):
        return _UNSEEN
    wanted = replicas(body)
    total = number(body, "status", "replicas")
    available = number(body, "status", "availableReplicas")
    if total > wanted:
        return Health.IN_PROGRESS, f"{total} pods are there, of {wanted} that are wanted"
    if available < wanted:
        said = f"{available} of {wanted} pods are available"
        return Health.IN_PROGRESS, said + _creating(body)
    return Health.CURRENT, f"{available} of {wanted} pods are available"


def stateful_set(body: Body) -> Judged:
    """Pods are ready, and those above the partition are of the newest revision.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies
    """
    if is_unobserved(body):
        return _UNSEEN
    wanted = replicas(body)
    # The field is always written by servers that know it (1.22); before, ready is all there is.
    known = "availableReplicas" if at(body, "status", "availableReplicas") else "readyReplicas"
    ready = number(body, "status", known)
    total = number(body, "status", "replicas")
    if ready < wanted:
        return Health.IN_PROGRESS, f"{ready} of {wanted} pods are ready"
    if total > wanted:
        return Health.IN_PROGRESS, f"{total} pods are there, of {wanted} that are wanted"
    # With OnDelete nothing is updated until a person deletes the pods: waiting would never end.
    if text(body, "spec", "updateStrategy", "type") == "OnDelete":
        return Health.CURRENT, f"{ready} of {wanted} pods are ready; updated when they are deleted"
    partition = number(body, "spec", "updateStrategy", "rollingUpdate", "partition")
    expected = max(wanted - partition, 0)
    updated = number(body, "status", "updatedReplicas")
    same = text(body, "status", "currentRevision") == text(body, "status", "updateRevision")
    # The controller drops updatedReplicas to currentReplicas once both revisions are one.
    if not same and updated < expected:
        return Health.IN_PROGRESS, f"{updated} of {expected} pods are of the new version"
    kept = f"; {partition} kept as they are by the partition" if partition and not same else ""
    return Health.CURRENT, f"{ready} of {wanted} pods are ready{kept}"


def daemon_set(body: Body) -> Judged:
    """Every node that should have a pod has an available one of the newest template.

    https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/
    """
    if is_unobserved(body):
        return _UNSEEN
    wanted = number(body, "status", "desiredNumberScheduled")
    updated = number(body, "status", "updatedNumberScheduled")
    available = number(body, "status", "numberAvailable")
    on_delete = text(body, "spec", "updateStrategy", "type") == "OnDelete"
    if not on_delete and updated < wanted:
        return Health.IN_PROGRESS, f"{updated} of {wanted} nodes have the new version"
    if available < wanted:
        return Health.IN_PROGRESS, f"{available} of {wanted} nodes have an available pod"
    later = "; updated when they are deleted" if on_delete and updated < wanted else ""
    return Health.CURRENT, f"{available} of {wanted} nodes have an available pod{later}"


def job(body: Body) -> Judged:
    """It has run to its end, by completions or by its success policy.

    FailureTarget and SuccessCriteriaMet come before the terminal condition, while pods are still
    being ended; neither is ever taken back
    (https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions).
    """
    for name in ("Failed", "FailureTarget"):
        failed = condition(body, name)
        if failed.status == "True":
            return Health.FAILED, failed.said or "the job failed"
    if condition(body, "Complete").status == "True":
        return Health.CURRENT, "the job is complete"
    if condition(body, "SuccessCriteriaMet").status == "True":
        return Health.IN_PROGRESS, "the job has succeeded and ends its last pods"
    if at(body, "spec", "suspend") is True:
        return Health.CURRENT, "the job is suspended"
    active = number(body, "status", "active")
    if not active and not at(body, "status", "startTime"):
        return Health.IN_PROGRESS, "the job has not started"
    failures = number(body, "status", "failed")
    tried = f", {failures} failed" if failures else ""
    done = number(body, "status", "succeeded")
    wanted = number(body, "spec", "completions") or 1
    return Health.IN_PROGRESS, f"{done} of {wanted} completions, {active} pods run{tried}"


def cron_job(body: Body) -> Judged:
    """It is there: whether its jobs succeed shows at their time, not at the deploy's."""
    if at(body, "spec", "suspend") is True:
        return Health.CURRENT, "it is suspended"
    return Health.CURRENT, ""
