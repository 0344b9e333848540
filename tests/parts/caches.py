"""Where what is built or installed for the tests is kept: outside the tree, by a digest."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def kept(title: str, digest: str, make: Callable[[Path, Path], None]) -> Path:
    """The folder of that digest. *make* fills a folder and may write a log when it is not there.

    Of several processes that want it at once, one makes it and the others wait.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(home) / "pipeline-gitops-tests"
    folder = cache / digest
    if folder.is_dir():
        return folder

    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / f"{digest}.lock", title):
        if not folder.is_dir():  # another process may have made it meanwhile
            started = time.monotonic()
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            try:
                make(part, folder.with_suffix(".log"))
            except BaseException:
                shutil.rmtree(part)
                raise
            part.rename(folder)  # it appears only once all is there
            say(title, f"made in {time.monotonic() - started:.0f} s, kept in {folder}")
    return folder


def say(title: str, message: str) -> None:
    """A line of progress."""
    print(f"{title}: {message}", file=sys.stderr, flush=True)


@contextmanager
def _lock(path: Path, title: str) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(title, "waiting for another process that makes it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
