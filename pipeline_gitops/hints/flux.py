"""Flux's annotations and labels, `kustomize.toolkit.fluxcd.io/...`.

https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources

>>> of({"metadata": {"labels": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}}).keep
True
"""

from pipeline_gitops.documents import Body, text
from pipeline_gitops.hints.values import Said

PREFIX = "kustomize.toolkit.fluxcd.io"

_PLACES = ("annotations", "labels")


def of(body: Body) -> Said:
    """What Flux's annotations and labels say."""

    def said(key: str, value: str) -> bool | None:
        """Flux takes a label for an annotation, and compares without regard to case."""
        written = (text(body, "metadata", place, f"{PREFIX}/{key}") for place in _PLACES)
        return any(word.lower() == value for word in written) or None

    return Said(keep=said("prune", "disabled"), replace=said("force", "enabled"))
