"""What GitHub and Gitea have in common: pull requests, comments and statuses in one repository."""

from typing import Any

from tests.fakes.servers import Reply, Request, Server, lineage

SOME_TIME = "2025-01-01T00:00:00Z"


class PullServer(Server):
    """One repository, "shop/deploy", with pull request 7. Everybody else is a visitor there."""

    login = "shop-bot"  # of most tokens

    def __init__(self) -> None:
        super().__init__()
        self.comments: dict[int, dict[str, Any]] = {}
        self.all_statuses: list[dict[str, Any]] = []
        self.pulls: dict[int, dict[str, Any]] = {7: self.pull(7)}
        self.parents: dict[str, str] = {}  # of each commit that is known; "" of the first
        self._ids = 0

    # -- what tests arrange and look at ------------------------------------------------------------

    def pull(self, number: int, *, merged: str = "") -> dict[str, Any]:
        """A pull request; *merged* names the commit that its merge made."""
        return {
            "number": number,
            "title": f"Change {number}",
            "state": "closed" if merged else "open",
            "merge_commit_sha": merged or None,
            "head": {"sha": f"{number:040x}"},
            "base": {"ref": "main"},
            "labels": [{"name": "urgent"}],
        }

    def add_note(self, author: str, body: str, *, number: int = 7) -> str:
        """A comment on a pull request, by anyone."""
        id = self._next_id()
        self.comments[id] = {
            "id": id,
            "user": {"login": author},
            "body": body,
            "created_at": SOME_TIME,
            "updated_at": SOME_TIME,
            "issue_url": f"{self.origin}/repos/shop/deploy/issues/{number}",
        }
        return str(id)

    def bodies(self) -> list[str]:
        """All comments, oldest first."""
        return [comment["body"] for comment in self.comments.values()]

    def comments_of(self, number: int) -> list[dict[str, Any]]:
        """The comments on one pull request, oldest first."""
        end = f"/issues/{number}"
        return [one for one in self.comments.values() if one["issue_url"].endswith(end)]

    def statuses_at(self, sha: str) -> list[dict[str, Any]]:
        """Every status that was set on a commit, oldest first."""
        return [one for one in self.all_statuses if one["sha"] == sha]

    # -- parts of the API --------------------------------------------------------------------------

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _comment(self, request: Request, id: int) -> Reply:
        """Reads, edits or deletes one."""
        match request.method:
            case "DELETE":
                del self.comments[id]
                return Reply(204)
            case "PATCH":
                self.comments[id]["body"] = request.body["body"]
        return Reply(200, self.comments[id])

    def _beyond(self, base: str, head: str) -> list[str] | None:
        """Commits that *head* has and *base* lacks; None where one of the two is unknown."""
        if base not in self.parents or head not in self.parents:
            return None
        old = lineage(self.parents, base)
        return [sha for sha in lineage(self.parents, head) if sha not in old]
