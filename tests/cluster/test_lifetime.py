"""The test cluster starts for certain or says why not, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.controlplane import START_S, START_TRIES, ControlPlane
from tests.parts.errors import PartError
from tests.parts.processes import PortLostError, tied

ROOT = Path(__file__).resolve().parents[2]
ENDS_S = 30.0  # of a busy machine: they are killed at once
LISTENING = "0A"  # the state's name in /proc/net/tcp

START_AND_WAIT = """
import json, time
from tests.cluster.controlplane import ControlPlane
plane = ControlPlane()
plane.start()
print(json.dumps([str(plane.folder), plane.pids]), flush=True)
time.sleep(600)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def lives(pid: int) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        stat_line = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat_line.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def listening_addresses(pid: int) -> set[str]:
    """The local addresses, in /proc's hexadecimal, on which a process listens."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            sockets.add(target[len("socket:[") : -1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in sockets:
                addresses.add(fields[1].partition(":")[0])
    return addresses


def fake_programs(folder: Path, script: str) -> Path:
    """A folder whose `controlplane` runs *script* as etcd, and else does nothing."""
    program = folder / "controlplane"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in\nsigning-key) ;;\netcd) {script};;\n*) exec sleep 60;;\nesac\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return folder


@linux_only
def test_listens_on_loopback_only(control_plane: ControlPlane) -> None:
    """No program of the cluster can be reached from another machine."""
    pids = control_plane.pids.values()

    addresses = set().union(*(listening_addresses(pid) for pid in pids))

    assert addresses == {"0100007F"}  # 127.0.0.1


@linux_only
def test_nothing_outlives_a_killed_run() -> None:
    """All programs end soon after a kill -9 of the run that started them."""
    with subprocess.Popen(
        [sys.executable, "-c", START_AND_WAIT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder, pids = json.loads(run.stdout.readline())
        assert len(pids) == 5
        assert all(map(lives, pids.values()))

        run.kill()

        assert wait_until(lambda: not any(map(lives, pids.values())), ENDS_S), pids
    shutil.rmtree(folder)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_play_cluster_ends_in_order(tmp_path: Path, end: signal.Signals) -> None:
    """A cluster to play with says where its kubeconfig is, and ends cleanly on a signal."""
    ready = tmp_path / "ready"
    command = [sys.executable, "tests/cluster/__main__.py", "--ready-file", str(ready)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as play:
        assert wait_until(ready.exists, START_S)
        kubeconfig = Path(ready.read_text().strip())
        assert json.loads(kubeconfig.read_text())["current-context"] == "test"

        play.send_signal(end)
        output, _ = play.communicate(timeout=START_S)

    assert play.returncode == 0
    assert output == f"export KUBECONFIG={kubeconfig}\n"
    assert not ready.exists()
    assert not kubeconfig.parent.exists()


def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """After the context manager, neither a program nor a file is left."""
    with ControlPlane() as plane:
        pids, folder = plane.pids, plane.folder

    assert not any(map(lives, pids.values()))
    assert not folder.exists()


def test_failing_program_is_quoted(tmp_path: Path) -> None:
    """When a program ends at start, the error has its name, its last words and its log."""
    plane = ControlPlane(fake_programs(tmp_path, "echo no luck today; exit 3"))

    with pytest.raises(PartError) as failure:
        plane.start()

    assert "etcd of the test control plane ended with 3" in str(failure.value)
    assert "no luck today" in str(failure.value)
    assert str(plane.folder / "etcd.log") in str(failure.value)
    assert (plane.folder / "etcd.log").exists()
    plane.stop()


def test_lost_port_is_tried_again(tmp_path: Path) -> None:
    """A port that another program took meanwhile is no reason to give up at once."""
    starts = tmp_path / "starts"
    script = f"echo start >> {starts}; echo address already in use; exit 1"
    plane = ControlPlane(fake_programs(tmp_path, script))

    with pytest.raises(PortLostError):
        plane.start()

    assert starts.read_text().split() == ["start"] * START_TRIES
    plane.stop()


def test_programs_start_from_the_main_thread_only() -> None:
    """A program tied to a thread would end with it, so such a start is refused."""
    raised: list[BaseException] = []

    def start() -> None:
        try:
            tied(["true"])
        except PartError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert len(raised) == 1
