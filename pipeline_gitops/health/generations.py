"""Which of the pods that a workload owns are of its newest template.

While a workload is updated, pods of the old template are there as well. What ails them was so
before, and says nothing about what is being deployed.
"""

from collections.abc import Iterator, Sequence

from pipeline_gitops.documents import Body, bodies, text

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "controller-revision-hash"
_TEMPLATE = "pod-template-generation"
_DAEMON_TEMPLATE = "deprecated.daemonset.template.generation"


def newest(live: Body, owned: Sequence[Body]) -> tuple[Body, ...]:
    """What *owned* holds of the newest template of *live*; all of it where kinds have no such."""
    match text(live, "kind"):
        case "Deployment":
            return tuple(_of_deployment(live, owned))
        case "StatefulSet":
            revision = text(live, "status", "updateRevision")
            return _labelled(owned, _HASH, revision)
        case "DaemonSet":
            # The label is deprecated in words only: the controller sets it on every pod
            # (https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/daemon).
            template = text(live, "metadata", "annotations", _DAEMON_TEMPLATE)
            return _labelled(owned, _TEMPLATE, template)
        case _:
            return tuple(owned)


def _of_deployment(live: Body, owned: Sequence[Body]) -> Iterator[Body]:
    """The ReplicaSet with the Deployment's own revision number, and its pods.

    The controller writes the same number on both
    (https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#checking-rollout-history-of-a-deployment).
    """
    wanted = text(live, "metadata", "annotations", _REVISION)
    older = {
        text(body, "metadata", "uid")
        for body in owned
        if text(body, "kind") == "ReplicaSet"
        and text(body, "metadata", "annotations", _REVISION) != wanted
    }
    for body in owned:
        owners = {text(owner, "uid") for owner in bodies(body, "metadata", "ownerReferences")}
        if text(body, "metadata", "uid") not in older and not owners & older:
            yield body


def _labelled(owned: Sequence[Body], label: str, value: str) -> tuple[Body, ...]:
    """Pods with that label; all of them while the controller has not said what the newest is."""
    return tuple(
        body
        for body in owned
        if not value
        or text(body, "kind") != "Pod"
        or text(body, "metadata", "labels", label) == value
    )
