"""Gitea's REST API as far as we use it; `tests/gitea` holds it to a real one.

Tokens act by how they begin, "readonly" may not write, or by the scopes that they were made with.
"""

import hashlib
import itertools
from typing import Any

from tests.fakes.descriptions import Description
from tests.fakes.pulls import PullServer
from tests.fakes.servers import Reply, Request

LARGEST_PAGE = 50
READING = frozenset({"read:issue", "read:repository", "read:user"})
WRITING = frozenset({"write:issue", "write:repository", "read:user"})


class FakeGitea(PullServer):
    """One repository, "shop/deploy"."""

    description = Description("gitea.json", "/api/v1")

    def __init__(self) -> None:
        super().__init__()
        self.api_url = f"{self.origin}/api/v1"
        self.largest_page = LARGEST_PAGE  # what its administrator allows
        self.pull_of: dict[str, int] = {}
        self.name = "deploy"
        self.branches: dict[str, str] = {}
        self._numbers = itertools.count(8)
        self._tokens: dict[str, frozenset[str]] = {}
        self._heads: dict[int, str] = {}  # the branches that were asked to be merged

    # -- what tests arrange and look at ------------------------------------------------------------

    def pull(self, number: int, *, merged: str = "") -> dict[str, Any]:
        """Says itself whether it was merged."""
        return super().pull(number, merged=merged) | {
            "merged": bool(merged),
            "html_url": f"{self.origin}/shop/deploy/pulls/{number}",
        }

    def merged(self, number: int, merge: str, *, seen_at: str = "") -> None:
        """Merges a pull request as commit *merge*. Inner commits lead nowhere."""
        self.pulls[number] = self.pull(number, merged=merge)
        self.pull_of[merge] = number

    def opened(self, number: int, *, seen_at: str) -> None:
        """Opens a pull request. Its commits lead nowhere."""
        self.pulls[number] = self.pull(number)

    def statuses_of(self, sha: str) -> list[tuple[str, str, str]]:
        """State, context and description of every status that was set, oldest first."""
        return [(o["status"], o["context"], o["description"]) for o in self.statuses_at(sha)]

    def token(self, *scopes: str) -> str:
        """A new token with exactly these scopes."""
        name = f"made-{len(self._tokens)}"
        self._tokens[name] = frozenset(scopes)
        return name

    def push(self, branch: str, *, since: str = "main") -> str:
        """A new commit on a branch, which begins where another one is."""
        parent = self.branches.get(branch) or self.branches.get(since, "")
        self.branches[branch] = self._commit(parent)
        return self.branches[branch]

    def open(self, branch: str) -> int:
        """A new pull request for a branch."""
        number = next(self._numbers)
        self.pulls[number] = self.pull(number)
        self.pulls[number]["head"]["sha"] = self.branches[branch]
        self._heads[number] = branch
        return number

    def merge(self, number: int, style: str) -> str:
        """Merges it, and gives the last commit of main."""
        main, head = self.branches["main"], self.branches[self._heads[number]]
        new = self._beyond(main, head) or []
        match style:
            case "merge":
                tip = self._commit(f"{main} {head}")
            case "fast-forward-only":
                tip = head
            case "squash":
                tip = self._commit(main)
            case _:  # rebase, rebase-merge
                tip = main
                for _ in new:
                    tip = self._commit(tip)
                if style == "rebase-merge":
                    tip = self._commit(f"{main} {tip}")
        self.branches["main"] = tip
        pull = self.pull(number, merged=tip)
        self.pulls[number] = pull | {"head": {"sha": head}}
        self.pull_of[tip] = number
        return tip

    def _commit(self, parents: str) -> str:
        name = f"{len(self.parents)} on {parents}"
        sha = hashlib.sha1(name.encode()).hexdigest()
        self.parents[sha] = parents
        return sha

    # -- the API -----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answers as Gitea does."""
        if not request.token or request.token.startswith("unknown"):
            return _error(401, "invalid username, password or token")
        match request.method, request.segments:
            case "GET", ("api", "v1", "user"):
                lacking = self._lacking(request, "read:user")
                return lacking or Reply(200, {"login": self.login})
            case _, ("api", "v1", "repos", "shop", name, *rest) if name == self.name:
                # What is read of an issue may be read of a repository too.
                kind = "issue" if rest[:1] == ["issues"] else "repository"
                verb = "read" if request.method == "GET" else "write"
                lacking = self._lacking(request, f"{verb}:{kind}")
                return lacking or self._repository(request, rest)
            case _, ("api", "v1", "repos", "shop", "deploy", *rest):
                path = "/".join(["/api/v1/repos/shop", self.name, *rest])
                return Reply(301, None, {"Location": path})
        return Reply(404, "404 page not found")

    def _lacking(self, request: Request, scope: str) -> Reply | None:
        usual = READING if request.token.startswith("readonly") else WRITING
        held = self._tokens.get(request.token, usual)
        if scope in held or scope.replace("read:", "write:") in held:
            return None
        return _error(
            403,
            "token does not have at least one of required scope(s), "
            f"required=[{scope}], token scope={','.join(sorted(held))}",
        )

    def _repository(self, request: Request, rest: list[str]) -> Reply:
        match request.method, *rest:
            case "GET", "pulls", number if int(number) in self.pulls:
                return Reply(200, self.pulls[int(number)])
            case "GET", "commits", sha, "pull" if sha in self.pull_of:
                return Reply(200, self.pulls[self.pull_of[sha]])
            case "GET", "compare", pair:
                beyond = self._beyond(*pair.split("..."))
                if beyond is not None:
                    return Reply(200, {"total_commits": len(beyond), "commits": []})
            case "GET", "commits", sha, "statuses":
                size = min(int(request.query.get("limit", "30")), self.largest_page)
                number = int(request.query.get("page", "1"))
                start = (number - 1) * size
                # Within a second, which all of them were set in, the order says nothing.
                found = sorted(self.statuses_at(sha), key=lambda one: one["id"] * 7 % 11)
                more = start + size < len(found)
                following = f"{self.origin}/?limit={size}&page={number + 1}"
                links = {"Link": f'<{following}>; rel="next"'} if more else {}
                return Reply(200, found[start : start + size], links)
            case "POST", "statuses", sha:
                return self._set_status(sha, request.body)
            case method, "issues", number, "comments":
                if int(number) not in self.pulls:
                    return _error(500, "")
                return self._comments(method, int(number), request.body)
            case _, "issues", "comments", id if int(id) in self.comments:
                if request.method != "DELETE" and not request.body["body"]:
                    return _error(422, "[Body]: Required")
                return self._comment(request, int(id))
        return _error(404, "not found")

    def _comments(self, method: str, number: int, body: Any) -> Reply:
        """All of them at once, whatever page is asked for."""
        if method == "GET":
            return Reply(200, self.comments_of(number))
        if not body["body"]:
            return _error(422, "[Body]: Required")
        return Reply(
            201, self.comments[int(self.add_note(self.login, body["body"], number=number))]
        )

    def _set_status(self, sha: str, body: Any) -> Reply:
        if self.parents and sha not in self.parents:
            return _error(500, "")
        creator = {"login": self.login}
        made = {"id": self._next_id(), "sha": sha, "creator": creator, **body}
        made["status"] = made.pop("state")
        self.all_statuses.append(made)
        return Reply(201, made)


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"message": message, "url": "https://gitea.example.com/api/swagger"})
