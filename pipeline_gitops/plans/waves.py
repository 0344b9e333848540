"""In which order a plan is written.

First by the waves that people wrote, within one by kind: what others need comes first, workloads in
the middle, admission webhooks last; then by the edges of `plans.edges`. Deletions come after all
writes, in reverse. The order of kinds is that of Helm's and Flux's install order, shortened to what
matters.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field

from pipeline_gitops import hints
from pipeline_gitops.documents import Body, bodies, text
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.hints import Hints
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import edges
from pipeline_gitops.plans.changes import Change, Plan
from pipeline_gitops.plans.edges import AWAITED, Graph, Position
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action

_RANKS: dict[str, int] = {
    "Namespace": 0,
    "CustomResourceDefinition": 1,
    "PriorityClass": 2,
    "RuntimeClass": 2,
    "StorageClass": 2,
    "IngressClass": 2,
    "ResourceQuota": 3,
    "LimitRange": 3,
    "NetworkPolicy": 3,
    "ServiceAccount": 4,
    "ClusterRole": 4,
    "Role": 4,
    "ClusterRoleBinding": 5,
    "RoleBinding": 5,
    "Secret": 6,
    "ConfigMap": 6,
    "PersistentVolume": 6,
    "PersistentVolumeClaim": 7,
    "Service": 8,
    "ValidatingAdmissionPolicy": 20,
    "ValidatingAdmissionPolicyBinding": 21,
    "MutatingAdmissionPolicy": 20,
    "MutatingAdmissionPolicyBinding": 21,
    "MutatingWebhookConfiguration": 21,
    "ValidatingWebhookConfiguration": 21,
    "APIService": 21,
}
_WORKLOADS = 10

Stage = tuple[int, int]  # rank of a kind, and how many edges lead there


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Changes that may be sent in any order, once *needs* run."""

    changes: tuple[Change, ...]
    needs: frozenset[ObjectId] = frozenset()

    @property
    def ids(self) -> frozenset[ObjectId]:
        """The objects that the wave changes."""
        return frozenset(change.id for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A plan in the order in which it is carried out."""

    before: tuple[Wave, ...] = ()  # hooks, and the namespaces and definitions that they need
    first: tuple[Wave, ...] = ()  # deletions that make room
    main: tuple[Wave, ...] = ()
    after: tuple[Wave, ...] = ()  # hooks, once everything runs
    failed: tuple[Wave, ...] = ()  # hooks, instead, where it does not
    last: tuple[Wave, ...] = ()  # deletions
    hints: Mapping[ObjectId, Hints] = field(default_factory=dict, repr=False)


def schedule(plan: Plan, desired: ManifestSet) -> Schedule:
    """The plan's changes in order. Raises RefusedFault for objects that wait for each other.

    *desired* is the whole set: what is unchanged may have to run before something else is sent.
    """
    if not plan.changes:
        return Schedule()
    writes = [change for change in plan.changes if change.action is not Action.DELETE]
    deletes = [change for change in plan.changes if change.action is Action.DELETE]
    sent = _sent(writes)
    graph = edges.of_set(desired)
    if not sent.keys() <= graph.bodies.keys():
        graph = edges.graph({**sent, **graph.bodies})
    ahead = prune_first(plan)
    planner = _Planner(graph, writes)
    return Schedule(
        before=planner.waves(edges.BEFORE),
        first=_deletions(change for change in deletes if change.id in ahead),
        main=planner.waves(edges.MAIN),
        after=planner.waves(edges.AFTER),
        failed=planner.waves(edges.FAILED),
        last=_deletions(change for change in deletes if change.id not in ahead),
        hints=graph.hints,
    )


def _sent(changes: Iterable[Change]) -> dict[ObjectId, Body]:
    sights = (change.sight for change in changes)
    return {sight.id: sight.send.body if sight.send else sight.after or {} for sight in sights}


class _Planner:
    """Puts the writes of one plan into waves, phase by phase."""

    def __init__(self, graph: Graph, writes: Iterable[Change]) -> None:
        self._graph = graph
        self._changes = {change.id: change for change in writes}
        self._stages = _stages(graph)
        self._waited: dict[ObjectId, set[ObjectId]] = defaultdict(set)
        for edge in graph.edges:
            if edge.waits and self._is_awaited(edge.needed):
                self._waited[edge.user].add(edge.needed)

    def _is_awaited(self, id: ObjectId) -> bool:
        """Namespaces and definitions that are there already can be used."""
        if self._graph.hints[id].unwatched:
            return False
        return id.group_kind not in AWAITED or id in self._changes

    def waves(self, phase: int) -> tuple[Wave, ...]:
        """The waves of one phase."""
        sent: dict[tuple[Position, Stage], list[Change]] = defaultdict(list)
        for id, change in self._changes.items():
            position = self._graph.positions.get(id)
            if position is not None and position[0] == phase:
                sent[(position, self._stages[id])].append(change)
        made = []
        known: set[ObjectId] = set()
        for position, stage in sorted(sent):
            changes = sorted(sent[(position, stage)], key=lambda change: change.id)
            needs = set(self._earlier(position)).union(*(self._waited[c.id] for c in changes))
            needs = {id for id in needs if self._graph.positions[id][0] == phase} - known
            known |= needs
            made.append(Wave(changes=tuple(changes), needs=frozenset(needs)))
        return tuple(made)

    def _earlier(self, position: Position) -> Iterable[ObjectId]:
        """What runs in the same phase and an earlier wave, changed by this plan or not.

        A run that resumes after a kill finds an earlier wave written, but not always running.
        """
        for id, other in self._graph.positions.items():
            said = self._graph.hints[id]
            if other[0] != position[0] or other >= position or said.unwatched:
                continue
            if id in self._changes or said.hook is None:
                yield id


def _stages(graph: Graph) -> dict[ObjectId, Stage]:
    """Each object's stage within its wave: by kind, but never before what it needs."""
    cycle = graph.cycle()
    if cycle:
        raise RefusedFault(*edges.waits_for_itself(cycle))
    needs = graph.needs()
    stages: dict[ObjectId, Stage] = {}
    for id in needs:
        path = [id]
        while path:
            missing = [needed for needed in needs[path[-1]] if needed not in stages]
            if missing:
                path.append(missing[0])
                continue
            done = path.pop()
            below = [(stages[needed][0], stages[needed][1] + 1) for needed in needs[done]]
            stages[done] = max([(rank(done), 0), *below])
    return stages


def rank(id: ObjectId) -> int:
    """Place of a kind in the order of kinds."""
    return _RANKS.get(id.kind, _WORKLOADS)


# -- deletions -------------------------------------------------------------------------------------


def _deletions(changes: Iterable[Change]) -> tuple[Wave, ...]:
    """Users before what they use: the order in which they would be written, backwards."""
    deletes = {change.id: change for change in changes}
    there = {id: change.sight.before or {} for id, change in deletes.items()}
    # What runs is deleted whatever annotations it was once given: only waves count.
    graph = edges.graph(there, told=False)
    stages = _stages(graph)
    sent: dict[tuple[int, Stage], list[Change]] = defaultdict(list)
    for id in sorted(deletes):
        sent[(graph.hints[id].wave, stages[id])].append(deletes[id])
    return tuple(Wave(changes=tuple(sent[key])) for key in sorted(sent, reverse=True))


def prune_first(plan: Plan) -> frozenset[ObjectId]:
    """Deletions that have to come before the writes, since they hold what a write needs.

    By annotation, of the object that goes or of one of its kind that comes in its namespace; and
    where a Service takes over a node port, which could not work in any other order.
    """
    deletes = {c.id: c.sight.before or {} for c in plan.changes if c.action is Action.DELETE}
    if not deletes:
        return frozenset()
    sent = _sent(change for change in plan.changes if change.action is not Action.DELETE)
    said = {id for id, body in deletes.items() if _prunes_first(body)}
    heirs = {(id.group_kind, id.namespace) for id, body in sent.items() if _prunes_first(body)}
    ports = {port for id, body in sent.items() for port in node_ports(id, body)}
    return frozenset(
        id
        for id, body in deletes.items()
        if id in said
        or (id.group_kind, id.namespace) in heirs
        or not ports.isdisjoint(node_ports(id, body))
    )


def _prunes_first(body: Body) -> bool:
    return hints.of(body).prune_first


def node_ports(id: ObjectId, body: Body) -> frozenset[tuple[int, str]]:
    """Ports of every node that a Service asks for by number, or holds."""
    if id.group_kind != ("", "Service"):
        return frozenset()
    return frozenset(
        (port, text(entry, "protocol") or "TCP")
        for entry in bodies(body, "spec", "ports")
        if isinstance(port := entry.get("nodePort"), int)
    )
