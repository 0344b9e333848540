"""How a program is started, bounded and stopped. The only place that starts programs.

Programs get a list of arguments, never a shell, and an environment that their caller chose name by
name. Each runs in a session of its own, so that it can be stopped with everything it started.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import IO

from pipeline_gitops.errors import RejectedFault, UnreachableFault, UsageFault
from pipeline_gitops.values import dataclass

MAX_OUTPUT = 256 * 2**20  # bytes of stdout; far above any sane render, far below a runner's memory
_STDERR_KEPT = 64 * 2**10  # its end: that is where a program says why it gave up
_GRACE_S = 2.0  # for a program to remove its lock files
_TICK_S = 0.2  # how soon it is noticed that a program ended while something holds its pipes
_CHUNK = 64 * 2**10

# What programs need to find their files, their settings and their language. None of it is secret.
_HARMLESS = frozenset(
    {
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "LOGNAME",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TEMP",
        "TMP",
        "TMPDIR",
        "TZ",
        "USER",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    }
)


class TimeoutFault(UnreachableFault):
    """A program took longer than it may."""


class OutputFault(RejectedFault):
    """A program wrote more than anybody could use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """How a program ended. *code* is negative after a signal; *stderr* may lack its start."""

    code: int
    stdout: bytes = field(repr=False)
    stderr: str = field(repr=False)


def child_environment(environ: Mapping[str, str], *, keep: Iterable[str]) -> dict[str, str]:
    """What of *environ* a program may see: what every program needs, and the names in *keep*.

    An allow-list, so that a token of the job reaches no program which was not given it by name.
    """
    names = _HARMLESS.union(keep)
    return {name: value for name, value in environ.items() if name in names}


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    stdin: bytes = b"",
    timeout_s: float,
    max_output: int = MAX_OUTPUT,
) -> Completed:
    """Runs a program to its end. A failing one is a `Completed` with its code, not an exception.

    Raises UsageFault for one that is not there, TimeoutFault and OutputFault for one that had to be
    stopped. Whatever ends this call early, the program and all that it started is stopped first.
    """
    deadline = time.monotonic() + timeout_s
    with _started(argv, cwd, env, piped=bool(stdin)) as program:
        try:
            stdout, stderr = _exchange(program, stdin, deadline, max_output)
            code = program.wait(max(0.0, deadline - time.monotonic()))
        except (_TooLate, subprocess.TimeoutExpired):
            _stop(program)
            raise TimeoutFault(
                f"{_name(argv)} took longer than {timeout_s:g} s",
                "run it again; if it happens again, see whether what it talks to answers",
            ) from None
        except _TooMuch:
            _stop(program)
            raise OutputFault(
                f"{_name(argv)} wrote more than {max_output // 2**20} MiB",
                "look for what it repeats, or split it up",
            ) from None
        except BaseException:
            _stop(program)
            raise
    return Completed(code=code, stdout=stdout, stderr=stderr.decode("utf-8", "replace"))


class _TooLate(Exception):
    """The deadline passed."""


class _TooMuch(Exception):
    """More output than allowed."""


def _name(argv: Sequence[str]) -> str:
    return os.path.basename(argv[0])


def _started(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], *, piped: bool
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        if not os.path.isdir(cwd):
            raise UsageFault(f"{cwd} is not a directory", "correct the path") from error
        raise UsageFault(
            f"{_name(argv)} cannot be started: {error.strerror}",
            f"install {_name(argv)} in the job's image, where PATH finds it",
        ) from error


def _exchange(
    program: "subprocess.Popen[bytes]", stdin: bytes, deadline: float, max_output: int
) -> tuple[bytes, bytes]:
    """Feeds the program and reads it until it closed its pipes, or ended."""
    stdout, stderr = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(_pipe(program.stdout), selectors.EVENT_READ, stdout)
        selector.register(_pipe(program.stderr), selectors.EVENT_READ, stderr)
        if program.stdin:
            os.set_blocking(program.stdin.fileno(), False)
            selector.register(program.stdin, selectors.EVENT_WRITE)
        pending = memoryview(stdin)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise _TooLate
            ready = selector.select(min(left, _TICK_S))
            if not ready and program.poll() is not None:
                _stop(program)  # something that it left behind holds its pipes open
                break
            for key, _ in ready:
                if key.data is None:
                    pending = _fed(selector, _pipe(program.stdin), pending)
                    continue
                chunk = os.read(key.fd, _CHUNK)
                key.data.extend(chunk)
                if not chunk:
                    selector.unregister(key.fileobj)
            if len(stdout) > max_output:
                raise _TooMuch
            del stderr[:-_STDERR_KEPT]
    return bytes(stdout), bytes(stderr)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the program was started without this pipe")
    return pipe


def _fed(selector: selectors.BaseSelector, pipe: IO[bytes], pending: memoryview) -> memoryview:
    """What is left to write. A program that closed its input has read all that it wants."""
    try:
        pending = pending[os.write(pipe.fileno(), pending[:_CHUNK]) :]
    except BrokenPipeError:
        pending = pending[:0]
    if not pending:
        selector.unregister(pipe)
        pipe.close()
    return pending


def _stop(program: "subprocess.Popen[bytes]") -> None:
    """Ends the program and its whole group: first asked, then made to."""
    _signal(program, signal.SIGTERM)
    try:
        program.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(program, signal.SIGKILL)


def _signal(program: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(program.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # the group is gone; macOS says "not permitted" of one that is only zombies
