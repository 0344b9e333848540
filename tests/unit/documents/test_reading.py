"""A file is read as kubectl reads it, and a bad document is told without hiding the others."""

from pathlib import Path

import pytest

from pipeline_gitops import documents
from pipeline_gitops.documents import at
from pipeline_gitops.ids import Place
from pipeline_gitops.views import Severity
from tests.unit.documents import oracle

FIRST = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: first\n"
LAST = b"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: last\n"
OBJECT = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"

# The second of three documents: its text, the rule it breaks, the line in it (from 1).
BAD: dict[str, tuple[str, str, int]] = {
    "no-value": ("a: [\n", "yaml-syntax", 2),
    "tab": ("a:\n\tb: c\n", "yaml-syntax", 2),
    "colon": ("a: b: c\n", "yaml-syntax", 1),
    "dedent": ("a:\n    b: 1\n  c: 2\n", "yaml-syntax", 3),
    "quote": ("a: 'hunter2\n", "yaml-syntax", 2),
    "escape": ('a: "\\q"\n', "yaml-syntax", 1),
    "slash": ('a: "\\/"\n', "yaml-syntax", 1),
    "anchor": ("a: *b\n", "yaml-alias", 1),
    "itself": ("a: &a\n  b: *a\n", "yaml-alias", 2),
    "merge": ("a:\n  <<: hunter2\n", "yaml-merge", 2),
    "merge-list": ("a: &a [{b: c}]\nd: {<<: *a}\n", "yaml-merge", 2),
    "merge-empty": ("a: &a []\nd: {<<: *a}\n", "yaml-merge", 2),
    "tag": ("a: !!int hunter2\n", "yaml-tag", 1),
    "binary": ("a: !!binary hunter2!\n", "yaml-binary", 1),
    "null-key": ("a:\n  ~: b\n", "yaml-key", 2),
    "list-key": ("a:\n  ? [b]\n  : c\n", "yaml-key", 2),
    "infinity": ("a:\n- .inf\n", "yaml-number", 2),
    "directive": ("%YAML 1.1\n", "yaml-directive", 1),
    "control": ("a: 1\nb: \x01\n", "yaml-syntax", 2),
    "inner-mark": ("a: 1\n\ufeffb: 2\n", "yaml-encoding", 2),
    "scalar": ("hunter2\n", "document-not-object", 1),
    "list": ("- a\n- b\n", "document-not-object", 1),
    "no-kind": ("apiVersion: v1\nmetadata: {name: a}\n", "document-no-kind", 1),
    "kind-number": ("apiVersion: v1\nkind: 5\nmetadata: {name: a}\n", "document-no-kind", 2),
    "name-number": ("apiVersion: v1\nkind: A\nmetadata:\n  name: 5\n", "document-no-name", 4),
    "list-items": ("apiVersion: v1\nkind: AList\nitems: {a: b}\n", "list-items", 3),
}
# kubectl takes or drops these without a word, and so hides a mistake.
HIDDEN: dict[str, tuple[str, str, int]] = {
    "twice": ("a: 1\nb:\n  c: 1\n  d: 2\n  c: hunter2\n", "yaml-duplicate-key", 5),
    "twice-number": ("1: a\n'1': b\n", "yaml-duplicate-key", 2),
    "after-end": (f"{OBJECT}\n...\n{OBJECT}\n", "yaml-content-after-end", 3),
    "after-object": (f"# c\n{OBJECT}\n{OBJECT}\n", "yaml-content-after-end", 3),
    "flow-colon": ("a: {b:}\n", "yaml-syntax", 1),
    "binary-bytes": ("a: !!binary /w==\n", "yaml-binary", 1),
    "invisible": ("a: 1\nb\u200b: 2\n", "yaml-hidden-character", 2),
    "turning-key": ('a: 1\n"b\\u202e": 2\n', "yaml-hidden-character", 2),
    "no-apiversion": ("kind: A\nmetadata: {name: a}\n", "document-no-apiversion", 1),
    "no-metadata": ("apiVersion: v1\nkind: A\n", "document-no-name", 1),
    "no-name": ("apiVersion: v1\nkind: A\nmetadata: {}\n", "document-no-name", 3),
    "empty-name": ("apiVersion: v1\nkind: A\nmetadata: {name: ''}\n", "document-no-name", 3),
    "generate-name": (
        "apiVersion: v1\nkind: A\nmetadata:\n  generateName: a-\n",
        "document-generate-name",
        4,
    ),
}


