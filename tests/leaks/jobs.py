"""Jobs of each forge: what a CI sets for them, and where their forge is looked at."""

import json
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.gitea import FakeGitea
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab

TOKEN = "a-token-that-nothing-is-planted-in"


class GitHubJobs:
    """Jobs of GitHub Actions, for pull request 7. *out*: where its files go."""

    token_name = "GITHUB_TOKEN"
    # What is sent where, by a word of its path.
    surfaces: Mapping[str, str] = {
        "note on the forge": "comments",
        "status on the forge": "statuses",
        "check on the forge": "check-runs",
        "deployment on the forge": "deployments",
    }

    def __init__(self, folder: Path, out: Path) -> None:
        self.forge: FakeGitHub | FakeGitLab | FakeGitea = self._forge()
        self._event = folder / "event.json"
        self._out = out

    def _forge(self) -> FakeGitHub | FakeGitea:
        return FakeGitHub()

    def review(self, base: str, head: str) -> dict[str, str]:
        """The variables of a job for the pull request."""
        ours = {"full_name": "shop/deploy", "default_branch": "main"}
        pull = {
            "number": 7,
            "head": {"sha": head, "ref": "feature", "repo": ours},
            "base": {"sha": base, "ref": "main", "repo": ours},
            "labels": [],
        }
        payload = {"action": "opened", "number": 7, "pull_request": pull, "repository": ours}
        return self._job("pull_request", payload, GITHUB_SHA="f" * 40)

    def push(self, sha: str) -> dict[str, str]:
        """The variables of a job for a push to main, which merged the pull request."""
        payload = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}
        return self._job("push", payload, GITHUB_SHA=sha, GITHUB_REF="refs/heads/main")

    def run_of_a_fork(self, base: str, head: str) -> dict[str, str]:
        """The variables of a job that follows the run of a fork's pull request."""
        run = {
            "id": 17,
            "run_attempt": 1,
            "event": "pull_request",
            "head_sha": head,
            "head_repository": {"full_name": "stranger/deploy"},
            "html_url": f"{self.forge.origin}/shop/deploy/actions/runs/17",
            "pull_requests": [],
        }
        payload = {"workflow_run": run, "repository": {"default_branch": "main"}}
        return self._job("workflow_run", payload, GITHUB_SHA=base, GITHUB_REF="refs/heads/main")

    def _job(self, event: str, payload: Mapping[str, object], **variables: str) -> dict[str, str]:
        self._event.write_text(json.dumps(payload))
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(self._event),
            "GITHUB_REPOSITORY": "shop/deploy",
            "GITHUB_API_URL": self.forge.api_url,
            "GITHUB_SERVER_URL": self.forge.origin,
            "GITHUB_RUN_ID": "5",
            "GITHUB_STEP_SUMMARY": str(self._out / "summary"),
            "GITHUB_OUTPUT": str(self._out / "outputs"),
            "RUNNER_TEMP": str(self._out),
            "GITHUB_TOKEN": TOKEN,
            **variables,
        }


class GiteaJobs(GitHubJobs):
    """Jobs of Gitea Actions, which are told as those of GitHub are. It keeps no deployments."""

    surfaces: Mapping[str, str] = {
        "note on the forge": "comments",
        "status on the forge": "statuses",
    }

    def _forge(self) -> FakeGitea:
        return FakeGitea()

    def _job(self, event: str, payload: Mapping[str, object], **variables: str) -> dict[str, str]:
        return super()._job(event, payload, **variables) | {"GITEA_ACTIONS": "true"}


class GitLabJobs:
    """Jobs of GitLab CI, for merge request 7."""

    token_name = "PIPELINE_GITOPS_TOKEN"
    surfaces: Mapping[str, str] = {
        "note on the forge": "notes",
        "status on the forge": "statuses",
        "deployment on the forge": "deployments",
    }

    def __init__(self, folder: Path, out: Path) -> None:
        self.forge: FakeGitHub | FakeGitLab | FakeGitea = FakeGitLab()
        self._out = out

    def review(self, base: str, head: str) -> dict[str, str]:
        """The variables of a job for the merge request."""
        return self._job(
            head,
            CI_PIPELINE_SOURCE="merge_request_event",
            CI_MERGE_REQUEST_IID="7",
            CI_MERGE_REQUEST_PROJECT_ID="42",
            CI_MERGE_REQUEST_PROJECT_PATH="shop/deploy",
            CI_MERGE_REQUEST_SOURCE_PROJECT_ID="42",
            CI_MERGE_REQUEST_DIFF_BASE_SHA=base,
            CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
        )

    def push(self, sha: str) -> dict[str, str]:
        """The variables of a job for a push to main, which merged the merge request."""
        return self._job(sha, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="main")

    def run_of_a_fork(self, base: str, head: str) -> dict[str, str]:
        """The variables of a job of a trusted pipeline: GitLab tells nothing of the fork's."""
        del head
        return self._job(base, CI_PIPELINE_SOURCE="trigger", CI_COMMIT_BRANCH="main")

    def _job(self, sha: str, **variables: str) -> dict[str, str]:
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.forge.api_url,
            "CI_SERVER_URL": self.forge.origin,
            "CI_PROJECT_ID": "42",
            "CI_PROJECT_PATH": "shop/deploy",
            "CI_COMMIT_SHA": sha,
            "CI_DEFAULT_BRANCH": "main",
            "RUNNER_TEMP": str(self._out),  # no such thing there: it keeps the note among the files
            "PIPELINE_GITOPS_TOKEN": TOKEN,
            **variables,
        }


Jobs = GitHubJobs | GitLabJobs

FORGES = {"github": GitHubJobs, "gitlab": GitLabJobs, "gitea": GiteaJobs}
