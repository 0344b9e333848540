"""GitHub, and GitHub Enterprise Server."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pipeline_gitops.ci import CIContext
from pipeline_gitops.errors import LackingFault
from pipeline_gitops.forges import answers
from pipeline_gitops.forges.answers import listed, text
from pipeline_gitops.forges.github_api import NAME, Api, read
from pipeline_gitops.inventories import Relation
from pipeline_gitops.ports import (
    Annotation,
    Check,
    CommitStatus,
    Deployment,
    Limits,
    MergeRequest,
    Note,
    StatusState,
    Surface,
)
from pipeline_gitops.reports import Shown
from pipeline_gitops.views import Severity

_ACTIONS = "github-actions[bot]"
_STATES = {
    "pending": StatusState.PENDING,
    "success": StatusState.SUCCESS,
    "failure": StatusState.FAILURE,
    "error": StatusState.CANCELLED,
}
# A commit status cannot run, and neither it nor a deployment can be cancelled.
_STATUS = {
    StatusState.PENDING: "pending",
    StatusState.RUNNING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failure",
    StatusState.CANCELLED: "error",
}
_DEPLOYMENT = {**_STATUS, StatusState.RUNNING: "in_progress"}
_OURS = "pipeline-gitops"  # in a deployment's payload: the run that it belongs to
_LEVELS = {Severity.ERROR: "failure", Severity.WARNING: "warning", Severity.NOTICE: "notice"}
_ANNOTATIONS = 50  # of one request
_LONGEST_TITLE, _LONGEST_TEXT = 255, 4_000

_NOTES, _DEPLOY = "pull-requests: write", "deployments: write"  # rights of a job


class GitHub:
    """Implements `ports.Forge`."""

    limits = Limits(note=65_536, description=140, context=255, url=2_000)

    def __init__(
        self,
        context: CIContext,
        *,
        pause: Callable[[float], None],
        timeout_s: float = 10.0,
        between_writes_s: float = 1.0,
    ) -> None:
        self._repository = f"/repos/{quote(context.project)}"
        self._api = Api(
            context, pause=pause, timeout_s=timeout_s, between_writes_s=between_writes_s
        )
        self._deployments: dict[str, str] = {}  # path by environment
        self._login = ""

    def close(self) -> None:
        """Closes its connections."""
        self._api.close()

    def lacks(self, _surface: Surface) -> LackingFault | None:
        """Every token may try; what it lacks is in the answer."""
        return None

    def me(self) -> str:
        """The login that our token speaks for."""
        self._login = self._login or self._user() or self._app() or _ACTIONS
        return self._login

    def _user(self) -> str:
        """ "" for the token of an app, the one of GitHub Actions too: it may not call /user."""
        action = "ask whose token this is"
        answer = self._api.ask(action, "GET", "/user")
        if answer.status == HTTPStatus.FORBIDDEN and not answer.is_throttled:
            return ""
        self._api.check(action, answer, _NOTES)
        with answers.reading(NAME, action):
            return text(read(answer)["login"])

    def _app(self) -> str:
        """The login of an app, which only the GraphQL API tells; "" where there is no such API.

        Raises ReportFault where it is away: under a wrong name we would begin a second note, and
        take the word of another account for ours.
        """
        action = "ask whose token this is"
        answer = self._api.ask_graphql(action, "{viewer{login}}")
        if answer.is_throttled or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._api.check(action, answer, _NOTES)
        try:
            return text(read(answer)["data"]["viewer"]["login"])
        except (LookupError, TypeError, ValueError):
            return ""

    def merge_request(self, number: int) -> MergeRequest:
        """One pull request."""
        action = f"read pull request {number}"
        path = f"{self._repository}/pulls/{number}"
        answer = self._api.done(action, "GET", path, "pull-requests: read")
        with answers.reading(NAME, action):
            return _merge_request(read(answer))

    def merge_requests_of(self, sha: str) -> tuple[MergeRequest, ...]:
        """Pull requests that hold this commit: merged as it, merged otherwise, then open ones."""
        action = f"list the pull requests of commit {sha[:7]}"
        path = f"{self._repository}/commits/{quote(sha)}/pulls"
        found = self._api.all(action, path, "pull-requests: read", _merge_request)
        return tuple(sorted(found, key=lambda one: (one.state != "merged", one.merge_sha != sha)))

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        """Comments on it, oldest first, all pages."""
        action = f"list the comments of pull request {merge_request.number}"
        return self._api.all(action, self._comments(merge_request), "pull-requests: read", _note)

    def create_note(self, merge_request: MergeRequest, body: Shown) -> Note:
        """Posts a note, once."""
        action = f"write a note on pull request {merge_request.number}"
        path = self._comments(merge_request)
        answer = self._api.done(action, "POST", path, _NOTES, send={"body": body})
        with answers.reading(NAME, action):
            return _note(read(answer))

    def edit_note(self, merge_request: MergeRequest, note: Note, body: Shown) -> Note:
        """Replaces a note's text."""
        action = f"edit our note on pull request {merge_request.number}"
        answer = self._api.done(action, "PATCH", self._comment(note), _NOTES, send={"body": body})
        with answers.reading(NAME, action):
            return _note(read(answer))

    def drop_note(self, merge_request: MergeRequest, note: Note) -> None:
        """Deletes a note; one that is gone already is fine."""
        action = f"delete a doubled note on pull request {merge_request.number}"
        answer = self._api.ask(action, "DELETE", self._comment(note))
        if answer.status != HTTPStatus.NOT_FOUND:
            self._api.check(action, answer, _NOTES)

    def status_history(self, sha: str) -> tuple[CommitStatus, ...]:
        """Every status that was set on a commit, newest first, as the forge lists them."""
        action = f"list the statuses of commit {sha[:7]}"
        path = f"{self._repository}/commits/{quote(sha)}/statuses"
        return self._api.all(action, path, "statuses: read", lambda raw: _status(sha, raw))

    def set_status(self, status: CommitStatus) -> None:
        """Sets a commit status."""
        send = {
            "state": _STATUS[status.state],
            "context": answers.shortened(status.context, self.limits.context),
            "description": answers.shortened(status.description, self.limits.description),
        }
        if status.url and len(status.url) <= self.limits.url:
            send["target_url"] = status.url
        action = f"set the status {status.context} on commit {status.sha[:7]}"
        path = f"{self._repository}/statuses/{quote(status.sha)}"
        self._api.done(action, "POST", path, "statuses: write", send=send)

    def set_deployment(self, deployment: Deployment) -> None:
        """Begins or advances a deployment, its own or the one of a job with `environment:`."""
        name = deployment.environment
        action = f"record the deployment to {name}"
        if name not in self._deployments:
            self._deployments[name] = self._standing(action, deployment) or self._begun(
                action, deployment
            )
        send = {
            "state": _DEPLOYMENT[deployment.state],
            "description": answers.shortened(deployment.description, self.limits.description),
            "log_url": deployment.url if len(deployment.url) <= self.limits.url else "",
        }
        self._api.done(action, "POST", f"{self._deployments[name]}/statuses", _DEPLOY, send=send)

    def _standing(self, action: str, deployment: Deployment) -> str:
        """The path of what this run has already for the commit and the environment; "" = nothing.

        A job with `environment:` gets one from the runner, which no payload marks but a link to the
        job in its statuses.
        """
        path = f"{self._repository}/deployments"
        run = _run(deployment.url)
        query = {"sha": deployment.sha, "environment": deployment.environment}
        answer = self._api.done(action, "GET", path, _DEPLOY, query=query)
        with answers.reading(NAME, action):
            found = [(f"{path}/{int(raw['id'])}", raw["payload"]) for raw in listed(read(answer))]
        ours = [at for at, payload in found if _marked(payload) == run != ""]
        jobs = (at for at, payload in found if not payload and self._is_of(action, at, run))
        return next(iter(ours), "") or next(jobs, "")

    def _is_of(self, action: str, path: str, run: str) -> bool:
        answer = self._api.done(action, "GET", f"{path}/statuses", _DEPLOY)
        with answers.reading(NAME, action):
            links = [str(raw["log_url"] or raw["target_url"]) for raw in listed(read(answer))]
        return run != "" and any(link.startswith(f"{run}/") for link in links)

    def _begun(self, action: str, deployment: Deployment) -> str:
        send = {
            "ref": deployment.sha,
            "environment": deployment.environment,
            "description": answers.shortened(deployment.description, self.limits.description),
            "payload": {_OURS: _run(deployment.url)},
            # Left out, they merge the default branch into the commit, and wait for our own status.
            "auto_merge": False,
            "required_contexts": [],
        }
        path = f"{self._repository}/deployments"
        answer = self._api.done(action, "POST", path, _DEPLOY, send=send)
        with answers.reading(NAME, action):
            return f"{path}/{int(read(answer)['id'])}"

    def set_check(self, check: Check) -> None:
        """Makes a check run; what is more than one request takes is added to it."""
        action = f"annotate commit {check.sha[:7]}"
        path = f"{self._repository}/check-runs"
        output: dict[str, Any] = {"title": check.title, "summary": check.summary}
        batches = [
            [*map(_annotation, check.annotations[at : at + _ANNOTATIONS])]
            for at in range(0, len(check.annotations), _ANNOTATIONS)
        ]
        send = {
            "name": check.name,
            "head_sha": check.sha,
            "status": "completed",
            "conclusion": "neutral",
            "output": {**output, "annotations": batches[0] if batches else []},
        }
        if check.url:
            send["details_url"] = check.url
        answer = self._api.done(action, "POST", path, "checks: write", send=send)
        with answers.reading(NAME, action):
            made = f"{path}/{int(read(answer)['id'])}"
        for batch in batches[1:]:
            more = {"output": {**output, "annotations": batch}}
            self._api.done(action, "PATCH", made, "checks: write", send=more)

    def compare(self, base: str, head: str) -> Relation:
        """How commit *head* relates to commit *base*."""
        action = f"compare commits {base[:7]} and {head[:7]}"
        path = f"{self._repository}/compare/{quote(base)}...{quote(head)}"
        # The first page would bring the diff of every file.
        answer = self._api.ask(action, "GET", path, query={"per_page": 1, "page": 2})
        if answer.status == HTTPStatus.NOT_FOUND:
            return Relation.UNKNOWN
        self._api.check(action, answer, "contents: read")
        with answers.reading(NAME, action):
            return Relation(read(answer)["status"])

    # -- addresses ---------------------------------------------------------------------------------

    def _comments(self, merge_request: MergeRequest) -> str:
        return f"{self._repository}/issues/{merge_request.number}/comments"

    def _comment(self, note: Note) -> str:
        return f"{self._repository}/issues/comments/{quote(note.id)}"


