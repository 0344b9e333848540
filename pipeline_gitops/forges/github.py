"""GitHub, and GitHub Enterprise Server.

PyGithub brings authentication, connections and the pace of writes. Its objects are left aside: they
take a redirect or a login page for an empty answer, and an empty list of notes means a second note.
"""

import itertools
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import github
import requests

from pipeline_gitops.ci import CIContext
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.forges import answers
from pipeline_gitops.forges.answers import Answer
from pipeline_gitops.inventories import Relation
from pipeline_gitops.ports import CommitStatus, Limits, MergeRequest, Note, StatusState
from pipeline_gitops.reports import Shown

_NAME = "GitHub"
_PAGE = 100
_ACTIONS = "github-actions[bot]"
_STATES = {
    "pending": StatusState.PENDING,
    "success": StatusState.SUCCESS,
    "failure": StatusState.FAILURE,
    "error": StatusState.FAILURE,
}

_T = TypeVar("_T")


class GitHub:
    """Implements `ports.Forge`."""

    limits = Limits(note=65_536, description=140, context=255, url=2_000)

    def __init__(
        self,
        context: CIContext,
        *,
        pause: Callable[[float], None],
        timeout_s: int = 10,
        between_writes_s: float = 1.0,
    ) -> None:
        self._repository = f"/repos/{quote(context.project)}"
        self._pause = pause
        self._timeout_s = timeout_s
        self._cures = _cures(context)
        self._login = ""
        self._client = github.Github(
            auth=github.Auth.Token(context.token),
            base_url=_api_url(context),
            timeout=timeout_s,
            verify=context.ca_file or True,
            # Left to itself, PyGithub sends a POST eleven times and waits as long as it is told.
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=between_writes_s,
            per_page=_PAGE,
            lazy=True,
        )

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def me(self) -> str:
        """The login that our token speaks for."""
        self._login = self._login or self._user() or self._viewer() or _ACTIONS
        return self._login

    def _user(self) -> str:
        """ "" for the token of an app, the one of GitHub Actions too: it may not call /user."""
        action = "ask whose token this is"
        answer = self._ask(action, "GET", "/user")
        if answer.status == HTTPStatus.FORBIDDEN and not answer.is_throttled:
            return ""
        self._check(action, answer)
        with answers.reading(_NAME, action):
            return str(answer.body["login"])

    def _viewer(self) -> str:
        """The login of an app, which only the GraphQL API tells; "" where it does not."""
        url = self._client.requester.graphql_url
        try:
            answer = self._ask("ask for the app", "POST", url, send={"query": "{viewer{login}}"})
            return str(answer.body["data"]["viewer"]["login"])
        except (ReportFault, KeyError, TypeError):
            return ""

    def merge_request(self, number: int) -> MergeRequest:
        """One pull request."""
        action = f"read pull request {number}"
        answer = self._done(action, "GET", f"{self._repository}/pulls/{number}")
        with answers.reading(_NAME, action):
            return _merge_request(answer.body)

    def merge_requests_of(self, sha: str) -> tuple[MergeRequest, ...]:
        """Pull requests that hold this commit: merged as it, merged otherwise, then open ones."""
        action = f"list the pull requests of commit {sha[:7]}"
        path = f"{self._repository}/commits/{quote(sha)}/pulls"
        found = self._all(action, path, _merge_request)
        return tuple(sorted(found, key=lambda one: (one.state != "merged", one.merge_sha != sha)))

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        """Comments on it, oldest first, all pages."""
        action = f"list the comments of pull request {merge_request.number}"
        return self._all(action, self._comments(merge_request), _note)

    def create_note(self, merge_request: MergeRequest, body: Shown) -> Note:
        """Posts a comment, once."""
        action = f"comment on pull request {merge_request.number}"
        answer = self._done(action, "POST", self._comments(merge_request), send={"body": body})
        with answers.reading(_NAME, action):
            return _note(answer.body)

    def edit_note(self, merge_request: MergeRequest, note: Note, body: Shown) -> Note:
        """Replaces a comment's text."""
        action = f"edit our comment on pull request {merge_request.number}"
        answer = self._done(action, "PATCH", self._comment(note), send={"body": body})
        with answers.reading(_NAME, action):
            return _note(answer.body)

    def drop_note(self, merge_request: MergeRequest, note: Note) -> None:
        """Deletes a comment; one that is gone already is fine."""
        action = f"delete a doubled comment on pull request {merge_request.number}"
        answer = self._ask(action, "DELETE", self._comment(note))
        if answer.status != HTTPStatus.NOT_FOUND:
            self._check(action, answer)

    def statuses(self, sha: str) -> tuple[CommitStatus, ...]:
        """The newest status per context."""
        action = f"list the statuses of commit {sha[:7]}"
        path = f"{self._repository}/commits/{quote(sha)}/statuses"
        newest: dict[str, CommitStatus] = {}
        for status in self._all(action, path, lambda raw: _status(sha, raw)):  # newest first
            newest.setdefault(status.context, status)
        return tuple(newest.values())

    def set_status(self, status: CommitStatus) -> None:
        """Sets a commit status."""
        send = {
            "state": status.state.value,
            "context": answers.shortened(status.context, self.limits.context),
            "description": answers.shortened(status.description, self.limits.description),
        }
        if status.url and len(status.url) <= self.limits.url:
            send["target_url"] = status.url
        action = f"set the status {status.context} on commit {status.sha[:7]}"
        self._done(action, "POST", f"{self._repository}/statuses/{quote(status.sha)}", send=send)

    def compare(self, base: str, head: str) -> Relation:
        """How commit *head* relates to commit *base*."""
        action = f"compare commits {base[:7]} and {head[:7]}"
        path = f"{self._repository}/compare/{quote(base)}...{quote(head)}"
        # The first page would bring the diff of every file.
        answer = self._ask(action, "GET", path, query={"per_page": 1, "page": 2})
        if answer.status == HTTPStatus.NOT_FOUND:
            return Relation.UNKNOWN
        self._check(action, answer)
        with answers.reading(_NAME, action):
            return Relation(answer.body["status"])

    # -- requests ----------------------------------------------------------------------------------

    def _comments(self, merge_request: MergeRequest) -> str:
        return f"{self._repository}/issues/{merge_request.number}/comments"

    def _comment(self, note: Note) -> str:
        return f"{self._repository}/issues/comments/{quote(note.id)}"

    def _all(self, action: str, path: str, value: Callable[[Any], _T]) -> tuple[_T, ...]:
        """Every page, counted by us: an address out of an answer is never called with our token."""
        found: list[_T] = []
        for page in itertools.count(1):
            query = {"per_page": _PAGE, "page": page}
            answer = self._done(action, "GET", path, query=query)
            with answers.reading(_NAME, action):
                found += [value(raw) for raw in _list(answer.body)]
            if 'rel="next"' not in answer.headers.get("link", ""):
                break
        return tuple(found)

    def _done(
        self,
        action: str,
        verb: str,
        path: str,
        *,
        query: Mapping[str, int] | None = None,
        send: object = None,
    ) -> Answer:
        answer = self._ask(action, verb, path, query=query, send=send)
        self._check(action, answer)
        return answer

    def _check(self, action: str, answer: Answer) -> None:
        if not answer.is_good:
            raise answers.fault(_NAME, action, answer, self._cures)

    def _ask(
        self,
        action: str,
        verb: str,
        path: str,
        *,
        query: Mapping[str, int] | None = None,
        send: object = None,
    ) -> Answer:
        """The answer, whatever its status. Only a read is sent again."""
        tries = 0
        while True:
            tries += 1
            answer = self._once(action, verb, path, query, send)
            wait = answers.wait_s(answer, tries) if verb == "GET" else None
            if wait is None:
                break
            self._pause(wait)
        if not answer.status:
            raise answers.unreachable(_NAME, action)
        return answer

    def _once(
        self, action: str, verb: str, path: str, query: Mapping[str, int] | None, send: object
    ) -> Answer:
        parameters = dict(query) if query else None
        try:
            status, headers, text = self._client.requester.requestJson(
                verb, path, parameters, input=send
            )
        except requests.Timeout:
            raise answers.timeout(_NAME, action, self._timeout_s) from None
        except requests.RequestException:
            return Answer()
        except RuntimeError:  # how PyGithub refuses a redirect to another host
            return Answer(status=HTTPStatus.MOVED_PERMANENTLY)
        return Answer(status=status, headers=headers, body=_decoded(text))


