"""Where a value of a rendered object comes from in the source files.

kustomize forgets lines. So the files of the overlay are searched, nearest first, for a document of
the same kind and name that holds the very value; so patches of the overlay win over the base.
Best effort: a value that a transformer made (an image tag, a prefix) points at its nearest parent.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import field, replace
from typing import TypeVar

from pipeline_gitops import documents
from pipeline_gitops.documents import Document, text
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.overlays import closures, files
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding

T = TypeVar("T")


@dataclass(slots=True)
class _Sources:
    """Documents and generators of an overlay by kind, nearest first, each with its name."""

    documents: dict[str, list[tuple[str, Document]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    generators: dict[str, list[tuple[str, Place]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def place(self, id: ObjectId, pointer: str) -> Place | None:
        """Place of the value at *pointer* of an object; None when nothing of it is found."""
        alike = _alike(self.documents[id.kind], id.name)
        for document in alike:
            if documents.has(document.body, pointer):
                return document.locate_key(pointer)
        if alike:
            return alike[-1].locate_key(pointer)  # the base comes last: it has most of the object
        return next(iter(_alike(self.generators[id.kind], id.name)), None)


def _alike(named: Sequence[tuple[str, T]], name: str) -> list[T]:
    """What has that name; else what namePrefix, nameSuffix or a hash may have made it of."""
    exact = [item for other, item in named if other == name]
    return exact or [item for other, item in named if other and other in name]


def traced(root: str, folder: str, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """*findings* about rendered objects with their places in the source files."""
    sources = _read(root, folder)
    return tuple(_traced(finding, sources) for finding in findings)


def _traced(finding: Finding, sources: _Sources) -> Finding:
    if finding.id is None:
        return finding
    return replace(finding, place=sources.place(finding.id, finding.pointer) or finding.place)


def _read(root: str, folder: str) -> _Sources:
    found = _Sources()
    for path in closures.closure(root, folder).files:
        if path.rpartition("/")[2] in closures.NAMES:
            _add_generators(root, path, found)
        elif path.endswith(files.SUFFIXES):
            _add_documents(root, path, found)
    return found


def _add_documents(root: str, path: str, found: _Sources) -> None:
    try:
        read, _ = documents.read(files.read(root, path), path)
    except (OSError, UsageFault):
        return  # the engine has read it, so it is no manifest that could be meant here
    for document in read:
        name = text(document.body, "metadata", "name")
        found.documents[text(document.body, "kind")].append((name, document))


def _add_generators(root: str, path: str, found: _Sources) -> None:
    document, _ = documents.read_value(files.read(root, path), path)
    if document is None:
        return
    for (kind, name), pointer in closures.names_of_generators(document).items():
        found.generators[kind].append((name, document.locate(pointer)))
