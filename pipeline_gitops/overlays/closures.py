"""Which files a kustomization is made of, read from the kustomization files themselves.

The walk goes before the engine: what lies outside the repository or on another machine is found
here, with file and line, before anything could fetch it.
"""

import os
import posixpath
from collections.abc import Iterator, Mapping

from pipeline_gitops import documents
from pipeline_gitops.documents import Document, Json, at, items
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.overlays import files
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

# Lists of paths, and lists of maps with a `path`. Source: the kustomization fields of kustomize 5.8
# (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/).
_PATHS = (
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patchesStrategicMerge",
)
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")

# What kustomize takes for a repository or URL instead of a path: a scheme, the scp form of SSH, or
# one of the hosts it knows (api/internal/git/repospec.go).
_REMOTE = pattern(
    r"^[a-z][a-z0-9+.-]*://|^[\w.-]+@[\w.-]+:|^git::|^(www\.)?(github|gitlab)\.com[/:]"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """Files of a kustomization, nearest first, and what stands in the way of rendering it."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()  # of every kustomization met
    findings: tuple[Finding, ...] = ()


def kustomization_in(root: str, folder: str) -> str:
    """Relative path of the kustomization file in *folder*, or ""."""
    for name in NAMES:
        path = posixpath.normpath(posixpath.join(folder, name))
        if os.path.isfile(os.path.join(root, path)):
            return path
    return ""


def closure(root: str, folder: str) -> Closure:
    """What the kustomization in *folder* is made of. Raises UsageFault outside the tree."""
    found: list[str] = []
    folders: list[str] = []
    findings: list[Finding] = []
    waiting = [posixpath.normpath(folder)]
    while waiting:
        here = waiting.pop(0)
        if here in folders:
            continue
        folders.append(here)
        path = kustomization_in(root, here)
        if not path:
            continue
        found.append(path)
        document, wrong = documents.read_value(files.read(root, path), path)
        findings += wrong
        if document is None:
            continue
        for pointer, entry in entries(document):
            if is_remote(entry):
                findings.append(_remote(document, pointer))
                continue
            target = _target(root, here, entry, document, pointer)
            if os.path.isdir(os.path.join(root, target)):
                waiting.append(target)
            elif target not in found:
                found.append(target)
    return Closure(files=tuple(found), folders=tuple(folders), findings=tuple(findings))


def entries(document: Document) -> Iterator[tuple[str, str]]:
    """Pointer and text of every path that a kustomization names."""
    body = document.body
    for field in _PATHS:
        for number, entry in enumerate(items(body, field)):
            # A strategic merge patch may also stand there in full; it is no path then.
            if isinstance(entry, str) and "\n" not in entry:
                yield f"/{field}/{number}", entry
    for field in _WITH_PATH:
        for number, entry in enumerate(items(body, field)):
            path = at(entry, "path")
            if isinstance(path, str):
                yield f"/{field}/{number}/path", path
    for field in _GENERATORS:
        for number, generator in enumerate(items(body, field)):
            yield from _sources(f"/{field}/{number}", generator)


def _sources(pointer: str, generator: Json) -> Iterator[tuple[str, str]]:
    for field in ("files", "envs"):
        for number, entry in enumerate(items(generator, field)):
            if isinstance(entry, str):
                yield f"{pointer}/{field}/{number}", entry.partition("=")[2] or entry
    env = at(generator, "env")
    if isinstance(env, str):
        yield f"{pointer}/env", env


def is_remote(entry: str) -> bool:
    """Whether kustomize would fetch *entry* from another machine."""
    return bool(_REMOTE.match(entry))


def _remote(document: Document, pointer: str) -> Finding:
    return Finding(
        rule="remote-base",
        message="names files on another machine, which rendering does not fetch",
        cure="vendor them into the repository and name the folder",
        place=document.locate(pointer),
        pointer=pointer,
    )


def _target(root: str, here: str, entry: str, document: Document, pointer: str) -> str:
    target = posixpath.normpath(posixpath.join(here, entry))
    try:
        files.inside(root, target)
    except UsageFault as fault:
        raise UsageFault(
            f"{document.locate(pointer)}: {entry} leads out of the repository", fault.cure
        ) from None
    return target


def is_component(document: Document | None) -> bool:
    """Whether a kustomization is a part for others and no root by itself."""
    return document is not None and at(document.body, "kind") == "Component"


def names_of_generators(document: Document) -> Mapping[tuple[str, str], str]:
    """Kind and name of what a kustomization generates, with the pointer to its entry."""
    made: dict[tuple[str, str], str] = {}
    for field, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for number, generator in enumerate(items(document.body, field)):
            name = at(generator, "name")
            if isinstance(name, str):
                made[kind, name] = f"/{field}/{number}/name"
    return made
