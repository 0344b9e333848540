"""What a stream of JSON objects holds, read with Go's rules for JSON rather than those for YAML.

They differ where it hurts: in JSON a string may hold U+2028, an escaped slash or a surrogate pair,
and a key may be as long as it likes.
"""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from pipeline_gitops.documents import scalars
from pipeline_gitops.documents.composing import DEPTH, too_deep
from pipeline_gitops.documents.values import Json, Unreadable
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

_SPACE = pattern(r"[ \t\r\n]*")
_SURROGATE = pattern(r"\\u[dD][89a-fA-F]")
_LONGEST_INTEGER = 20  # characters of a 64-bit number


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One JSON value between two offsets: its value in a tuple, or what is wrong with it.

    Neither means that a key stands twice; reading the text as YAML will tell where.
    """

    begin: int
    end: int
    value: tuple[Json, ...] = ()
    wrong: Unreadable | None = None


def objects(text: str) -> Iterator[Found]:
    """The JSON values in front of *text*; what follows the last one is no JSON."""
    count, end = 0, 0
    while (begin := _after_space(text, end)) < len(text):
        reading = _Reading()
        try:
            value, end = reading.decoder.raw_decode(text, begin)
        except RecursionError:
            yield Found(begin=begin, end=len(text), wrong=too_deep())
            return
        except json.JSONDecodeError as error:
            # kubectl tries the rest as YAML, unless it has seen two objects already.
            if count > 1:
                yield Found(begin=begin, end=len(text), wrong=_no_json(text, begin, error))
            return
        count += 1
        if reading.repeated:
            yield Found(begin=begin, end=end)
        else:
            wrong = reading.wrong or _wrong(value, text[begin:end])
            yield Found(begin=begin, end=end, value=() if wrong else (value,), wrong=wrong)


class _Reading:
    """Reads one value, and remembers what cannot be seen in the value any more."""

    def __init__(self) -> None:
        self.repeated = False
        self.wrong: Unreadable | None = None
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self._mapping,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=_constant,
        )

    def _mapping(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(pairs)
        self.repeated = self.repeated or len(mapping) < len(pairs)
        return mapping

    def _integer(self, digits: str) -> scalars.Scalar:
        if len(digits) <= _LONGEST_INTEGER:
            return scalars.settled(int(digits))
        return self._float(digits)

    def _float(self, digits: str) -> scalars.Scalar:
        number = float(digits)
        if math.isfinite(number):
            return scalars.settled(number)
        self.wrong = Unreadable("yaml-number", "a number is too large", "quote it", line=0)
        return None


def _constant(name: str) -> NoReturn:
    """NaN and the infinities are JSON to Python only."""
    raise json.JSONDecodeError("no JSON", name, 0)


def _after_space(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() if space else start


def _wrong(value: Json, text: str) -> Unreadable | None:
    if _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return Unreadable(
                "yaml-encoding", "an escape is one half of a character", "correct it", line=0
            )
    level = [value]
    for _ in range(DEPTH):
        level = [child for parent in level for child in _children(parent)]
    return too_deep() if any(type(child) in (dict, list) for child in level) else None


def _children(value: Json) -> list[Any]:
    if type(value) is dict:
        return list(value.values())
    return value if type(value) is list else []


def _no_json(text: str, begin: int, error: json.JSONDecodeError) -> Unreadable:
    return Unreadable(
        "yaml-syntax",
        "no JSON, after two JSON objects",
        "correct the JSON, or put '---' between documents",
        line=text.count("\n", begin, error.pos),
    )
