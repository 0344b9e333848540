"""Where in its file each part of a document stands.

Positions are worked out on the first question and then kept: most documents are never asked, and
for them knowing costs nothing but their text.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from pipeline_gitops.documents import scalars
from pipeline_gitops.documents.access import steps
from pipeline_gitops.documents.values import Body, Unreadable
from pipeline_gitops.ids import Place
from pipeline_gitops.values import dataclass


@dataclass(slots=True)
class _Node:
    """One value: its position, from 0 in its text, and what it holds, by key or by index."""

    line: int
    column: int
    is_list: bool = False
    children: "dict[str, _Node]" = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    merged: "list[_Node]" = field(default_factory=list)

    def child(self, step: str) -> "_Node | None":
        if step in self.children:
            return self.children[step]
        for source in self.merged:
            for mapping in source.children.values() if source.is_list else (source,):
                if found := mapping.child(step):
                    return found
        return None


class Marks:
    """The positions in one YAML document, *text*, which starts in *line* (from 0) of its file."""

    __slots__ = ("_line", "_root", "_text")

    def __init__(self, text: bytes, line: int) -> None:
        self._text = text
        self._line = line
        self._root: _Node | None = None

    def value(self, path: Sequence[str]) -> tuple[int, int]:
        """Line and column, from 1, of the value at *path*, or of its nearest existing parent."""
        node = self._nearest(path)[0]
        return self._line + node.line + 1, node.column + 1

    def line(self, line: int) -> int:
        """The line, from 1, in the file of a line, from 0, of the text."""
        return self._line + line + 1

    def key(self, path: Sequence[str]) -> tuple[int, int]:
        """Line and column, from 1, of the last key of *path* where it stands first; else as
        `value`."""
        parent, missing = self._nearest(path[:-1])
        if missing or path[-1] not in parent.keys:
            return self.value(path)
        line, column = parent.keys[path[-1]]
        return self._line + line + 1, column + 1

    def _nearest(self, path: Sequence[str]) -> tuple[_Node, bool]:
        if self._root is None:
            self._root = _tree(self._text)
        node = self._root
        for step in path:
            child = node.child(step)
            if child is None:
                return node, True
            node = child
        return node, False


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file; *place* is that of its first value, *number* counts from 1."""

    body: Body = field(repr=False)
    place: Place
    number: int
    marks: Marks | None = field(repr=False, compare=False, default=None)  # None: only *place*
    prefix: tuple[str, ...] = field(repr=False, compare=False, default=())  # of an item in a List

    def locate(self, pointer: str) -> Place:
        """Place of the value at *pointer* (RFC 6901), or of its nearest existing parent."""
        if self.marks is None:
            return self.place
        line, column = self.marks.value((*self.prefix, *steps(pointer)))
        return Place(self.place.file, line, column)

    def locate_key(self, pointer: str) -> Place:
        """Place of the key that *pointer* ends in; of its nearest parent where there is none."""
        if self.marks is None or not pointer:
            return self.locate(pointer)
        line, column = self.marks.key((*self.prefix, *steps(pointer)))
        return Place(self.place.file, line, column)


def start(event: Event) -> tuple[int, int]:
    """Line and column, from 0, where *event* starts."""
    mark = event.start_mark
    return (mark.line, mark.column) if mark else (0, 0)


def _tree(text: bytes) -> _Node:
    """The positions of all values, as far as *text* can be read."""
    outside = _Node(0, 0, is_list=True)
    # The reader has reported what is wrong; what stands before it is still of use.
    with suppress(YAMLError, UnicodeError, Unreadable):
        _grow(outside, CParser(text))
    return outside.children.get("0", outside)


def _grow(node: _Node, parser: CParser) -> None:
    anchors: dict[str, _Node] = {}
    parents: list[_Node] = []
    key: str | None = None
    merging = False
    while event := parser.get_event():
        if isinstance(event, CollectionEndEvent):
            node = parents.pop()
        if not isinstance(event, NodeEvent):
            continue
        at = start(event)
        if not node.is_list and key is None and isinstance(event, ScalarEvent):
            merging = scalars.is_merge(event)
            key = scalars.key(scalars.of_event(event))
            node.keys.setdefault(key, at)
            continue
        child = _Node(*at, is_list=isinstance(event, SequenceStartEvent))
        if isinstance(event, AliasEvent):
            known = anchors.get(str(event.anchor), child)
            child.is_list, child.children = known.is_list, known.children
            child.keys, child.merged = known.keys, known.merged
        elif event.anchor:
            anchors[event.anchor] = child
        if merging:
            node.merged.append(child)
        else:
            node.children[key if key is not None else str(len(node.children))] = child
        key, merging = None, False
        if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
            parents.append(node)
            node = child
