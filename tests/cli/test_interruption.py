"""A deploy to a cluster that is asked to stop while a write hangs."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Repository
from tests.cli.manifests import plain
from tests.fakes.apiserver import FakeApiServer

ROOT = Path(__file__).resolve().parents[2]


class HangingServer(FakeApiServer):
    """An API server that stops answering anything at the first write of `settings`."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self.released = threading.Event()

    def answer(self, method: str, path: str, query: dict[str, str], *rest: Any) -> Any:
        if method == "PATCH" and path.endswith("/settings") and "dryRun" not in query:
            self.hangs.set()
            self.released.wait(60)
        return super().answer(method, path, query, *rest)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_write_that_hangs(repository: Repository, tmp_path: Path, number: int, code: int) -> None:
    """Within seconds it ends, with its own exit code, and reports what is not known."""
    repository.commit(plain("cluster: {namespace: default}"))
    with HangingServer() as server:
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KUBECONFIG": str(server.kubeconfig(tmp_path / "kubeconfig")),
        }
        command = ["-P", "-m", "pipeline_gitops", "deploy", "--report", "json=report.json"]
        with subprocess.Popen(
            [sys.executable, *command],
            cwd=repository.root,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            try:
                assert server.hangs.wait(20)
                started = time.monotonic()
                running.send_signal(number)
                said, _ = running.communicate(timeout=30)
            finally:
                server.released.set()
        took = time.monotonic() - started

    report = json.loads((repository.root / "report.json").read_text())
    (written,) = report["environments"][0]["written"]
    assert running.returncode == code, said
    assert (written["id"]["name"], written["state"]) == ("settings", "unknown")
    assert took < 7.5
