"""What has to come before what, in one set of objects, and what of it contradicts itself.

An edge only says in which order two objects are sent, unless it *waits*: then the first has to run
before the second is sent. Edges come from the manifests (what a pod mounts) and from annotations;
where a manifest's edge points against a wave that somebody wrote, the wave counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from functools import lru_cache
from typing import NamedTuple

from pipeline_gitops import hints
from pipeline_gitops.documents import Body, text
from pipeline_gitops.hints import Hints, HookPhase
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import references
from pipeline_gitops.plans.references import CRD
from pipeline_gitops.values import dataclass

# What must be there before others can be sent at all: a namespace to write into, a kind to write
# instances of. Both are sent with the first object that needs them, as Argo CD does.
AWAITED = frozenset({("", "Namespace"), CRD})

# Before the rest of the set, with it, after it, and only where the deploy fails.
BEFORE, MAIN, AFTER, FAILED = range(4)
_PHASES = {
    HookPhase.BEFORE: BEFORE,
    HookPhase.WITH: MAIN,
    HookPhase.AFTER: AFTER,
    HookPhase.FAILED: FAILED,
}

Position = tuple[int, int]  # phase and wave


class Edge(NamedTuple):
    """*user* is sent after *needed*. *told*: by an annotation.

    A tuple, as a thousand objects have as many edges, which are hashed and sorted.
    """

    user: ObjectId
    needed: ObjectId
    waits: bool = False
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why an object cannot be sent in the order that was asked for."""

    id: ObjectId
    message: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A set's objects with their places in the order, and the edges between them."""

    bodies: Mapping[ObjectId, Body] = field(repr=False)
    hints: Mapping[ObjectId, Hints] = field(repr=False)
    positions: Mapping[ObjectId, Position]
    edges: tuple[Edge, ...]
    early: tuple[Edge, ...] = ()  # of manifests, against a wave or a phase: they do not count
    problems: tuple[Problem, ...] = ()

    def cycle(self) -> tuple[ObjectId, ...]:
        """Objects that wait for each other, each for the next and the last for the first; () if
        none do."""
        needs = self.needs()
        left = set(needs)
        while free := {id for id in left if needs[id].isdisjoint(left)}:
            left -= free
        if not left:
            return ()
        walk = [min(left)]
        while (following := min(needs[walk[-1]] & left)) not in walk:
            walk.append(following)
        found = walk[walk.index(following) :]
        first = found.index(min(found))
        return (*found[first:], *found[:first])

    def needs(self) -> dict[ObjectId, set[ObjectId]]:
        """What each object comes after, of those that are sent with it in its wave."""
        needs: dict[ObjectId, set[ObjectId]] = {id: set() for id in self.positions}
        for edge in self.edges:
            if self.positions[edge.user] == self.positions[edge.needed]:
                needs[edge.user].add(edge.needed)
        return needs


@lru_cache(maxsize=1)
def of_set(desired: ManifestSet) -> Graph:
    """The order of all that is wanted; remembered, as it is asked for before and in a deploy."""
    return graph({manifest.id: manifest.body for manifest in desired.manifests})


def graph(bodies: Mapping[ObjectId, Body], *, told: bool = True) -> Graph:
    """The order of a set. Without *told* annotations count for nothing but waves."""
    said = {id: hints.of(body) for id, body in bodies.items()}
    if not told:
        said = {id: Hints(wave=one.wave) for id, one in said.items()}
    sent = {id: one for id, one in said.items() if not _is_never(one)}
    found = set(_seen({id: bodies[id] for id in sent}))
    positions = _positions(sent, found)
    problems: list[Problem] = []
    edges = {edge for edge in found if positions[edge.needed] <= positions[edge.user]}
    for edge in _told(sent, said, problems):
        if positions[edge.needed] <= positions[edge.user]:
            edges.add(edge)
        else:
            problems.append(_contradiction(edge, positions))
    return Graph(
        bodies=bodies,
        hints=said,
        positions=positions,
        edges=tuple(sorted(edges)),
        early=tuple(sorted(found - edges)),
        problems=tuple(sorted(problems, key=lambda problem: (problem.id, problem.message))),
    )


def waits_for_itself(cycle: tuple[ObjectId, ...]) -> tuple[str, str]:
    """What to say of a cycle, and its cure."""
    way = " -> ".join(map(str, (*cycle, cycle[0])))
    return f"these wait for each other: {way}", "remove one of the annotations that say so"


