"""Every value knows its line and column."""

import pytest

from pipeline_gitops import documents
from pipeline_gitops.documents import Document
from pipeline_gitops.ids import Place

TEXT = b"""\
# comment
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  labels: {tier: web, "a/b": c, "x~y": d}
data:
  base: &base
    p: 1
  copy: *base
  over:
    <<: *base
    q: 2
  empty:
list:
- one
- - two
  - three: 3
"""


def document() -> Document:
    (found,), findings = documents.read(TEXT, "f.yaml")
    assert findings == ()
    return found


@pytest.mark.parametrize(
    ("pointer", "line", "column"),
    [
        ("", 3, 1),
        ("/kind", 4, 7),
        ("/metadata", 6, 3),
        ("/metadata/name", 6, 9),
        ("/metadata/labels/tier", 7, 18),
        ("/metadata/labels/a~1b", 7, 30),
        ("/metadata/labels/x~0y", 7, 40),
        ("/data/copy", 11, 9),
        ("/data/copy/p", 10, 8),
        ("/data/over/p", 10, 8),
        ("/data/over/q", 14, 8),
        ("/data/empty", 15, 9),
        ("/list/0", 17, 3),
        ("/list/1/0", 18, 5),
        ("/list/1/1/three", 19, 12),
    ],
)
def test_place_of_a_value(pointer: str, line: int, column: int) -> None:
    """A pointer leads to the value, through aliases and merges to where it is written."""
    assert document().locate(pointer) == Place("f.yaml", line, column)


@pytest.mark.parametrize(
    ("pointer", "parent"),
    [
        ("/nothing", ""),
        ("/metadata/annotations/x", "/metadata"),
        ("/metadata/name/0", "/metadata/name"),
        ("/list/7", "/list"),
        ("/list/x", "/list"),
        ("/list/-", "/list"),
        ("/list/1/1/four", "/list/1/1"),
    ],
)
def test_place_of_nothing(pointer: str, parent: str) -> None:
    """A pointer to nothing leads to the nearest parent that exists."""
    found = document()

    assert found.locate(pointer) == found.locate(parent)


@pytest.mark.parametrize(
    ("pointer", "line", "column"),
    [
        *(("", 3, 1), ("/metadata", 5, 1), ("/metadata/name", 6, 3), ("/data/over/q", 14, 5)),
        *(("/list/0", 17, 3), ("/metadata/nothing", 6, 3), ("/data/copy/p", 10, 5)),
    ],
)
def test_place_of_a_key(pointer: str, line: int, column: int) -> None:
    """The key of a value has a place of its own; without a key it is that of the value."""
    assert document().locate_key(pointer) == Place("f.yaml", line, column)


def test_places_in_json() -> None:
    """JSON has lines and columns too, also behind another object."""
    text = b'{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}}\n{\n "apiVersion": "v1",\n'
    text += b' "kind": "A",\n "metadata": {\n  "name": "b"}}\n'

    (_, second), findings = documents.read(text, "f.json")

    assert findings == ()
    assert second.place == Place("f.json", 2, 1)
    assert second.locate("/metadata/name") == Place("f.json", 6, 11)


def test_places_where_only_json_can_read() -> None:
    """JSON that YAML cannot read has at least the place of what stands before."""
    text = b'{"apiVersion":"v1","kind":"A",\n"metadata":{"name":"a"},\n'
    text += b'"b":"\\ud83d\\ude00","c":{"d":1}}'

    (document,), _ = documents.read(text, "f.json")

    assert document.locate("/metadata/name") == Place("f.json", 2, 20)
    assert document.locate("/c/d") == Place("f.json", 1, 1)


def test_place_without_marks() -> None:
    """A document that was not read from a text is in one place altogether."""
    made = Document(body={"kind": "A"}, place=Place("f.yaml", 7, 1), number=1)

    assert made.locate("/kind") == Place("f.yaml", 7, 1)


def test_equality_ignores_marks() -> None:
    """Two documents are equal when their bodies and places are."""
    assert document() == document()
