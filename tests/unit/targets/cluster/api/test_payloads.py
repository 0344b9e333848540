"""JSON on the wire: what is refused, and what the server is left to refuse."""

import json
from types import MappingProxyType

import pytest

from pipeline_gitops.targets.cluster.api import payloads


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b'"\xff"', b"NaN", b"[Infinity]", b'"\\ud800"', b"[" * 2_000]
)
def test_broken(text: bytes) -> None:
    """What is no JSON is an error of one kind, however it is broken."""
    with pytest.raises(ValueError, match=r"."):
        payloads.read(text)


def test_repeated_key() -> None:
    """The last of two equal keys counts, as with the API server."""
    assert payloads.read(b'{"a": 1, "a": 2}') == {"a": 2}


def test_large_numbers() -> None:
    """64 bits are exact; what is larger is a float, as it is to the API server."""
    assert payloads.read(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert payloads.read(b"36893488147419103232") == 2.0**65


def test_read_only_values() -> None:
    """Mappings and tuples that nobody may change are written like others."""
    assert payloads.written(MappingProxyType({"a": (1, "ü")})) == '{"a":[1,"ü"]}'.encode()


@pytest.mark.parametrize("value", ["half \ud800", 2**70, [{"a": "\udfff"}]])
def test_left_to_the_server(value: object) -> None:
    """What only some JSON can say is written all the same: the server says what is wrong."""
    assert json.loads(payloads.written(value)) == value
    assert json.loads(payloads.canonical(value)) == value


def test_no_json() -> None:
    """A value that is none of JSON's is a mistake of ours."""
    with pytest.raises(TypeError):
        payloads.written(object())


def test_canonical() -> None:
    """Equal values are written alike, whatever the order of their keys."""
    assert payloads.canonical({"b": {"d": 1, "c": 2}, "a": 0}) == b'{"a":0,"b":{"c":2,"d":1}}'
