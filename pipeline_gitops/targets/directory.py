"""A directory of rendered manifests in the work tree: how files are replaced so that none is torn.

Every write happens under a lock on the directory, and only while the inventory there is still the
one that this deploy claimed: once another deploy claims the directory, nothing of this one follows.
"""

import fcntl
import os
import stat
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress

from pipeline_gitops.errors import PartialFault, RefusedFault, UsageFault
from pipeline_gitops.inventories import Inventory, Owner, Version
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Change, Outcome, State, Survey
from pipeline_gitops.ports import Stale, Writing
from pipeline_gitops.targets import files

# One fixed name: what a killed run left there is overwritten by the next one.
_TEMPORARY = ".pipeline-gitops.tmp"


class DirectoryTarget:
    """The directory *path* below *root*, the repository. Implements `ports.Target`."""

    def __init__(self, root: str, path: str, owner: Owner) -> None:
        self._path = files.inside(path)
        self._folder = _Folder(root, self._path)
        self._owner = owner

    @property
    def name(self) -> str:
        """How people know it."""
        return f"directory {self._path}"

    @property
    def runtime(self) -> None:
        """Nothing runs in a directory."""
        return

    def kinds(self) -> Kinds:
        """A directory takes every kind, and knows none."""
        return Kinds()

    def inventory(self) -> Inventory:
        """What the environment owns there. Raises RefusedFault when it is not to be trusted."""
        given = self._read(files.INVENTORY)
        return files.read_inventory(given, self._owner, f"{self._path}/{files.INVENTORY}")

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        """What is in the files against what is wanted."""
        found = {name: self._read(name) for name in files.names(desired, inventory)}
        present = {name: content for name, content in found.items() if content is not None}
        return files.survey(desired, inventory, present)

    def _read(self, name: str) -> bytes | None:
        try:
            return self._folder.read(name)
        except OSError as error:
            raise RefusedFault(
                f"{self._path}/{name} cannot be read: {error.strerror}",
                "let the job's user read it",
            ) from error

    def claim(self, inventory: Inventory) -> AbstractContextManager[Writing]:
        """Writes the claimed inventory, if the one there is still the one that was read.

        Raises Stale otherwise, and RefusedFault when the directory cannot be written at all.
        """
        return self._claim(inventory)

    @contextmanager
    def _claim(self, inventory: Inventory) -> Iterator[Writing]:
        ids = inventory.claim.ids if inventory.claim else ()
        try:
            self._folder.read(files.INVENTORY)  # refuses a symbolic link before it is followed
            for name in (files.INVENTORY, *map(files.file_name, ids)):
                self._folder.check_writable(name)
            self._folder.make()
            claimed = self._folder.swap_inventory(inventory, inventory.version)
        except OSError as error:
            raise RefusedFault(
                f"{self._path} cannot be written: {error.strerror}",
                "let the job's user write there, and see whether the disk has room",
            ) from error
        yield _DirectoryWriting(self._folder, self._path, claimed)


class _DirectoryWriting:
    """The directory under a claim."""

    def __init__(self, folder: "_Folder", path: str, claimed: Version) -> None:
        self._folder = folder
        self._path = path
        self._claimed = claimed
        self._touched: set[str] = set()

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        """Replaces or removes the changes' files, one by one."""
        for change in changes:
            try:
                state, message = self._write(change)
            except OSError as error:
                # A file is replaced whole or not at all, so the old one stands.
                name = files.file_name(change.id)
                state, message = State.REFUSED, f"{self._path}/{name}: {error.strerror}"
            yield Outcome(id=change.id, action=change.action, state=state, message=message)

    def _write(self, change: Change) -> tuple[State, str]:
        name, wanted = files.file_name(change.id), files.wanted(change)
        with self._folder.locked():
            if files.version(self._folder.read(files.INVENTORY)) != self._claimed:
                return State.STALE, "another deploy has claimed the directory"
            present = self._folder.read(name)
            if present == wanted:
                return State.DONE, ""
            if files.version(present) != change.sight.version:
                return State.STALE, f"{self._path}/{name} changed meanwhile"
            if wanted is None:
                self._folder.remove(name)
            else:
                self._folder.write(name, wanted)
            self._touched.add(os.path.dirname(name))
        return State.DONE, ""

    def settle(self, inventory: Inventory) -> None:
        """Records the finished deploy, once all its files are on the disk. Raises Stale."""
        try:
            self._folder.flush(self._touched)
            self._claimed = self._folder.swap_inventory(inventory, self._claimed)
        except OSError as error:
            raise PartialFault(
                f"the files in {self._path} are written, its inventory is not: {error.strerror}",
                "see whether the disk has room, and run it again: nothing is written twice",
            ) from error

    def retire(self) -> None:
        """Deletes the inventory. Raises Stale."""
        try:
            self._folder.flush(self._touched)
            with self._folder.locked():
                if files.version(self._folder.read(files.INVENTORY)) != self._claimed:
                    raise Stale
                self._folder.remove(files.INVENTORY)
        except OSError as error:
            raise PartialFault(
                f"the files in {self._path} are deleted, its inventory is not: {error.strerror}",
                "let the job's user write there, and run it again",
            ) from error


