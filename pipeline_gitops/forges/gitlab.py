"""GitLab, of gitlab.com or self-managed, through python-gitlab."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import gitlab
import requests
from gitlab.exceptions import GitlabError
from gitlab.v4.objects import ProjectCommit, ProjectMergeRequest

from pipeline_gitops.ci import CIContext
from pipeline_gitops.forges import answers
from pipeline_gitops.forges.sessions import Refused, Session
from pipeline_gitops.inventories import Relation
from pipeline_gitops.ports import CommitStatus, Limits, MergeRequest, Note, StatusState
from pipeline_gitops.reports import Shown

_NAME = "GitLab"
_PAGES: dict[str, Any] = {"iterator": True, "per_page": 100}
_CONFLICT_PAUSE_S = 1.0
_WANTED = {
    # From pending a status cannot always go to success, from running it can.
    StatusState.PENDING: "running",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
}
_STATES = {
    "success": StatusState.SUCCESS,
    "skipped": StatusState.SUCCESS,
    "failed": StatusState.FAILURE,
    "canceled": StatusState.FAILURE,
}
_MR_STATES = {"opened": "open", "locked": "open"}


class GitLab:
    """Implements `ports.Forge`."""

    limits = Limits(note=1_000_000, description=255, context=255, url=255)

    def __init__(
        self, context: CIContext, *, pause: Callable[[float], None], timeout_s: float = 10.0
    ) -> None:
        url = context.api_url.rstrip("/").removesuffix("/api/v4") or context.server_url.rstrip("/")
        self._session = Session(url, pause)
        self._client = gitlab.Gitlab(
            url,
            private_token=None if context.job_token else context.token,
            job_token=context.token if context.job_token else None,
            timeout=timeout_s,
            ssl_verify=context.ca_file or True,
            keep_base_url=True,
            session=self._session,
        )
        project = context.project_id or context.project
        self._project = self._client.projects.get(project, lazy=True)
        self._pipeline = int(context.pipeline_id) if context.pipeline_id.isdecimal() else 0
        self._pause = pause
        self._timeout_s = timeout_s
        self._cures = _cures(context)
        self._login = ""

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()

    def me(self) -> str:
        """The login that our token speaks for; a job token may not ask."""
        if not self._login:
            with self._asking("ask whose token this is"):
                user: Any = self._client.http_get("/user")
                self._login = str(user["username"])
        return self._login

    def merge_request(self, number: int) -> MergeRequest:
        """One merge request."""
        with self._asking(f"read merge request {number}"):
            return _merge_request(self._project.mergerequests.get(number).asdict())

    def merge_requests_of(self, sha: str) -> tuple[MergeRequest, ...]:
        """Merge requests that hold this commit: merged as it, merged otherwise, then open ones."""
        with self._asking(f"list the merge requests of commit {sha[:7]}"):
            raws: list[Any] = list(self._commit(sha).merge_requests(**_PAGES))
            raws.sort(key=lambda raw: (raw["state"] != "merged", sha not in _results(raw)))
            return tuple(map(_merge_request, raws))

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        """Notes on it, oldest first, all pages; system notes left out."""
        with self._asking(f"list the notes of merge request {merge_request.number}"):
            found = self._merge_request(merge_request).notes.list(
                order_by="created_at", sort="asc", activity_filter="only_comments", **_PAGES
            )
            raws = [note.asdict() for note in found]
            return tuple(_note(raw) for raw in raws if not raw["system"])

    def create_note(self, merge_request: MergeRequest, body: Shown) -> Note:
        """Posts a note, once."""
        with self._asking(f"write a note on merge request {merge_request.number}"):
            made = self._merge_request(merge_request).notes.create({"body": body})
            return _note(made.asdict())

    def edit_note(self, merge_request: MergeRequest, note: Note, body: Shown) -> Note:
        """Replaces a note's text."""
        with self._asking(f"edit our note on merge request {merge_request.number}"):
            notes = self._merge_request(merge_request).notes
            return _note(notes.update(int(note.id), {"body": body}))

    def drop_note(self, merge_request: MergeRequest, note: Note) -> None:
        """Deletes a note; one that is gone already is fine."""
        with self._asking(f"delete a doubled note on merge request {merge_request.number}"):
            try:
                self._merge_request(merge_request).notes.delete(int(note.id))
            except Refused as refused:
                if refused.answer.status != HTTPStatus.NOT_FOUND:
                    raise

    def statuses(self, sha: str) -> tuple[CommitStatus, ...]:
        """The newest status per context, jobs of GitLab's own among them."""
        return self._statuses(sha)

    def _statuses(self, sha: str, **query: Any) -> tuple[CommitStatus, ...]:
        with self._asking(f"list the statuses of commit {sha[:7]}"):
            found = self._commit(sha).statuses.list(**_PAGES, **query)
            raws = sorted((one.asdict() for one in found), key=lambda raw: int(raw["id"]))
            newest = {raw["name"]: _status(sha, raw) for raw in raws}
            return tuple(newest.values())

    def set_status(self, status: CommitStatus) -> None:
        """Sets a commit status; one that stands already is not sent, GitLab would refuse it."""
        context = answers.shortened(status.context, self.limits.context)
        send: dict[str, Any] = {
            "state": _WANTED[status.state],
            "name": context,
            "description": answers.shortened(status.description, self.limits.description),
            "target_url": status.url if len(status.url) <= self.limits.url else "",
        }
        # Without it, GitLab opens a second pipeline that can keep a merge request from merging.
        pipeline = {"pipeline_id": self._pipeline} if self._pipeline else {}
        for standing in self._statuses(status.sha, **pipeline):
            if standing.context == context and _is_same(standing, status.state, send):
                return
        with self._asking(f"set the status {context} on commit {status.sha[:7]}"):
            self._send_status(status.sha, {**send, **pipeline})

    def _send_status(self, sha: str, send: dict[str, Any]) -> None:
        for last in (False, True):
            try:
                self._commit(sha).statuses.create(send)
                return
            except Refused as refused:
                if "Cannot transition status" in str(refused.answer.body):
                    return  # it is in that state already
                if last or refused.answer.status != HTTPStatus.CONFLICT:
                    raise
            self._pause(_CONFLICT_PAUSE_S)  # another job sets one on this pipeline; ours is not set

    def compare(self, base: str, head: str) -> Relation:
        """How commit *head* relates to commit *base*."""
        if base == head:
            return Relation.IDENTICAL
        with self._asking(f"compare commits {base[:7]} and {head[:7]}"):
            try:
                found: Any = self._project.repository_merge_base([base, head])
            except Refused as refused:
                if refused.answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
                    return Relation.UNKNOWN
                raise
            common = found["id"]
            if not isinstance(common, str):
                raise TypeError
        if common == base:
            return Relation.AHEAD
        return Relation.BEHIND if common == head else Relation.DIVERGED

    # -- requests ----------------------------------------------------------------------------------

    def _merge_request(self, merge_request: MergeRequest) -> ProjectMergeRequest:
        return self._project.mergerequests.get(merge_request.number, lazy=True)

    def _commit(self, sha: str) -> ProjectCommit:
        return self._project.commits.get(sha, lazy=True)

    @contextmanager
    def _asking(self, action: str) -> Iterator[None]:
        try:
            with answers.reading(_NAME, action):
                yield
        except Refused as refused:
            raise answers.fault(_NAME, action, refused.answer, self._cures) from None
        except requests.Timeout:
            raise answers.timeout(_NAME, action, self._timeout_s) from None
        except requests.RequestException:
            raise answers.unreachable(_NAME, action) from None
        except GitlabError:  # what is left of them: a success that cannot be read
            raise answers.nonsense(_NAME, action) from None


