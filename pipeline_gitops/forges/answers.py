"""What an answer of a forge means: ask again, or a fault and its cure.

Only reads are asked again. A write whose answer is lost may have been done; whoever sent it has to
look.
"""

import email.utils
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from http import HTTPStatus
from typing import Any

from pipeline_gitops.errors import LackingFault, ReportFault
from pipeline_gitops.patterns import pattern
from pipeline_gitops.ports import Note
from pipeline_gitops.values import dataclass

TRIES = 4
LONGEST_WAIT_S = 30.0  # a limit that lifts later than this is a fault: a job must not sit it out
_BACKOFF_S = 0.5
_AWAY = frozenset({0, 500, 502, 503, 504})

# GitHub's secondary limits may come without any header, and then last a minute at least
# (https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api).
_LIMITED = pattern(r"(?i)secondary rate limit|abuse detection")
_UNTOLD_S = 60.0
# What comes of taking apart a text that is not what it should be.
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. *status* 0: the connection broke. Header names are in lower case."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str = field(default="", repr=False)

    @property
    def is_good(self) -> bool:
        """A success; a redirect is none."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_throttled(self) -> bool:
        """Whether too many requests were sent. GitHub says so with 403 too."""
        if self.status != HTTPStatus.FORBIDDEN:
            return self.status == HTTPStatus.TOO_MANY_REQUESTS
        spent = self.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in self.headers
        return spent or _LIMITED.search(self.body) is not None


def wait_s(answer: Answer, tries: int) -> float | None:
    """How long to wait before a read is sent again after *tries*; None: not at all."""
    if tries >= TRIES or not (answer.status in _AWAY or answer.is_throttled):
        return None
    wait = max(_BACKOFF_S * 2 ** (tries - 1), _wanted_s(answer))
    return wait if wait <= LONGEST_WAIT_S else None


def _wanted_s(answer: Answer) -> float:
    """The wait that the server asks for, by its own clock."""
    after = answer.headers.get("retry-after", "")
    if after.isdecimal():
        return float(after)
    now = _moment(answer.headers.get("date", ""))
    if after and now:
        return _moment(after) - now
    reset = answer.headers.get("x-ratelimit-reset", "")
    if reset.isdecimal() and now and answer.is_throttled:
        return float(reset) - now
    return _UNTOLD_S if _LIMITED.search(answer.body) else 0.0


def _moment(date: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def fault(forge: str, action: str, answer: Answer, cures: Mapping[int, str]) -> ReportFault:
    """The fault of an answer that is no success. *cures* are the forge's own, by status."""
    what = f"cannot {action}: {forge} answers {_phrase(answer.status)}"
    if answer.is_throttled:
        return ReportFault(what, f"{forge} throttles this token: run the job again later")
    if answer.status == HTTPStatus.FORBIDDEN:
        return LackingFault(what, cures.get(answer.status, ""))
    if answer.status in cures:
        return ReportFault(what, cures[answer.status])
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return ReportFault(
            f"{what}, and a token is not carried to another address",
            f"give the job the address that {forge} redirects to, of the server or of the project",
        )
    return ReportFault(what, f"run the job again when {forge} is well")


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def timeout(forge: str, action: str, timeout_s: float) -> ReportFault:
    """The fault of a server that takes a request and says nothing."""
    return ReportFault(
        f"cannot {action}: {forge} does not answer within {timeout_s:g} s",
        f"run the job again when {forge} is well",
    )


def unreachable(forge: str, action: str) -> ReportFault:
    """The fault of a connection that does not come about, or breaks."""
    return ReportFault(
        f"cannot {action}: no connection to {forge}",
        f"check the job's API address, proxy and CA, and run it again when {forge} is well",
    )


@contextmanager
def reading(forge: str, action: str) -> Iterator[None]:
    """Takes a success apart. One without its fields is a portal's or a proxy's, not the forge's."""
    try:
        yield
    except UNREADABLE:
        raise nonsense(forge, action) from None


def nonsense(forge: str, action: str) -> ReportFault:
    """The fault of a success that the forge cannot have sent."""
    return ReportFault(
        f"cannot {action}: the answer is not one of {forge}",
        "check the API address; a proxy or a login page may answer in its place",
    )


def text(value: Any) -> str:
    """A text; "" for null. Raises TypeError for anything else."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return value


def listed(value: Any) -> list[Any]:
    """What has to be a list. Raises TypeError for anything else."""
    if not isinstance(value, list):
        raise TypeError
    return value


def note(raw: Any, author: str) -> Note:
    """A note, whose parts have the same names at every forge but for its author."""
    return Note(
        id=str(int(raw["id"])),
        author=author,
        body=text(raw["body"]),
        created_at=text(raw["created_at"]),
        updated_at=text(raw["updated_at"]),
    )


def shortened(text: str, limit: int) -> str:
    """*text* in at most *limit* characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
