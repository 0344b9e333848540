"""Where a value of a rendered object comes from in the source files.

kustomize forgets lines. So the files of the overlay are searched, nearest first, for a document of
the same kind and name that holds the very value; patches of the overlay therefore win over the
base. Best effort: a value that a transformer made (an image tag, a prefix) points at its nearest
parent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipeline_gitops import documents
from pipeline_gitops.documents import Document, text
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.overlays import closures, files
from pipeline_gitops.views import Finding


@dataclass(frozen=True, slots=True)
class _Generated:
    kind: str
    name: str
    place: Place


def traced(root: str, folder: str, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """*findings* about rendered objects with their places in the source files."""
    sources, generated = _sources(root, folder)
    return tuple(
        finding
        if finding.id is None
        else replace(finding, place=_place(finding, sources, generated))
        for finding in findings
    )


def _sources(root: str, folder: str) -> tuple[list[Document], list[_Generated]]:
    sources: list[Document] = []
    generated: list[_Generated] = []
    for path in closures.closure(root, folder).files:
        if path.rpartition("/")[2] in closures.NAMES:
            generated += _generated(root, path)
        elif path.endswith(files.SUFFIXES):
            try:
                sources += documents.read(files.read(root, path), path)[0]
            except (OSError, UsageFault):
                continue  # the engine has read it, so it is no manifest that could be meant here
    return sources, generated


def _generated(root: str, path: str) -> Iterator[_Generated]:
    document, _ = documents.read_value(files.read(root, path), path)
    if document is not None:
        for (kind, name), pointer in closures.names_of_generators(document).items():
            yield _Generated(kind, name, document.locate(pointer))


def _place(finding: Finding, sources: Sequence[Document], generated: Sequence[_Generated]) -> Place:
    assert finding.id is not None  # noqa: S101 - the caller has looked; narrows the type
    alike = [document for document in sources if _same(document, finding.id)]
    for document in alike:
        if documents.has(document.body, finding.pointer):
            return document.locate_key(finding.pointer)
    if alike:
        return alike[-1].locate_key(
            finding.pointer
        )  # the base comes last: it has most of the object
    for entry in generated:
        if entry.kind == finding.id.kind and finding.id.name.startswith(entry.name):
            return entry.place
    return finding.place


def _same(document: Document, id: ObjectId) -> bool:
    name = text(document.body, "metadata", "name")
    # namePrefix and nameSuffix may have been added on the way.
    return text(document.body, "kind") == id.kind and bool(name) and name in id.name
