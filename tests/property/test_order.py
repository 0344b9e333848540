"""Whatever is to come after whatever: the schedule keeps to it, or shows why it cannot."""

import itertools
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline_gitops import plans
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Wave, edges
from tests import campaigns
from tests.unit.plans.schedules import body, creating, deleting, set_of

KINDS = ("ConfigMap", "Deployment", "Service", "StatefulSet", "Job", "ServiceAccount")
NAMES = tuple("abcdefgh")


@st.composite
def sets(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Objects with waves, hooks and edges at random, cycles included."""
    kinds = {name: draw(st.sampled_from(KINDS)) for name in NAMES[: draw(st.integers(1, 8))]}
    made = []
    for name, kind in kinds.items():
        others = draw(st.lists(st.sampled_from(sorted(kinds)), max_size=2, unique=True))
        annotations = {"wave": str(draw(st.integers(0, 2)))} if draw(st.booleans()) else {}
        if draw(st.integers(0, 5)) == 0:
            annotations["hook"] = draw(st.sampled_from(["before", "after", "with"]))
        if others and draw(st.booleans()):
            annotations["after"] = ",".join(f"{kinds[other]}/{other}" for other in others)
        volumes = [{"configMap": {"name": draw(st.sampled_from(NAMES))}}]
        made.append(body(kind, name, {"template": {"spec": {"volumes": volumes}}}, **annotations))
    return made


def flat(schedule: plans.Schedule) -> tuple[Wave, ...]:
    return (*schedule.before, *schedule.main, *schedule.after)


@settings(max_examples=campaigns.examples(300))
@given(sets())
def test_every_edge_is_kept_or_a_cycle_is_shown(bodies: list[dict[str, Any]]) -> None:
    """And what has to run first is needed by the wave, or by one before it."""
    desired = set_of(*bodies)
    graph = edges.graph({m.id: m.body for m in desired.manifests})
    try:
        waves = flat(plans.schedule(creating(desired), desired))
    except RefusedFault:
        cycle = graph.cycle()
        assert cycle
        steps = zip(cycle, (*cycle[1:], cycle[0]), strict=True)
        assert all(needed in graph.needs()[user] for user, needed in steps)
        return

    assert not graph.cycle()
    place = {change.id: index for index, wave in enumerate(waves) for change in wave.changes}
    assert place.keys() == desired.ids
    for edge in graph.edges:
        assert place[edge.needed] < place[edge.user]
        if edge.waits and graph.positions[edge.needed] == graph.positions[edge.user]:
            waited = frozenset().union(*(w.needs for w in waves[: place[edge.user] + 1]))
            assert edge.needed in waited
    for one, other in itertools.combinations(sorted(place, key=place.__getitem__), 2):
        assert graph.positions[one] <= graph.positions[other]


@settings(max_examples=campaigns.examples(100))
@given(sets(), st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(bodies: list[dict[str, Any]], random: Any) -> None:
    """Neither for the schedule, nor for the cycle that is shown."""

    def shape(given: list[dict[str, Any]]) -> Any:
        desired = set_of(*given)
        try:
            waves = flat(plans.schedule(creating(desired), desired))
        except RefusedFault as fault:
            return fault.what
        return [([change.id for change in wave.changes], wave.needs) for wave in waves]

    shuffled = list(bodies)
    random.shuffle(shuffled)

    assert shape(shuffled) == shape(bodies)
    assert plans.findings(set_of(*bodies)) or shape(bodies)


def stray(name: str, other: str) -> dict[str, Any]:
    """A ConfigMap with a field that no ConfigMap has."""
    volumes = [{"configMap": {"name": other}}]
    return body("ConfigMap", name, {"template": {"spec": {"volumes": volumes}}})


@settings(max_examples=campaigns.examples(100))
@given(sets())
@example([stray("a", "b"), stray("b", "a")])
def test_users_are_deleted_before_what_they_use(bodies: list[dict[str, Any]]) -> None:
    """Whatever annotations say: deletions know no cycle."""
    desired = set_of(*bodies)

    waves = plans.schedule(deleting(desired), ManifestSet()).last

    place = {change.id: index for index, wave in enumerate(waves) for change in wave.changes}
    sent: set[ObjectId] = {m.id for m in desired.manifests}
    assert place.keys() == sent
    graph = edges.graph({m.id: m.body for m in desired.manifests}, told=False)
    for edge in graph.edges:
        if graph.hints[edge.user].wave == graph.hints[edge.needed].wave:
            assert place[edge.user] < place[edge.needed]
