"""By which mark other deploy tools know the objects that they keep.

Taking such an object over would start a fight: the tool would put it back at its next look.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline_gitops.documents import Body, text


@dataclass(frozen=True, slots=True)
class Mark:
    """A label or an annotation that only its tool sets."""

    tool: str
    field: str  # "labels" or "annotations"
    key: str

    @property
    def word(self) -> str:
        """The tool as a configuration names it: "argocd"."""
        return self.tool.lower().replace(" ", "")


# Left out: app.kubernetes.io/managed-by and /instance, which people write by hand as well.
MARKS: Sequence[Mark] = (
    # https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
    Mark("Argo CD", "annotations", "argocd.argoproj.io/tracking-id"),
    # https://fluxcd.io/flux/components/kustomize/kustomizations/#garbage-collection
    Mark("Flux", "labels", "kustomize.toolkit.fluxcd.io/name"),
    Mark("Flux", "labels", "helm.toolkit.fluxcd.io/name"),
    # https://helm.sh/docs/helm/helm_install/ (--take-ownership)
    Mark("Helm", "annotations", "meta.helm.sh/release-name"),
    # https://carvel.dev/kapp/docs/latest/faq/
    Mark("kapp", "labels", "kapp.k14s.io/app"),
    Mark("kluctl", "labels", "kluctl.io/discriminator"),
)


def keeper(live: Body, wanted: Body, allowed: Collection[str] = ()) -> Mark | None:
    """The mark of the tool that keeps *live*; None when *wanted* has that very mark itself.

    *allowed*: words of tools whose objects may be taken over.
    """
    for mark in MARKS:
        value = text(live, "metadata", mark.field, mark.key)
        theirs = value and value != text(wanted, "metadata", mark.field, mark.key)
        if theirs and mark.word not in allowed:
            return mark
    return None
