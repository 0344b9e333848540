"""GitLab, of gitlab.com or self-managed, through python-gitlab."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import gitlab
from gitlab.exceptions import GitlabError
from gitlab.v4.objects import ProjectCommit, ProjectMergeRequest

from pipeline_gitops.ci import CIContext
from pipeline_gitops.errors import LackingFault
from pipeline_gitops.forges import answers, sessions
from pipeline_gitops.forges.answers import text
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

_NAME = "GitLab"
_PAGES: dict[str, Any] = {"iterator": True, "per_page": 100}
_CONFLICT_PAUSE_S = 1.0
_WANTED = {
    StatusState.PENDING: "pending",
    StatusState.RUNNING: "running",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.CANCELLED: "canceled",
}
_STATES = {
    "running": StatusState.RUNNING,
    "success": StatusState.SUCCESS,
    "skipped": StatusState.SUCCESS,
    "failed": StatusState.FAILURE,
    "canceled": StatusState.CANCELLED,
}
_UNFINISHED = frozenset({StatusState.PENDING, StatusState.RUNNING})
_TRANSITION = pattern(r"Cannot transition status via :\w+ from :(?P<standing>\w+)")
_OWN = (
    "create a project access token with scope api, role Developer, as masked variable "
    "PIPELINE_GITOPS_TOKEN"
)
_NO_CHECKS = LackingFault(f"{_NAME} has no annotations")
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
        self._context = context
        self._deployments: dict[str, tuple[int, str]] = {}  # id and status, by environment
        self._login = ""

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()

    def lacks(self, surface: Surface) -> LackingFault | None:
        """There are no annotations, but a report that the job uploads; and a job token may read
        notes and set deployments only (https://docs.gitlab.com/ci/jobs/ci_job_token/)."""
        if surface is Surface.CHECK:
            return _NO_CHECKS
        if self._context.job_token and surface is not Surface.DEPLOYMENT:
            name = self._context.token_name or "the job's token"
            return LackingFault(f"{name} may not write a {surface}", _OWN)
        return None

    def me(self) -> str:
        """The login that our token speaks for; a job token may not ask."""
        if not self._login:
            with self._asking("ask whose token this is"):
                user: Any = self._client.http_get("/user")
                self._login = text(user["username"])
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

    def status_history(self, sha: str) -> tuple[CommitStatus, ...]:
        """Every status that was set on a commit, newest first, those of jobs among them."""
        return self._listed(sha, all="true")[::-1]

    def _listed(self, sha: str, **query: Any) -> tuple[CommitStatus, ...]:
        """Oldest first."""
        with self._asking(f"list the statuses of commit {sha[:7]}"):
            found = self._commit(sha).statuses.list(**_PAGES, query_parameters=query)
            raws = sorted((one.asdict() for one in found), key=lambda raw: int(raw["id"]))
            return tuple(_status(sha, raw) for raw in raws)

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
        found = reversed(self._listed(status.sha, **pipeline))
        standing = next((one for one in found if one.context == context), None)
        if standing and _is_same(standing, status.state, send):
            return
        with self._asking(f"set the status {context} on commit {status.sha[:7]}"):
            self._send_status(status.sha, {**send, **pipeline})

    def _send_status(self, sha: str, send: dict[str, Any]) -> None:
        for last in (False, True):
            try:
                self._commit(sha).statuses.create(send)
                return
            except Refused as refused:
                standing = _TRANSITION.search(str(refused.answer.body))
                if standing and send["state"] in (standing["standing"], "pending", "running"):
                    return  # it is there already, or further
                if standing and standing["standing"] == "pending" and not last:
                    # From pending some versions let a status go to running only.
                    self._commit(sha).statuses.create({**send, "state": "running"})
                    continue
                if last or refused.answer.status != HTTPStatus.CONFLICT:
                    raise
            self._pause(_CONFLICT_PAUSE_S)  # another job sets one on this pipeline; ours is not set

    def set_deployment(self, deployment: Deployment) -> None:
        """Begins or advances a deployment. The one of a job with `environment:` moves by itself."""
        name, status = deployment.environment, _WANTED[deployment.state]
        # One that waits cannot be recorded through the API.
        if deployment.state is StatusState.PENDING or name == self._context.job_environment:
            return
        may = "role Developer, and `Allowed to deploy` where the environment is protected"
        with self._asking(f"record the deployment to {name}", f"give the job's user {may}"):
            known = self._deployments.get(name) or self._unfinished(deployment)
            if known is None:
                id = self._begun(deployment, status)
            else:
                id, standing = known
                if standing != status:
                    self._advance(id, status)
            self._deployments[name] = (id, status)

    def _begun(self, deployment: Deployment, status: str) -> int:
        made = self._project.deployments.create(
            {
                "environment": deployment.environment,
                "sha": deployment.sha,
                "ref": self._context.branch or deployment.sha,
                "tag": False,
                "status": status,
            }
        )
        return int(made.asdict()["id"])

    def _advance(self, id: int, status: str) -> None:
        try:
            self._project.deployments.update(id, {"status": status})
        except Refused as refused:
            if refused.answer.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT):
                raise
            if self._project.deployments.get(id).asdict()["status"] != status:
                raise

    def _unfinished(self, deployment: Deployment) -> tuple[int, str] | None:
        """One of this commit that an API call began: by us, with its answer lost, or killed since.

        Those of jobs have a `deployable`; GitLab lets nobody else advance them.
        """
        found = self._project.deployments.list(
            environment=deployment.environment,
            order_by="id",
            sort="desc",
            per_page=20,
            get_all=False,
        )
        for raw in (one.asdict() for one in found):
            ours = raw["sha"] == deployment.sha and not raw["deployable"]
            if ours and raw["status"] in ("created", "running"):
                return int(raw["id"]), str(raw["status"])
        return None

    def set_check(self, _check: Check) -> None:
        """There are none."""
        raise _NO_CHECKS

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
    def _asking(self, action: str, forbidden: str = "") -> Iterator[None]:
        cures = {**self._cures, HTTPStatus.FORBIDDEN: forbidden} if forbidden else self._cures
        with sessions.asking(_NAME, action, self._timeout_s, lambda _: cures):
            try:
                yield
            except GitlabError:  # what is left of them: a success that cannot be read
                raise ValueError from None


