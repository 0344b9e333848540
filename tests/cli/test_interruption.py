"""A deploy to a cluster that is asked to stop while a write hangs."""

import json
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Repository
from tests.cli.hanging import STOPS_S, HangingServer, writing
from tests.cli.manifests import plain


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_write_that_hangs(repository: Repository, tmp_path: Path, number: int, code: int) -> None:
    """While it still does the run ends, with its own exit code, and reports what is not known."""
    repository.commit(plain("cluster: {namespace: default}"))
    command = ("deploy", "--report", "json=report.json")
    with HangingServer() as server, writing(server, repository, tmp_path, *command) as running:
        running.send_signal(number)
        said, _ = running.communicate(timeout=STOPS_S)
        still_hangs = not server.answers.is_set()

    report = json.loads((repository.root / "report.json").read_text())
    (written,) = report["environments"][0]["written"]
    assert running.returncode == code, said
    assert (written["id"]["name"], written["state"]) == ("settings", "unknown")
    assert still_hangs
