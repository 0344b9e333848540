"""How the events of one YAML document become a value, and how much of it we are ready to read.

PyYAML's C parser gives the events; everything above them (scalars, duplicate keys, aliases, merges)
follows go-yaml v2 (https://github.com/yaml/go-yaml/blob/v2.4.3/decode.go), which reads for kubectl.
Composing with PyYAML is out: it recurses in C and crashes the process on deep nesting.
"""

from collections.abc import Iterable
from dataclasses import field
from typing import Any

from yaml import MarkedYAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from pipeline_gitops.documents import dialects, scalars
from pipeline_gitops.documents.places import start
from pipeline_gitops.documents.values import Unreadable
from pipeline_gitops.values import dataclass

# The deepest schema of Kubernetes, JSONSchemaProps in a CustomResourceDefinition, stays under 60 in
# the field; everything that walks a body later may recurse.
DEPTH = 100
# In a file of 4 MiB. In the field an event takes 7 to 10 bytes, so that there are up to 600,000; a
# million takes four seconds.
EVENTS = 1_000_000
# What the aliases of one file may stand for, in values and in characters: a few hundred bytes can
# otherwise mean gigabytes as soon as somebody writes them out.
ALIASED_VALUES = 100_000
ALIASED_CHARACTERS = 8 * 1024 * 1024

_MERGE = object()  # the key waiting for its value is <<
_NO_KEY = object()  # in a mapping, the next value is a key; in a list the key is None
_WRITE_OUT = "write out what the aliases stand for"


@dataclass(slots=True)
class Budget:
    """What may still be read of one file, and what of that may come from aliases."""

    events: int = EVENTS
    values: int = ALIASED_VALUES
    characters: int = ALIASED_CHARACTERS


@dataclass(slots=True)
class Twice:
    """A key that stands twice: the path to it, and the position, from 0, of the second."""

    path: tuple[str, ...]
    line: int
    column: int


@dataclass(slots=True)
class Composed:
    """The value of a document, the position, from 0, where it starts, and its repeated keys."""

    value: Any
    line: int
    column: int
    twice: list[Twice]


@dataclass(slots=True)
class _Anchor:
    """A value with a name, and what it costs to repeat it."""

    value: Any
    values: int
    characters: int
    is_open: bool = False


@dataclass(slots=True)
class _Frame:
    """A mapping or a list that is being read."""

    holder: Any
    key: Any  # waiting for its value
    in_flow: bool = False  # in brackets
    anchor: _Anchor | None = None
    merged: set[str] = field(default_factory=set)  # keys that came by merge only: may be set again


def compose(text: bytes, budget: Budget) -> Composed | None:
    """The value of *text*, None when it holds none. Raises Unreadable, YAMLError, UnicodeError."""
    dialects.check_lines(text)
    return _Composer(text, budget).composed()


def too_deep() -> Unreadable:
    """The complaint about a document with more than DEPTH levels."""
    return Unreadable("yaml-depth", f"nested more than {DEPTH} levels deep", "flatten it")


