"""What a set asks for about its order that cannot be done, found before anything is touched."""

from collections.abc import Iterator

from pipeline_gitops import hints
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import Manifest, ManifestSet
from pipeline_gitops.plans import edges
from pipeline_gitops.plans.edges import AWAITED, BEFORE, MAIN, Graph
from pipeline_gitops.views import Finding, Severity


def findings(desired: ManifestSet) -> tuple[Finding, ...]:
    """Annotations that say nothing, an order that cannot be, hooks that come too early."""
    graph = edges.of_set(desired)
    manifests = {manifest.id: manifest for manifest in desired.manifests}
    return (
        *(found for manifest in desired.manifests for found in _misread(manifest)),
        *(
            _about(manifests[problem.id], "order", problem.message, problem.cure)
            for problem in graph.problems
        ),
        *_cycles(graph, manifests),
        *_early(graph, manifests),
    )


def _misread(manifest: Manifest) -> Iterator[Finding]:
    for problem in hints.problems(manifest.body):
        pointer = "/metadata/annotations/" + problem.key.replace("~", "~0").replace("/", "~1")
        yield Finding(
            rule="hint",
            message=f"{manifest.id}: {problem.message}",
            cure=problem.cure,
            place=manifest.document.locate(pointer),
            pointer=pointer,
            id=manifest.id,
        )


def _cycles(graph: Graph, manifests: dict[ObjectId, Manifest]) -> Iterator[Finding]:
    cycle = graph.cycle()
    if cycle:
        message, cure = edges.waits_for_itself(cycle)
        yield _about(manifests[cycle[0]], "order-cycle", message, cure)


def _early(graph: Graph, manifests: dict[ObjectId, Manifest]) -> Iterator[Finding]:
    """Hooks that name what is only written after them: on the first install it is not there."""
    for needed, user in sorted((edge.needed, edge.user) for edge in graph.early):
        is_early = graph.positions[user][0] == BEFORE and graph.positions[needed][0] == MAIN
        if is_early and needed.group_kind not in AWAITED:
            yield _about(
                manifests[user],
                "hook-order",
                f"{user} runs before everything else, and uses {needed}, which comes with the rest",
                f"make {needed} a hook as well, with a lower weight",
                Severity.WARNING,
            )


def _about(
    manifest: Manifest, rule: str, message: str, cure: str, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        rule=rule,
        message=message,
        cure=cure,
        severity=severity,
        place=manifest.place,
        id=manifest.id,
    )
