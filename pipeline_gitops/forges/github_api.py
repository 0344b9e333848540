"""Requests to GitHub's REST API: paging, how fast, and what a refusal means.

PyGithub brings authentication and addresses. Its objects are left aside: they take a login page for
an empty answer, and an empty list of notes means a second note.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import github
from github.Requester import HTTPSRequestsConnectionClass, Requester, RequestsResponse

from pipeline_gitops.ci import CIContext
from pipeline_gitops.forges import answers, sessions
from pipeline_gitops.forges.answers import Answer
from pipeline_gitops.forges.sessions import Refused, Session

NAME = "GitHub"
_PAGE = 100
_BURST = 10  # writes that may follow each other; more of them need a pause each
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

_T = TypeVar("_T")


class Api:
    """One server, asked in the name of one token."""

    def __init__(
        self,
        context: CIContext,
        *,
        pause: Callable[[float], None],
        timeout_s: float,
        between_writes_s: float,
    ) -> None:
        self._context = context
        self._pause = pause
        self._timeout_s = timeout_s
        self._between_writes_s = between_writes_s
        self._writes = 0
        url = _api_url(context)
        self._client = github.Github(
            auth=github.Auth.Token(context.token),
            base_url=url,
            # Left to itself, it sends a POST eleven times and waits as long as it is told.
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
        )
        self._graphql_path = f"{urlsplit(url).path.removesuffix('/v3')}/graphql"
        self._connection = _Connection(url, pause, timeout_s, queries=(self._graphql_path,))
        self._connection.session.verify = context.ca_file or True

    def close(self) -> None:
        """Closes its connections."""
        self._connection.close()
        self._client.close()

    def all(self, action: str, path: str, right: str, value: Callable[[Any], _T]) -> tuple[_T, ...]:
        """Every page, counted by us: an address out of an answer is never called with our token."""
        found: list[_T] = []
        for page in itertools.count(1):
            query = {"per_page": _PAGE, "page": page}
            answer = self.done(action, "GET", path, right, query=query)
            with answers.reading(NAME, action):
                raws = answers.listed(read(answer))
                found += [value(raw) for raw in raws]
            # A server that takes no account of the number would give a next page for ever.
            if not raws or 'rel="next"' not in answer.headers.get("link", ""):
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
        """The answer of a success. Raises ReportFault for anything else."""
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
        """The answer, whatever its status."""
        if verb != "GET":
            self._pace()
        return self._answer(action, verb, path, query, send)

    def ask_graphql(self, action: str, query: str) -> Answer:
        """The answer to a question of the GraphQL API, whatever its status."""
        url = f"{self._connection.origin}{self._graphql_path}"
        return self._answer(action, "POST", url, None, {"query": query})

    def _pace(self) -> None:
        """GitHub takes about 80 writes a minute
        (https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api)."""
        self._writes += 1
        if self._writes > _BURST and self._between_writes_s:
            self._pause(self._between_writes_s)

    def _answer(
        self, action: str, verb: str, url: str, query: Mapping[str, int | str] | None, send: object
    ) -> Answer:
        with sessions.asking(NAME, action, self._timeout_s, lambda _: {}):
            try:
                status, headers, body = self._client.requester.requestJson(
                    verb, url, dict(query or {}), input=send, cnx=self._connection
                )
            except Refused as refused:
                return refused.answer
            return Answer(status=status, headers=headers, body=body)


class _Connection(HTTPSRequestsConnectionClass):
    """Carries what PyGithub asks for over our own session, which shows it successes alone.

    By itself it follows a redirect without the query, so that every page is the first one, and
    repeats for ever what is answered with 202. *queries*: paths that only ask.
    """

    def __init__(
        self, url: str, pause: Callable[[float], None], timeout_s: float, *, queries: Sequence[str]
    ) -> None:
        parts = urlsplit(url)
        super().__init__(parts.hostname or "", parts.port)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._timeout_s = timeout_s
        self.session = Session(url, pause, queries=[f"{self.origin}{path}" for path in queries])
        self.session.auth = Requester.noopAuth  # else a .netrc would speak in our place
        self.session.headers.update(_HEADERS)

    def getresponse(self) -> RequestsResponse:
        response = self.session.request(
            self.verb,
            f"{self.origin}{self.url}",
            headers=self.headers,
            data=self.input,
            timeout=self._timeout_s,
        )
        if response.status_code == HTTPStatus.ACCEPTED:
            raise ValueError("nothing that we ask for is answered later")
        return RequestsResponse(response)


def read(answer: Answer) -> Any:
    """What it says. Raises ValueError where that is no JSON."""
    return json.loads(answer.body)


def _api_url(context: CIContext) -> str:
    server = context.server_url.rstrip("/")
    derived = "https://api.github.com" if server == "https://github.com" else f"{server}/api/v3"
    return (context.api_url or derived).rstrip("/")


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
