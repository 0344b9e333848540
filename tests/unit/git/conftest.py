"""Repositories as people have them: an origin, a clone, a shallow one."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline_gitops.git import Git
from tests.contract import places
from tests.contract.places import ENVIRON

NOWHERE = "0123456789" * 4


def sh(cwd: Path, *args: str) -> str:
    """A Git command of a person."""
    return places.sh(cwd, *args).decode().strip()


def commit(cwd: Path, files: Mapping[str, str], message: str = "change") -> str:
    for name, content in files.items():
        path = cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        sh(cwd, "add", "--", name)
    sh(cwd, "commit", "--quiet", "--allow-empty", "-m", message)
    return sh(cwd, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """An empty bare repository that lets single commits be fetched, as forges do."""
    bare = tmp_path / "origin.git"
    sh(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    sh(bare, "config", "uploadpack.allowReachableSHA1InWant", "true")
    return bare


@pytest.fixture
def clone(tmp_path: Path, origin: Path) -> Path:
    """A clone with one commit, pushed."""
    work = tmp_path / "work"
    sh(tmp_path, "clone", "--quiet", str(origin), str(work))
    sh(work, "checkout", "--quiet", "-B", "main")
    commit(work, {"a.txt": "one\n"}, "first")
    sh(work, "push", "--quiet", "origin", "main")
    return work


@pytest.fixture
def git(clone: Path) -> Git:
    return Git(str(clone), ENVIRON)


def shallow(tmp_path: Path, origin: Path, name: str = "shallow") -> Path:
    sh(tmp_path, "clone", "--quiet", "--depth=1", f"file://{origin}", name)
    return tmp_path / name


def state(clone: Path) -> tuple[bytes, str, str, str]:
    """What belongs to the user: index, branches, HEAD and the work tree's state."""
    return (
        (clone / ".git" / "index").read_bytes(),
        sh(clone, "for-each-ref", "refs/heads", "refs/tags", "refs/remotes"),
        (clone / ".git" / "HEAD").read_text(),
        sh(clone, "status", "--porcelain"),
    )
