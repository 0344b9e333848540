"""By which mark other deploy tools know the objects that they keep.

Taking such an object over would start a fight: the tool would put it back at its next look.
"""

from collections.abc import Collection, Sequence

from pipeline_gitops.documents import Body, text
from pipeline_gitops.values import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A label or an annotation that only its tool sets."""

    tool: str
    field: str  # "labels" or "annotations"
    key: str
    managers: tuple[str, ...]  # the names under which the tool owns fields

    @property
    def word(self) -> str:
        """The tool as a configuration names it: "argocd"."""
        return self.tool.lower().replace(" ", "")


# The newer name, and the one of older client-side syncs.
_ARGOCD = ("argocd-controller", "argocd-application-controller")

# Left out: app.kubernetes.io/managed-by and /instance, which people write by hand as well.
MARKS: Sequence[Mark] = (
    # https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
    Mark("Argo CD", "annotations", "argocd.argoproj.io/tracking-id", _ARGOCD),
    # https://fluxcd.io/flux/components/kustomize/kustomizations/#garbage-collection
    Mark("Flux", "labels", "kustomize.toolkit.fluxcd.io/name", ("kustomize-controller",)),
    Mark("Flux", "labels", "helm.toolkit.fluxcd.io/name", ("helm-controller",)),
    # https://helm.sh/docs/helm/helm_install/ (--take-ownership)
    Mark("Helm", "annotations", "meta.helm.sh/release-name", ("helm",)),
    # https://carvel.dev/kapp/docs/latest/faq/
    Mark("kapp", "labels", "kapp.k14s.io/app", ("kapp", "kapp-server-side-apply")),
    Mark("kluctl", "labels", "kluctl.io/discriminator", ("kluctl",)),
)


def keeper(live: Body, wanted: Body, allowed: Collection[str] = ()) -> Mark | None:
    """The mark of the tool that keeps *live*; None when *wanted* has that very mark itself.

    *allowed*: words of tools whose objects may be taken over.
    """
    found = (mark for mark in MARKS if _keeps(mark, live, wanted))
    return next((mark for mark in found if mark.word not in allowed), None)


def retired(live: Body, wanted: Body, allowed: Collection[str]) -> frozenset[str]:
    """The field managers of the tools that kept *live* and may be taken over from."""
    found = (mark for mark in MARKS if mark.word in allowed and _keeps(mark, live, wanted))
    return frozenset(manager for mark in found for manager in mark.managers)


def _keeps(mark: Mark, live: Body, wanted: Body) -> bool:
    value = text(live, "metadata", mark.field, mark.key)
    return bool(value) and value != text(wanted, "metadata", mark.field, mark.key)
