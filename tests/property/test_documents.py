"""No bytes are too odd to read, and what is written is read back, by kubectl too."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import documents
from pipeline_gitops.documents import Json, at, scalars
from pipeline_gitops.views import Severity
from tests.campaigns import examples
from tests.unit.documents import oracle
from tests.unit.documents.tables import SCALARS

FRAGMENTS = [
    *(
        "a: 1\n",
        "b:\n  c: d\n",
        "- x\n",
        "- - y\n",
        "? k\n: v\n",
        "---\n",
        "--- x\n",
        "...\n",
        "# c\n",
    ),
    *(
        "&a ",
        "*a",
        "*a\n",
        "<<: *a\n",
        "<<: [*a, *a]\n",
        "!foo ",
        "!!str ",
        "!!int ",
        "!!binary ",
        "!",
    ),
    *(
        "|\n  t\n",
        "|-\n  t\n\n",
        ">\n  f\n  g\n",
        "|2\n   x\n",
        "'q'",
        '"d\\n"',
        '"\\/"',
        "\t",
        "\n",
    ),
    *(
        " ",
        "  ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        ": ",
        "- ",
        "-",
        "?",
        "@",
        "%YAML 1.1\n",
        "é",
        "\x85",
    ),
    *("\u2028", "\ufeff", "\r\n", "\r", "~", "null", "yes", "012", "1.5", "0x1F", "08", "1e3", "#"),
    *(
        "'",
        '"',
        "\\",
        "\x01",
        "\x00",
        "{a: b}",
        "[1, 2]",
        '{"a":1}\n',
        "=",
        "<<",
        "a?b",
        "kind: List\n",
    ),
    *("apiVersion: v1\n", "kind: A\n", "metadata: {name: a}\n", "items:\n", "  name: a\n"),
]
# None that makes another object: kubectl takes any kind with items for a list, we only a ...List.
PLAIN = [
    piece for piece in FRAGMENTS if not piece.startswith(("---", "apiV", "kind", "meta", "items"))
]

texts = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [text for text in SCALARS if "\n" not in text]
)
lines = st.lists(st.text("ab \t#-:|>'\"é", max_size=6), max_size=5).map("\n".join)
numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | texts | lines
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | lines, inner, max_size=4),
    max_leaves=12,
)
bodies = values.map(
    lambda value: {
        "apiVersion": "example.com/v1",
        "kind": "Probe",
        "metadata": {"name": "p"},
        "v": value,
    }
)
odd_bytes = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(lambda parts: "".join(parts).encode())
)


def settled(value: Json) -> Json:
    """*value* as JSON has it: a whole float in the range of integers is an integer."""
    if isinstance(value, float):
        return scalars.settled(value)
    if isinstance(value, dict):
        return {key: settled(part) for key, part in value.items()}
    return [settled(part) for part in value] if isinstance(value, list) else value


def pointers(value: Json, pointer: str = "") -> Iterator[str]:
    """The pointers to all values in *value*."""
    yield pointer
    if isinstance(value, dict):
        for key, part in value.items():
            yield from pointers(part, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from pointers(part, f"{pointer}/{index}")


@given(odd_bytes)
@settings(max_examples=examples(1500))
def test_any_bytes(text: bytes) -> None:
    """Any bytes become documents and findings, with places inside the file."""
    read, findings = documents.read(text, "f.yaml")
    document, more = documents.read_value(text, "f.yaml")

    for finding in (*findings, *more):
        assert finding.place.file == "f.yaml"
        assert finding.place.line >= 1
        assert finding.message
        assert finding.cure
    for found in (*read, *([document] if document else [])):
        for pointer in pointers(found.body):
            assert documents.has(found.body, pointer)
            assert found.locate(pointer).line >= 1


@given(odd_bytes)
@settings(max_examples=examples(500))
def test_what_was_read_can_be_written(text: bytes) -> None:
    """Whatever can be read can be written and read back."""
    read, _ = documents.read(text, "f.yaml")
    expected = [document.body for document in read]

    again, findings = documents.read(documents.write(expected).encode(), "f.yaml")

    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
    assert oracle.same([document.body for document in again], expected)


@given(st.lists(bodies, max_size=4))
@settings(max_examples=examples(500))
def test_round_trip(written: list[dict[str, Json]]) -> None:
    """A body is read back as it was written, with its types and the order of its keys."""
    text = documents.write(written)

    read, findings = documents.read(text.encode(), "f.yaml")

    refused = [finding for finding in findings if finding.rule != "yaml-hidden-character"]
    assert refused == []
    if not findings:
        assert [settled(document.body) for document in read] == [settled(body) for body in written]
        assert [repr(list(document.body)) for document in read] == [
            repr(list(body)) for body in written
        ]


@given(st.lists(bodies, min_size=30, max_size=60))
@settings(max_examples=examples(12))
def test_kubectl_reads_what_we_write(written: list[dict[str, Json]]) -> None:
    """kubectl reads back what was written."""
    text = documents.write(written).encode()

    with tempfile.TemporaryDirectory() as folder:
        found = oracle.objects(text, Path(folder))

    assert [settled(body) for body in found] == [settled(body) for body in written]


@given(
    st.lists(st.lists(st.sampled_from(PLAIN), max_size=8).map("".join), min_size=60, max_size=60)
)
@settings(max_examples=examples(12))
def test_we_read_what_kubectl_reads(tails: list[str]) -> None:
    """Where kubectl refuses we refuse; what both read is the same."""
    files = {
        f"n{number}": f"apiVersion: v1\nkind: A\nmetadata: {{name: n{number}}}\nv: {tail}".encode()
        for number, tail in enumerate(tails)
    }

    with tempfile.TemporaryDirectory() as folder:
        refused, found = oracle.sorted_out(files, Path(folder))

    for name, text in files.items():
        read, findings = documents.read(text, name)
        if name in refused:
            assert findings, text
        elif not findings:
            ours = [document.body for document in read]
            if any("items" in body for body in ours):
                continue  # kubectl takes whatever has items apart, we take Lists only
            theirs = [value for value in found if at(value, "metadata", "name") == name]
            assert oracle.same(ours, theirs), text