def _note(raw: Any) -> Note:
    return Note(
        id=str(raw["id"]),
        author=_login(raw["author"]),
        body=raw["body"] or "",
        created_at=raw["created_at"] or "",
        updated_at=raw["updated_at"] or "",
    )


def _login(raw: Any) -> str:
    return str(raw["username"]) if raw else ""


def _merge_request(raw: Any) -> MergeRequest:
    merged = raw["state"] == "merged"
    return MergeRequest(
        number=int(raw["iid"]),
        title=raw["title"],
        state=_MR_STATES.get(raw["state"], raw["state"]),
        head_sha=raw["sha"] or "",
        base_branch=raw["target_branch"],
        merge_sha=next(_results(raw), "") if merged else "",
        labels=tuple(raw["labels"]),
        url=raw["web_url"],
    )


def _results(raw: Any) -> Iterator[str]:
    """What a merge made: a merge commit, or a squash commit, or the head itself (fast-forward)."""
    fields = ("merge_commit_sha", "squash_commit_sha", "sha")
    return (raw[field] for field in fields if raw.get(field))


def _status(sha: str, raw: Any) -> CommitStatus:
    return CommitStatus(
        sha=sha,
        context=raw["name"],
        state=_STATES.get(raw["status"], StatusState.PENDING),
        description=raw["description"] or "",
        url=raw["target_url"] or "",
        creator=_login(raw["author"]),
    )


def _is_same(standing: CommitStatus, state: StatusState, send: dict[str, Any]) -> bool:
    if standing.state is not state:
        return False
    said = (standing.description, standing.url) == (send["description"], send["target_url"])
    return said or state is StatusState.PENDING


def _cures(context: CIContext) -> dict[int, str]:
    token = context.token_name or "the token"
    own = (
        "create a project access token with scope api, role Developer, as masked variable "
        "PIPELINE_GITOPS_TOKEN"
    )
    may_not = f"a job token may not do this: {own}" if context.job_token else own
    return {
        HTTPStatus.UNAUTHORIZED: (
            may_not if context.job_token else f"{token} is expired or of another server: {own}"
        ),
        HTTPStatus.FORBIDDEN: may_not,
        HTTPStatus.NOT_FOUND: f"check that {context.project} is right and that {token} may read it",
        HTTPStatus.BAD_REQUEST: (
            "the text is too long, or there are too many notes: see the job's own report"
        ),
    }
