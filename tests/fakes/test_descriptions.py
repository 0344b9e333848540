"""A request that a forge does not describe fails the test that sent it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from openapi_spec_validator import validate

from tests.fakes.descriptions import FOLDER, Description, Sent
from tests.fakes.github import FakeGitHub

GITHUB = Description("github.json", "/api/v3")
GITLAB = Description("gitlab.yaml", "/api/v4")
GITEA = Description("gitea.json", "/api/v1")
REPOSITORY = "/repos/shop/deploy"
ANNOTATION = {
    "path": "deploy/web.yaml",
    "start_line": 1,
    "end_line": 1,
    "annotation_level": "warning",
    "message": "image without a tag",
}


def check_run(annotations: int) -> dict[str, Any]:
    """A finished check run with so many annotations."""
    output = {"title": "t", "summary": "s", "annotations": [ANNOTATION] * annotations}
    return {"name": "n", "head_sha": "a" * 40, "conclusion": "neutral", "output": output}


def mistake(description: Description, request: str, body: object = None) -> str:
    """What is wrong with a request."""
    method, _, target = request.partition(" ")
    path, _, query = target.partition("?")
    raw = b"" if body is None else json.dumps(body).encode()
    content_type = "application/json" if raw else ""
    return description.mistake(Sent(method, description.base + path, query, raw, content_type))


@pytest.mark.parametrize(
    ("description", "request_line", "body"),
    [
        (GITHUB, f"POST {REPOSITORY}/issues/7/comments", {"body": "hello"}),
        (GITHUB, f"GET {REPOSITORY}/issues/7/comments?per_page=100&page=2", None),
        (GITHUB, f"POST {REPOSITORY}/check-runs", check_run(50)),
        (GITHUB, f"PATCH {REPOSITORY}/check-runs/4", {"conclusion": "neutral"}),
        (GITLAB, "POST /projects/shop%2Fdeploy/merge_requests/7/notes", {"body": "hello"}),
        (GITLAB, "GET /projects/42/repository/merge_base?refs%5B%5D=a&refs%5B%5D=b", None),
        (GITEA, f"POST {REPOSITORY}/statuses/{'a' * 40}", {"state": "failure", "context": "c"}),
    ],
)
def test_described(description: Description, request_line: str, body: object) -> None:
    """There is nothing wrong with it."""
    assert mistake(description, request_line, body) == ""


@pytest.mark.parametrize(
    ("description", "request_line", "body", "said"),
    [
        (GITHUB, f"POST {REPOSITORY}/comments", {"body": "x"}, "Path not found"),
        (GITHUB, f"PUT {REPOSITORY}/issues/comments/1", {"body": "x"}, "Operation put not found"),
        (GITHUB, f"POST {REPOSITORY}/issues/x/comments", {"body": "x"}, "issue_number"),
        (GITHUB, f"POST {REPOSITORY}/issues/7/comments", None, "request body"),
        (GITHUB, f"POST {REPOSITORY}/issues/7/comments", {"text": "x"}, "'text' was unexpected"),
        (GITHUB, f"GET {REPOSITORY}/issues/7/comments?perpage=9", None, "perpage"),
        (GITHUB, f"POST {REPOSITORY}/statuses/a", {"state": "running"}, "'running' is not one of"),
        (GITHUB, f"POST {REPOSITORY}/check-runs", check_run(51), "too long"),
        (GITHUB, f"POST {REPOSITORY}/deployments", {"auto_merge": False}, "'ref' is a required"),
        (GITLAB, "POST /projects/shop/deploy/statuses/a", {"state": "success"}, "Path not found"),
        (GITLAB, "POST /projects/42/statuses/a", {"state": "failure"}, "'failure' is not one of"),
        (GITLAB, "POST /projects/42/merge_requests/7/notes", {"note": "x"}, "'body' is a required"),
        (GITLAB, "POST /projects/42/deployments", {"environment": "prod"}, "'tag' is a required"),
        (GITEA, f"POST {REPOSITORY}/statuses/a", {"state": "cancelled"}, "is not one of"),
        (GITEA, f"POST {REPOSITORY}/deployments", {"ref": "main"}, "Path not found"),
        (GITEA, f"GET {REPOSITORY}/commits/a/statuses?per_page=9", None, "per_page"),
    ],
)
def test_not_described(
    description: Description, request_line: str, body: object, said: str
) -> None:
    """What is wrong is told."""
    assert said in mistake(description, request_line, body)


def test_a_fake_does_not_close_over_a_mistake() -> None:
    """Though the request was answered."""
    server = FakeGitHub()
    requests.post(
        f"{server.api_url}{REPOSITORY}/statuses/{'a' * 40}",
        json={"state": "success", "contxt": "pipeline-gitops/prod"},
        headers={"Authorization": "token writer"},
        timeout=10,
    )

    with pytest.raises(AssertionError, match="'contxt' was unexpected"):
        server.close()


@pytest.mark.parametrize("file", ["github.json", "gitlab.yaml", "gitea.json"])
def test_the_descriptions_are_descriptions(file: str) -> None:
    """By OpenAPI's own rules."""
    validate(yaml.load((FOLDER / file).read_text(), yaml.CSafeLoader))


def test_the_cuts_name_their_source_and_licence() -> None:
    """They are other people's work."""
    titles = [
        json.loads((FOLDER / file).read_text())["info"]["title"]
        for file in ("github.json", "gitea.json")
    ]

    assert all("MIT, (c)" in title for title in titles)
    assert (Path(FOLDER) / "cut.py").is_file()
