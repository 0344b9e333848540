"""Gitea and Forgejo, through their REST API (https://docs.gitea.com/api/)."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import requests

from pipeline_gitops.ci import CIContext
from pipeline_gitops.errors import LackingFault
from pipeline_gitops.forges import answers, sessions
from pipeline_gitops.forges.answers import Answer, listed, text
from pipeline_gitops.forges.sessions import Refused, Session
from pipeline_gitops.inventories import Relation
from pipeline_gitops.patterns import pattern
from pipeline_gitops.ports import (
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

_NAME = "Gitea"
_PAGE = 50  # the most that a server gives by default
_WANTED = {
    StatusState.PENDING: "pending",
    # What it calls running or cancelled holds up a merge request for ever.
    StatusState.RUNNING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failure",
    StatusState.CANCELLED: "failure",
}
_STATES = {
    "success": StatusState.SUCCESS,
    "skipped": StatusState.SUCCESS,
    "failure": StatusState.FAILURE,
    "error": StatusState.FAILURE,
    "warning": StatusState.FAILURE,
}
_NONE = {
    Surface.DEPLOYMENT: LackingFault(f"{_NAME} keeps no record of deployments"),
    Surface.CHECK: LackingFault(f"{_NAME} has no annotations"),
}
_SCOPES = pattern(r"required=\[(?P<scopes>[\w:, ]+)\]")


class Gitea:
    """Implements `ports.Forge`."""

    # There is no limit of its own; much larger notes make the server use much memory.
    limits = Limits(note=262_144, description=255, context=255, url=255)

    def __init__(
        self, context: CIContext, *, pause: Callable[[float], None], timeout_s: float = 10.0
    ) -> None:
        url = context.api_url.rstrip("/").removesuffix("/api/v1") or context.server_url.rstrip("/")
        owner, _, name = context.project.partition("/")
        self._repository = f"{url}/api/v1/repos/{quote(owner, safe='')}/{quote(name, safe='')}"
        self._user = f"{url}/api/v1/user"
        self._session = Session(url, pause, authorization=f"token {context.token}")
        self._session.verify = context.ca_file or True
        self._timeout_s = timeout_s
        self._context = context
        self._login = ""

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()

    def lacks(self, surface: Surface) -> LackingFault | None:
        """There are neither deployments nor annotations."""
        return _NONE.get(surface)

    def me(self) -> str:
        """The login that our token speaks for."""
        if not self._login:
            with self._asking("ask whose token this is"):
                self._login = text(self._send("GET", self._user)["login"])
        return self._login

    def merge_request(self, number: int) -> MergeRequest:
        """One pull request."""
        with self._asking(f"read pull request {number}"):
            return _merge_request(self._get(f"pulls/{number}"))

    def merge_requests_of(self, sha: str) -> tuple[MergeRequest, ...]:
        """The pull request whose merge made this commit; the server knows no others."""
        with self._asking(f"find the pull request of commit {sha[:7]}"):
            try:
                return (_merge_request(self._get(f"commits/{quote(sha)}/pull")),)
            except Refused as refused:
                if refused.answer.status == HTTPStatus.NOT_FOUND:
                    return ()
                raise

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        """Comments on it, oldest first: the server answers all of them at once."""
        with self._asking(f"list the comments of pull request {merge_request.number}"):
            found = listed(self._get(f"issues/{merge_request.number}/comments"))
            return tuple(sorted(map(_note, found), key=lambda note: int(note.id)))

    def create_note(self, merge_request: MergeRequest, body: Shown) -> Note:
        """Posts a note, once."""
        with self._asking(f"write a note on pull request {merge_request.number}"):
            path = f"issues/{merge_request.number}/comments"
            return _note(self._write("POST", path, {"body": body}))

    def edit_note(self, merge_request: MergeRequest, note: Note, body: Shown) -> Note:
        """Replaces a note's text. One that another writer edits at the same moment is a fault:
        the server answers 500, and whoever asked has to look what stands there."""
        with self._asking(f"edit our note on pull request {merge_request.number}"):
            return _note(self._write("PATCH", f"issues/comments/{int(note.id)}", {"body": body}))

    def drop_note(self, merge_request: MergeRequest, note: Note) -> None:
        """Deletes a note; one that is gone already is fine."""
        with self._asking(f"delete a doubled note on pull request {merge_request.number}"):
            try:
                self._request("DELETE", f"{self._repository}/issues/comments/{int(note.id)}")
            except Refused as refused:
                if refused.answer.status != HTTPStatus.NOT_FOUND:
                    raise

    def status_history(self, sha: str) -> tuple[CommitStatus, ...]:
        """Every status that was set on a commit, newest first: within a second only ids tell."""
        with self._asking(f"list the statuses of commit {sha[:7]}"):
            raws = sorted(self._pages(f"commits/{quote(sha)}/statuses"), key=lambda raw: -raw["id"])
            return tuple(_status(sha, raw) for raw in raws)

    def set_status(self, status: CommitStatus) -> None:
        """Sets a commit status."""
        context = answers.shortened(status.context, self.limits.context)
        with self._asking(f"set the status {context} on commit {status.sha[:7]}"):
            self._write(
                "POST",
                f"statuses/{quote(status.sha)}",
                {
                    "state": _WANTED[status.state],
                    "context": context,
                    "description": answers.shortened(status.description, self.limits.description),
                    "target_url": status.url if len(status.url) <= self.limits.url else "",
                },
            )

    def set_deployment(self, _deployment: Deployment) -> None:
        """There are none."""
        raise _NONE[Surface.DEPLOYMENT]

    def set_check(self, _check: Check) -> None:
        """There are none."""
        raise _NONE[Surface.CHECK]

    def compare(self, base: str, head: str) -> Relation:
        """How commit *head* relates to commit *base*, by the commits that one has and the other
        lacks."""
        if base == head:
            return Relation.IDENTICAL
        with self._asking(f"compare commits {base[:7]} and {head[:7]}"):
            ahead, behind = self._beyond(base, head), self._beyond(head, base)
        if ahead is None or behind is None:
            return Relation.UNKNOWN
        if ahead and behind:
            return Relation.DIVERGED
        return Relation.AHEAD if ahead else Relation.BEHIND

    def _beyond(self, base: str, head: str) -> int | None:
        """How many commits *head* has that *base* lacks; None where one of them is not known."""
        try:
            found = self._get(f"compare/{quote(base)}...{quote(head)}")
        except Refused as refused:
            if refused.answer.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return int(found["total_commits"])

    # -- requests ----------------------------------------------------------------------------------

    def _get(self, path: str) -> Any:
        return self._send("GET", f"{self._repository}/{path}")

    def _write(self, method: str, path: str, body: Mapping[str, str]) -> Any:
        return self._send(method, f"{self._repository}/{path}", body)

    def _pages(self, path: str) -> Iterator[Any]:
        """Every page. A server may give less than we ask for, so how many came tells nothing."""
        for number in itertools.count(1):
            url = f"{self._repository}/{path}?limit={_PAGE}&page={number}"
            response = self._request("GET", url)
            found = listed(response.json())
            yield from found
            if not found or "next" not in response.links:
                return

    def _send(self, method: str, url: str, body: Mapping[str, str] | None = None) -> Any:
        return self._request(method, url, body).json()

    def _request(
        self, method: str, url: str, body: Mapping[str, str] | None = None
    ) -> requests.Response:
        return self._session.request(method, url, json=body, timeout=self._timeout_s)

    def _asking(self, action: str) -> AbstractContextManager[None]:
        return sessions.asking(_NAME, action, self._timeout_s, self._cures)

    def _cures(self, answer: Answer) -> Mapping[int, str]:
        token = self._context.token_name or "the token"
        # It names the scopes that are missing, and repeats nothing of what was sent.
        needs = _SCOPES.search(answer.body)
        scopes = needs["scopes"] if needs else "write:issue, write:repository and read:user"
        own = f"create an access token with {scopes}, as secret PIPELINE_GITOPS_TOKEN"
        return {
            HTTPStatus.UNAUTHORIZED: f"{token} is expired or of another server: {own}",
            HTTPStatus.FORBIDDEN: own,
            HTTPStatus.NOT_FOUND: (
                f"check that {self._context.project} is right and that {token} may read it"
            ),
            HTTPStatus.UNPROCESSABLE_ENTITY: "the text is empty or too long: see the job's report",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the text is too long: see the job's report",
        }


def _note(raw: Any) -> Note:
    return answers.note(raw, _login(raw["user"]))


def _login(raw: Any) -> str:
    return text(raw["login"]) if raw else ""


def _merge_request(raw: Any) -> MergeRequest:
    merged = raw["merged"] is True
    return MergeRequest(
        number=int(raw["number"]),
        state="merged" if merged else text(raw["state"]),
        head_sha=text(raw["head"]["sha"]),
        head_repository=text((raw["head"].get("repo") or {}).get("full_name")),
        merge_sha=text(raw["merge_commit_sha"]) if merged else "",
    )


def _status(sha: str, raw: Any) -> CommitStatus:
    return CommitStatus(
        sha=sha,
        context=text(raw["context"]),
        state=_STATES.get(raw["status"], StatusState.PENDING),
        description=text(raw["description"]),
        url=text(raw["target_url"]),
        creator=_login(raw["creator"]),
    )
