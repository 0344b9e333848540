"""When a pod is well, and what its containers are waiting for."""

from collections.abc import Iterator

from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.health.facts import Judged, condition
from pipeline_gitops.views import Health

# Waiting reasons that no retry of the kubelet changes: it is the pod's text that is wrong
# (https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go and
# pkg/kubelet/kuberuntime). CreateContainerConfigError is retried, and heals when the ConfigMap or
# Secret that it misses appears.
_FINAL = frozenset({"InvalidImageName", "ErrImageNeverPull"})


def pod(body: Body) -> Judged:
    """It is ready; one that is meant to end has succeeded.

    https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
    """
    phase = text(body, "status", "phase")
    if phase == "Succeeded":
        return Health.CURRENT, "it has succeeded"
    if phase == "Failed":
        said = text(body, "status", "message") or text(body, "status", "reason") or _ended(body)
        return Health.FAILED, said or "it has failed"
    for container, reason, message in _waiting(body):
        word = Health.FAILED if reason in _FINAL else Health.IN_PROGRESS
        if reason not in ("ContainerCreating", "PodInitializing"):
            return word, f"container {container}: {': '.join(filter(None, [reason, message]))}"
    scheduled = condition(body, "PodScheduled")
    if scheduled.status == "False":
        return Health.IN_PROGRESS, scheduled.said or "no node takes it yet"
    if phase != "Running":
        return Health.IN_PROGRESS, "it has not started yet"
    # One that the kubelet will not start again is a task, and done when it has ended.
    if text(body, "spec", "restartPolicy") in ("Never", "OnFailure"):
        return Health.IN_PROGRESS, "it runs"
    ready = condition(body, "Ready")
    if ready.status == "True":
        return Health.CURRENT, "it is ready"
    return Health.IN_PROGRESS, ready.message or "it runs and is not ready"


def _waiting(body: Body) -> Iterator[tuple[str, str, str]]:
    for key in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for status in bodies(body, "status", key):
            reason = text(status, "state", "waiting", "reason")
            if reason:
                message = text(status, "state", "waiting", "message")
                yield text(status, "name"), reason, message


def _ended(body: Body) -> str:
    """The first container that ended badly."""
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in bodies(body, "status", key):
            code = at(status, "state", "terminated", "exitCode")
            if isinstance(code, int) and code:
                return f"container {text(status, 'name')} ended with exit code {code}"
    return ""


def failing(body: Body) -> tuple[tuple[str, bool], ...]:
    """Containers whose log tells why the pod is not well, and whether they had a run before.

    Those that ended badly, restart, or run and are not ready; those that never started have none.
    """
    found = []
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in bodies(body, "status", key):
            ended = at(status, "state", "terminated", "exitCode")
            before = at(status, "lastState", "terminated") is not None
            unready = at(status, "state", "running") is not None and at(status, "ready") is False
            if ended or before or (unready and key == "containerStatuses"):
                found.append((text(status, "name"), before))
    return tuple(found)
