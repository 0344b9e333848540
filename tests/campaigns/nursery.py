"""Starts deploys as processes of their own, to be killed: run as a program, never imported for it.

Starting Python and importing everything takes 0.3 s of processor time, three times what a deploy
needs, and campaigns start hundreds. So this program imports everything once, and each deploy is a
fork of it: a real process with a pid, memory, threads and sockets of its own, that runs the real
`main` and that SIGKILL and SIGSTOP hit as they hit any other. It forks while it has one thread,
as the test runner never has.

Lines of JSON come in ({"argv", "cwd", "env", "output"}) and go out ({"started": pid}, {"ended":
pid, "code": code}; a code is negative after a signal). It ends when its input does.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: find the package `tests` all the same
    sys.path[0] = str(Path(__file__).resolve().parents[2])

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serves until the input ends, then ends whatever is left."""
    warm()
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    children: set[int] = set()
    pending = b""
    say({"ready": True})
    while True:
        ready, _, _ = select.select([0, awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            reap(children)
        if 0 not in ready:
            continue
        more = os.read(0, 65_536)
        if not more:
            break
        *lines, pending = (pending + more).split(b"\n")
        for line in lines:
            pid = start(json.loads(line))
            children.add(pid)
            say({"started": pid})
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def warm() -> None:
    """Imports, and reads once, what every deploy would."""
    for name in (
        "kubernetes.client",
        "kubernetes.config.kube_config",
        "urllib3.connectionpool",
        "pipeline_gitops.__main__",
        "pipeline_gitops.cli.commands.deploy",
        "pipeline_gitops.targets.cluster",
    ):
        importlib.import_module(name)
    from pipeline_gitops.cli import session

    session.config_schema()
    session.packed_kinds()
    session.catalog()
    gc.freeze()


def say(news: dict[str, Any]) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


def reap(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        children.discard(pid)
        say({"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def start(order: dict[str, Any]) -> int:
    """The pid of a child that runs the command."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        prepare(order)
        code = command(order["argv"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def prepare(order: dict[str, Any]) -> None:
    """Makes the child's surroundings those of a command that a shell starts."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, standard)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])


def command(argv: list[str]) -> int:
    from pipeline_gitops.__main__ import main as deploy

    sys.argv = ["pipeline-gitops", *argv]
    try:
        deploy()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


if __name__ == "__main__":
    main()
