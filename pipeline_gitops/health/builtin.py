"""Health of the kinds that Kubernetes itself serves, and of any object that follows its
conventions. The words are kstatus'."""

from collections.abc import Callable, Mapping

from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.health import pods, resources, workloads
from pipeline_gitops.health.facts import Judged, leaving, number
from pipeline_gitops.manifests import group_of
from pipeline_gitops.views import Health

_RULES: Mapping[tuple[str, str], Callable[[Body], Judged]] = {
    ("", "Namespace"): resources.namespace,
    ("", "PersistentVolume"): resources.persistent_volume,
    ("", "PersistentVolumeClaim"): resources.persistent_volume_claim,
    ("", "Pod"): pods.pod,
    ("", "ReplicationController"): workloads.replica_set,
    ("", "ResourceQuota"): resources.resource_quota,
    ("", "Service"): resources.service,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): resources.admission_policy,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): resources.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): resources.api_service,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("autoscaling", "HorizontalPodAutoscaler"): resources.horizontal_pod_autoscaler,
    ("batch", "CronJob"): workloads.cron_job,
    ("batch", "Job"): workloads.job,
    ("networking.k8s.io", "Ingress"): resources.ingress,
    ("policy", "PodDisruptionBudget"): resources.pod_disruption_budget,
}


def assess(body: Body | None) -> Judged:
    """The word and a sentence for a live object; None is one that was not found."""
    if body is None:
        return Health.NOT_FOUND, "it is not there"
    if text(body, "metadata", "deletionTimestamp"):
        return leaving(body)
    observed = at(body, "status", "observedGeneration")
    if isinstance(observed, int) and observed < number(body, "metadata", "generation"):
        return Health.IN_PROGRESS, "its controller has not seen this version yet"
    rule = _RULES.get((group_of(text(body, "apiVersion")), text(body, "kind")))
    return rule(body) if rule else resources.generic(body)