def _note(raw: Any) -> Note:
    return answers.note(raw, _login(raw["author"]))


def _login(raw: Any) -> str:
    return text(raw["username"]) if raw else ""


def _merge_request(raw: Any) -> MergeRequest:
    merged = raw["state"] == "merged"
    return MergeRequest(
        number=int(raw["iid"]),
        state=_MR_STATES.get(raw["state"], text(raw["state"])),
        head_sha=text(raw["sha"]),
        merge_sha=next(_results(raw), "") if merged else "",
    )


def _results(raw: Any) -> Iterator[str]:
    """What a merge made: a merge commit, or a squash commit, or the head itself (fast-forward)."""
    fields = ("merge_commit_sha", "squash_commit_sha", "sha")
    return (text(raw[field]) for field in fields if raw.get(field))


def _status(sha: str, raw: Any) -> CommitStatus:
    return CommitStatus(
        sha=sha,
        context=text(raw["name"]),
        state=_STATES.get(raw["status"], StatusState.PENDING),
        description=text(raw["description"]),
        url=text(raw["target_url"]),
        creator=_login(raw["author"]),
    )


def _is_same(standing: CommitStatus, state: StatusState, send: dict[str, Any]) -> bool:
    if standing.state is not state:
        return False
    said = (standing.description, standing.url) == (send["description"], send["target_url"])
    return said or state in _UNFINISHED  # which it takes once only, whatever they say


def _cures(context: CIContext) -> dict[int, str]:
    token = context.token_name or "the token"
    own = f"a job token may not do this: {_OWN}" if context.job_token else _OWN
    return {
        HTTPStatus.UNAUTHORIZED: (
            own if context.job_token else f"{token} is expired or of another server: {own}"
        ),
        HTTPStatus.FORBIDDEN: own,
        HTTPStatus.NOT_FOUND: f"check that {context.project} is right and that {token} may read it",
        HTTPStatus.BAD_REQUEST: (
            "the text is too long, or there are too many notes: see the job's own report"
        ),
    }
