"""Our own annotations, `pipeline-gitops.dev/...`."""

from pipeline_gitops.documents import Body, text
from pipeline_gitops.hints.values import Hints

PREFIX = "pipeline-gitops.dev"


def of(body: Body) -> Hints:
    """The hints of one object."""

    def said(key: str) -> bool:
        return text(body, "metadata", "annotations", f"{PREFIX}/{key}") == "true"

    return Hints(keep=said("keep"), replace=said("replace"), prune_first=said("prune-first"))
