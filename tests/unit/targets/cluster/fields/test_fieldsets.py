"""Which fields a manager owns, and where a path leads."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops.targets.cluster.fields import fieldsets
from tests.campaigns import examples

NAMES = st.sampled_from(["a", "b", "a.b", "spec", "", ".", "f:x", 'q"', "ä", "x\n"])
KEYS = st.dictionaries(NAMES, st.one_of(st.integers(), NAMES, st.booleans()), min_size=1)
ELEMENTS = st.one_of(
    NAMES.map(lambda name: f"f:{name}"),
    KEYS.map(lambda keys: f"k:{json.dumps(keys, sort_keys=True)}"),
    st.one_of(NAMES, st.integers()).map(lambda value: f"v:{json.dumps(value)}"),
    st.integers(0, 9).map(lambda index: f"i:{index}"),
)
SETS = st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=5).map(tuple), max_size=20)

PODS: Any = {
    "spec": {
        "containers": [
            {"name": "a", "image": "x", "ports": [{"containerPort": 80}]},
            {"name": "b", "args": ["one", "two"]},
        ]
    }
}
A = ("f:spec", "f:containers", 'k:{"name":"a"}')
B = ("f:spec", "f:containers", 'k:{"name":"b"}')


@given(SETS)
@settings(max_examples=examples(300))
def test_sets_round_trip(paths: fieldsets.FieldSet) -> None:
    """What is written for a set is read as that set."""
    assert fieldsets.parse(json.loads(json.dumps(fieldsets.write(paths)))) == paths


@given(SETS, SETS)
@settings(max_examples=examples(100))
def test_union_commutes(one: fieldsets.FieldSet, other: fieldsets.FieldSet) -> None:
    """Moved into each other, two sets come to the same value, in either order."""
    assert fieldsets.write(one | other) == fieldsets.write(other | one)
    assert fieldsets.parse(fieldsets.write(one | other)) == one | other


def test_server_form() -> None:
    """A set is written as the server writes it."""
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}},
    }

    assert fieldsets.write(fieldsets.parse(fields)) == fields


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:data", "f:app.properties"), ".data.app.properties"),
        (
            ("f:ports", 'k:{"protocol":"TCP","containerPort":80}', "f:name"),
            '.ports[containerPort=80,protocol="TCP"].name',
        ),
        (("f:metadata", "f:finalizers", 'v:"a/b"'), '.metadata.finalizers[="a/b"]'),
        (("f:list", "i:3"), ".list[3]"),
        (("f:x", 'k:{"on":true,"none":null}'), ".x[none=null,on=true]"),
        (("f:x", 'v:"a\\"\\n\\u00e4\\u0001"'), '.x[="a\\"\\n\u00e4\\x01"]'),
    ],
)
def test_the_servers_words(path: fieldsets.Path, words: str) -> None:
    """A path reads as in the server's conflicts."""
    assert fieldsets.said(path) == words


def managed(*paths: fieldsets.Path) -> Any:
    return {"metadata": {"managedFields": [{"fieldsV1": fieldsets.write(frozenset(paths))}]}}


def test_words_are_matched() -> None:
    """The words mean the path that somebody owns, not one that they could be split into."""
    path = ("f:data", "f:app.properties")

    assert fieldsets.resolve(".data.app.properties", managed(path)) == path


def test_ambiguous_words() -> None:
    """Words that fit two known paths mean neither."""
    both = managed(("f:data", "f:a.b"), ("f:data", "f:a", "f:b"))

    assert fieldsets.resolve(".data.a.b", both) is None


def test_words_without_an_owner() -> None:
    """Words that nobody's set explains are looked up in the object, by names of fields."""
    body = {"data": {"a.b": "1"}, "spec": {"ports": []}}

    assert fieldsets.resolve(".data.a.b", body) == ("f:data", "f:a.b")
    assert fieldsets.resolve(".spec.ports[port=80]", body) is None
    assert fieldsets.resolve(".data.c", body) is None


def test_values_by_path() -> None:
    """Paths lead to fields, to items by their keys, to items of sets and to places."""
    assert fieldsets.value(PODS, (*A, "f:image")) == "x"
    assert fieldsets.value(PODS, (*B, "f:args", 'v:"two"')) == "two"
    assert fieldsets.value(PODS, (*B, "f:args", "i:0")) == "one"
    assert fieldsets.value(PODS, (*B, "f:image")) is None


def test_key_that_a_manifest_leaves_to_its_default() -> None:
    """A port without its protocol is that port, unless another item says it all."""
    port = (*A, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}')
    exact = {"containerPort": 80, "protocol": "TCP"}

    assert fieldsets.value(PODS, port) == {"containerPort": 80}
    both = fieldsets.put(PODS, (*A, "f:ports"), [{"containerPort": 80}, exact])
    assert fieldsets.value(both, port) == exact


def test_taking_out() -> None:
    """One field goes, with what it leaves empty, and everything else keeps its place."""
    assert fieldsets.without(PODS, (*A, "f:image")) == {
        "spec": {
            "containers": [
                {"name": "a", "ports": [{"containerPort": 80}]},
                {"name": "b", "args": ["one", "two"]},
            ]
        }
    }
    assert fieldsets.without({"data": {"a": "1"}, "kind": "X"}, ("f:data", "f:a")) == {"kind": "X"}
    assert fieldsets.without({"data": {}}, ("f:data", "f:a")) == {"data": {}}
    assert fieldsets.without(PODS, (*B, "f:args", 'v:"one"'))["spec"]["containers"][1] == {
        "name": "b",
        "args": ["two"],
    }


def test_putting_in() -> None:
    """A value is put where it belongs, and what leads to it is made."""
    assert fieldsets.put({}, (*A, "f:image"), "y") == {
        "spec": {"containers": [{"name": "a", "image": "y"}]}
    }
    assert fieldsets.value(fieldsets.put(PODS, (*B, "f:image"), "y"), (*B, "f:image")) == "y"


@given(st.lists(st.one_of(NAMES, KEYS), min_size=1, max_size=4))
@settings(max_examples=examples(100))
def test_what_is_put_in_is_found_and_taken_out(steps: list[Any]) -> None:
    """Any path can be made, is found again, and can be taken out."""
    elements = [f"f:field {s}" if isinstance(s, str) else f"k:{json.dumps(s)}" for s in steps]
    path = ("f:top", *elements, "f:leaf")

    made = fieldsets.put({}, path, "value")

    assert fieldsets.value(made, path) == "value"
    assert not fieldsets.has(fieldsets.without(made, path), path)
