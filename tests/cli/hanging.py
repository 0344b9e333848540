"""A command that is under way, as a process of its own, while its cluster hangs."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.conftest import Repository
from tests.fakes.apiserver import FakeApiServer

ROOT = Path(__file__).resolve().parents[2]
HANGS_S = 60.0
STOPS_S = 25.0  # a run that is asked to stop; after 30 the client would leave the write by itself


class HangingServer(FakeApiServer):
    """An API server that stops answering anything at the first write of `settings`."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self.released = threading.Event()
        self.answers = threading.Event()

    def answer(self, method: str, path: str, query: dict[str, str], *rest: Any) -> Any:
        if method == "PATCH" and path.endswith("/settings") and "dryRun" not in query:
            self.hangs.set()
            self.released.wait(HANGS_S)
            self.answers.set()
        return super().answer(method, path, query, *rest)


@contextmanager
def writing(
    server: HangingServer, repository: Repository, folder: Path, *command: str
) -> Iterator[subprocess.Popen[str]]:
    """The process of that command, in a write that the server does not answer before its end."""
    kubeconfig = server.kubeconfig(folder / "kubeconfig")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "KUBECONFIG": str(kubeconfig)}
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline_gitops", *command],
        cwd=repository.root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        try:
            assert server.hangs.wait(HANGS_S)
            yield running
        finally:
            server.released.set()
