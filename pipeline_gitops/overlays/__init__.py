"""Which tool renders an overlay, and how."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import field

from pipeline_gitops import documents
from pipeline_gitops.config import Engine, EngineSpec, Overlay
from pipeline_gitops.documents import Document
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.overlays import closures, files, kustomize, sources
from pipeline_gitops.overlays.roots import discover, passed_over
from pipeline_gitops.ports import Rendered, Tree
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding

__all__ = ["Renderer", "discover", "passed_over"]


@dataclass(frozen=True, slots=True)
class Renderer:
    """Implements `ports.Render`. The environment is only asked for the engine and its PATH."""

    spec: EngineSpec
    environ: Mapping[str, str] = field(repr=False)

    def __call__(self, overlays: Sequence[Overlay], tree: Tree, /) -> Sequence[Rendered]:
        """Every overlay by itself. Raises UsageFault for one that is missing or leaves the tree."""
        return [self._render(overlay, tree.root) for overlay in overlays]

    def _render(self, overlay: Overlay, root: str) -> Rendered:
        match engine_of(overlay, root):
            case Engine.KUSTOMIZE:
                engine = kustomize.engine(self.spec, self.environ, root)
                found, findings = kustomize.render(engine, root, overlay.path, self.environ)
                return Rendered(documents=found, findings=findings, engine=str(engine))
            case Engine.DIRECTORY:
                found, findings = _plain(root, overlay.path)
                return Rendered(documents=found, findings=findings, engine="plain directory")

    def trace(
        self, overlay: Overlay, tree: Tree, findings: Sequence[Finding]
    ) -> tuple[Finding, ...]:
        """*findings* with places in the source files instead of the rendered text."""
        if findings and engine_of(overlay, tree.root) is Engine.KUSTOMIZE:
            return sources.traced(tree.root, overlay.path, findings)
        return tuple(findings)


def engine_of(overlay: Overlay, root: str) -> Engine:
    """What renders an overlay: what was named, else by what lies there. Raises UsageFault."""
    full = files.inside(root, overlay.path)
    if not os.path.isdir(full):
        raise UsageFault(
            f"{overlay.path}: no such directory",
            "correct the environment's path; `pipeline-gitops environments` lists what there is",
        )
    if overlay.engine is not None:
        return overlay.engine
    found = closures.kustomization_in(root, overlay.path)
    return Engine.KUSTOMIZE if found else Engine.DIRECTORY


def _plain(root: str, path: str) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
    found: list[Document] = []
    findings: list[Finding] = []
    for name in files.manifests_below(root, path):
        read, wrong = documents.read(files.read(root, name), name)
        found += read
        findings += wrong
    return tuple(found), tuple(findings)
