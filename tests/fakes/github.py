"""GitHub's REST API as far as we use it, with its limits. Tokens act by how they begin:

"readonly" may not write, "actions" is the token of GitHub Actions and may not call /user.
"""

from typing import Any

from tests.fakes.servers import Reply, Request, Server, lineage, page

MAX_BODY = 65_536
MAX_DESCRIPTION = 140


class FakeGitHub(Server):
    """One repository, "shop/deploy", under the address of an Enterprise server."""

    def __init__(self) -> None:
        super().__init__()
        self.api_url = f"{self.origin}/api/v3"
        self.comments: dict[int, dict[str, Any]] = {}
        self.all_statuses: list[dict[str, Any]] = []
        self.pulls: dict[int, dict[str, Any]] = {7: self.pull(7)}
        self.pulls_of: dict[str, list[int]] = {}
        self.parents: dict[str, str] = {}  # of each commit that is known; "" of the first
        self._ids = 0

    # -- what tests arrange and look at ------------------------------------------------------------

    def pull(self, number: int, *, merged: str = "") -> dict[str, Any]:
        """A pull request; *merged* names the commit that its merge made."""
        return {
            "number": number,
            "title": f"Change {number}",
            "state": "closed" if merged else "open",
            "merged_at": "2025-01-01T00:00:00Z" if merged else None,
            "merge_commit_sha": merged or "7e57" * 10,
            "head": {"sha": f"{number:040x}"},
            "base": {"ref": "main"},
            "labels": [{"name": "urgent"}],
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

    def add_note(self, author: str, body: str) -> str:
        """A comment on pull request 7, by anyone."""
        self._ids += 1
        self.comments[self._ids] = {
            "id": self._ids,
            "user": {"login": author},
            "body": body,
            "created_at": "2025-01-01T00:00:00Z",
            "updated_at": "2025-01-01T00:00:00Z",
        }
        return str(self._ids)

    def bodies(self) -> list[str]:
        """All comments, oldest first."""
        return [comment["body"] for comment in self.comments.values()]

    def statuses_of(self, sha: str) -> list[tuple[str, str, str]]:
        """State, context and description of every status that was set, oldest first."""
        found = [one for one in self.all_statuses if one["sha"] == sha]
        return [(one["state"], one["context"], one["description"]) for one in found]

    # -- the API -----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answers as GitHub does."""
        if not request.token:
            return _error(401, "Requires authentication")
        actions = request.token.startswith("actions")
        login = "github-actions[bot]" if actions else "shop-bot"
        match request.method, request.segments:
            case "POST", ("api", "graphql"):
                return Reply(200, {"data": {"viewer": {"login": login}}})
            case "GET", ("api", "v3", "user"):
                if actions:
                    return _error(403, "Resource not accessible by integration")
                return Reply(200, {"login": login})
            case method, ("api", "v3", "repos", "shop", "deploy", *rest):
                if method != "GET" and request.token.startswith("readonly"):
                    return _error(403, "Resource not accessible by integration")
                return self._repository(request, rest, login)
        return _error(404, "Not Found")

    def _repository(self, request: Request, rest: list[str], login: str) -> Reply:
        match request.method, *rest:
            case "GET", "pulls", number if int(number) in self.pulls:
                return Reply(200, self.pulls[int(number)])
            case "GET", "commits", sha, "pulls":
                found = [self.pulls[number] for number in self.pulls_of.get(sha, [])]
                return self._page(request, found)
            case "GET", "compare", pair:
                return self._compare(*pair.split("..."))
            case "GET", "commits", sha, "statuses":
                found = [one for one in self.all_statuses if one["sha"] == sha]
                return self._page(request, found[::-1])
            case "POST", "statuses", sha:
                return self._set_status(sha, request.body, login)
            case "GET", "issues", "7", "comments":
                return self._page(request, list(self.comments.values()))
            case "POST", "issues", "7", "comments":
                if len(request.body["body"]) > MAX_BODY:
                    return _error(422, "Validation Failed: Body is too long")
                return Reply(201, self.comments[int(self.add_note(login, request.body["body"]))])
            case method, "issues", "comments", id if int(id) in self.comments:
                return self._comment(method, int(id), request.body)
        return _error(404, "Not Found")

    def _compare(self, base: str, head: str) -> Reply:
        if base not in self.parents or head not in self.parents:
            return _error(404, "Not Found")
        behind, ahead = lineage(self.parents, base), lineage(self.parents, head)
        if base == head:
            status = "identical"
        else:
            status = "ahead" if base in ahead else "behind" if head in behind else "diverged"
        return Reply(200, {"status": status, "commits": []})

    def _comment(self, method: str, id: int, body: Any) -> Reply:
        if method == "DELETE":
            del self.comments[id]
            return Reply(204)
        if len(body["body"]) > MAX_BODY:
            return _error(422, "Validation Failed: Body is too long")
        self.comments[id]["body"] = body["body"]
        return Reply(200, self.comments[id])

    def _set_status(self, sha: str, body: Any, login: str) -> Reply:
        if len(body["description"]) > MAX_DESCRIPTION:
            return _error(422, "description is too long (maximum is 140 characters)")
        made = {"target_url": None, **body, "sha": sha, "creator": {"login": login}}
        self.all_statuses.append(made)
        return Reply(201, made)

    def _page(self, request: Request, items: list[Any]) -> Reply:
        found, number, more = page(items, request.query, default=30)
        path = "/".join(request.segments)
        link = f'<{self.origin}/{path}?page={number + 1}>; rel="next"' if more else ""
        return Reply(200, found, {"Link": link} if link else {})


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})
