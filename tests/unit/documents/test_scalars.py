"""A scalar means to us what it means to kubectl."""

from pathlib import Path

import pytest

from pipeline_gitops import documents
from pipeline_gitops.documents import at, scalars
from tests.unit.documents import oracle
from tests.unit.documents.tables import KEYS, REFUSED, SCALARS

HEAD = "apiVersion: example.com/v1\nkind: Probe\nmetadata:\n  name: p\n"


def probe(scalar: str) -> bytes:
    return f"{HEAD}v: {scalar}\n".encode()


def probe_key(key: str) -> bytes:
    return f"{HEAD}v:\n  {key}: x\n".encode()


def test_the_table_is_long() -> None:
    """The table holds more awkward scalars than anybody would think of at once."""
    assert len(SCALARS) >= 110


@pytest.mark.parametrize("written", SCALARS)
def test_scalar(written: str) -> None:
    """A scalar has the value of the table, with its type."""
    (document,), findings = documents.read(probe(written), "f.yaml")

    assert findings == ()
    assert oracle.same(document.body["v"], SCALARS[written]), document.body["v"]


def test_scalars_in_kubectl(tmp_path: Path) -> None:
    """kubectl reads the table as it stands."""
    stream = b"---\n".join(map(probe, SCALARS))

    found = oracle.objects(stream, tmp_path)

    wrong = [
        (written, value)
        for (written, expected), value in zip(SCALARS.items(), found, strict=True)
        if not oracle.same(at(value, "v"), expected)
    ]
    assert wrong == []


@pytest.mark.parametrize("written", KEYS)
def test_key(written: str) -> None:
    """A key has the name of the table."""
    (document,), findings = documents.read(probe_key(written), "f.yaml")

    assert findings == ()
    assert document.body["v"] == {KEYS[written]: "x"}


def test_keys_in_kubectl(tmp_path: Path) -> None:
    """kubectl names the keys as the table does."""
    stream = b"---\n".join(map(probe_key, KEYS))

    found = oracle.objects(stream, tmp_path)

    assert [at(value, "v") for value in found] == [{name: "x"} for name in KEYS.values()]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_scalar(name: str) -> None:
    """A scalar that kubectl refuses is a finding with file, line and document number."""
    read, (finding,) = documents.read(probe(REFUSED[name]), "f.yaml")

    assert read == ()
    assert finding.place.file == "f.yaml"
    assert finding.place.line >= 5
    assert finding.message.startswith("document 1: ")
    assert finding.cure


def test_refused_scalars_in_kubectl(tmp_path: Path) -> None:
    """kubectl refuses all of them."""
    found, _ = oracle.sorted_out({name: probe(text) for name, text in REFUSED.items()}, tmp_path)

    assert found == set(REFUSED)


@pytest.mark.parametrize("written", SCALARS)
def test_plain_means_the_same_string(written: str) -> None:
    """A text may stand without quotes only if it is read back as itself."""
    assert not scalars.plain(written) or SCALARS[written] == written


@pytest.mark.parametrize(
    "text", ["1:30", "2001-01-01", "2001-12-14 21:59:43", "190:20:30.15", "...", "<<", "=", "-"]
)
def test_plain_is_plain_to_others(text: str) -> None:
    """What other readers of YAML take for a date, a number or a sign is quoted as well."""
    assert not scalars.plain(text)


@pytest.mark.parametrize(
    "text", ["nginx:1.25", "100m", "--port=80", "-c", "10.0.0.1", "a b", "$(VAR)", "/bin/sh", "é"]
)
def test_plain_is_not_timid(text: str) -> None:
    """Everyday strings need no quotes."""
    assert scalars.plain(text)
