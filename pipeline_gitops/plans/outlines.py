"""The order of a plan as people see it: its waves, and what waits for what.

It follows from the same schedule that a deploy carries out, so a picture of it cannot differ.
"""

from collections.abc import Iterator, Mapping

from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import edges
from pipeline_gitops.plans.changes import Plan
from pipeline_gitops.plans.waves import Schedule, Wave, schedule
from pipeline_gitops.views import EdgeView, OrderView, WaveView

MOST_EDGES = 2_000  # a report stays readable by machines too; those that wait come first


def outline(plan: Plan, desired: ManifestSet) -> OrderView | None:
    """Waves in the order in which they are sent; None where there is no such order.

    Objects that wait for each other have none: that is a refusal, and told as one.
    """
    if not plan.changes:
        return None
    try:
        made = schedule(plan, desired)
    except RefusedFault:
        return None
    return OrderView(
        waves=tuple(_wave(phase, wave) for phase, wave in _waves(made)),
        edges=_edges(plan, desired),
    )


def _waves(made: Schedule) -> Iterator[tuple[str, Wave]]:
    """Every wave with what it is for."""
    phases: Mapping[str, tuple[Wave, ...]] = {
        "hooks before": made.before,
        "deletions that make room": made.first,
        "": made.main,
        "hooks after": made.after,
        "deletions": made.last,
        "hooks of a failed deploy": made.failed,
    }
    for phase, waves in phases.items():
        yield from ((phase, wave) for wave in waves)


def _wave(phase: str, wave: Wave) -> WaveView:
    ids = tuple(change.id for change in wave.changes)
    return WaveView(phase=phase, ids=ids, needs=tuple(sorted(wave.needs)))


def _edges(plan: Plan, desired: ManifestSet) -> tuple[EdgeView, ...]:
    sent = {change.id for change in plan.changes if change.sight.send is not None}
    found = [edge for edge in edges.of_set(desired).edges if {edge.user, edge.needed} <= sent]
    found.sort(key=lambda edge: (not edge.waits, edge))
    return tuple(
        EdgeView(user=edge.user, needed=edge.needed, waits=edge.waits)
        for edge in found[:MOST_EDGES]
    )
