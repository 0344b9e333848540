"""GitHub's REST API as far as we use it, with its limits. Tokens act by how they begin:

"readonly" may not write, "actions" is the token of GitHub Actions and may not call /user.
"""

import math
from typing import Any

from tests.fakes.deployments import CheckRuns, GitHubDeployments
from tests.fakes.descriptions import Description
from tests.fakes.pulls import SOME_TIME, PullServer
from tests.fakes.servers import Reply, Request, page

MAX_BODY = 65_536
MAX_DESCRIPTION = 140
MAX_CONTEXT = 255
MAX_STATUSES = 1_000  # of one context on one commit
# By the first such word of a path.
PERMISSIONS = {
    "comments": "issues",
    "statuses": "statuses",
    "deployments": "deployments",
    "check-runs": "checks",
}


class FakeGitHub(PullServer):
    """Under the address of an Enterprise server."""

    description = Description("github.json", "/api/v3", frozenset({"/api/graphql"}))

    def __init__(self) -> None:
        super().__init__()
        self.deployments = GitHubDeployments()
        self.checks = CheckRuns()
        self.api_url = f"{self.origin}/api/v3"
        self.pulls_of: dict[str, list[int]] = {}
        self.denied: set[str] = set()  # permissions that no token has
        self.requests_left = math.inf  # of the primary limit
        self.creations_left = math.inf  # of the secondary one

    # -- what tests arrange and look at ------------------------------------------------------------

    def pull(self, number: int, *, merged: str = "") -> dict[str, Any]:
        """An open one has a test merge that nobody sees."""
        return super().pull(number, merged=merged) | {
            "merged_at": SOME_TIME if merged else None,
            "merge_commit_sha": merged or "7e57" * 10,
            "html_url": f"{self.origin}/shop/deploy/pull/{number}",
        }

    def merged(self, number: int, merge: str, *, seen_at: str = "") -> None:
        """Merges a pull request as commit *merge*; commit *seen_at* came with it."""
        self.pulls[number] = self.pull(number, merged=merge)
        self.pulls_of.setdefault(seen_at or merge, []).append(number)

    def opened(self, number: int, *, seen_at: str) -> None:
        """Opens a pull request that holds the commit *seen_at*."""
        self.pulls[number] = self.pull(number)
        self.pulls_of.setdefault(seen_at, []).append(number)

    def statuses_of(self, sha: str) -> list[tuple[str, str, str]]:
        """State, context and description of every status that was set, oldest first."""
        return [(o["state"], o["context"], o["description"]) for o in self.statuses_at(sha)]

    # -- the API -----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answers as GitHub does."""
        if not request.token:
            return _error(401, "Requires authentication")
        throttled = self._throttled(request)
        if throttled:
            return throttled
        actions = request.token.startswith("actions")
        login = "github-actions[bot]" if actions else self.login
        match request.method, request.segments:
            case "POST", ("api", "graphql"):
                return Reply(200, {"data": {"viewer": {"login": login}}})
            case "GET", ("api", "v3", "user"):
                if actions:
                    return _error(403, "Resource not accessible by integration")
                return Reply(200, {"login": login})
            case _, ("api", "v3", "repos", "shop", "deploy", *rest):
                return self._refused(request) or self._repository(request, rest, login)
        return _error(404, "Not Found")

    def _throttled(self, request: Request) -> Reply | None:
        """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"""
        self.requests_left -= 1
        if self.requests_left < 0:
            headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}
            return _error(403, "API rate limit exceeded", headers)
        if request.method == "POST":
            self.creations_left -= 1
            if self.creations_left < 0:
                said = "You have exceeded a secondary rate limit"
                return _error(403, said, {"Retry-After": "60"})
        return None

    def _refused(self, request: Request) -> Reply | None:
        if request.method == "GET":
            return None
        wanted = {*[PERMISSIONS[word] for word in request.segments if word in PERMISSIONS][:1]}
        if request.token.startswith("readonly") or wanted & self.denied:
            headers = {"X-Accepted-GitHub-Permissions": f"{','.join(wanted)}=write"}
            return _error(403, "Resource not accessible by integration", headers)
        return None

    def _repository(self, request: Request, rest: list[str], login: str) -> Reply:
        match request.method, *rest:
            case _, "deployments", *more:
                return self.deployments.answer(request, more)
            case _, "check-runs", *more:
                return self.checks.answer(request, more)
            case "GET", "pulls", number if int(number) in self.pulls:
                return Reply(200, self.pulls[int(number)])
            case "GET", "commits", sha, "pulls":
                found = [self.pulls[number] for number in self.pulls_of.get(sha, [])]
                return self._page(request, found)
            case "GET", "compare", pair:
                return self._compare(*pair.split("..."))
            case "GET", "commits", sha, "statuses":
                return self._page(request, self.statuses_at(sha)[::-1])
            case "POST", "statuses", sha:
                return self._set_status(sha, request.body, login)
            case method, "issues", *_ if method != "GET" and _is_too_long(request.body):
                return _error(422, "Validation Failed: Body is too long")
            case "GET", "issues", number, "comments" if int(number) in self.pulls:
                return self._page(request, self.comments_of(int(number)))
            case "POST", "issues", number, "comments" if int(number) in self.pulls:
                id = self.add_note(login, request.body["body"], number=int(number))
                return Reply(201, self.comments[int(id)])
            case _, "issues", "comments", id if int(id) in self.comments:
                return self._comment(request, int(id))
        return _error(404, "Not Found")

    def _compare(self, base: str, head: str) -> Reply:
        ahead, behind = self._beyond(base, head), self._beyond(head, base)
        if ahead is None or behind is None:
            return _error(404, "Not Found")
        if ahead and behind:
            status = "diverged"
        else:
            status = "ahead" if ahead else "behind" if behind else "identical"
        return Reply(200, {"status": status, "commits": []})

    def _set_status(self, sha: str, body: Any, login: str) -> Reply:
        if len(body.get("description") or "") > MAX_DESCRIPTION:
            return _error(422, "description is too long (maximum is 140 characters)")
        if len(body.get("context", "")) > MAX_CONTEXT:
            return _error(422, "context is too long (maximum is 255 characters)")
        same = [one for one in self.statuses_at(sha) if one["context"] == body.get("context")]
        if len(same) >= MAX_STATUSES:
            return _error(422, "This SHA and context has reached the maximum number of statuses.")
        made = {"target_url": None, **body, "sha": sha, "creator": {"login": login}}
        self.all_statuses.append(made)
        return Reply(201, made)

    def _page(self, request: Request, items: list[Any]) -> Reply:
        found, number, more = page(items, request.query, default=30)
        path = "/".join(request.segments)
        link = f'<{self.origin}/{path}?page={number + 1}>; rel="next"' if more else ""
        return Reply(200, found, {"Link": link} if link else {})


def _is_too_long(body: Any) -> bool:
    return body is not None and len(body.get("body", "")) > MAX_BODY


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return Reply(status, body, headers or {})
