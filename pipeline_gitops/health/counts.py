"""How many pods a workload has ready, of how many that it wants: the numbers beside the word."""

from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.health.facts import number, replicas
from pipeline_gitops.manifests import group_of


def ready(body: Body) -> str:
    """ "2/3" for what runs pods or ends after so many; "" for everything else."""
    match group_of(text(body, "apiVersion")), text(body, "kind"):
        case ("apps", "Deployment"):
            # Pods of an older template that still serve are no part of what was asked for.
            updated = number(body, "status", "updatedReplicas")
            return f"{min(updated, number(body, 'status', 'availableReplicas'))}/{replicas(body)}"
        case ("apps", "StatefulSet"):
            return f"{number(body, 'status', 'readyReplicas')}/{replicas(body)}"
        case ("apps", "ReplicaSet") | ("", "ReplicationController"):
            return f"{number(body, 'status', 'availableReplicas')}/{replicas(body)}"
        case ("apps", "DaemonSet"):
            wanted = number(body, "status", "desiredNumberScheduled")
            return f"{number(body, 'status', 'numberAvailable')}/{wanted}"
        case ("batch", "Job"):
            done = number(body, "status", "succeeded")
            return f"{done}/{number(body, 'spec', 'completions') or 1}"
        case ("", "Pod"):
            listed = [*bodies(body, "status", "containerStatuses")]
            running = sum(at(status, "ready") is True for status in listed)
            return f"{running}/{len([*bodies(body, 'spec', 'containers')])}"
    return ""
