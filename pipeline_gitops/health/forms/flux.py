"""Flux' form of rules: spec.healthCheckExprs of a Kustomization.

https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions
"""

from collections.abc import Iterator

from pipeline_gitops.documents import Body, bodies, text
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.expressions import expression
from pipeline_gitops.health.signs import Rule, Sign
from pipeline_gitops.ids import Place
from pipeline_gitops.manifests import group_of

_CURE = "see spec.healthCheckExprs in Flux' documentation of Kustomizations"


def rules(kustomization: Body, place: Place) -> tuple[Rule, ...]:
    """The rules in the Flux Kustomization that is written at *place*; none in anything else.

    Raises UsageFault for an expression that cannot be used.
    """
    if group_of(text(kustomization, "apiVersion")) != "kustomize.toolkit.fluxcd.io":
        return ()
    return tuple(_rules(kustomization, place))


def _rules(kustomization: Body, place: Place) -> Iterator[Rule]:
    for item in bodies(kustomization, "spec", "healthCheckExprs"):
        group, kind = group_of(text(item, "apiVersion")), text(item, "kind")
        current = text(item, "current")
        if not group or not kind or not current:
            raise UsageFault(f"{place}: a health check names apiVersion, kind and current", _CURE)
        # Flux asks inProgress, then failed, then current, and waits where one cannot be answered:
        # what is asked later says nothing then. In CEL, !error && true is an error.
        before = [text(item, key) for key in ("inProgress", "failed")]
        waits, fails = before
        yield Rule(
            group=group,
            kind=kind,
            in_progress=_signs(waits, [], place),
            failed=_signs(fails, [waits], place),
            current=_signs(current, before, place),
        )


def _signs(asked: str, before: list[str], place: Place) -> tuple[Sign, ...]:
    """The sign that *asked* holds and nothing asked *before* does."""
    if not asked:
        return ()
    # Each on lines of its own: an expression may end with a comment.
    parts = [f"!(\n{other}\n)" for other in before if other] + [f"(\n{asked}\n)"]
    for part in (asked, *before):
        if part:
            expression(part, place)  # a mistake is told in the user's words
    return (Sign(expression=expression(" && ".join(parts), place)),)