class _Composer:
    def __init__(self, text: bytes, budget: Budget) -> None:
        self._parser = CParser(text)
        self._doubtful = text.decode() if dialects.is_doubtful(text) else ""
        self._budget = budget
        self._anchors: dict[str, _Anchor] = {}
        self._outside: list[Any] = []  # the document is the one item of this list
        self._frames = [_Frame(self._outside, None)]
        self._number = 0  # of the event being read
        self._others = 0  # events that are no values of their own
        self._values = 0  # values that came from aliases, and their characters
        self._characters = 0
        self._twice: list[Twice] = []

    def composed(self) -> Composed | None:
        """The document, up to the end of the text."""
        self._parser.get_event()  # start of the stream
        event = self._parser.get_event()  # start of the document
        if event is None or type(event) is StreamEndEvent:
            return None
        first = self._parser.peek_event() or event
        self._read()
        self._close()
        return Composed(self._outside[0], *start(first), self._twice)

    def _read(self) -> None:
        get, frames, hints = self._parser.get_event, self._frames, scalars.HINTS
        doubtful = self._doubtful != ""
        event: Any = None
        try:
            for number in range(self._budget.events):
                event = get()
                kind = type(event)
                if kind is ScalarEvent:
                    value = event.value
                    if doubtful:
                        self._scrutinise(event)
                    if event.anchor or event.tag:
                        value = self._marked(event)
                    elif not event.style and (not value or value[0] in hints):
                        value = scalars.resolve(value)
                    self._put(value, event)
                elif kind is MappingStartEvent or kind is SequenceStartEvent:
                    self._number = number
                    self._open(event)
                elif kind is AliasEvent:
                    self._number = number
                    self._put(self._alias(event), event)
                else:
                    self._number = number
                    self._end(event)
                if len(frames) == 1:
                    self._budget.events -= number
                    return
        except Unreadable as error:
            if error.line < 0:
                error.line, error.column = start(event)
            raise
        self._budget.events = 0
        raise Unreadable("yaml-events", "too many values in one file", "split the file")

    def _put(self, value: Any, event: Event) -> None:
        """Takes in a scalar, or what an alias stands for."""
        frame = self._frames[-1]
        key = frame.key
        if key is _NO_KEY:
            if type(value) is str and value not in frame.holder and value != "<<":
                frame.key = value
            else:
                frame.key = self._odd_key(frame, value, event)
            return
        if type(value) is float or type(value) is int:
            value = scalars.settled(value)
        if key is None:
            frame.holder.append(value)
            return
        if key is _MERGE:
            self._merge(frame, (value,))  # of an alias: not even to a list of mappings
        else:
            frame.holder[key] = value
        frame.key = _NO_KEY

    def _open(self, event: Any) -> None:
        """Takes in the start of a mapping or a list."""
        frames = self._frames
        frame = frames[-1]
        if len(frames) > DEPTH:
            raise too_deep()
        new: Any = {} if type(event) is MappingStartEvent else []
        if frame.key is None:
            frame.holder.append(new)
        elif frame.key is _NO_KEY:
            scalars.key(new)  # raises
        elif frame.key is not _MERGE:
            frame.holder[frame.key] = new
        anchor = None
        if event.anchor:
            begun = event.start_mark.index + self._characters
            anchor = _Anchor(new, self._count(), begun, is_open=True)
            self._anchors[event.anchor] = anchor
        key = _NO_KEY if type(new) is dict else None
        frames.append(_Frame(new, key, bool(event.flow_style), anchor))

    def _end(self, event: Any) -> None:
        """Takes in the end of a mapping or a list."""
        done = self._frames.pop()
        self._others += 1
        if done.anchor:
            done.anchor.is_open = False
            done.anchor.values = self._count() - done.anchor.values + 1
            ended = event.end_mark.index + self._characters
            done.anchor.characters = ended - done.anchor.characters
        frame = self._frames[-1]
        if frame.key is _MERGE:
            # In a list of sources the first wins.
            inside = done.holder
            self._merge(frame, (inside,) if type(inside) is dict else reversed(inside))
        if frame.key is not None:
            frame.key = _NO_KEY

    def _marked(self, event: Any) -> Any:
        """The value of a scalar with a tag or an anchor."""
        if event.tag:
            dialects.check_tag(event.value, event.style, in_flow=self._frames[-1].in_flow)
        value = scalars.of_event(event)
        if event.anchor:
            self._anchors[event.anchor] = _Anchor(value, 1, len(event.value))
        return value

    def _scrutinise(self, event: Any) -> None:
        source = self._doubtful[event.start_mark.index : event.end_mark.index]
        dialects.check(event.value, event.style, source, in_flow=self._frames[-1].in_flow)

    def _count(self) -> int:
        """Values read so far as go-yaml counts them, with the document itself."""
        return self._number + 2 - self._others + self._values

    def _alias(self, event: AliasEvent) -> Any:
        """What an alias stands for."""
        anchor = self._anchors.get(str(event.anchor))
        if anchor is None:
            raise Unreadable(
                "yaml-alias", "an alias to an anchor that does not stand before it", _WRITE_OUT
            )
        if anchor.is_open:
            raise Unreadable("yaml-alias", "an anchored value contains itself", _WRITE_OUT)
        self._values += anchor.values
        self._characters += anchor.characters
        self._budget.values -= anchor.values
        self._budget.characters -= anchor.characters
        # The ratio is go-yaml's; its lower limits for huge documents lie above our own.
        mostly = self._values > 100 and self._count() > 1000
        excessive = mostly and self._values > 0.99 * self._count()
        if excessive or self._budget.values < 0 or self._budget.characters < 0:
            raise Unreadable("yaml-alias-bomb", "aliases stand for too much", _WRITE_OUT)
        return anchor.value

    def _odd_key(self, frame: _Frame, value: Any, event: Any) -> Any:
        """The key for a value that is no string, stands already, or is <<."""
        if type(event) is ScalarEvent and scalars.is_merge(event):
            if type(self._parser.peek_event()) is ScalarEvent:
                self._merge(frame, ("",))  # raises
            self._others += 1
            return _MERGE
        name = scalars.key(value)
        if name in frame.merged:
            frame.merged.remove(name)
        elif name in frame.holder:
            self._twice.append(Twice((*self._path(), name), *start(event)))
        return name

    def _path(self) -> list[str]:
        inside = self._frames[1:-1]
        return [str(len(f.holder) - 1) if f.key is None else str(f.key) for f in inside]

    def _merge(self, frame: _Frame, sources: Iterable[Any]) -> None:
        """Merges into the mapping of *frame*, over what stands before, as go-yaml does."""
        for mapping in sources:
            if type(mapping) is not dict:
                raise Unreadable(
                    "yaml-merge", "<< takes a mapping or a list of mappings", "correct its value"
                )
            frame.merged |= mapping.keys() - frame.holder.keys()
            frame.holder.update(mapping)

    def _close(self) -> None:
        """Nothing may follow: kubectl reads one document between two separators, and no more."""
        self._parser.get_event()  # end of the document
        try:
            event = self._parser.get_event()
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line, mark.column) if mark else (0, 0)
        else:
            if event is None or type(event) is StreamEndEvent:
                return
            line, column = start(event)
        raise Unreadable(
            "yaml-content-after-end",
            "something follows the end of the document, and kubectl would drop it",
            "put a line '---' before it, or remove it",
            line=line,
            column=column,
        )
