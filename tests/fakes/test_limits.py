"""The fakes refuse what the forges refuse, over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab

SHA = "a" * 40
Send = Callable[..., requests.Response]


def sender(server: Any, root: str) -> Send:
    """Sends as a token that may write."""

    def send(method: str, path: str, body: object = None, token: str = "writer") -> Any:
        return requests.request(
            method,
            f"{server.api_url}{root}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )

    return send


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A GitHub."""
    server = FakeGitHub()
    yield server
    server.close()


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    """A GitLab."""
    server = FakeGitLab()
    yield server
    server.close()


@pytest.mark.parametrize(
    ("path", "fits", "too_long"),
    [
        ("issues/7/comments", {"body": "x" * 65_536}, {"body": "x" * 65_537}),
        (
            f"statuses/{SHA}",
            {"state": "success", "description": "x" * 140},
            {"state": "success", "description": "x" * 141},
        ),
        (
            f"statuses/{SHA}",
            {"state": "success", "context": "x" * 255, "description": ""},
            {"state": "success", "context": "x" * 256, "description": ""},
        ),
    ],
)
def test_github_takes_no_more(
    github: FakeGitHub, path: str, fits: object, too_long: object
) -> None:
    """One character more is refused, not cut."""
    send = sender(github, "/repos/shop/deploy")

    codes = [send("POST", path, body).status_code for body in (fits, too_long)]

    assert codes == [201, 422]


def test_github_takes_a_thousand_statuses_of_a_context(github: FakeGitHub) -> None:
    """And no more on one commit."""
    send = sender(github, "/repos/shop/deploy")
    status = {"state": "success", "context": "c", "description": ""}
    github.all_statuses += [{"sha": SHA, **status}] * 999

    codes = [send("POST", f"statuses/{SHA}", status).status_code for _ in range(2)]

    assert codes == [201, 422]


def test_github_spends_its_limits(github: FakeGitHub) -> None:
    """The primary one says when it is lifted, the secondary one how long to wait."""
    send = sender(github, "/repos/shop/deploy")
    github.creations_left = 1
    github.requests_left = 3

    answers = [send("POST", "issues/7/comments", {"body": "x"}) for _ in range(2)]
    answers += [send("GET", "pulls/7") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 403, 200, 403]
    assert answers[1].headers["Retry-After"] == "60"
    assert answers[3].headers["X-RateLimit-Remaining"] == "0"
    assert "X-RateLimit-Reset" in answers[3].headers


def test_github_grants_permissions_one_by_one(github: FakeGitHub) -> None:
    """A token without one of them may do the rest."""
    send = sender(github, "/repos/shop/deploy")
    github.denied = {"statuses"}
    status = {"state": "success", "context": "c", "description": ""}

    refused = send("POST", f"statuses/{SHA}", status)
    granted = send("POST", "issues/7/comments", {"body": "x"})

    assert (refused.status_code, granted.status_code) == (403, 201)
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "statuses=write"


@pytest.mark.parametrize(
    ("path", "fits", "too_long"),
    [
        ("merge_requests/7/notes", {"body": "x" * 1_000_000}, {"body": "x" * 1_000_001}),
        (
            f"statuses/{SHA}",
            {"state": "success", "name": "x" * 255},
            {"state": "success", "name": "x" * 256},
        ),
        (
            f"statuses/{SHA}",
            {"state": "success", "name": "n", "target_url": "x" * 255},
            {"state": "success", "name": "n", "target_url": "x" * 256},
        ),
    ],
)
def test_gitlab_takes_no_more(
    gitlab: FakeGitLab, path: str, fits: object, too_long: object
) -> None:
    """One character more is refused, not cut."""
    send = sender(gitlab, "/projects/42")

    codes = [send("POST", path, body).status_code for body in (fits, too_long)]

    assert codes == [201, 400]


def test_gitlab_moves_no_status_to_where_it_is(gitlab: FakeGitLab) -> None:
    """From running to running there is no way."""
    send = sender(gitlab, "/projects/42")
    running = {"state": "running", "name": "n"}

    answers = [send("POST", f"statuses/{SHA}", running) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 400]
    assert "Cannot transition status" in answers[1].text


def test_gitlab_takes_5000_notes(gitlab: FakeGitLab) -> None:
    """And no more on one merge request."""
    send = sender(gitlab, "/projects/42")
    for _ in range(4_999):
        gitlab.add_note("alice", "hello")

    codes = [send("POST", "merge_requests/7/notes", {"body": "x"}).status_code for _ in range(2)]

    assert codes == [201, 400]


def test_gitlab_spends_its_limit(gitlab: FakeGitLab) -> None:
    """It says how long to wait."""
    send = sender(gitlab, "/projects/42")
    gitlab.creations_left = 0

    answer = send("POST", "merge_requests/7/notes", {"body": "x"})

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_pages_lead_to_the_next(github: FakeGitHub) -> None:
    """Up to the last one, which leads nowhere."""
    send = sender(github, "/repos/shop/deploy")
    for number in range(3):
        github.add_note("alice", f"comment {number}")

    first = send("GET", "issues/7/comments?per_page=2")
    last = send("GET", "issues/7/comments?per_page=2&page=2")

    assert [one["body"] for one in first.json()] == ["comment 0", "comment 1"]
    assert [one["body"] for one in last.json()] == ["comment 2"]
    assert ("next" in first.links, "next" in last.links) == (True, False)