class _Folder:
    """Files below a path of the repository, reached without following a symbolic link."""

    def __init__(self, root: str, path: str) -> None:
        self._root = os.path.realpath(root)
        self._path = path
        self._full = os.path.join(self._root, path) if path != "." else self._root

    def read(self, name: str) -> bytes | None:
        """Content of a file; None when there is none. Raises UsageFault for anything else there."""
        full = self._root
        parts = [part for part in self._path.split("/") if part != "."] + name.split("/")
        for count, part in enumerate(parts, start=1):
            full = os.path.join(full, part)
            try:
                mode = os.lstat(full).st_mode
            except FileNotFoundError:
                return None
            if count < len(parts) and not stat.S_ISDIR(mode):
                raise _in_the_way("/".join(parts[:count]), "directory", mode)
            if count == len(parts) and not stat.S_ISREG(mode):
                raise _in_the_way("/".join(parts), "file", mode)
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def check_writable(self, name: str) -> None:
        """Raises PermissionError when the file cannot be written where it is to be."""
        folder = os.path.dirname(os.path.join(self._full, name))
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        effective = os.access in os.supports_effective_ids
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
            raise PermissionError(0, "no permission to write there", folder)

    def make(self) -> None:
        """Makes the directory, unless it is there."""
        os.makedirs(self._full, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds all others off who write here with this program. The lock dies with the process."""
        descriptor = os.open(self._full, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def swap_inventory(self, inventory: Inventory, expected: Version) -> Version:
        """Writes the inventory if the *expected* one is there. Raises Stale."""
        content = files.write_inventory(inventory)
        with self.locked():
            if files.version(self.read(files.INVENTORY)) != expected:
                raise Stale
            self.write(files.INVENTORY, content)
            self.flush([""])
        return files.version(content)

    def write(self, name: str, content: bytes) -> None:
        """Replaces a file as a whole: whoever reads it sees the old one or the new one."""
        temporary, full = os.path.join(self._full, _TEMPORARY), os.path.join(self._full, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(temporary, flags, 0o666), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.makedirs(os.path.dirname(full), exist_ok=True)
            os.replace(temporary, full)
        except OSError:
            with suppress(OSError):
                os.unlink(temporary)
            raise

    def remove(self, name: str) -> None:
        """Removes a file, and its directory when nothing is left in it."""
        full = os.path.join(self._full, name)
        os.unlink(full)
        with suppress(OSError):  # not empty
            os.rmdir(os.path.dirname(full))

    def flush(self, folders: Iterable[str]) -> None:
        """Waits until the names in *folders* are on the disk, as their contents are already."""
        for folder in sorted({"", *folders}):
            with suppress(FileNotFoundError):  # removed when it was left empty
                descriptor = os.open(os.path.join(self._full, folder), os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def _in_the_way(path: str, wanted: str, mode: int) -> UsageFault:
    found = "a symbolic link" if stat.S_ISLNK(mode) else f"not a {wanted}"
    return UsageFault(f"{path} is {found}", "remove it, or give the target another path")
