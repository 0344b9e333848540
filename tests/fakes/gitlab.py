"""GitLab's REST API as far as we use it, with its limits. Tokens act by how they begin:

"readonly" may not write, and one sent as JOB-TOKEN may only read, and not /user.
"""

import math
from typing import Any

from tests.fakes.deployments import GitLabDeployments
from tests.fakes.descriptions import Description
from tests.fakes.servers import Reply, Request, Server, lineage, page

MAX_BODY = 1_000_000
MAX_NOTES = 5_000  # of one merge request
MAX_TEXT = 255
PROJECT = ("shop/deploy", "42")


class FakeGitLab(Server):
    """One project, "shop/deploy", with the number 42."""

    description = Description("gitlab.yaml", "/api/v4")

    def __init__(self) -> None:
        super().__init__()
        self.deployments = GitLabDeployments()
        self.api_url = f"{self.origin}/api/v4"
        self.notes: dict[int, dict[str, Any]] = {}
        self.all_statuses: list[dict[str, Any]] = []
        self.requests: dict[int, dict[str, Any]] = {7: self.request(7)}
        self.requests_of: dict[str, list[int]] = {}
        self.parents: dict[str, str] = {}  # of each commit that is known; "" of the first
        self.creations_left = math.inf  # of its limit per minute
        self._ids = 0

    # -- what tests arrange and look at ------------------------------------------------------------

    def request(self, number: int, *, merged: str = "") -> dict[str, Any]:
        """A merge request; *merged* names the commit that its merge made."""
        return {
            "iid": number,
            "title": f"Change {number}",
            "state": "merged" if merged else "opened",
            "sha": f"{number:040x}",
            "merge_commit_sha": merged or None,
            "squash_commit_sha": None,
            "target_branch": "main",
            "labels": ["urgent"],
            "web_url": f"{self.origin}/shop/deploy/-/merge_requests/{number}",
        }

    def merged(self, number: int, merge: str, *, seen_at: str = "") -> None:
        """Merges a merge request as commit *merge*; commit *seen_at* came with it."""
        self.requests[number] = self.request(number, merged=merge)
        self.requests_of.setdefault(seen_at or merge, []).append(number)

    def opened(self, number: int, *, seen_at: str) -> None:
        """Opens a merge request that holds the commit *seen_at*."""
        self.requests[number] = self.request(number)
        self.requests_of.setdefault(seen_at, []).append(number)

    def add_note(self, author: str, body: str, *, system: bool = False) -> str:
        """A note on merge request 7, by anyone."""
        self._ids += 1
        self.notes[self._ids] = {
            "id": self._ids,
            "author": {"username": author},
            "body": body,
            "system": system,
            "created_at": "2025-01-01T00:00:00.000Z",
            "updated_at": "2025-01-01T00:00:00.000Z",
        }
        return str(self._ids)

    def bodies(self) -> list[str]:
        """All notes, oldest first."""
        return [note["body"] for note in self.notes.values()]

    def statuses_of(self, sha: str) -> list[tuple[str, str, str]]:
        """State, context and description of every status that was set, oldest first."""
        found = [one for one in self.all_statuses if one["sha"] == sha]
        return [(one["status"], one["name"], one["description"]) for one in found]

    # -- the API -----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answers as GitLab does."""
        if not request.token:
            return Reply(401, {"message": "401 Unauthorized"})
        if request.method == "POST":
            self.creations_left -= 1
            if self.creations_left < 0:
                said = {"message": {"error": "This endpoint has been requested too many times."}}
                return Reply(429, said, {"Retry-After": "60"})
        job = request.token.startswith("job")
        match request.method, request.segments:
            case "GET", ("api", "v4", "user"):
                if job:
                    return Reply(401, {"message": "401 Unauthorized"})
                return Reply(200, {"username": "project_42_bot"})
            case method, ("api", "v4", "projects", project, *rest) if project in PROJECT:
                if method != "GET" and job and rest[0] != "deployments":
                    return Reply(401, {"message": "401 Unauthorized"})
                if method != "GET" and request.token.startswith("readonly"):
                    return Reply(403, {"message": "403 Forbidden"})
                return self._project(request, rest)
        return Reply(404, {"message": "404 Not Found"})

    def _project(self, request: Request, rest: list[str]) -> Reply:
        match request.method, *rest:
            case _, "deployments", *more:
                return self.deployments.answer(request, more)
            case "GET", "merge_requests", number if int(number) in self.requests:
                return Reply(200, self.requests[int(number)])
            case "GET", "repository", "commits", sha, "merge_requests":
                found = [self.requests[number] for number in self.requests_of.get(sha, [])]
                return self._page(request, found)
            case "GET", "repository", "commits", sha, "statuses":
                pipeline = request.query.get("pipeline_id")
                found = [
                    one
                    for one in self.all_statuses
                    if one["sha"] == sha and pipeline in (None, str(one["pipeline_id"]))
                ]
                if request.query.get("all") != "true":
                    found = list({one["name"]: one for one in found}.values())
                return self._page(request, found[::-1])
            case "GET", "repository", "merge_base":
                return self._merge_base(*request.lists["refs[]"])
            case "POST", "statuses", sha:
                return self._set_status(sha, request.body)
            case "GET", "merge_requests", "7", "notes":
                return self._list_notes(request)
            case "POST", "merge_requests", "7", "notes":
                if len(request.body["body"]) > MAX_BODY:
                    return Reply(400, {"message": {"note": ["is too long"]}})
                if len(self.notes) >= MAX_NOTES:
                    return Reply(400, {"message": "Maximum number of comments exceeded"})
                id = int(self.add_note("project_42_bot", request.body["body"]))
                return Reply(201, self.notes[id])
            case method, "merge_requests", "7", "notes", id if int(id) in self.notes:
                return self._note(method, int(id), request.body)
        return Reply(404, {"message": "404 Not Found"})

    def _merge_base(self, one: str, other: str) -> Reply:
        for sha in (one, other):
            if sha not in self.parents:
                return Reply(400, {"message": f"400 Bad request - Could not find ref: {sha}"})
        theirs = lineage(self.parents, other)
        for sha in lineage(self.parents, one):
            if sha in theirs:
                return Reply(200, {"id": sha})
        return Reply(404, {"message": "404 Merge Base Not Found"})

    def _list_notes(self, request: Request) -> Reply:
        """Newest first unless asked otherwise, system notes among them unless asked otherwise."""
        comments_only = request.query.get("activity_filter") == "only_comments"
        found = [note for note in self.notes.values() if not (comments_only and note["system"])]
        if request.query.get("sort", "desc") == "desc":
            found.reverse()
        return self._page(request, found)

    def _note(self, method: str, id: int, body: Any) -> Reply:
        if method == "DELETE":
            del self.notes[id]
            return Reply(204)
        if len(body["body"]) > MAX_BODY:
            return Reply(400, {"message": {"note": ["is too long"]}})
        self.notes[id]["body"] = body["body"]
        return Reply(200, self.notes[id])

    def _set_status(self, sha: str, body: Any) -> Reply:
        texts = (body["name"], body.get("description") or "", body.get("target_url") or "")
        if max(map(len, texts)) > MAX_TEXT:
            return Reply(400, {"message": {"description": ["is too long (maximum is 255)"]}})
        pipeline = body.get("pipeline_id")
        open_ones = [
            one
            for one in self.all_statuses
            if (one["sha"], one["name"], one["pipeline_id"]) == (sha, body["name"], pipeline)
            and one["status"] in ("pending", "running")
        ]
        if any(one["status"] == body["state"] for one in open_ones):
            event = "run" if body["state"] == "running" else "enqueue"
            said = f"Cannot transition status via :{event} from :{body['state']}"
            return Reply(400, {"message": said})
        self._ids += 1
        made = {"id": self._ids, "sha": sha, "pipeline_id": pipeline, "target_url": None, **body}
        made |= {"status": made.pop("state"), "author": {"username": "project_42_bot"}}
        self.all_statuses = [one for one in self.all_statuses if one not in open_ones] + [made]
        return Reply(201, made)

    def _page(self, request: Request, items: list[Any]) -> Reply:
        found, number, more = page(items, request.query, default=20)
        path = "/".join(part.replace("/", "%2F") for part in request.segments)
        headers = {"X-Page": str(number), "X-Next-Page": str(number + 1) if more else ""}
        if more:
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            link = f"{self.origin}/{path}?{query}&page={number + 1}"
            headers["Link"] = f'<{link}>; rel="next"'
        return Reply(200, found, headers)