def _note(raw: Any) -> Note:
    return answers.note(raw, _login(raw["user"]))


def _login(raw: Any) -> str:
    return text(raw["login"]) if raw else ""  # a deleted account is null


def _merge_request(raw: Any) -> MergeRequest:
    merged = bool(raw["merged_at"])
    return MergeRequest(
        number=int(raw["number"]),
        state="merged" if merged else text(raw["state"]),
        head_sha=text(raw["head"]["sha"]),
        head_repository=text((raw["head"].get("repo") or {}).get("full_name")),
        # Of an open one it is a test merge that nobody will ever see.
        merge_sha=text(raw["merge_commit_sha"]) if merged else "",
    )


def _status(sha: str, raw: Any) -> CommitStatus:
    return CommitStatus(
        sha=sha,
        context=text(raw["context"]),
        state=_STATES[raw["state"]],
        description=text(raw["description"]),
        url=text(raw["target_url"]),
        creator=_login(raw["creator"]),
    )


def _run(url: str) -> str:
    """What all attempts and all jobs of a run have in their addresses."""
    return url.partition("/attempts/")[0]


def _marked(payload: object) -> str:
    """The run that we noted in a deployment; "" in those of others."""
    return str(payload.get(_OURS, "")) if isinstance(payload, dict) else ""


def _annotation(annotation: Annotation) -> dict[str, object]:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": _LEVELS[annotation.severity],
        "title": answers.shortened(annotation.title, _LONGEST_TITLE),
        "message": answers.shortened(annotation.message, _LONGEST_TEXT),
    }
