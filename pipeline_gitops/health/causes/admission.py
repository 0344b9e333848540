"""Why a pod cannot be created or placed: quota, admission, accounts, nodes, volumes.

Texts of ReplicaSet and Job events ("FailedCreate"), of the scheduler and of the volume manager.
"""

from collections.abc import Iterator, Sequence

from pipeline_gitops.documents import Body, bodies, text
from pipeline_gitops.health.causes.references import missing
from pipeline_gitops.health.causes.values import Cause, Happening, Wanted
from pipeline_gitops.health.facts import condition
from pipeline_gitops.health.resources import lacks_address
from pipeline_gitops.patterns import pattern

_QUOTA = pattern(
    r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<asked>.+?), used: (?P<used>.+?),"
    r" limited: (?P<limit>.+?)$"
)
_UNSET = pattern(r"failed quota: (?P<quota>[^:\s]+): must specify (?P<fields>.+?)$")
_DENIED = pattern(r'admission webhook "(?P<name>[^"]+)" denied the request(?::? (?P<why>.*))?')
_CALLING = pattern(r'failed calling webhook "(?P<name>[^"]+)"')
_SECURITY = pattern(r'violates PodSecurity "(?P<level>[^"]+)": (?P<why>.*)')
_RANGE = pattern(
    r"(?P<what>maximum|minimum) (?P<resource>\S+) usage per (?P<per>\w+) is (?P<limit>\S+)"
)
_SHORT = pattern(r"(?P<nodes>\d+) Insufficient (?P<resource>[\w./-]*\w)")
_TAINT = pattern(r"untolerated taint(?:\(s\)|s)? ?\{?(?P<taint>[^},]*)")
_NOT_CREATED = "pods cannot be created: "
# The cluster autoscaler's and Karpenter's events about pods that wait for a node of theirs.
SCALING_UP = frozenset({"TriggeredScaleUp", "Nominated"})


def refused(happenings: Sequence[Happening], namespace: str, wanted: Wanted) -> Iterator[Cause]:
    """Why pods were not even created."""
    for happening in reversed(happenings):
        if happening.reason in ("FailedCreate", "ReplicaFailure"):
            yield creating(happening.message, namespace, wanted)


def creating(message: str, namespace: str, wanted: Wanted) -> Cause:
    """One FailedCreate message as a cause."""
    for recognise in (_quota, _webhook, _rules):
        found = recognise(message)
        if found:
            return found
    reference = missing(message, namespace, wanted)
    if reference:
        return _final(reference.rule, reference.sentence, reference.cure)
    # "Error creating: pods "x-" is forbidden: why"
    said = message.removeprefix("Error creating: ")
    final = "is forbidden" in said or "is invalid" in said
    return Cause(rule="pods-not-created", sentence=f"{_NOT_CREATED}{said}", final=final)


def _quota(message: str) -> Cause | None:
    quota = _QUOTA.search(message)
    if quota:
        return _final(
            "quota",
            f"quota {quota['quota']} allows {quota['limit']}, {quota['used']} is used, "
            f"this needs {quota['asked']}",
            "raise the quota, or ask for less",
        )
    unset = _UNSET.search(message)
    if unset:
        return _final(
            "quota",
            f"quota {unset['quota']} wants {unset['fields']} to be set",
            "set them in resources of every container",
        )
    return None


def _webhook(message: str) -> Cause | None:
    calling = _CALLING.search(message)
    if calling:
        return Cause(
            rule="webhook-down",
            sentence=f"{_NOT_CREATED}admission webhook {calling['name']} does not answer",
            cure="see whether the workload behind that webhook runs",
        )
    denied = _DENIED.search(message)
    if denied:
        why = denied["why"] or "without a reason"
        return _final(
            "webhook-denied",
            f"admission webhook {denied['name']} denies it: {why}",
            "change what it objects to",
        )
    return None


def _rules(message: str) -> Cause | None:
    security = _SECURITY.search(message)
    if security:
        return _final(
            "pod-security",
            f"they violate Pod Security level {security['level']}: {security['why']}",
            "set what it names in securityContext",
        )
    limits = _RANGE.search(message)
    if limits:
        return _final(
            "limit-range",
            f"{limits['what']} {limits['resource']} per {limits['per']} is {limits['limit']}",
            "change resources of the containers",
        )
    return None


def unplaced(pod: Body, happenings: Sequence[Happening], wanted: Wanted) -> Iterator[Cause]:
    """Why a pod has no node."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled.status != "False" or scheduled.reason == "SchedulingGated":
        return
    reference = missing(scheduled.message, text(pod, "metadata", "namespace"), wanted)
    if reference:
        yield reference
        return
    if "unbound immediate PersistentVolumeClaims" in scheduled.message:
        yield Cause(
            rule="volume-unbound",
            sentence="no node can take the pod: a PersistentVolumeClaim of it is not bound",
            cure="see the claim's events, its StorageClass and its provisioner",
        )
        return
    scaling = any(happening.reason in SCALING_UP for happening in happenings)
    short = [found["resource"] for found in _SHORT.finditer(scheduled.message)]
    asked = "; ".join(filter(None, (_requests(pod, resource) for resource in short)))
    taint = _TAINT.search(scheduled.message)
    sentence = f"no node can take the pod: {scheduled.message or 'it is unschedulable'}"
    if asked:
        sentence += f" (it asks for {asked})"
    if scaling:
        sentence += "; the cluster is adding a node"
    yield Cause(
        rule="scaling-up" if scaling else "unschedulable",
        sentence=sentence,
        cure="ask for less, or add nodes"
        if short
        else "tolerate the taint, or add nodes"
        if taint
        else "see nodeSelector and affinity of the pod",
    )


def _requests(pod: Body, resource: str) -> str:
    asked = [
        text(container, "resources", "requests", resource)
        for container in bodies(pod, "spec", "containers")
    ]
    return " + ".join(filter(None, asked)) + f" {resource}" if any(asked) else ""


def unmounted(happenings: Sequence[Happening], namespace: str, wanted: Wanted) -> Iterator[Cause]:
    """Why a pod that has a node does not start: volumes, its sandbox."""
    for happening in reversed(happenings):
        if happening.reason in ("FailedMount", "FailedAttachVolume"):
            reference = missing(happening.message, namespace, wanted)
            yield reference or Cause(
                rule="volume",
                sentence=f"a volume cannot be mounted: {happening.message}",
                cure="see the volume, its claim and the node",
            )
        elif happening.reason == "FailedCreatePodSandBox":
            yield Cause(
                rule="sandbox",
                sentence=f"the pod's network cannot be set up: {happening.message}",
                cure="see the network plugin on the node",
            )


def unbalanced(live: Body, happenings: Sequence[Happening]) -> Iterator[Cause]:
    """Why a Service has no load balancer, in the words of the cloud's controller.

    It tries again for as long as it fails
    (https://github.com/kubernetes/cloud-provider/blob/master/controllers/service/controller.go).
    """
    if not lacks_address(live):
        return
    for happening in reversed(happenings):
        if happening.reason in ("SyncLoadBalancerFailed", "CreatingLoadBalancerFailed"):
            yield Cause(
                rule="load-balancer",
                sentence=f"its load balancer cannot be made: {happening.message}",
                cure="see what the cloud's controller objects to",
            )
            return


def _final(rule: str, why: str, cure: str) -> Cause:
    return Cause(rule=rule, sentence=f"{_NOT_CREATED}{why}", final=True, cure=cure)
