"""How a secret leaves a text, and how a text is kept from acting on whoever reads it.

The only maker of `Sealed`: a report in which no known secret value and no live control sequence is
left. Structure hides first (diffs of Secrets carry no values at all, see `diffs`); replacing known
values here is the second wall, for messages of servers, engines and plugins, and for values that a
manifest repeats where they do not belong.

A mask says that something was there, and nothing about it: one mask stands for a value of any
length, in any encoding, on one line or on many.
"""

import bisect
import dataclasses
import re
import string
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import accumulate
from operator import is_
from typing import Any, NewType

from ahocorasick_rs import AhoCorasick

from pipeline_gitops import encodings
from pipeline_gitops.encodings import SHORTEST, Alphabet
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.patterns import pattern
from pipeline_gitops.views import ChangeView, Report

Sealed = NewType("Sealed", Report)

MASK = "[masked]"

# Control characters but newline and tab, halves of surrogate pairs, separators of lines and
# paragraphs, what turns the direction of writing, and what has no width. Joiners stay: emoji and
# several scripts are written with them.
_HIDDEN = pattern(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e007f]"
)
_HALVES = pattern("[\ud800-\udfff]")

_SAME_TEXT = {
    Alphabet.BASE64: frozenset(string.ascii_letters + string.digits + "+/_-"),
    Alphabet.HEX: frozenset(string.hexdigits),
}

# A text that somebody has cut may begin or end inside of a value: the API server cuts messages of
# events, the kubelet those of containers. Shorter texts without a mark of it are whole.
_CUT_FROM = 160
_MESSAGE = 8_192  # longer than any that is cut as a whole: of a page of text only lines can be
_SEAM = pattern(r": | ?(…|\.\.\.)(?=\s|\Z)|\Z")

_SIGNS = ("+", "-")

LONGEST_LINE = 400  # of a diff

Span = tuple[int, int]


class Redactor:
    """Replaces every known secret value, in the encodings in which values travel."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)
        self._index: _Index | None = None  # made when it is first needed: it costs

    def __call__(self, text: str) -> str:
        """*text* without any known secret value."""
        return _replaced(text, self._spans(text))

    def lines(self, lines: tuple[str, ...]) -> tuple[str, ...]:
        """*lines* without any known secret value, be it broken over several of them.

        Of such lines one is left: how many there were would say how long the value is.
        """
        spans = self._spans("\n".join(lines), lines)
        if not spans:
            return lines
        text = "\n".join(lines)
        made = []
        start = 0
        for end in accumulate(len(line) + 1 for line in lines):
            if not any(first < end <= last for first, last in spans):
                inside = [(a - start, b - start) for a, b in spans if start <= a < end]
                made.append(_replaced(text[start : end - 1], inside))
                start = end
        return tuple(made)

    def _spans(self, text: str, lines: Sequence[str] = ()) -> list[Span]:
        """Where values stand, in order and apart from each other."""
        if not self._secrets or len(text) < SHORTEST:
            return []
        if self._index is None:
            self._index = _Index(self._secrets)
        index = self._index
        found = list(index.find(text))
        if "\n" in text:
            found += _broken(index, text.split("\n"))
        start = 0
        for piece in lines or (text.split("\n") if len(text) > _MESSAGE else [text]):
            if len(piece) >= _CUT_FROM or "..." in piece or "…" in piece:
                found += [(start + a, start + b) for a, b in index.stumps(piece)]
            start += len(piece) + 1
        return _merged(found)


class _Index:
    """All forms of all secrets, found in one pass however many they are."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {form.text: form.alphabet for one in secrets for form in encodings.forms(one)}
        self._forms = [_HALVES.sub("\ufffd", form) for form in found]
        self._alphabets = list(found.values())
        self._automaton = AhoCorasick(self._forms)

    def find(self, text: str) -> Iterator[Span]:
        """Every place of a form, those that overlap included."""
        bare = _Bare(text)
        reached = 0
        for number, first, last in self._automaton.find_matches_as_indexes(
            bare.text, overlapping=True
        ):
            alphabet = self._alphabets[number]
            if alphabet is Alphabet.TEXT:
                yield bare.outer_span(first, last)
                continue
            start, end = bare.span(first, last)
            if end > reached:  # else inside of the last such text
                span = _widened(text, start, end, _SAME_TEXT[alphabet])
                reached = span[1]
                yield span

    def stumps(self, text: str) -> Iterator[Span]:
        """The end of a value at the start of *text*, and the start of one at its end."""
        bare = _Bare(text)
        start = 0
        # A sentence of ours may stand around what somebody has cut.
        for seam in _SEAM.finditer(bare.text):
            for first, last in self._stumps(bare.text, start, seam.start()):
                yield bare.outer_span(first, last)
            start = seam.end()

    def _stumps(self, text: str, begin: int, end: int) -> Iterator[Span]:
        for start in range(max(begin, end - self._longest), end - SHORTEST + 1):
            known = self._heads.get(text[start : start + SHORTEST], ())
            if any(form.startswith(text[start:end]) for form in known):
                yield start, end
                break
        for stop in range(min(end, begin + self._longest), begin + SHORTEST - 1, -1):
            known = self._tails.get(text[stop - SHORTEST : stop], ())
            if any(form.endswith(text[begin:stop]) for form in known):
                yield begin, stop
                break

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._forms), default=0)

    @cached_property
    def _heads(self) -> Mapping[str, Sequence[str]]:
        return _grouped((form[:SHORTEST], form) for form in self._forms)

    @cached_property
    def _tails(self) -> Mapping[str, Sequence[str]]:
        return _grouped((form[-SHORTEST:], form) for form in self._forms)


