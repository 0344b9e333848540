"""Why an object does not get well, from what Kubernetes says about it and what it owns.

Evidence comes in as values: the object, the pods and sets that controllers made for it, their
events. Out comes one sentence; the same trouble of twenty pods is one cause.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline_gitops.documents import Body, text
from pipeline_gitops.health.causes import admission, containers
from pipeline_gitops.health.causes.admission import SCALING_UP
from pipeline_gitops.health.causes.values import Cause, Happening, Wanted
from pipeline_gitops.health.facts import condition, number, replicas
from pipeline_gitops.manifests import group_of

__all__ = ["SCALING_UP", "Cause", "Happening", "Wanted", "find"]


def find(
    live: Body,
    owned: Sequence[Body],
    happenings: Sequence[Happening],
    wanted: Wanted | None = None,
) -> Cause | None:
    """The likeliest cause; None when there is no evidence of one.

    *owned*: what controllers made for *live*. *wanted*: objects of the same deploy, to tell what a
    misspelt reference meant. Final causes come before what may heal, frequent ones before rare.
    """
    found = list(_all(live, owned, happenings, wanted or {}))
    if not found:
        return None
    counted = Counter(cause.key for cause in found)
    worst = min(found, key=lambda cause: (not cause.final, -counted[cause.key]))
    restarts = max(cause.restarts for cause in found if cause.key == worst.key)
    return replace(worst, restarts=restarts, pods=counted[worst.key])


def _all(
    live: Body, owned: Sequence[Body], happenings: Sequence[Happening], wanted: Wanted
) -> Iterator[Cause]:
    everything = (live, *owned)
    for pod in everything:
        if text(pod, "kind") == "Pod" and not text(pod, "metadata", "deletionTimestamp"):
            about = _about(happenings, pod)
            yield from containers.causes(pod, about, wanted)
            yield from admission.unplaced(pod, about, wanted)
            if _is_pending(pod):
                yield from admission.unmounted(about, text(pod, "metadata", "namespace"), wanted)
            if text(pod, "status", "reason") == "Evicted":
                yield Cause(
                    rule="evicted",
                    sentence=f"the node evicted the pod: {text(pod, 'status', 'message')}",
                )
    yield from admission.unbalanced(live, _about(happenings, live))
    for maker in everything:
        namespace = text(maker, "metadata", "namespace")
        failure = condition(maker, "ReplicaFailure")
        if failure.status == "True" and group_of(text(maker, "apiVersion")) == "apps":
            yield admission.creating(failure.message, namespace, wanted)
        elif text(maker, "kind") != "Pod" and _lacks_pods(maker):
            about = [h for h in _about(happenings, maker) if h.reason == "FailedCreate"]
            yield from list(admission.refused(about, namespace, wanted))[:1]


def _lacks_pods(maker: Body) -> bool:
    """Whether its pods are still not all created: an event stays for an hour after it is over."""
    if text(maker, "kind") not in ("ReplicaSet", "ReplicationController", "StatefulSet"):
        return True
    return number(maker, "status", "replicas") < replicas(maker)


def _is_pending(pod: Body) -> bool:
    return text(pod, "status", "phase") in ("", "Pending")


def _about(happenings: Sequence[Happening], body: Body) -> list[Happening]:
    kind, name = text(body, "kind"), text(body, "metadata", "name")
    return [h for h in happenings if (h.kind, h.name) == (kind, name)]
