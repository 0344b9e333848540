"""The GitHub action, run for real by a local runner against a stateful stand-in for GitHub."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import IDENTITY, Repository
from tests.cli.manifests import config_map, plain
from tests.fakes.github import FakeGitHub

pytestmark = pytest.mark.runner

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# How this machine reaches its package index.
INDEX = {
    name: value
    for name, value in os.environ.items()
    if name.startswith(("UV_", "PIP_", "SSL_CERT")) or name.lower().endswith("_proxy")
}
UV_CACHE = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
TOKEN = "planted-token-123"
REF = "a" * 40

WORKFLOW = f"""\
name: pipeline-gitops
on: [pull_request, push]
jobs:
  pipeline-gitops:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - id: gitops
        uses: acme/pipeline-gitops@{REF}
        with:
          report: json=report.json
          token: ${{{{ secrets.GITHUB_TOKEN }}}}
      - if: always()
        run: echo "verdict=$VERDICT changes=$CHANGES"
        env:
          VERDICT: ${{{{ steps.gitops.outputs.verdict }}}}
          CHANGES: ${{{{ steps.gitops.outputs.changes }}}}
"""


@dataclass(frozen=True)
class Runner:
    """A repository of a user, the action as they would pin it, and their forge."""

    repository: Repository
    action: Path
    forge: FakeGitHub
    home: Path

    def run(self, event: str, payload: dict[str, object], **variables: str) -> str:
        """The log of one workflow run."""
        path = self.home / "event.json"
        path.write_text(json.dumps(payload))
        environ = {
            **INDEX,
            "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
            "HOME": str(self.home),
            "TMPDIR": str(self.home / "tmp"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            # The dependencies come out of the cache that `make test` filled.
            "UV_CACHE_DIR": UV_CACHE,
        }
        argv = [str(BIN / "act"), event, "-e", str(path), "-P", "ubuntu-latest=-self-hosted"]
        argv += ["--no-cache-server", "--action-offline-mode"]
        argv += ["--local-repository", f"acme/pipeline-gitops@{REF}={self.action}"]
        argv += ["-s", f"GITHUB_TOKEN={TOKEN}", "--env", f"GITHUB_API_URL={self.forge.api_url}"]
        for name, value in variables.items():
            argv += ["--env", f"{name}={value}"]
        done = subprocess.run(
            argv,
            cwd=self.repository.root,
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture
def runner(tmp_path: Path, repository: Repository) -> Iterator[Runner]:
    """Everything that a run needs, on loopback and in temporary folders."""
    action = tmp_path / "action"
    action.mkdir()
    for name in ("action.yml", "requirements.lock"):
        shutil.copy(ROOT / name, action)
    for name in ("pipeline_gitops", "schemas"):
        shutil.copytree(ROOT / name, action / name)
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "Action")):
        subprocess.run(["git", *arguments], cwd=action, env={**os.environ, **IDENTITY}, check=True)
    home = tmp_path / "runner"
    (home / "tmp").mkdir(parents=True)
    forge = FakeGitHub()
    repository.git("remote", "add", "origin", "https://github.com/shop/deploy.git")
    yield Runner(repository, action, forge, home)
    forge.close()


def pull_request(base: str, head: str) -> dict[str, object]:
    """The event of a pull request."""
    repository = {"full_name": "shop/deploy", "default_branch": "main"}
    return {
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": {"sha": head, "ref": "feature", "repo": repository},
            "base": {"sha": base, "ref": "main", "repo": repository},
            "labels": [],
        },
        "repository": repository,
    }


def test_a_pull_request_is_answered_with_a_note_and_a_status(runner: Runner) -> None:
    """Installed by hash, run from its checkout; one note, however often the job runs."""
    base = runner.repository.commit({**plain(), ".github/workflows/w.yml": WORKFLOW})
    runner.repository.git("checkout", "--quiet", "-b", "feature")
    head = runner.repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})

    log = runner.run("pull_request", pull_request(base, head))
    again = runner.run("pull_request", pull_request(base, head))

    assert "verdict=ok changes=1" in log, log
    assert "Job succeeded" in again, again
    (note,) = runner.forge.bodies()
    assert "greeting: welcome" in note
    assert runner.forge.statuses_of(head)[0][:2] == ("success", "pipeline-gitops/prod")
    assert TOKEN not in log


def test_a_mistake_fails_the_job_with_its_line(runner: Runner) -> None:
    """Red note, annotation on the line, exit code 3."""
    base = runner.repository.commit({**plain(), ".github/workflows/w.yml": WORKFLOW})
    runner.repository.git("checkout", "--quiet", "-b", "feature")
    head = runner.repository.commit({"deploy/settings.yaml": config_map() + "dta: {}\n"})

    log = runner.run("pull_request", pull_request(base, head))

    assert "exit status 3" in log or "exitcode '3'" in log, log
    assert "verdict=manifests-rejected" in log
    (note,) = runner.forge.bodies()
    assert "deploy/settings.yaml:7" in note
    assert [status[:2] for status in runner.forge.statuses_of(head)] == [
        ("failure", "pipeline-gitops/prod")
    ]


def test_a_file_named_like_a_library_is_not_run(runner: Runner) -> None:
    """The repository being deployed is not on the import path."""
    planted = "raise SystemExit('code of the repository was run')\n"
    base = runner.repository.commit(
        {**plain(), ".github/workflows/w.yml": WORKFLOW, "yaml.py": planted, "click.py": planted}
    )
    runner.repository.git("checkout", "--quiet", "-b", "feature")
    head = runner.repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})

    log = runner.run("pull_request", pull_request(base, head))

    assert "code of the repository was run" not in log
    assert "verdict=ok" in log, log