class _Bare:
    """A text as the index reads it: without quotes, and in characters that UTF-8 can hold."""

    def __init__(self, text: str) -> None:
        self._original = text
        bare = encodings.bare(text)
        self.text = bare if bare.isascii() else _HALVES.sub("\ufffd", bare)

    def span(self, start: int, end: int) -> Span:
        """The same place in the text as it was."""
        if len(self.text) == len(self._original):
            return start, end
        return self._origins[start], self._origins[end - 1] + 1

    def outer_span(self, start: int, end: int) -> Span:
        """The same place with the quotes around it: any of them may be the value's own."""
        if len(self.text) == len(self._original):
            return start, end
        origins = (-1, *self._origins, len(self._original))
        return origins[start] + 1, origins[end + 1]

    @cached_property
    def _origins(self) -> Sequence[int]:
        dropped = encodings.QUOTES
        return array("I", [i for i, sign in enumerate(self._original) if sign not in dropped])


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for key, form in pairs:
        found.setdefault(key, []).append(form)
    return found


def _widened(text: str, start: int, end: int, alphabet: frozenset[str]) -> Span:
    """The whole encoded text around a place in it."""
    while start and text[start - 1] in alphabet:
        start -= 1
    while end < len(text) and text[end] in alphabet:
        end += 1
    while end < len(text) and text[end] == "=":  # padding
        end += 1
    return start, end


def _broken(index: _Index, lines: Sequence[str]) -> Iterator[Span]:
    """Values that go on over line ends, their indents and, in a diff, their signs.

    Encoders break base64 into lines; YAML folds a text where it has a blank.
    """
    plain = [line.strip() for line in lines]
    yield from _unbroken(index, lines, plain, "")
    yield from _unbroken(index, lines, plain, " ")
    unsigned = [line[1:].strip() if line.startswith(_SIGNS) else line.strip() for line in lines]
    if unsigned != plain:
        yield from _unbroken(index, lines, unsigned, "")


def _unbroken(
    index: _Index, lines: Sequence[str], pieces: Sequence[str], joint: str
) -> Iterator[Span]:
    """Places in *pieces* of *lines*, put together by *joint*, in terms of the lines' text."""
    found = list(index.find(joint.join(pieces)))
    if not found:
        return
    starts, origins = [], []  # of every piece: in what is joined, and in the text
    start = origin = 0
    for line, piece in zip(lines, pieces, strict=True):
        starts.append(start)
        origins.append(origin + line.find(piece))
        start += len(piece) + len(joint)
        origin += len(line) + 1
    for first, last in found:
        yield _origin(first, starts, origins), _origin(last - 1, starts, origins) + 1


def _origin(position: int, starts: Sequence[int], origins: Sequence[int]) -> int:
    piece = bisect.bisect_right(starts, position) - 1
    return origins[piece] + position - starts[piece]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch made one: two masks would say that there are two values."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _replaced(text: str, spans: Iterable[Span]) -> str:
    pieces = []
    position = 0
    for start, end in spans:
        pieces += [text[position:start], MASK]
        position = end
    return "".join([*pieces, text[position:]]) if pieces else text


def clean(text: str) -> str:
    r"""*text* with control characters made visible, but for newline and tab.

    A carriage return, an escape or a bidirectional mark in an object's name could otherwise rewrite
    a terminal, start a CI command or show a reviewer something else than what is there.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def seal(report: Report, secrets: Iterable[str]) -> Sealed:
    """The report as it may leave the program."""
    return Sealed(_sealed(report, Redactor(secrets)))


def narrowed(report: Sealed, environments: Collection[str]) -> Sealed:
    """What a sealed report says of these environments."""
    results = tuple(one for one in report.results if one.environment in environments)
    return Sealed(dataclasses.replace(report, results=results))


def _sealed(value: Any, redact: Redactor) -> Any:
    """*value*, or one like it without what must not be shown: most of a report stays as it is."""
    if isinstance(value, str) and type(value) is str:
        return clean(redact(value))
    if isinstance(value, ObjectId):
        shown = ObjectId(*map(clean, value))
        return value if shown == value else shown
    if isinstance(value, tuple):
        if value and all(type(item) is str for item in value):
            lines = tuple(map(clean, redact.lines(value)))
            return value if lines == value else lines
        items = [_sealed(item, redact) for item in value]
        return value if all(map(is_, items, value)) else tuple(items)
    if isinstance(value, Place):
        file = clean(value.file)
        return value if file == value.file else dataclasses.replace(value, file=file)
    names = _fields(value.__class__)
    if names:
        fields = {}
        for name in names:
            plain = getattr(value, name)
            sealed = _sealed(plain, redact)
            if sealed is not plain:
                fields[name] = sealed
        made = dataclasses.replace(value, **fields) if fields else value
        return _short(made) if isinstance(made, ChangeView) else made
    return value


@cache
def _fields(cls: type) -> tuple[str, ...]:
    """The names of a dataclass's fields; none of any other class."""
    is_dataclass = dataclasses.is_dataclass(cls)
    return tuple(field.name for field in dataclasses.fields(cls)) if is_dataclass else ()


def _short(change: ChangeView) -> ChangeView:
    """With lines that people can read: cut earlier, they could end inside of a value.

    How much more there is would say how long that value is.
    """
    if all(len(line) <= LONGEST_LINE for line in change.lines):
        return change
    lines = (
        line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..." for line in change.lines
    )
    return dataclasses.replace(change, lines=tuple(lines))