def _is_never(said: Hints) -> bool:
    return said.hook is not None and said.hook.phase is HookPhase.NEVER


def _position(said: Hints) -> Position:
    return (_PHASES[said.hook.phase] if said.hook else MAIN, said.wave)


def _positions(sent: Mapping[ObjectId, Hints], found: Iterable[Edge]) -> dict[ObjectId, Position]:
    """Each object's phase and wave; a namespace or a definition is as early as its first user."""
    positions = {id: _position(one) for id, one in sent.items()}
    own = dict(positions)
    for edge in found:
        if edge.needed.group_kind in AWAITED:
            positions[edge.needed] = min(positions[edge.needed], own[edge.user])
    return positions


# -- edges that manifests speak of -----------------------------------------------------------------


def _seen(bodies: Mapping[ObjectId, Body]) -> Iterator[Edge]:
    definitions = {
        (text(body, "spec", "group"), text(body, "spec", "names", "kind")): id
        for id, body in bodies.items()
        if id.group_kind == CRD
    }
    for id, body in bodies.items():
        for needed in references.named(id, body):
            if needed in bodies and needed != id:
                yield Edge(id, needed)
        namespace = ObjectId("", "Namespace", "", id.namespace)
        if id.namespace and namespace in bodies:
            yield Edge(id, namespace, waits=True)
        if definition := definitions.get(id.group_kind):
            yield Edge(id, definition, waits=True)
        for called in references.services(id, body):
            if called in bodies:
                yield from _answering(id, bodies[called], bodies)


def _answering(id: ObjectId, service: Body, bodies: Mapping[ObjectId, Body]) -> Iterator[Edge]:
    """A webhook whose workload does not run yet refuses whatever is sent after it."""
    for other, body in bodies.items():
        if references.is_selected(service, body):
            yield Edge(id, other, waits=True)


# -- edges that annotations speak of ---------------------------------------------------------------


def _told(
    sent: Mapping[ObjectId, Hints], said: Mapping[ObjectId, Hints], problems: list[Problem]
) -> Iterator[Edge]:
    names: dict[tuple[str, str, str], list[ObjectId]] = defaultdict(list)
    groups: dict[str, list[ObjectId]] = defaultdict(list)
    for id in sorted(said):
        names[(id.kind, id.namespace, id.name)].append(id)
        for group in said[id].groups if id in sent else ():
            groups[group].append(id)
    for id, one in sent.items():
        for wanted in one.after:
            found = _meant(wanted, names)
            if not found:
                problems.append(_missing(id, wanted, "is not in the set"))
            for needed in found:
                if needed in sent:
                    yield Edge(id, needed, waits=True, told=True)
                else:
                    problems.append(_missing(id, wanted, "is a hook that is never sent"))
        for group in one.after_groups:
            yield from (Edge(id, other, True, True) for other in groups[group] if other != id)
        for group in one.before_groups:
            yield from (Edge(other, id, True, True) for other in groups[group] if other != id)


def _meant(
    wanted: ObjectId, names: Mapping[tuple[str, str, str], list[ObjectId]]
) -> tuple[ObjectId, ...]:
    """Objects of the set that were meant: people leave out groups, and do not think of scopes."""
    for namespace in dict.fromkeys((wanted.namespace, "")):
        found = names.get((wanted.kind, namespace, wanted.name), [])
        exact = tuple(id for id in found if id.group == wanted.group)
        if exact or (found and not wanted.group):
            return exact or tuple(found)
    return ()


def _missing(id: ObjectId, wanted: ObjectId, why: str) -> Problem:
    return Problem(
        id=id,
        message=f"{id} is to come after {wanted}, which {why}",
        cure="correct the name, or remove the annotation",
    )


def _contradiction(edge: Edge, positions: Mapping[ObjectId, Position]) -> Problem:
    return Problem(
        id=edge.user,
        message=f"{edge.user} ({_placed(positions[edge.user])}) is to come after {edge.needed} "
        f"({_placed(positions[edge.needed])}), which is later",
        cure="change the wave or the hook of one of them, or remove the annotation",
    )


def _placed(position: Position) -> str:
    phase, wave = position
    named = ("before hook, ", "", "after hook, ", "hook of a failed deploy, ")[phase]
    return f"{named}wave {wave}"
