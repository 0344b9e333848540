"""Programs are started without a shell, bounded, and stopped together with all they started."""

import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import process
from pipeline_gitops.errors import InterruptedFault, UsageFault

ENV = {"PATH": os.environ["PATH"]}


def python(code: str, *args: str) -> list[str]:
    return [sys.executable, "-c", code, *args]


def run(argv: list[str], cwd: Path, **more: object) -> process.Completed:
    return process.run(argv, cwd=str(cwd), env=ENV, **{"timeout_s": 30.0, **more})  # type: ignore[arg-type]


@contextmanager
def lifeline(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe that ends for its reader when the last process which opened it is gone."""
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield fifo, reader
    finally:
        os.close(reader)


def ended(reader: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        return bool(selector.select(10.0)) and os.read(reader, 1) == b""


# A shell whose child outlives it unless the whole group is stopped.
FAMILY = "exec 3> {fifo}; touch begun; sleep 60 & wait"


def timed_out(script: str, folder: Path) -> None:
    """Runs it into its timeout; into a longer one where it did not begin in time."""
    for timeout_s in (0.5, 5.0, 30.0):
        with pytest.raises(process.TimeoutFault, match=f"sh took longer than {timeout_s:g} s"):
            run(["sh", "-c", script], folder, timeout_s=timeout_s)
        if (folder / "begun").exists():
            return
    raise AssertionError("it never began")


def test_exit_code_and_both_streams_come_back(tmp_path: Path) -> None:
    """A program that fails is a result, not an exception."""
    argv = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")

    completed = run(argv, tmp_path)

    assert (completed.code, completed.stdout, completed.stderr) == (7, b"out\n", "err\n")


def test_arguments_are_not_read_by_a_shell(tmp_path: Path) -> None:
    """An argument reaches the program as it is, whatever a shell would make of it."""
    argument = "$(touch hacked); `id` & 'x"

    completed = run(python("import sys; print(sys.argv[1])", argument), tmp_path)

    assert argument.encode() + b"\n" == completed.stdout
    assert list(tmp_path.iterdir()) == []


def test_large_input_and_output_pass_at_the_same_time(tmp_path: Path) -> None:
    """A program that writes while it reads does not lock up, however full the pipes are."""
    given = os.urandom(4 * 2**20)

    completed = run(["cat"], tmp_path, stdin=given)

    assert given == completed.stdout


def test_program_may_leave_its_input_unread(tmp_path: Path) -> None:
    """A program that ends before it read everything has just ended."""
    completed = run(["true"], tmp_path, stdin=b"x" * 2**20)

    assert completed.code == 0


def test_missing_program_says_how_to_get_it(tmp_path: Path) -> None:
    """A program that is not installed is a usage fault with a cure."""
    with pytest.raises(UsageFault) as caught:
        run(["no-such-program"], tmp_path)

    assert caught.value.what == "no-such-program cannot be started: No such file or directory"
    assert "install no-such-program" in caught.value.cure


def test_missing_directory_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    """What is missing is named: here the directory to run in."""
    with pytest.raises(UsageFault, match="nowhere is not a directory"):
        run(["true"], tmp_path / "nowhere")


def test_only_the_given_environment_reaches_the_program(tmp_path: Path) -> None:
    """Nothing of our own environment leaks into a program."""
    code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE', '__CF_USER_TEXT_ENCODING'}))"

    completed = run(python(code), tmp_path)

    assert completed.stdout == b"['PATH']\n"


def test_tokens_are_kept_from_programs() -> None:
    """A program sees harmless names and those that it was given; never the job's tokens."""
    environ = {
        "PATH": "/bin",
        "GITHUB_TOKEN": "t",
        "AWS_SECRET_ACCESS_KEY": "s",
        "SSH_AUTH_SOCK": "/run/agent",
    }

    kept = process.child_environment(environ, keep=["SSH_AUTH_SOCK"])

    assert kept == {"PATH": "/bin", "SSH_AUTH_SOCK": "/run/agent"}


def test_timeout_stops_the_whole_family(tmp_path: Path) -> None:
    """After a timeout nothing that the program started is left running."""
    with lifeline(tmp_path) as (fifo, reader):
        timed_out(FAMILY.format(fifo=fifo), tmp_path)

        assert ended(reader)


def test_program_that_ignores_being_asked_is_stopped(tmp_path: Path) -> None:
    """SIGTERM is a question, SIGKILL the answer to silence."""
    with lifeline(tmp_path) as (fifo, reader):
        loop = "while :; do read -r line < /dev/zero; done"

        timed_out(f"trap '' TERM; exec 3> {fifo}; touch begun; {loop}", tmp_path)

        assert ended(reader)


def test_interrupt_stops_the_whole_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the CI asks us to stop, no program goes on without us."""

    def interrupt(number: int, frame: object) -> None:
        raise InterruptedFault("asked to stop")

    is_awaited, exchange = threading.Event(), process._exchange

    def awaited(*given: Any) -> tuple[bytes, bytes]:
        is_awaited.set()
        return exchange(*given)

    def ask() -> None:
        is_awaited.wait()
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    monkeypatch.setattr(process, "_exchange", awaited)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with lifeline(tmp_path) as (fifo, reader):
            threading.Thread(target=ask, daemon=True).start()
            started = time.monotonic()

            with pytest.raises(InterruptedFault):
                run(["sh", "-c", FAMILY.format(fifo=fifo)], tmp_path)

            assert ended(reader)
            assert time.monotonic() - started < 60  # it would sleep for so long
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_a_program_leaves_behind_does_not_hold_us_up(tmp_path: Path) -> None:
    """A child that keeps the pipes open after its parent ended is stopped, not waited for."""
    with lifeline(tmp_path) as (fifo, reader):
        completed = run(["sh", "-c", f"exec 3> {fifo}; sleep 60 & echo done"], tmp_path)

        assert (completed.code, completed.stdout) == (0, b"done\n")
        assert ended(reader)


def test_endless_output_is_cut_off(tmp_path: Path) -> None:
    """A program that never stops writing cannot fill our memory."""
    with pytest.raises(process.OutputFault, match="yes wrote more than 1 MiB"):
        run(["yes"], tmp_path, max_output=2**20)


def test_end_of_a_long_stderr_is_kept(tmp_path: Path) -> None:
    """Of many messages the last ones say why a program gave up."""
    code = "import sys; sys.stderr.write('x' * 10**6 + 'the reason')"

    completed = run(python(code), tmp_path)

    assert completed.stderr.endswith("the reason")
    assert len(completed.stderr) <= 64 * 2**10


def test_programs_run_beside_each_other_in_threads(tmp_path: Path) -> None:
    """Nothing is shared between two programs that run at the same time."""
    found: dict[int, bytes] = {}

    def echo(number: int) -> None:
        found[number] = run(["echo", str(number)], tmp_path).stdout

    threads = [threading.Thread(target=echo, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {number: f"{number}\n".encode() for number in range(8)} == found


def test_secrets_stay_out_of_the_result_s_repr(tmp_path: Path) -> None:
    """Output of a program may hold a manifest, so it is hidden when a result is printed."""
    completed = run(["echo", "planted-secret"], tmp_path)

    assert "planted-secret" not in repr(completed)
