"""Reading files of a tree without leaving it.

A symbolic link may point inside the tree, never out of it; only regular files are opened, and only
up to a size that a manifest can have.
"""

import os
import stat

from pipeline_gitops.errors import UsageFault

LARGEST = 4 * 1024 * 1024
SUFFIXES = (".yaml", ".yml", ".json")
_MOST = 20_000  # files of one overlay


def inside(root: str, path: str) -> str:
    """Absolute path of *path* in *root*. Raises UsageFault when it lies outside, links followed."""
    base = os.path.realpath(root)
    full = os.path.realpath(os.path.join(base, path))
    if full != base and not full.startswith(base + os.sep):
        raise UsageFault(
            f"{path}: leads out of the repository",
            "keep what is rendered inside the repository, symbolic links included",
        )
    return full


def read(root: str, path: str) -> bytes:
    """Content of one regular file below *root*. Raises UsageFault or OSError."""
    full = inside(root, path)
    descriptor = os.open(full, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UsageFault(f"{path}: not a regular file", "remove it from what is rendered")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UsageFault(f"{path}: larger than 4 MiB", "split the file")
    return content


def manifests_below(root: str, path: str) -> list[str]:
    """Relative paths of all YAML and JSON files below *path*, sorted; hidden folders left out."""
    found: list[str] = []
    inside(root, path)
    for folder, folders, names in os.walk(os.path.join(root, path)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(SUFFIXES) and not name.startswith("."):
                relative = os.path.relpath(os.path.join(folder, name), root)
                inside(root, relative)
                found.append(relative)
        if len(found) > _MOST:
            raise UsageFault(
                f"{path}: more than {_MOST} manifest files", "point the environment deeper"
            )
    return found
