"""Gitea's REST API as far as we use it. Tokens act by how they begin: "readonly" may not write."""

from typing import Any

from tests.fakes.servers import Reply, Request, Server, lineage

LARGEST_PAGE = 50


class FakeGitea(Server):
    """One repository, "shop/deploy"."""

    def __init__(self) -> None:
        super().__init__()
        self.api_url = f"{self.origin}/api/v1"
        self.comments: dict[int, dict[str, Any]] = {}
        self.all_statuses: list[dict[str, Any]] = []
        self.pulls: dict[int, dict[str, Any]] = {7: self.pull(7)}
        self.pull_of: dict[str, int] = {}
        self.parents: dict[str, str] = {}  # of each commit that is known; "" of the first
        self._ids = 0

    # -- what tests arrange and look at ------------------------------------------------------------

    def pull(self, number: int, *, merged: str = "") -> dict[str, Any]:
        """A pull request; *merged* names the commit that its merge made."""
        return {
            "number": number,
            "title": f"Change {number}",
            "state": "closed" if merged else "open",
            "merged": bool(merged),
            "merge_commit_sha": merged or None,
            "head": {"sha": f"{number:040x}"},
            "base": {"ref": "main"},
            "labels": [{"name": "urgent"}],
            "html_url": f"{self.origin}/shop/deploy/pulls/{number}",
        }

    def merged(self, number: int, merge: str, *, seen_at: str = "") -> None:
        """Merges a pull request as commit *merge*. Inner commits lead nowhere."""
        self.pulls[number] = self.pull(number, merged=merge)
        self.pull_of[merge] = number

    def opened(self, number: int, *, seen_at: str) -> None:
        """Opens a pull request. Its commits lead nowhere."""
        self.pulls[number] = self.pull(number)

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
        return [(one["status"], one["context"], one["description"]) for one in found]

    # -- the API -----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answers as Gitea does."""
        if not request.token:
            return _error(401, "token is required")
        match request.method, request.segments:
            case "GET", ("api", "v1", "user"):
                return Reply(200, {"login": "shop-bot"})
            case method, ("api", "v1", "repos", "shop", "deploy", *rest):
                if method != "GET" and request.token.startswith("readonly"):
                    scope = "write:repository" if rest[0] == "statuses" else "write:issue"
                    return _error(
                        403,
                        "token does not have at least one of required scope(s), "
                        f"required=[{scope}], token scope=read:repository",
                    )
                return self._repository(request, rest)
        return Reply(404, "404 page not found")

    def _repository(self, request: Request, rest: list[str]) -> Reply:
        match request.method, *rest:
            case "GET", "pulls", number if int(number) in self.pulls:
                return Reply(200, self.pulls[int(number)])
            case "GET", "commits", sha, "pull" if sha in self.pull_of:
                return Reply(200, self.pulls[self.pull_of[sha]])
            case "GET", "compare", pair:
                return self._compare(*pair.split("..."))
            case "GET", "commits", sha, "statuses":
                found = [one for one in self.all_statuses if one["sha"] == sha]
                size = min(int(request.query.get("limit", "30")), LARGEST_PAGE)
                start = (int(request.query.get("page", "1")) - 1) * size
                return Reply(200, found[::-1][start : start + size])
            case "POST", "statuses", sha:
                return self._set_status(sha, request.body)
            case "GET", "issues", "7", "comments":
                return Reply(200, list(self.comments.values()))
            case "POST", "issues", "7", "comments":
                if not request.body["body"]:
                    return _error(422, "Body cannot be empty")
                return Reply(
                    201, self.comments[int(self.add_note("shop-bot", request.body["body"]))]
                )
            case method, "issues", "comments", id if int(id) in self.comments:
                return self._comment(method, int(id), request.body)
        return _error(404, "The target couldn't be found.")

    def _compare(self, base: str, head: str) -> Reply:
        if base not in self.parents or head not in self.parents:
            return _error(404, "The target couldn't be found.")
        old = lineage(self.parents, base)
        beyond = [sha for sha in lineage(self.parents, head) if sha not in old]
        return Reply(200, {"total_commits": len(beyond), "commits": []})

    def _comment(self, method: str, id: int, body: Any) -> Reply:
        if method == "DELETE":
            del self.comments[id]
            return Reply(204)
        self.comments[id]["body"] = body["body"]
        return Reply(200, self.comments[id])

    def _set_status(self, sha: str, body: Any) -> Reply:
        self._ids += 1
        made = {"id": self._ids, "sha": sha, "creator": {"login": "shop-bot"}, **body}
        made["status"] = made.pop("state")
        self.all_statuses.append(made)
        return Reply(201, made)


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"message": message, "url": "https://gitea.example.com/api/swagger"})
