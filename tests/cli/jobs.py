"""The variables that CI systems set for a job."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.gitlab import FakeGitLab


class Job:
    """Sets the variables of a CI job."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self._event = folder / "event.json"

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def github(self, event: str, payload: Mapping[str, object], **variables: str) -> None:
        self._event.write_text(json.dumps(payload))
        self.set(
            GITHUB_ACTIONS="true",
            GITHUB_EVENT_NAME=event,
            GITHUB_EVENT_PATH=str(self._event),
            GITHUB_REPOSITORY="shop/deploy",
            GITHUB_RUN_NUMBER="5",
            **variables,
        )

    def pull_request(
        self, base: str, head: str, *, fork: bool = False, number: int = 7, **variables: str
    ) -> None:
        ours = {"full_name": "shop/deploy", "default_branch": "main"}
        theirs = {"full_name": "stranger/deploy"} if fork else ours
        pull = {
            "number": number,
            "head": {"sha": head, "ref": "feature", "repo": theirs},
            "base": {"sha": base, "ref": "main", "repo": ours},
            "labels": [],
        }
        payload = {"action": "opened", "number": number, "pull_request": pull, "repository": ours}
        self.github("pull_request", payload, GITHUB_SHA="f" * 40, **variables)

    def push(self, branch: str, sha: str, **variables: str) -> None:
        payload = {"ref": f"refs/heads/{branch}", "repository": {"default_branch": "main"}}
        self.github(
            "push",
            payload,
            GITHUB_SHA=sha,
            GITHUB_REF=f"refs/heads/{branch}",
            GITHUB_REF_NAME=branch,
            **variables,
        )

    def gitlab_push(self, forge: FakeGitLab, sha: str, **variables: str) -> None:
        """A job of the pipeline of a push to main."""
        for name in ("CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_DIFF_BASE_SHA"):
            self._monkeypatch.delenv(name, raising=False)
        self._gitlab(forge, sha, CI_PIPELINE_SOURCE="push", CI_COMMIT_BRANCH="main", **variables)

    def gitlab_merge_request(
        self, forge: FakeGitLab, base: str, head: str, **variables: str
    ) -> None:
        """A job of the pipeline of merge request 7."""
        self._monkeypatch.delenv("CI_COMMIT_BRANCH", raising=False)
        self._gitlab(
            forge,
            head,
            CI_PIPELINE_SOURCE="merge_request_event",
            CI_MERGE_REQUEST_IID="7",
            CI_MERGE_REQUEST_PROJECT_ID="42",
            CI_MERGE_REQUEST_PROJECT_PATH="shop/deploy",
            CI_MERGE_REQUEST_SOURCE_PROJECT_ID="42",
            CI_MERGE_REQUEST_DIFF_BASE_SHA=base,
            CI_MERGE_REQUEST_TARGET_BRANCH_NAME="main",
            **variables,
        )

    def _gitlab(self, forge: FakeGitLab, sha: str, **variables: str) -> None:
        self.set(
            GITLAB_CI="true",
            CI_API_V4_URL=forge.api_url,
            CI_SERVER_URL=forge.origin,
            CI_PROJECT_ID="42",
            CI_PROJECT_PATH="shop/deploy",
            CI_COMMIT_SHA=sha,
            CI_DEFAULT_BRANCH="main",
            PIPELINE_GITOPS_TOKEN="planted-token-123",
            **variables,
        )
