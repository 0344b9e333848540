"""Requests to GitHub's REST API: paging, what is sent again, how fast, and what a refusal means.

PyGithub brings authentication and connections. Its objects are left aside: they take a redirect or
a login page for an empty answer, and an empty list of notes means a second note.
"""

import itertools
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

import github
import requests

from pipeline_gitops.ci import CIContext
from pipeline_gitops.forges import answers
from pipeline_gitops.forges.answers import Answer

NAME = "GitHub"
_PAGE = 100
_BURST = 10  # writes that may follow each other; more of them need a pause each

_T = TypeVar("_T")


class Api:
    """One server, asked in the name of one token."""

    def __init__(
        self,
        context: CIContext,
        *,
        pause: Callable[[float], None],
        timeout_s: int,
        between_writes_s: float,
    ) -> None:
        self._context = context
        self._pause = pause
        self._timeout_s = timeout_s
        self._between_writes_s = between_writes_s
        self._writes = 0
        self._client = github.Github(
            auth=github.Auth.Token(context.token),
            base_url=_api_url(context),
            timeout=timeout_s,
            verify=context.ca_file or True,
            # Left to itself, PyGithub sends a POST eleven times and waits as long as it is told.
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            per_page=_PAGE,
            lazy=True,
        )

    @property
    def graphql_url(self) -> str:
        """Where the GraphQL API of the server is."""
        return self._client.requester.graphql_url

    def close(self) -> None:
        """Closes its connections."""
        self._client.close()

    def all(self, action: str, path: str, right: str, value: Callable[[Any], _T]) -> tuple[_T, ...]:
        """Every page, counted by us: an address out of an answer is never called with our token."""
        found: list[_T] = []
        for page in itertools.count(1):
            query = {"per_page": _PAGE, "page": page}
            answer = self.done(action, "GET", path, right, query=query)
            with answers.reading(NAME, action):
                found += [value(raw) for raw in listed(answer.body)]
            if 'rel="next"' not in answer.headers.get("link", ""):
                break
        return tuple(found)

    def done(
        self,
        action: str,
        verb: str,
        path: str,
        right: str,
        *,
        query: Mapping[str, int | str] | None = None,
        send: object = None,
    ) -> Answer:
        answer = self.ask(action, verb, path, query=query, send=send)
        self.check(action, answer, right)
        return answer

    def check(self, action: str, answer: Answer, right: str) -> None:
        """Raises a fault unless it is a success. *right*: what the workflow has to permit."""
        if not answer.is_good:
            raise answers.fault(NAME, action, answer, _cures(self._context, right))

    def ask(
        self,
        action: str,
        verb: str,
        path: str,
        *,
        query: Mapping[str, int | str] | None = None,
        send: object = None,
    ) -> Answer:
        """The answer, whatever its status. Only a read is sent again."""
        if verb != "GET":
            self._pace()
        tries = 0
        while True:
            tries += 1
            answer = self._once(action, verb, path, query, send)
            wait = answers.wait_s(answer, tries) if verb == "GET" else None
            if wait is None:
                break
            self._pause(wait)
        if not answer.status:
            raise answers.unreachable(NAME, action)
        return answer

    def _pace(self) -> None:
        """GitHub takes about 80 writes a minute
        (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api)."""
        self._writes += 1
        if self._writes > _BURST and self._between_writes_s:
            self._pause(self._between_writes_s)

    def _once(
        self, action: str, verb: str, path: str, query: Mapping[str, int | str] | None, send: object
    ) -> Answer:
        parameters = dict(query) if query else None
        try:
            status, headers, text = self._client.requester.requestJson(
                verb, path, parameters, input=send
            )
        except requests.Timeout:
            raise answers.timeout(NAME, action, self._timeout_s) from None
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


def listed(body: Any) -> list[Any]:
    """What has to be a list. Raises TypeError for anything else."""
    if not isinstance(body, list):
        raise TypeError
    return body


def _cures(context: CIContext, right: str) -> dict[int, str]:
    token = context.token_name or "the token"
    return {
        HTTPStatus.UNAUTHORIZED: f"{token} is expired, or of another server: give the job another",
        HTTPStatus.FORBIDDEN: (
            f"give the job `permissions: {right}`; on a fork the report goes to the job summary"
        ),
        HTTPStatus.NOT_FOUND: f"check that {context.project} is right and that {token} may read it",
        HTTPStatus.UNPROCESSABLE_ENTITY: (
            "the text is too long, or the commit is not in the repository: see the job's own report"
        ),
    }
