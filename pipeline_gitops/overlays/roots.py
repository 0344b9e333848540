"""Which directories of a repository are environments, when nobody wrote it down.

Rules, the first that finds something wins: (1) kustomizations that no other one names, that are no
components and are not called base; (2) directories with Kubernetes manifests.
"""

import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pipeline_gitops import documents
from pipeline_gitops.config import Engine, Environment, Overlay
from pipeline_gitops.documents import Document
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.overlays import closures, files
from pipeline_gitops.values import dataclass

KUSTOMIZATION_RULE = "kustomization that no other one names"
DIRECTORY_RULE = "directory with Kubernetes manifests"

_NOT_ROOTS = frozenset({"base", "bases", "component", "components"})
_PARENTS = frozenset({"overlays", "envs", "environments", "clusters"})
_SKIPPED = frozenset({"node_modules", "vendor", "charts", "templates"})
_MOST_FOLDERS = 50_000


@dataclass(frozen=True, slots=True)
class _Found:
    path: str
    engine: Engine
    rule: str


def discover(root: str, ignored: Iterable[str] = ()) -> tuple[Environment, ...]:
    """Environments without a target, sorted by name. *ignored*: paths of rendered manifests."""
    folders = _folders(root, frozenset(ignored))
    found = _kustomizations(root, folders) or _directories(root, folders)
    names = _names([entry.path for entry in found])
    environments = [
        Environment(
            name=name,
            overlay=Overlay(path=entry.path, engine=entry.engine),
            rule=entry.rule,
        )
        for name, entry in zip(names, found, strict=True)
    ]
    return tuple(sorted(environments, key=lambda environment: environment.name))


def passed_over(root: str) -> tuple[str, ...]:
    """Folders with manifests that `discover` leaves out because there are kustomizations elsewhere.

    Only the topmost ones, and none that a kustomization is in, above or below, or takes from.
    """
    folders = _folders(root, frozenset())
    kustomized = [folder for folder in folders if closures.kustomization_in(root, folder)]
    taken = set(kustomized)
    for folder in kustomized:
        path = closures.kustomization_in(root, folder)
        document, _ = documents.read_value(files.read(root, path), path)
        taken |= _named(folder, document) if document is not None else set()
    rest = [
        folder
        for folder in folders
        if not any(folder == one or _below(folder, one) or _below(one, folder) for one in taken)
    ]
    return tuple(found.path for found in _directories(root, rest)) if kustomized else ()


def _named(folder: str, kustomization: Document) -> set[str]:
    """The paths that the kustomization of a folder names."""
    return {
        posixpath.normpath(posixpath.join(folder, entry))
        for _, entry in closures.entries(kustomization)
        if not closures.is_remote(entry)
    }


def _folders(root: str, ignored: frozenset[str]) -> list[str]:
    found = []
    for folder, folders, _ in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIPPED
            and posixpath.normpath(posixpath.join(relative, name)) not in ignored
        )
        found.append(relative)
        if len(found) > _MOST_FOLDERS:
            raise UsageFault(
                f"more than {_MOST_FOLDERS} folders to search for environments",
                "name the environments in .pipeline-gitops.yaml",
            )
    return found


def _kustomizations(root: str, folders: Sequence[str]) -> list[_Found]:
    named: set[str] = set()
    roots: list[str] = []
    for folder in folders:
        path = closures.kustomization_in(root, folder)
        if not path:
            continue
        document, _ = documents.read_value(files.read(root, path), path)
        if document is None:
            continue
        named |= _named(folder, document)
        if not closures.is_component(document) and _NOT_ROOTS.isdisjoint(folder.split("/")):
            roots.append(folder)
    return [
        _Found(folder, Engine.KUSTOMIZE, KUSTOMIZATION_RULE)
        for folder in roots
        if folder not in named
    ]


def _directories(root: str, folders: Sequence[str]) -> list[_Found]:
    with_manifests = [folder for folder in folders if _has_manifest(root, folder)]
    # A plain directory is rendered with all below it, so only the topmost ones are environments.
    tops = [
        folder
        for folder in with_manifests
        if not any(folder != top and _below(folder, top) for top in with_manifests)
    ]
    return [_Found(folder, Engine.DIRECTORY, DIRECTORY_RULE) for folder in tops]


def _below(folder: str, top: str) -> bool:
    return top == "." or folder.startswith(top + "/")


def _has_manifest(root: str, folder: str) -> bool:
    for name in sorted(os.listdir(os.path.join(root, folder))):
        path = posixpath.normpath(posixpath.join(folder, name))
        if name.startswith(".") or not name.endswith(files.SUFFIXES):
            continue
        if not os.path.isfile(os.path.join(root, path)):
            continue
        try:
            found, _ = documents.read(files.read(root, path), path)
        except (OSError, UsageFault):
            continue  # a file that cannot be read makes no environment
        if found:
            return True
    return False


def _names(paths: Sequence[str]) -> list[str]:
    """Free of doubles: the shortest tail of each path that tells it from all others."""
    short = [_name(path) for path in paths]
    count = Counter(short)
    names = [
        name if count[name] == 1 else _word(_application(path) + "-" + name)
        for name, path in zip(short, paths, strict=True)
    ]
    count = Counter(names)
    return [
        name if count[name] == 1 else _word(path) for name, path in zip(names, paths, strict=True)
    ]


def _name(path: str) -> str:
    parts = [part for part in path.split("/") if part != "."]
    for number, part in enumerate(parts[:-1]):
        if part in _PARENTS:
            return _word("-".join(parts[number + 1 :]))
    return _word(parts[-1]) if parts else "default"


def _application(path: str) -> str:
    parts = [part for part in path.split("/")[:-1] if part not in _PARENTS]
    return parts[-1] if parts else "app"


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-") or "default"
