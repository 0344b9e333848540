"""No text can crash the reader, fill the memory or keep it busy."""

import itertools
import time

import pytest

from pipeline_gitops import documents
from pipeline_gitops.documents import composing, reading
from pipeline_gitops.documents.values import Unreadable

HEAD = b"apiVersion: v1\nkind: A\nmetadata: {name: a}\n"


def chain(line: str) -> bytes:
    """Eight anchors, each of which stands for nine times the one before."""
    names = "abcdefghi"
    lines = ["a: &a {k: [x, x, x, x, x, x, x, x, x]}"]
    for before, name in itertools.pairwise(names):
        lines.append(line.format(name=name, many=", ".join([f"*{before}"] * 9)))
    return "\n".join(lines).encode()


ANCHORED = b"a: &a " + b"x" * 1_000_000
BOMBS = {
    "aliases": (chain("{name}: &{name} {{k: [{many}]}}"), "yaml-alias-bomb"),
    "merges": (chain("{name}: &{name} {{<<: [{many}]}}"), "yaml-alias-bomb"),
    "characters": (ANCHORED + b"\nb: [" + b"*a, " * 5000 + b"]", "yaml-alias-bomb"),
    "ratio": (b"a: &a [" + b"1, " * 200 + b"]\nb: [" + b"*a, " * 300 + b"]", "yaml-alias-bomb"),
    "itself": (b"&a [*a]", "yaml-alias"),
    "brackets": (b"[" * 100_000, "yaml-depth"),
    "braces": (b"# c\n" + b"{a: " * 100_000, "yaml-depth"),
    "dashes": (b"- " * 5000, "yaml-depth"),
    "indentation": (b"".join(b" " * depth + b"a:\n" for depth in range(1500)), "yaml-depth"),
    "questions": (b"? " * 5000, "yaml-key"),
    "just-too-deep": (b"a: " + b"[" * 100 + b"]" * 100, "yaml-depth"),
    "bytes": (b"a" * (reading.FILE_BYTES + 1), "yaml-size"),
    "documents": (b"a: 1\n---\n" * 20_000, "yaml-documents"),
    "separators": (b"---\n" * 500_000, "yaml-documents"),
    "quotes": (b"'" * 3_000_001, "yaml-syntax"),
    "tabs": (b"\t" * 3_000_000, "yaml-syntax"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str) -> None:
    """A text made to hurt is a finding within seconds."""
    text, rule = BOMBS[name]
    started = time.process_time()

    read, findings = documents.read(text, "f.yaml")

    assert read == ()
    assert findings[-1].rule == rule
    assert findings[-1].place.file == "f.yaml"
    assert time.process_time() - started < 30


def test_values_are_counted_over_the_whole_file() -> None:
    """Many documents cannot each use up the whole budget of values."""
    budget = composing.Budget(events=100)

    first = composing.compose(b"[" + b"1," * 60 + b"]", budget)

    assert first is not None
    with pytest.raises(Unreadable) as refused:
        composing.compose(b"[" + b"1," * 60 + b"]", budget)
    assert refused.value.rule == "yaml-events"


def test_items_of_lists_count_as_documents() -> None:
    """A List does not get around the number of documents."""
    item = b"- {apiVersion: v1, kind: A, metadata: {name: a}}\n"

    read, findings = documents.read(
        b"apiVersion: v1\nkind: List\nitems:\n" + item * 10_001, "f.yaml"
    )

    assert read == ()
    assert [finding.rule for finding in findings] == ["yaml-documents"]


def test_aliases_are_counted_over_the_whole_file() -> None:
    """Many documents cannot each use up the whole budget of aliases."""
    text = HEAD + b"a: &a [" + b"1, " * 900 + b"]\nb: [" + b"*a, " * 60 + b"]\n"

    read, findings = documents.read(b"---\n".join([text] * 3), "f.yaml")

    assert len(read) == 1
    assert [finding.rule for finding in findings] == ["yaml-alias-bomb"] * 2


def test_ordinary_aliases_are_read() -> None:
    """A few hundred aliases, as people write them, are no bomb."""
    text = HEAD + b"a: &a [1, 2, 3]\nb: [" + b"*a, " * 400 + b"]\n"

    (document,), findings = documents.read(text, "f.yaml")

    assert findings == ()
    assert document.body["b"] == [[1, 2, 3]] * 400


def test_deepest_allowed() -> None:
    """The deepest document that is allowed is read and written."""
    brackets = composing.DEPTH - 1
    text = HEAD + b"a: " + b"[" * brackets + b"]" * brackets + b"\n"

    (document,), findings = documents.read(text, "f.yaml")

    assert findings == ()
    assert (
        documents.read(documents.write([document.body]).encode(), "f")[0][0].body == document.body
    )


def test_rendered_sets_may_be_larger() -> None:
    """The caller may raise the limit for what an engine has rendered."""
    text = HEAD + b"a: " + b"x" * (reading.FILE_BYTES + 1) + b"\n"

    (document,), findings = documents.read(text, "f.yaml", largest=2 * reading.FILE_BYTES)

    assert findings == ()
    assert document.place.line == 1
