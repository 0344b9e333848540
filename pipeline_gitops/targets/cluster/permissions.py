"""What an account must be allowed in a cluster, as Roles (https://kubernetes.io/docs/reference/access-authn-authz/rbac/).

A dry run is checked as the real request is, so whoever plans needs the verbs of whoever writes;
docs/policies/plan-identity.yaml takes the writing away again. Server-side apply asks for `patch`,
and for `create` where the object is not there yet. Discovery is allowed to every account.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from pipeline_gitops.documents import Body, Json
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.targets.cluster.fields import owners
from pipeline_gitops.targets.cluster.live.watches import STILL
from pipeline_gitops.targets.cluster.survey.settings import DEFINITION
from pipeline_gitops.values import dataclass


class Command(StrEnum):
    """Commands that ask a cluster."""

    DIFF = "diff"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    STATUS = "status"
    WATCH = "watch"
    DESTROY = "destroy"


_WRITING = ("create", "get", "list", "patch")
_OBJECTS: Mapping[Command, tuple[str, ...]] = {
    Command.DIFF: _WRITING,
    # Without `watch` health is told by lists, a second apart.
    Command.DEPLOY: (*_WRITING, "watch"),
    Command.ROLLBACK: (*_WRITING, "watch"),
    Command.STATUS: ("list",),
    Command.WATCH: ("list", "watch"),
    # What a deploy that was cut short may still write is fenced off before it is deleted.
    Command.DESTROY: ("delete", "get", "list", "patch"),
}
_INVENTORY: Mapping[Command, tuple[str, ...]] = {
    Command.DIFF: ("get",),
    Command.DEPLOY: ("create", "get", "patch"),
    Command.ROLLBACK: ("create", "get", "patch"),
    Command.STATUS: ("get",),
    Command.WATCH: ("get",),
    Command.DESTROY: ("delete", "get", "patch"),
}
_WATCHING = frozenset({Command.DEPLOY, Command.ROLLBACK, Command.STATUS, Command.WATCH})
_LOOKING = frozenset({Command.STATUS, Command.WATCH})
_APPLYING = frozenset({Command.DIFF, Command.DEPLOY, Command.ROLLBACK})

# What explains a workload that does not get well. Without these a red answer has no reasons.
_EVIDENCE = (
    ("", "events", ("list",)),
    ("", "pods", ("list",)),
    ("", "pods/log", ("get",)),
    ("apps", "replicasets", ("list",)),
    ("batch", "jobs", ("list",)),
)
# What tells before the first write that pods could not be made. Without these it shows later.
_FORESIGHT = (("", "resourcequotas"), ("", "serviceaccounts"))
_SCALED = frozenset({("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "ReplicaSet")})
_RUNNING = _SCALED | {("apps", "DaemonSet"), ("batch", "Job"), ("batch", "CronJob"), ("", "Pod")}

_Grant = tuple[str, str]  # API group and resource
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a command is about. *kinds*: of all *ids*, with their plurals."""

    command: Command
    ids: frozenset[ObjectId]
    kinds: Kinds
    inventory: ObjectId
    prune: bool = True


def unknown(need: Need) -> tuple[str, ...]:
    """Kinds whose resource nobody told us: no rule can be written for them."""
    missing = {id.group_kind for id in need.ids if need.kinds.get(*id.group_kind) is None}
    return tuple(f"{kind}.{group}" if group else kind for group, kind in sorted(missing))


def roles(need: Need, name: str) -> tuple[Body, ...]:
    """A Role for each namespace, and a ClusterRole for kinds without namespaces, if any."""
    made = []
    places = {"": _cluster_rules(need)} | {
        namespace: _rules(need, namespace) for namespace in sorted(_namespaces(need))
    }
    for namespace, rules in places.items():
        if rules:
            made.append(_role(name, namespace, rules))
    return tuple(made)


def cluster_role(need: Need, name: str) -> Body:
    """One ClusterRole with all rules, to be bound per namespace or once for the cluster."""
    rules: list[Body] = []
    for one in roles(need, name):
        given = one["rules"]
        rules += [rule for rule in given if rule not in rules] if isinstance(given, list) else []
    return _role(name, "", rules)


def _role(name: str, namespace: str, rules: list[Body]) -> Body:
    metadata: dict[str, Json] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": metadata,
        "rules": list(rules),
    }


def _namespaces(need: Need) -> set[str]:
    return {id.namespace for id in need.ids if id.namespace} | {need.inventory.namespace}


def _verbs(need: Need, group_kind: tuple[str, str]) -> set[str]:
    verbs = set(_OBJECTS[need.command])
    if need.prune and need.command in _APPLYING:
        verbs.add("delete")
    # Of what has no status nothing is watched: it is well as soon as it is there.
    return verbs - {"watch"} if group_kind in STILL else verbs


def _rules(need: Need, namespace: str) -> list[Body]:
    ids = [id for id in need.ids if id.namespace == namespace]
    grants = defaultdict[_Grant, set[str]](set)
    for grant, verbs in _granted(need, ids):
        grants[grant].update(verbs)
    group_kinds = {id.group_kind for id in ids}
    if need.command in _WATCHING and group_kinds & _RUNNING:
        for group, resource, reading in _EVIDENCE:
            grants[group, resource].update(reading)
    if need.command in _APPLYING and group_kinds & _RUNNING:
        for grant in _FORESIGHT:
            grants[grant].add("list")
    if need.command in _APPLYING and group_kinds & _SCALED:
        for group_kind in owners.AUTOSCALERS:
            if kind := need.kinds.get(*group_kind):
                grants[kind.group, kind.plural].add("list")
    rules = _merged(grants)
    # Who may do that to every ConfigMap there needs no rule for this one.
    covered = set(_INVENTORY[need.command]) <= grants.get(("", "configmaps"), set())
    if namespace == need.inventory.namespace and not covered:
        rules.insert(0, _inventory_rule(need))
    return rules


def _cluster_rules(need: Need) -> list[Body]:
    grants = defaultdict[_Grant, set[str]](set)
    for grant, verbs in _granted(need, [id for id in need.ids if not id.namespace]):
        grants[grant].update(verbs)
    if need.command not in _LOOKING and any(_is_custom(id) for id in need.ids):
        # Whether a kind that is not served is gone, or only away for now.
        grants[DEFINITION[0], "customresourcedefinitions"].add("list")
    return _merged(grants)


def _is_custom(id: ObjectId) -> bool:
    return "." in id.group and not id.group.endswith(".k8s.io")


def _granted(need: Need, ids: Iterable[ObjectId]) -> Iterator[tuple[_Grant, set[str]]]:
    for group_kind in sorted({id.group_kind for id in ids}):
        kind = need.kinds.get(*group_kind)
        if kind is not None:
            yield (kind.group, kind.plural), _verbs(need, group_kind)


def _inventory_rule(need: Need) -> Body:
    return {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [need.inventory.name],
        "verbs": list(_INVENTORY[need.command]),
    }


def _merged(grants: Mapping[_Grant, set[str]]) -> list[Body]:
    """Rules of one API group and one set of verbs each, in a stable order."""
    alike = defaultdict[tuple[str, tuple[str, ...]], list[str]](list)
    for (group, resource), verbs in sorted(grants.items()):
        alike[group, tuple(sorted(verbs))].append(resource)
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}
        for (group, verbs), resources in sorted(alike.items())
    ]