@pytest.mark.parametrize("name", [*BAD, *HIDDEN])
def test_bad_document(name: str) -> None:
    """A bad document is one finding with its place and a cure; its neighbours are read."""
    text, rule, line = (BAD | HIDDEN)[name]
    before = FIRST.count(b"\n") + 1

    read, findings = documents.read(FIRST + b"---\n" + text.encode() + LAST, "apps/web.yaml")

    assert [finding.rule for finding in findings] == [rule]
    assert findings[0].place.file == "apps/web.yaml"
    assert findings[0].place.line == before + line
    assert findings[0].place.column >= 1
    assert findings[0].message.startswith("document 2: ")
    assert findings[0].cure
    assert findings[0].severity is Severity.ERROR
    assert [(d.number, at(d.body, "metadata", "name")) for d in read] == [(1, "first"), (3, "last")]


def test_bad_documents_in_kubectl(tmp_path: Path) -> None:
    """kubectl refuses what we say it refuses."""
    found, _ = oracle.sorted_out(
        {name: text.encode() for name, (text, _, _) in BAD.items()}, tmp_path
    )

    assert found == set(BAD)


@pytest.mark.parametrize("name", [*BAD, *HIDDEN])
def test_findings_hold_no_value(name: str) -> None:
    """A value, which could be a secret, is never repeated in a finding."""
    text = (BAD | HIDDEN)[name][0]

    _, findings = documents.read(text.encode(), "f.yaml")

    assert "hunter2" not in repr(findings)


def test_duplicate_key_names_both_lines() -> None:
    """Both lines of a repeated key are told, also when the first came in another style."""
    text = b"apiVersion: v1\nkind: A\nmetadata:\n  name: a\ndata:\n  x: 1\n  y: 2\n  'x': 3\n"

    read, (finding,) = documents.read(text, "f.yaml")

    assert read == ()
    assert finding.message == "document 1: the key 'x' stands in line 6 and again in line 8"
    assert finding.place == Place("f.yaml", 8, 3)


def test_all_duplicate_keys_are_told() -> None:
    """One run names every repeated key of a document."""
    _, findings = documents.read(b"a: 1\na: 2\nb: {c: 1, c: 2}\n", "f.yaml")

    assert [finding.place.line for finding in findings] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n",
        b"# only a comment\n",
        b"---\n",
        b"---\n---\n# comment\n---\n",
        b"null\n",
        b"~",
        b"\xef\xbb\xbf",
        b"\r\n",
    ],
)
def test_nothing(text: bytes) -> None:
    """A file without an object is no mistake."""
    assert documents.read(text, "f.yaml") == ((), ())
    assert documents.read_value(text, "f.yaml") == (None, ())


SAME = {
    "windows": b"apiVersion: v1\r\nkind: A\r\nmetadata:\r\n  name: a\r\nd: |\r\n  x\r\n  y\r\n",
    "no-newline": b"apiVersion: v1\nkind: A\nmetadata:\n  name: a\nd: |\n  x\n  y",
    "mark": b"\xef\xbb\xbfapiVersion: v1\nkind: A\nmetadata:\n  name: a\nd: |\n  x\n  y\n",
    "mark-inside": b"# c\n---\n\xef\xbb\xbfapiVersion: v1\nkind: A\nmetadata:\n  name: a\n"
    b'd: "x\\ny\\n"\n',
    "separators": b"---\n---   # c\napiVersion: v1\nkind: A\nmetadata:\n  name: a\n"
    b'd: "x\\ny\\n"\n---\n---',
    "end": b'apiVersion: v1\nkind: A\nmetadata:\n  name: a\nd: "x\\ny\\n"\n...\n# c\n',
    "json": b'{"apiVersion":"v1","kind":"A","metadata":{"name":"a"},"d":"x\\ny\\n"}',
    "tabs": b'{\t"apiVersion":\t"v1",\n\t"kind":"A","metadata":{"name":"a"},"d":"x\\ny\\n"}\n',
    "alias": b"apiVersion: v1\nkind: A\nmetadata: {name: a}\nd: &x |\n  x\n  y\n",
    "merge": b"<<: {apiVersion: v9, kind: A}\napiVersion: v1\nmetadata: {name: a}\n"
    b"d: |\n  x\n  y\n",
    "tag": b"!!map\napiVersion: v1\nkind: A\nmetadata: {name: a}\nd: !!str |\n  x\n  y\n",
}


