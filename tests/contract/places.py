"""Places where files are deployed to, as people see them, and a deploy through the port alone."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from pipeline_gitops import inventories, plans, ports
from pipeline_gitops.documents import Body, Document
from pipeline_gitops.git import Git
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.inventories import Inventory, Owner, Stamp
from pipeline_gitops.manifests import Manifest, ManifestSet
from pipeline_gitops.plans import Plan, State, Survey
from pipeline_gitops.targets import files
from pipeline_gitops.targets.branch import BranchTarget
from pipeline_gitops.targets.directory import DirectoryTarget
from pipeline_gitops.views import Action

OWNER = Owner(repository="acme/shop", environment="prod")
OTHER = Owner(repository="acme/shop", environment="qa")
STAMP = Stamp(revision="a" * 40, sequence=1, run_url="https://ci.example.com/runs/1")
BRANCH = "rendered/prod"
ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}
PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def sh(cwd: Path, *args: str) -> bytes:
    """A Git command of a person."""
    done = subprocess.run(
        ["git", *args], cwd=cwd, env={**ENVIRON, **PERSON}, capture_output=True, check=True
    )
    return done.stdout


# -- places ----------------------------------------------------------------------------------------


class DirectoryPlace:
    """A repository with a directory of rendered manifests, as people see it."""

    path = "rendered/prod"

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "repository"
        self.root.mkdir()

    @property
    def full(self) -> Path:
        return self.root / self.path

    def target(self, owner: Owner = OWNER, path: str = "") -> ports.Target:
        target: ports.Target = DirectoryTarget(str(self.root), path or self.path, owner)
        return target

    def files(self) -> dict[str, bytes]:
        """All files below the path, whoever wrote them."""
        found = (path for path in self.full.rglob("*") if path.is_file() or path.is_symlink())
        return {str(path.relative_to(self.full)): path.read_bytes() for path in found}

    def put(self, name: str, content: bytes) -> None:
        """A person writes a file."""
        path = self.full / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def drop(self, name: str) -> None:
        """A person deletes a file."""
        (self.full / name).unlink()

    def link(self, name: str, to: str) -> None:
        """A person puts a symbolic link, relative to the repository's root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(to)


class BranchPlace:
    """A remote with a branch of rendered manifests. Every target has its own clone, as in CI."""

    path = "manifests/prod"

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.origin = tmp_path / "origin.git"
        sh(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        self.clones = 0

    def clone(self) -> Path:
        self.clones += 1
        path = self.tmp_path / f"clone{self.clones}"
        sh(self.tmp_path, "clone", "--quiet", str(self.origin), str(path))
        return path

    def target(self, owner: Owner = OWNER, path: str = "") -> ports.Target:
        git = Git(str(self.clone()), ENVIRON)
        target: ports.Target = BranchTarget(git, BRANCH, path or self.path, owner)
        return target

    def files(self) -> dict[str, bytes]:
        """All files below the path at the tip, whoever wrote them."""
        if not sh(self.origin, "for-each-ref", f"refs/heads/{BRANCH}"):
            return {}
        listed = sh(self.origin, "ls-tree", "-r", "-z", "--name-only", BRANCH).decode().split("\0")
        below = [name for name in listed if name.startswith(f"{self.path}/")]
        return {
            name.removeprefix(f"{self.path}/"): sh(self.origin, "show", f"{BRANCH}:{name}")
            for name in below
        }

    def edit(self, change: Callable[[Path], None]) -> None:
        """A person pushes a commit."""
        work = self.clone()
        if sh(self.origin, "for-each-ref", f"refs/heads/{BRANCH}"):
            sh(work, "checkout", "--quiet", "-B", "work", f"origin/{BRANCH}")
        change(work)
        sh(work, "add", "--all")
        sh(work, "commit", "--quiet", "-m", "by hand")
        sh(work, "push", "--quiet", "origin", f"HEAD:refs/heads/{BRANCH}")

    def put(self, name: str, content: bytes) -> None:
        """A person writes a file."""

        def change(work: Path) -> None:
            path = work / self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        self.edit(change)

    def drop(self, name: str) -> None:
        """A person deletes a file."""
        self.edit(lambda work: (work / self.path / name).unlink())

    def link(self, name: str, to: str) -> None:
        """A person puts a symbolic link, relative to the repository's root."""

        def change(work: Path) -> None:
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(to)

        self.edit(change)


AnyPlace = DirectoryPlace | BranchPlace


# -- objects and deploys ---------------------------------------------------------------------------


def config_map(name: str, namespace: str = "shop", **data: str) -> Manifest:
    return manifest(ObjectId("", "ConfigMap", namespace, name), data=data)


def manifest(id: ObjectId, **fields: object) -> Manifest:
    metadata = {"name": id.name, **({"namespace": id.namespace} if id.namespace else {})}
    body: Body = {
        "apiVersion": f"{id.group}/v1" if id.group else "v1",
        "kind": id.kind,
        "metadata": metadata,
        **fields,  # type: ignore[dict-item]
    }
    return Manifest(id=id, body=body, document=Document(body=body, place=Place("x"), number=1))


def wanted(*manifests: Manifest) -> ManifestSet:
    return ManifestSet(manifests=tuple(sorted(manifests, key=lambda manifest: manifest.id)))


def planned(target: ports.ReadTarget, desired: ManifestSet) -> tuple[Survey, Plan]:
    survey = target.survey(desired, target.inventory())
    return survey, plans.compute(survey, prune=True)


def claimed(survey: Survey, plan: Plan, stamp: Stamp = STAMP) -> Inventory:
    return inventories.claimed(survey.inventory, stamp, plan.ids)


def finished(survey: Survey, plan: Plan, stamp: Stamp = STAMP) -> Inventory:
    deleted = {change.id for change in plan.changes if change.action is Action.DELETE}
    return inventories.settled(
        claimed(survey, plan, stamp), stamp, receipts={}, gone=deleted | survey.gone
    )


def deploy_once(target: ports.Target, desired: ManifestSet, stamp: Stamp = STAMP) -> Plan:
    """Survey, plan, claim, apply, prune, settle: the pipeline's story without its guards."""
    survey, plan = planned(target, desired)
    if plan.refusals:
        return plan
    with target.claim(claimed(survey, plan, stamp)) as writing:
        outcomes = list(writing.apply(plan.changes))
        if any(outcome.state is State.STALE for outcome in outcomes):
            raise ports.Stale
        assert {outcome.state for outcome in outcomes} <= {State.DONE}
        writing.settle(finished(survey, plan, stamp))
    return plan


def actions(plan: Plan) -> dict[str, Action]:
    return {change.id.name: change.action for change in plan.changes}


def rules(plan: Plan) -> list[str]:
    return [refusal.rule for refusal in plan.refusals]


def content(manifest: Manifest) -> bytes:
    return files.content(manifest.body)


def manifests_in(place: DirectoryPlace | BranchPlace) -> dict[str, bytes]:
    return {name: text for name, text in place.files().items() if name != files.INVENTORY}


def until_not_stale(target: ports.Target, desired: ManifestSet) -> None:
    """What the pipeline does: look again, at most five times."""
    for _ in range(5):
        try:
            deploy_once(target, desired)
        except ports.Stale:
            continue
        return
    raise AssertionError("stale five times")
