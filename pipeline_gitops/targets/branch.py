"""A path on a branch of rendered manifests: how a deploy becomes one commit, and loses no other's.

Everything is read at one tip and staged in memory; settling makes one commit on it and pushes it
forward, never by force. Whoever comes second looks at the new tip: where its own path is as it was,
the same commit is made on top, otherwise the target is stale.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from pipeline_gitops.git import Git
from pipeline_gitops.inventories import Inventory, Owner, Stamp, Version
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Change, Outcome, State, Survey
from pipeline_gitops.ports import Stale, Writing
from pipeline_gitops.targets import files

_ATTEMPTS = 10  # pushes; whoever loses that often to other paths should look again


class BranchTarget:
    """The directory *path* on a branch of the remote. Implements `ports.Target`."""

    def __init__(self, git: Git, branch: str, path: str, owner: Owner) -> None:
        self._place = _Place(git, branch, files.inside(path), owner)

    @property
    def name(self) -> str:
        """How people know it."""
        return str(self._place)

    @property
    def runtime(self) -> None:
        """Nothing runs on a branch."""
        return

    def kinds(self) -> Kinds:
        """A branch takes every kind, and knows none."""
        return Kinds()

    def inventory(self) -> Inventory:
        """What the environment owns at the branch's tip, which is the inventory's version."""
        return self._place.inventory(self._place.tip())

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        """What is in the files, at the inventory's own tip, against what is wanted."""
        present = self._place.read(inventory.version, files.names(desired, inventory))
        return files.survey(desired, inventory, present)

    def claim(self, inventory: Inventory) -> AbstractContextManager[Writing]:
        """Keeps the tip. Nothing is pushed yet: a branch is never half deployed."""
        return self._claim(inventory)

    @contextmanager
    def _claim(self, inventory: Inventory) -> Iterator[Writing]:
        yield _BranchWriting(self._place, inventory.version)


class _BranchWriting:
    """The branch under a claim."""

    def __init__(self, place: "_Place", tip: Version) -> None:
        self._place = place
        self._tip = tip
        self._staged: dict[str, bytes | None] = {}

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        """Stages the changes for the one commit that settling makes."""
        for change in changes:
            self._staged[files.file_name(change.id)] = files.wanted(change)
            yield Outcome(id=change.id, action=change.action, state=State.DONE)

    def settle(self, inventory: Inventory) -> None:
        """Pushes the staged changes as one commit; nothing, when there are none. Raises Stale."""
        there = self._place.inventory(self._tip)
        if not self._staged and (there.ids, there.held) == (inventory.ids, inventory.held):
            return
        self._push(files.write_inventory(inventory), message(inventory))

    def retire(self) -> None:
        """Pushes the deletions, that of the inventory included, as one commit. Raises Stale."""
        self._push(None, f"Remove {self._place.owner.environment}\n")

    def _push(self, inventory: bytes | None, text: str) -> None:
        place, tip = self._place, self._tip
        staged = {**self._staged, files.INVENTORY: inventory}
        base = place.tree(tip)
        for _ in range(_ATTEMPTS):
            if place.pushed(tip, staged, text):
                return
            tip = place.tip()
            if place.tree(tip) != base:
                break
        raise Stale


def message(inventory: Inventory) -> str:
    """The commit's message. Its trailers lead from a file back to the commit that it came from."""
    stamp = inventory.stamp or Stamp(revision="")
    environment = inventory.owner.environment
    trailers = {
        "Source-Revision": stamp.revision,
        "Run-URL": stamp.run_url,
        "Environment": environment,
    }
    lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items() if value]
    return "\n".join([f"Deploy {environment} at {stamp.revision[:7]}", "", *lines, ""])


class _Place:
    """Where on which branch, and whose it is. A tip is a commit; "" before the branch exists."""

    def __init__(self, git: Git, branch: str, path: str, owner: Owner) -> None:
        self._git = git
        self._branch = branch
        self._path = path
        self.owner = owner

    def __str__(self) -> str:
        return f"branch {self._branch}" + (f" {self._path}" if self._path != "." else "")

    def tip(self) -> Version:
        return Version(self._git.fetch_branch(self._branch) or "")

    def tree(self, tip: Version) -> str:
        return self._git.tree_at(tip, self._path) if tip else ""

    def read(self, tip: Version, names: frozenset[str]) -> Mapping[str, bytes]:
        return self._git.read_path(tip, self._path, names) if tip else {}

    def inventory(self, tip: Version) -> Inventory:
        given = self.read(tip, frozenset({files.INVENTORY})).get(files.INVENTORY)
        file = f"{self._path}/{files.INVENTORY} on {self._branch}"
        return replace(files.read_inventory(given, self.owner, file), version=tip)

    def pushed(self, tip: Version, staged: Mapping[str, bytes | None], text: str) -> bool:
        sha = self._git.commit_path(tip or None, self._path, staged, text)
        return self._git.push(sha, self._branch)
