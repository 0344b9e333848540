"""When everything else that Kubernetes itself serves is well."""

from pipeline_gitops.documents import Body, at, items, mapping, text
from pipeline_gitops.health.facts import Judged, condition, conditions
from pipeline_gitops.manifests import group_of
from pipeline_gitops.views import Health


def namespace(body: Body) -> Judged:
    """It takes objects."""
    if text(body, "status", "phase") == "Active":
        return Health.CURRENT, "it is active"
    return Health.IN_PROGRESS, "it is not active yet"


def custom_resource_definition(body: Body) -> Judged:
    """Its names are accepted and its kind is served.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
    """
    names = condition(body, "NamesAccepted")
    if names.status == "False":
        return Health.FAILED, names.message or "its names are taken"
    if condition(body, "Established").status == "True":
        return Health.CURRENT, "it is established"
    return Health.IN_PROGRESS, "it is not established yet"


def api_service(body: Body) -> Judged:
    """The aggregator reaches the server behind it."""
    available = condition(body, "Available")
    if available.status == "True":
        return Health.CURRENT, "it is available"
    return Health.IN_PROGRESS, available.said or "it is not available yet"


def persistent_volume_claim(body: Body) -> Judged:
    """It is bound, or waits for a pod.

    With volumeBindingMode WaitForFirstConsumer nothing happens before a pod needs the claim, so an
    unbound one is no reason to wait. The volume controller asks a provisioner, and annotates the
    claim with its name, only when it wants a volume now
    (https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/volume/persistentvolume/pv_controller.go).
    A pod that cannot start without its volume says so itself.
    """
    phase = text(body, "status", "phase")
    if phase == "Lost":
        return Health.FAILED, "its volume is gone"
    if phase == "Bound":
        return Health.CURRENT, "it is bound"
    annotations = mapping(body, "metadata", "annotations")
    for prefix in ("volume.kubernetes.io", "volume.beta.kubernetes.io"):
        provisioner = annotations.get(f"{prefix}/storage-provisioner")
        if provisioner:
            return Health.IN_PROGRESS, f"{provisioner} has not made its volume yet"
    return Health.CURRENT, "it is not bound yet; a pod that uses it will say if it cannot be"


def persistent_volume(body: Body) -> Judged:
    """It can be used or is used."""
    phase = text(body, "status", "phase")
    if phase == "Failed":
        return Health.FAILED, text(body, "status", "message") or "it could not be reclaimed"
    return Health.CURRENT, f"it is {phase.lower()}" if phase else ""


def service(body: Body) -> Judged:
    """It is there; that a load balancer has no address yet is said.

    Many clusters have nothing that would ever give it one, so whoever waits does so for a while
    only (`lacks_address`); whether anything answers behind it is the health of the workloads.
    """
    if text(body, "spec", "type") != "LoadBalancer":
        return Health.CURRENT, ""
    return Health.CURRENT, _address(body)


def lacks_address(body: Body) -> bool:
    """Whether it is a Service for which a load balancer has yet to be made."""
    if text(body, "kind") != "Service" or text(body, "spec", "type") != "LoadBalancer":
        return False
    return text(body, "apiVersion") == "v1" and not _addresses(body)


def ingress(body: Body) -> Judged:
    """It is there; not every controller writes an address."""
    return Health.CURRENT, _address(body)


def _address(body: Body) -> str:
    found = _addresses(body)
    return f"its address is {found[0]}" if found else "it has no address yet"


def _addresses(body: Body) -> list[str]:
    entries = items(body, "status", "loadBalancer", "ingress")
    return [one for entry in entries if (one := text(entry, "ip") or text(entry, "hostname"))]


def horizontal_pod_autoscaler(body: Body) -> Judged:
    """It reaches its target. Metrics that cannot be read stop the scaling, not what is scaled.

    https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#appendix-horizontal-pod-autoscaler-status-conditions
    """
    able = condition(body, "AbleToScale")
    if able.status == "False" and able.reason in ("FailedGetScale", "FailedUpdateScale"):
        return Health.IN_PROGRESS, able.said
    active = condition(body, "ScalingActive")
    if active.status == "False" and active.reason in ("InvalidSelector", "InvalidMetricSourceType"):
        return Health.FAILED, active.said
    if active.status == "False" and active.reason.startswith("FailedGet"):
        return Health.CURRENT, f"it does not scale for now: {active.said}"
    return Health.CURRENT, ""


def pod_disruption_budget(body: Body) -> Judged:
    """Its selector works; how many disruptions it allows now is said."""
    allowed = condition(body, "DisruptionAllowed")
    if allowed.reason == "SyncFailed":
        return Health.FAILED, allowed.said
    disruptions = at(body, "status", "disruptionsAllowed")
    if isinstance(disruptions, int):
        return Health.CURRENT, f"{disruptions} disruptions are allowed now"
    return Health.CURRENT, ""


def resource_quota(body: Body) -> Judged:
    """The quota controller counts with the limits that are written now."""
    wanted, counted = mapping(body, "spec", "hard"), mapping(body, "status", "hard")
    if dict(wanted) != dict(counted):
        return Health.IN_PROGRESS, "its limits are not counted yet"
    return Health.CURRENT, ""


def admission_policy(body: Body) -> Judged:
    """It is type-checked; warnings are said, as they make the policy fail when it is asked.

    https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/#type-checking
    """
    warnings = items(body, "status", "typeChecking", "expressionWarnings")
    if warnings:
        return Health.CURRENT, f"{len(warnings)} of its expressions have type warnings"
    return Health.CURRENT, ""


def generic(body: Body) -> Judged:
    """Any object, by the conventions for conditions.

    https://github.com/kubernetes/community/blob/main/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
    """
    known = conditions(body)
    for name, word in (("Stalled", Health.FAILED), ("Reconciling", Health.IN_PROGRESS)):
        found = known.get(name)
        if found and found.status == "True":
            return word, found.said
    ready = known.get("Ready")
    if ready and ready.status != "True":
        return Health.IN_PROGRESS, ready.said or "it is not ready"
    return Health.CURRENT, "" if ready else _untold(body)


def _untold(body: Body) -> str:
    """That it is there is all that is known, where somebody's controller might know more."""
    group = group_of(text(body, "apiVersion"))
    if "." not in group or group.endswith(".k8s.io"):
        return ""  # a kind of Kubernetes itself, which has no status: that it is there is all
    if not mapping(body, "status"):
        return "it is there; it has no status, so nothing tells whether it works"
    return "it is there; no rule reads its status, so nothing tells whether it works"
