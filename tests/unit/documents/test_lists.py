"""A List counts as its items, each at its own line."""

from pathlib import Path

from pipeline_gitops import documents
from pipeline_gitops.documents import at
from pipeline_gitops.ids import Place
from tests.unit.documents import oracle

LIST = b"""\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: a
- apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: b
"""
TYPED = b"""\
apiVersion: v1
kind: ServiceList
items:
- metadata: {name: a}
- {apiVersion: v1, kind: Pod, metadata: {name: b}}
"""


def test_items_are_documents(tmp_path: Path) -> None:
    """Every item is a document with its own place and its list's number."""
    read, findings = documents.read(b"# c\n---\n" + LIST, "f.yaml")

    assert findings == ()
    assert [document.place for document in read] == [Place("f.yaml", 6, 3), Place("f.yaml", 10, 3)]
    assert [document.number for document in read] == [1, 1]
    assert [document.body for document in read] == oracle.objects(LIST, tmp_path)


def test_items_of_a_typed_list_inherit(tmp_path: Path) -> None:
    """An item without apiVersion and kind gets them from its list."""
    read, findings = documents.read(TYPED, "f.yaml")

    assert findings == ()
    assert [at(document.body, "kind") for document in read] == ["Service", "Pod"]
    assert [document.body for document in read] == oracle.objects(TYPED, tmp_path)


def test_items_locate_their_own_values() -> None:
    """A pointer into an item starts at the item, not at the list."""
    (_, second), _ = documents.read(LIST, "f.yaml")

    place = second.locate("/metadata/name")

    assert place == Place("f.yaml", 11, 11)


def test_empty_lists() -> None:
    """A list without items holds no document."""
    for items in ("[]", "null", ""):
        text = f"apiVersion: v1\nkind: List\nitems: {items}\n".encode()

        assert documents.read(text, "f.yaml") == ((), ())


def test_item_that_inherits_only_half() -> None:
    """An item with a kind but no apiVersion inherits nothing, as with kubectl."""
    text = b"apiVersion: v1\nkind: PodList\nitems:\n- kind: Pod\n  metadata: {name: a}\n"

    read, (finding,) = documents.read(text, "f.yaml")

    assert read == ()
    assert finding.rule == "document-no-apiversion"
    assert finding.message == "document 1: item 1: apiVersion is missing"
    assert finding.place.line == 4


def test_bad_item_does_not_hide_the_others() -> None:
    """One item that is no object is one finding; the others are read."""
    text = LIST.replace(b"items:\n", b"items:\n- 5\n")

    read, (finding,) = documents.read(text, "f.yaml")

    assert [at(document.body, "metadata", "name") for document in read] == ["a", "b"]
    assert finding.rule == "document-not-object"
    assert finding.message.startswith("document 1: item 1: ")
    assert finding.place == Place("f.yaml", 4, 3)


def test_list_in_a_list() -> None:
    """A list inside a list is refused, as kubectl does."""
    inner = LIST.replace(b"\n", b"\n  ").rstrip()
    text = b"apiVersion: v1\nkind: List\nitems:\n- " + inner + b"\n"

    read, (finding,) = documents.read(text, "f.yaml")

    assert read == ()
    assert finding.rule == "list-in-list"
    assert finding.place == Place("f.yaml", 4, 3)


def test_items_elsewhere() -> None:
    """Items do not make a list of an object whose kind is none."""
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nitems: [b]\n"

    (document,), findings = documents.read(text, "f.yaml")

    assert findings == ()
    assert document.body["kind"] == "ConfigMap"
