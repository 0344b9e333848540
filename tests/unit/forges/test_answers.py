"""Which answers are asked for again, and after how long."""

import pytest

from pipeline_gitops.forges import answers
from pipeline_gitops.forges.answers import Answer

NOON = "Wed, 01 Jan 2025 12:00:00 GMT"
NOON_S = 1_735_732_800


@pytest.mark.parametrize("status", [0, 500, 502, 503, 504, 429])
def test_what_passes_is_asked_again(status: int) -> None:
    """A broken connection, a server that is away, a limit."""
    assert answers.wait_s(Answer(status=status), 1) == 0.5


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 422, 501])
def test_what_stays_is_not_asked_again(status: int) -> None:
    """The same request would get the same answer."""
    assert answers.wait_s(Answer(status=status), 1) is None


def test_four_tries_are_enough() -> None:
    """Pauses double, then it is a fault."""
    waits = [answers.wait_s(Answer(status=503), tries) for tries in (1, 2, 3, 4)]

    assert waits == [0.5, 1.0, 2.0, None]


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"retry-after": "7"}, 7.0),
        (503, {"retry-after": "7"}, 7.0),
        (403, {"retry-after": "7"}, 7.0),
        (429, {"retry-after": "0"}, 0.5),
        (429, {"retry-after": "30"}, 30.0),
        (429, {"retry-after": "31"}, None),
        (429, {"retry-after": "Wed, 01 Jan 2025 12:00:09 GMT", "date": NOON}, 9.0),
        (429, {"retry-after": "Wed, 01 Jan 2025 13:00:00 GMT", "date": NOON}, None),
        (429, {"retry-after": "soon", "date": NOON}, 0.5),
        (429, {"retry-after": "-5"}, 0.5),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOON_S + 5}", "date": NOON},
            5.0,
        ),
        (
            403,
            {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOON_S + 99}", "date": NOON},
            None,
        ),
        (
            403,
            {"x-ratelimit-remaining": "9", "x-ratelimit-reset": f"{NOON_S + 5}", "date": NOON},
            None,
        ),
        (
            503,
            {"x-ratelimit-remaining": "9", "x-ratelimit-reset": f"{NOON_S + 99}", "date": NOON},
            0.5,
        ),
    ],
)
def test_server_says_when(status: int, headers: dict[str, str], wait: float | None) -> None:
    """Its wish is followed up to 30 seconds, by its own clock; further off is a fault at once."""
    assert answers.wait_s(Answer(status=status, headers=headers), 1) == wait


def test_text_is_cut_with_a_sign() -> None:
    """A reader sees that something is missing."""
    assert answers.shortened("12345", 5) == "12345"
    assert answers.shortened("123456", 5) == "1234…"
