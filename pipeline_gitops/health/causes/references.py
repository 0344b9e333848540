"""What a pod names and does not find: ConfigMaps, Secrets, their keys, accounts, claims.

The texts are the kubelet's and the admission plugins'
(https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/kubelet_pods.go).
"""

import re

from pipeline_gitops.documents import mapping
from pipeline_gitops.health.causes.values import Cause, Wanted, meant
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.patterns import pattern

_KINDS = {
    "configmap": "ConfigMap",
    "secret": "Secret",
    "serviceaccount": "ServiceAccount",
    "persistentvolumeclaim": "PersistentVolumeClaim",
}
_KEY = pattern(
    r"(?:couldn't find key|references non-existent (?:config|secret) key:) ?(?P<key>\S+)"
    r"(?: in (?P<kind>ConfigMap|Secret) (?P<namespace>[^/\s]+)/(?P<name>\S+))?"
)
_OBJECT = pattern(
    r"(?P<kind>configmap|secret|serviceaccount|persistentvolumeclaim)s? "
    r'"(?P<name>[^"]+)" not found',
    re.IGNORECASE,
)
_PRIORITY = pattern(r"no PriorityClass with name (?P<name>\S+) was found")


def missing(message: str, namespace: str, wanted: Wanted) -> Cause | None:
    """The reference that *message* complains about; None when it is about something else."""
    key = _KEY.search(message)
    if key:
        return _key(key, namespace, wanted)
    absent = _OBJECT.search(message)
    if absent:
        kind, name = _KINDS[absent["kind"].lower()], absent["name"]
        known = (id.name for id in wanted if (id.kind, id.namespace) == (kind, namespace))
        return Cause(
            rule="missing-reference",
            sentence=f"{kind} {name} is not there{meant(name, known)}",
            cure=f"add {kind} {name} to the set, or correct the name",
        )
    priority = _PRIORITY.search(message)
    if priority:
        return Cause(
            rule="missing-reference",
            sentence=f"PriorityClass {priority['name']} is not there",
            final=True,
            cure="create it, or correct spec.priorityClassName",
        )
    return None


def _key(found: re.Match[str], namespace: str, wanted: Wanted) -> Cause:
    key, kind, name = found["key"], found["kind"] or "", found["name"] or ""
    place = ObjectId("", kind, found["namespace"] or namespace, name)
    body = wanted.get(place, {})
    known = {key for field in ("data", "stringData", "binaryData") for key in mapping(body, field)}
    where = f"{kind} {name}" if name else "the volume's source"
    return Cause(
        rule="missing-key",
        sentence=f"{where} has no key {key}{meant(key, known)}",
        # The kubelet goes on trying, and a key does not come by itself.
        final=True,
        cure=f"add the key to {where}, or correct its name in the pod",
    )
