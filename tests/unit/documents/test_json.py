"""A file that starts with a brace is JSON first, as kubectl has it."""

from pathlib import Path

import pytest

from pipeline_gitops import documents
from pipeline_gitops.documents import at
from tests.unit.documents import oracle

HEAD = '"apiVersion":"v1","kind":"A","metadata":{"name":"a"}'

# As written after "v": in JSON, and what kubectl sends.
VALUES = {
    r'"\/"': "/",
    r'"\ud83d\ude00"': "\U0001f600",
    '"a\u2028b"': "a\u2028b",
    '"a\x7fb"': "a\x7fb",
    "1.0": 1,
    "1e3": 1000,
    "-0": 0,
    "18446744073709551615": 18446744073709551615.0,
    "1e22": 1e22,
    "123456789012345678901234567890": 1.2345678901234568e29,
    '"y"': "y",
    "null": None,
    "[true,false]": [True, False],
    '{"' + "k" * 2000 + '":1}': {"k" * 2000: 1},
}


def text(value: str) -> bytes:
    return f'{{{HEAD},"v":{value}}}\n'.encode()


@pytest.mark.parametrize("written", VALUES)
def test_value(written: str) -> None:
    """A JSON value has the value of the table, with its type."""
    (document,), findings = documents.read(text(written), "f.json")

    assert findings == ()
    assert oracle.same(document.body["v"], VALUES[written])


def test_values_in_kubectl(tmp_path: Path) -> None:
    """kubectl reads the table as it stands, as one stream of JSON objects."""
    found = oracle.objects(b"".join(map(text, VALUES)), tmp_path)

    assert oracle.same([at(value, "v") for value in found], list(VALUES.values()))


def test_objects_behind_each_other(tmp_path: Path) -> None:
    """JSON objects need no separator, and YAML may follow the first."""
    stream = f"{{{HEAD}}}\n{{{HEAD}}}\n".encode()
    mixed = f"{{{HEAD}}}\n---\napiVersion: v1\nkind: B\nmetadata:\n  name: b\n".encode()

    for content in (stream, mixed):
        read, findings = documents.read(content, "f.json")

        assert findings == ()
        assert [document.body for document in read] == oracle.objects(content, tmp_path)
        assert len(read) == 2


REFUSED = {
    "twice": (f'{{{HEAD},\n"v":1,\n"v":2}}', "yaml-duplicate-key", 3),
    "too-large": (f'{{{HEAD},"v":1e400}}', "yaml-number", 1),
    "half": (f'{{{HEAD},"v":"\\ud800"}}', "yaml-encoding", 1),
    "deep": (f'{{{HEAD},"v":' + "[" * 100 + "]" * 100 + "}", "yaml-depth", 1),
    "very-deep": ('{"a":' * 100_000, "yaml-depth", 1),
    "rest": (f"{{{HEAD}}}\n{{{HEAD}}}\n{{{HEAD}}}\nx: hunter2\n", "yaml-syntax", 4),
    "short-rest": (f"{{{HEAD}}}\n#", "yaml-syntax", 1),
    "cut": (f'{{{HEAD},"v":"hunter2', "yaml-syntax", 2),
    "no-object": (f"{{{HEAD}}}\n{{{HEAD}}}\n5\n", "document-not-object", 3),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """JSON that cannot be applied is a finding with its place, without its values."""
    content, rule, line = REFUSED[name]

    _, (finding,) = documents.read(content.encode(), "f.json")

    assert (finding.rule, finding.place.line) == (rule, line)
    assert "hunter2" not in repr(finding)


def test_objects_before_a_mistake_are_read() -> None:
    """A mistake behind three objects leaves the objects."""
    read, _ = documents.read(REFUSED["rest"][0].encode(), "f.json")

    assert len(read) == 3
