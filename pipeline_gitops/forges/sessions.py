"""Requests to one forge server: what is sent again, and to whom nothing is ever sent."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests

from pipeline_gitops.forges import answers
from pipeline_gitops.forges.answers import Answer


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Session(requests.Session):
    """Speaks to one server only, and alone decides what is sent again.

    requests carries headers like PRIVATE-TOKEN along to whatever host it is redirected to, and
    clients above it may sleep for as long as a Retry-After says. Neither sees such an answer.

    *authorization*: of every request, "" where a client above brings its own. *queries*: addresses
    that only ask, whatever the method.
    """

    def __init__(
        self,
        url: str,
        pause: Callable[[float], None],
        *,
        authorization: str = "",
        queries: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._server = _server(url)
        self._pause = pause
        self._queries = frozenset(queries)
        if authorization:
            # As a header alone it would be replaced by what a .netrc has for the host.
            self.auth = _Authorization(authorization)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer to a request. Raises Refused for anything but a success."""
        if _server(request.url or "") != self._server:  # the address of a next page
            raise Refused(Answer(status=HTTPStatus.MOVED_PERMANENTLY))
        kwargs["allow_redirects"] = False
        is_read = request.method == "GET" or request.url in self._queries
        tries = 0
        while True:
            tries += 1
            try:
                response = super().send(request, **kwargs)
                answer = answer_of(response)
                if answer.is_good:
                    return response
            except requests.Timeout:
                raise
            except requests.RequestException:
                answer = Answer()
            wait = answers.wait_s(answer, tries) if is_read else None
            if wait is None:
                break
            self._pause(wait)
        if not answer.status:
            raise requests.ConnectionError
        raise Refused(answer)


class _Authorization(requests.auth.AuthBase):
    """The header of that name."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _server(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return (parts.scheme, parts.hostname, parts.port)


def answer_of(response: requests.Response) -> Answer:
    """What came back, apart from the library that brought it."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=response.text)


@contextmanager
def asking(
    forge: str, action: str, timeout_s: float, cures: Callable[[Answer], Mapping[int, str]]
) -> Iterator[None]:
    """Turns whatever can go wrong with a request, and with reading its answer, into a ReportFault.

    *cures* are the forge's own for an answer that is no success, by status.
    """
    try:
        yield
    except Refused as refused:
        raise answers.fault(forge, action, refused.answer, cures(refused.answer)) from None
    except requests.Timeout:
        raise answers.timeout(forge, action, timeout_s) from None
    except requests.JSONDecodeError:
        raise answers.nonsense(forge, action) from None
    except OSError:  # of requests, and of a file with CAs that is not there
        raise answers.unreachable(forge, action) from None
    except answers.UNREADABLE:
        raise answers.nonsense(forge, action) from None
