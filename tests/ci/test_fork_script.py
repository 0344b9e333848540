"""The job that posts reports of forks on GitLab, as docs/ci.md has it, and a stand-in for it.

Only its `script` is run: what the image and the included file bring is laid in place beforehand.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Repository, Said
from tests.cli.jobs import Job
from tests.cli.manifests import config_map, plain
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.servers import Reply, Request

pytestmark = pytest.mark.runner

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "planted-token-123"
JOB, FORK, NAME = 99, "43", "pipeline-gitops-review"


class Loader(yaml.SafeLoader):
    """Knows GitLab's own tag."""


Loader.add_constructor("!reference", lambda loader, node: loader.construct_sequence(node))


def documented() -> str:
    """The script of the job in the documentation."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/ci.md").read_text(), re.DOTALL)
    (block,) = (block for block in blocks if block.startswith("report-forks:"))
    (script,) = yaml.load(block, Loader)["report-forks"]["script"]
    return str(script)


class ForkedGitLab(FakeGitLab):
    """With a fork, project 43, whose review job has left a report."""

    description = replace(
        FakeGitLab.description,
        beside=frozenset(
            {
                "/api/v4/projects/42/merge_requests",
                f"/api/v4/projects/{FORK}/jobs/{JOB}/artifacts/pipeline-gitops.json",
            }
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self.artifact: object = None
        self.head = ""

    def answer(self, request: Request) -> Reply:
        """Answers as GitLab does."""
        match request.segments[2:]:
            case ("projects", "42", "merge_requests"):
                return Reply(200, [one for one in self.requests.values() if _open(one)])
            case ("projects", "43", "repository", "commits", self.head, "statuses"):
                named = request.query.get("name") == NAME
                return Reply(200, [{"id": JOB, "name": NAME}] if named else [])
            case ("projects", "43", "jobs", "99", "artifacts", "pipeline-gitops.json"):
                return Reply(200, self.artifact) if self.artifact else Reply(404, {})
        return super().answer(request)


def _open(request: dict[str, object]) -> bool:
    return request["state"] == "opened"


@pytest.fixture
def gitlab() -> Iterator[ForkedGitLab]:
    """A stateful stand-in for GitLab."""
    forge = ForkedGitLab()
    yield forge
    forge.close()


@pytest.fixture
def forked(
    repository: Repository, call: Callable[..., Said], job: Job, gitlab: ForkedGitLab
) -> ForkedGitLab:
    """Merge request 7 comes from a fork, whose job has run; 8 is one of our own."""
    files = {**plain(), ".gitignore": "*.json\n*.md\n.pipeline-gitops-venv/\n"}
    base = repository.commit(files)
    repository.git("checkout", "--quiet", "-b", "feature")
    gitlab.head = repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})
    job.gitlab_merge_request(gitlab, base, gitlab.head)
    job.set(CI_PROJECT_ID=FORK, CI_MERGE_REQUEST_SOURCE_PROJECT_ID=FORK, PIPELINE_GITOPS_TOKEN="")
    said = call("run", "--report", "json=report.json")
    assert said.code == 0, said.text
    report = repository.root / "report.json"
    gitlab.artifact = yaml.safe_load(report.read_text())
    repository.git("checkout", "--quiet", "main")
    gitlab.requests = {7: gitlab.request(7), 8: gitlab.request(8)}
    gitlab.requests[7] |= {"sha": gitlab.head, "source_project_id": 43, "target_project_id": 42}
    gitlab.requests[8] |= {"source_project_id": 42, "target_project_id": 42}
    return gitlab


def run(repository: Repository, gitlab: ForkedGitLab) -> str:
    """What the scheduled job says."""
    program = repository.root / ".pipeline-gitops-venv/bin/pipeline-gitops"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m pipeline_gitops "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", "-e", "-c", documented()],
        cwd=repository.root,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "PYTHONPATH": str(ROOT),
            "GITLAB_CI": "true",
            "CI_API_V4_URL": gitlab.api_url,
            "CI_SERVER_URL": gitlab.origin,
            "CI_PROJECT_ID": "42",
            "CI_PROJECT_PATH": "shop/deploy",
            "CI_PIPELINE_SOURCE": "schedule",
            "CI_COMMIT_BRANCH": "main",
            "CI_DEFAULT_BRANCH": "main",
            "CI_COMMIT_SHA": repository.git("rev-parse", "HEAD"),
            "PIPELINE_GITOPS_TOKEN": TOKEN,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout + done.stderr


def test_the_report_of_a_fork_is_posted(repository: Repository, forked: ForkedGitLab) -> None:
    """Under a sentence that says whose word it is, and without a status."""
    log = run(repository, forked)

    (note,) = forked.bodies()
    assert "greeting: welcome" in note, log
    assert "nothing of it was checked here" in note
    assert forked.all_statuses == []
    assert TOKEN not in log


def test_a_fork_without_a_report_is_passed_over(
    repository: Repository, forked: ForkedGitLab
) -> None:
    """Its job has not ended yet, or has failed before."""
    forked.artifact = None

    run(repository, forked)

    assert forked.bodies() == []


def test_a_report_that_is_refused_does_not_end_the_job(
    repository: Repository, forked: ForkedGitLab
) -> None:
    """The next fork's turn comes all the same."""
    forked.artifact = {"schema": "of something else"}

    log = run(repository, forked)

    assert "not posted: !7" in log
    assert forked.bodies() == []