@pytest.mark.parametrize("name", SAME)
def test_same_object(name: str) -> None:
    """Line ends, marks, separators and styles do not change what is read."""
    expected = {"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "d": "x\ny\n"}

    (document,), findings = documents.read(SAME[name], "f.yaml")

    assert document.body == expected
    assert findings == ()


def test_same_object_in_kubectl(tmp_path: Path) -> None:
    """They do not change what kubectl reads either."""
    expected = {"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "d": "x\ny\n"}
    for name, text in SAME.items():
        assert oracle.objects(text, tmp_path) == [expected], name


def test_merge_follows_the_order_of_the_document(tmp_path: Path) -> None:
    """A merge overrides the keys before it, unlike everywhere else, because kubectl does so."""
    text = (
        b"apiVersion: v1\nkind: A\nmetadata: {name: a}\n"
        b"base: &base {p: 1, q: 1}\nmore: &more {q: 2, r: 2}\n"
        b"before: {p: 0, <<: *base}\nafter: {<<: *base, p: 0}\nlist: {<<: [*base, *more]}\n"
    )

    (document,), findings = documents.read(text, "f.yaml")

    assert findings == ()
    assert document.body["before"] == {"p": 1, "q": 1}
    assert document.body["after"] == {"p": 0, "q": 1}
    assert document.body["list"] == {"p": 1, "q": 1, "r": 2}
    assert oracle.objects(text, tmp_path) == [document.body]


def test_text_that_turns_is_a_warning() -> None:
    """A value that may look like another one is read, with a warning at its place."""
    text = FIRST + 'data:\n  a: "x\u202ey"\n'.encode()

    (document,), (finding,) = documents.read(text, "f.yaml")

    assert at(document.body, "data", "a") == "x\u202ey"
    assert finding.severity is Severity.WARNING
    assert finding.place == Place("f.yaml", 6, 6)


def test_separator_with_content() -> None:
    """What stands beside '---' makes kubectl refuse the file; we refuse that document."""
    text = FIRST + f"--- {OBJECT}\n".encode() + LAST

    read, (finding,) = documents.read(text, "f.yaml")

    assert finding.rule == "yaml-separator"
    assert finding.place == Place("f.yaml", 5, 1)
    assert [document.place.line for document in read] == [1, 7]


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        (b"a: 1\nb: \xff\n", "yaml-encoding", 2),
        ("a: 1\n".encode("utf-16"), "yaml-encoding", 1),
        ("a: 1\n".encode("utf-16-le"), "yaml-nul", 1),
        (b"a: 1\nb: \x00\n", "yaml-nul", 2),
        (b"a: \xed\xa0\x80\n", "yaml-encoding", 1),
    ],
)
def test_bytes_that_are_no_text(text: bytes, rule: str, line: int) -> None:
    """Bytes that kubectl would replace, and so damage, are refused."""
    read, (finding,) = documents.read(text, "f.yaml")

    assert read == ()
    assert (finding.rule, finding.place.line) == (rule, line)


def test_value_of_any_shape() -> None:
    """A file of configuration needs no kind."""
    document, findings = documents.read_value(b"# c\nresources:\n- a.yaml\n", "kustomization.yaml")

    assert findings == ()
    assert document is not None
    assert document.body == {"resources": ["a.yaml"]}
    assert document.place == Place("kustomization.yaml", 2, 1)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (b"- a\n", "document-not-object"),
        (b"a: 1\n---\nb: 2\n", "yaml-documents"),
        (b"a: 1\na: 2\n", "yaml-duplicate-key"),
        (b"a: [\n", "yaml-syntax"),
    ],
)
def test_value_refused(text: bytes, rule: str) -> None:
    """A file of configuration is one mapping without mistakes."""
    _, (finding,) = documents.read_value(text, "f.yaml")

    assert finding.rule == rule


def test_body_is_hidden() -> None:
    """A document does not print its body or its text."""
    (document,), _ = documents.read(FIRST + b"data: {a: hunter2}\n", "f.yaml")

    assert "hunter2" not in repr(document)