def _api_url(context: CIContext) -> str:
    server = context.server_url.rstrip("/")
    derived = "https://api.github.com" if server == "https://github.com" else f"{server}/api/v3"
    return context.api_url or derived


def _decoded(text: str) -> Any:
    """None for what is no JSON: it has none of the fields that are looked for later."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise TypeError
    return body


def _note(raw: Any) -> Note:
    return Note(
        id=str(raw["id"]),
        author=_login(raw["user"]),
        body=raw["body"] or "",
        created_at=raw["created_at"] or "",
        updated_at=raw["updated_at"] or "",
    )


def _login(raw: Any) -> str:
    return str(raw["login"]) if raw else ""  # a deleted account is null


def _merge_request(raw: Any) -> MergeRequest:
    merged = bool(raw["merged_at"])
    return MergeRequest(
        number=int(raw["number"]),
        title=raw["title"],
        state="merged" if merged else raw["state"],
        head_sha=raw["head"]["sha"],
        base_branch=raw["base"]["ref"],
        # Of an open one it is a test merge that nobody will ever see.
        merge_sha=(raw["merge_commit_sha"] or "") if merged else "",
        labels=tuple(label["name"] for label in raw["labels"]),
        url=raw["html_url"],
    )


def _status(sha: str, raw: Any) -> CommitStatus:
    return CommitStatus(
        sha=sha,
        context=raw["context"],
        state=_STATES[raw["state"]],
        description=raw["description"] or "",
        url=raw["target_url"] or "",
        creator=_login(raw["creator"]),
    )


def _cures(context: CIContext) -> dict[int, str]:
    token = context.token_name or "the token"
    return {
        HTTPStatus.UNAUTHORIZED: f"{token} is expired, or of another server: give the job another",
        HTTPStatus.FORBIDDEN: (
            "give the job `permissions: pull-requests: write, statuses: write`; "
            "on a fork the report goes to the job summary"
        ),
        HTTPStatus.NOT_FOUND: f"check that {context.project} is right and that {token} may read it",
        HTTPStatus.UNPROCESSABLE_ENTITY: (
            "the text is too long, or the commit is not in the repository: see the job's own report"
        ),
    }
