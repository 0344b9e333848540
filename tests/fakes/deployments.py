"""Deployments and check runs, as GitHub and GitLab keep them."""

from typing import Any

from tests.fakes.servers import Reply, Request

MAX_ANNOTATIONS = 50
_FINAL = ("success", "failed", "canceled")


class GitHubDeployments:
    """Deployments, each with its statuses. Newest first, as they are listed."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.statuses: dict[int, list[dict[str, Any]]] = {}

    def begin(self, sha: str, environment: str, *, log_url: str, payload: object = "") -> int:
        """One that a runner made for a job with `environment:`, or anybody else."""
        id = self._add({"ref": sha, "environment": environment, "payload": payload})
        self._say(id, {"state": "in_progress", "log_url": log_url})
        return id

    def told(self, environment: str) -> list[list[tuple[str, str]]]:
        """State and description of all statuses, oldest first, of each deployment, oldest first."""
        return [
            [(one["state"], one["description"]) for one in self.statuses[made["id"]]]
            for made in reversed(self.all)
            if made["environment"] == environment
        ]

    def answer(self, request: Request, rest: list[str]) -> Reply:
        """What follows `deployments` in a path."""
        match request.method, *rest:
            case ("GET",):
                return Reply(200, [one for one in self.all if _matches(one, request.query)])
            case ("POST",):
                return self._create(request.body)
            case "GET", id, "statuses" if int(id) in self.statuses:
                return Reply(200, self.statuses[int(id)][::-1])
            case "POST", id, "statuses" if int(id) in self.statuses:
                if len(request.body["description"]) > 140:
                    return Reply(422, {"message": "description is too long"})
                return Reply(201, self._say(int(id), request.body))
        return Reply(404, {"message": "Not Found"})

    def _create(self, body: Any) -> Reply:
        if body.get("auto_merge", True):
            return Reply(202, {"message": "Auto-merged main into the commit on deployment."})
        if body.get("required_contexts") != []:
            return Reply(409, {"message": "Conflict: Commit status checks failed"})
        return Reply(201, self.all[0] if self._add(body) else None)

    def _add(self, body: Any) -> int:
        id = len(self.all) + 1
        self.all.insert(0, {"payload": "", **body, "id": id, "sha": body["ref"], "task": "deploy"})
        self.statuses[id] = []
        return id

    def _say(self, id: int, body: Any) -> dict[str, Any]:
        made = {"description": "", "log_url": "", **body}
        made["target_url"] = made["log_url"]
        self.statuses[id].append(made)
        return made


def _matches(deployment: dict[str, Any], query: dict[str, str]) -> bool:
    wanted = {name: query[name] for name in ("sha", "environment") if name in query}
    return all(deployment[name] == value for name, value in wanted.items())


class CheckRuns:
    """Check runs; what is sent later is added to their annotations."""

    def __init__(self) -> None:
        self.all: dict[int, dict[str, Any]] = {}

    def annotations(self) -> list[dict[str, Any]]:
        """All of all runs."""
        return [one for run in self.all.values() for one in run["annotations"]]

    def answer(self, request: Request, rest: list[str]) -> Reply:
        """What follows `check-runs` in a path."""
        sent = request.body["output"]["annotations"]
        if len(sent) > MAX_ANNOTATIONS:
            return Reply(422, {"message": "annotations: no more than 50 are allowed"})
        if request.method == "POST":
            id = len(self.all) + 1
            self.all[id] = {**request.body, "id": id, "annotations": []}
        else:
            id = int(rest[0])
        self.all[id]["annotations"] += sent
        return Reply(200, self.all[id])


class GitLabDeployments:
    """Deployments of environments; those of jobs cannot be changed through the API."""

    def __init__(self) -> None:
        self.all: dict[int, dict[str, Any]] = {}
        self.moves: list[tuple[int, str]] = []

    def begin(self, sha: str, environment: str, *, job: int = 0, status: str = "running") -> int:
        """One of a job, or of an API call."""
        id = len(self.all) + 1
        self.all[id] = {
            "id": id,
            "sha": sha,
            "status": status,
            "environment": {"name": environment},
            "deployable": {"id": job} if job else None,
        }
        self.moves.append((id, status))
        return id

    def answer(self, request: Request, rest: list[str]) -> Reply:
        """What follows `deployments` in a path."""
        match request.method, *rest:
            case ("GET",):
                name = request.query["environment"]
                found = [one for one in self.all.values() if one["environment"]["name"] == name]
                return Reply(200, found[::-1])
            case ("POST",):
                body = request.body
                id = self.begin(body["sha"], body["environment"], status=body["status"])
                return Reply(201, self.all[id])
            case "GET", id if int(id) in self.all:
                return Reply(200, self.all[int(id)])
            case "PUT", id if int(id) in self.all:
                return self._move(int(id), request.body["status"])
        return Reply(404, {"message": "404 Not found"})

    def _move(self, id: int, status: str) -> Reply:
        standing = self.all[id]
        if standing["deployable"]:
            return Reply(403, {"message": "403 Forbidden"})
        if standing["status"] in (*_FINAL, status):
            return Reply(400, {"message": "400 Bad request - Status cannot transition"})
        standing["status"] = status
        self.moves.append((id, status))
        return Reply(200, standing)
