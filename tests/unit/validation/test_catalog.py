"""The packed schemas: which versions there are, which speaks for another, where they come from."""

import hashlib
import json
import zlib
from pathlib import Path

import jsonschema_rs
import pytest

from pipeline_gitops import kinds
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.validation import Catalog, schemas
from pipeline_gitops.validation.catalog import REFERENCE

PACKED = Path(__file__).resolve().parents[3] / "schemas" / "kubernetes"
BLOB = (PACKED / "schemas.json.zlib").read_bytes()
TABLE = (PACKED / "kinds.json").read_bytes()
CATALOG = Catalog.parse(BLOB)


def test_thirteen_minor_versions_are_packed() -> None:
    """Oldest first, without a gap."""
    assert tuple(f"1.{minor}" for minor in range(25, 38)) == CATALOG.versions


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("1.34", "1.34"),
        ("1.34.2", "1.34"),
        ("v1.34.2", "1.34"),
        ("1.34.2-gke.100", "1.34"),
        ("v1.34.2+k3s1", "1.34"),
        ("", "1.37"),
        ("1.99", "1.37"),
        ("2.0", "1.37"),
    ],
)
def test_the_nearest_older_version_speaks_for_a_version(asked: str, nearest: str) -> None:
    """Patches and vendors' suffixes do not matter; the newest stands for whatever comes later."""
    assert nearest == CATALOG.nearest(asked)


@pytest.mark.parametrize("asked", ["1.24", "1.9", "0.30"])
def test_a_version_older_than_all_packed_ones_is_refused(asked: str) -> None:
    """Judging by a newer version would call removed what the cluster still serves."""
    with pytest.raises(UsageFault) as caught:
        CATALOG.nearest(asked)

    assert f"Kubernetes {asked} is older than the oldest known version 1.25" == caught.value.what


@pytest.mark.parametrize("asked", ["latest", "1", "1.x", "1.34 ", "34"])
def test_what_is_no_version_is_refused(asked: str) -> None:
    """A typo must not silently mean the newest version."""
    with pytest.raises(UsageFault):
        CATALOG.nearest(asked)


def test_only_a_version_beyond_the_newest_is_unknown() -> None:
    """A newer patch of the newest minor is known."""
    newer = [
        asked for asked in ("", "1.34", "1.37.9", "1.38", "2.0") if CATALOG.is_older_than(asked)
    ]

    assert newer == ["1.38", "2.0"]


def test_a_kind_is_served_from_its_first_version_to_its_last() -> None:
    """The history of a definition is followed, not only its newest state."""
    wanted = ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema")

    served = [version for version in CATALOG.versions if CATALOG.serves(*wanted, version)]

    assert [f"1.{minor}" for minor in range(26, 32)] == served


def test_every_reference_of_every_kind_leads_somewhere() -> None:
    """Nothing that a kind needs was left out when packing."""
    for (api_version, kind), name in CATALOG.names.items():
        for version in CATALOG.versions:
            if CATALOG.serves(api_version, kind, version):
                text = json.dumps(CATALOG.closure(name, version))
                for part in text.split(REFERENCE)[1:]:
                    reference = part.partition('"')[0]
                    assert CATALOG.definition(reference, version) is not None, reference


def test_the_table_of_kinds_knows_the_kinds_that_have_a_schema() -> None:
    """A kind with a schema but without a scope would be taken for somebody else's."""
    table = kinds.parse(TABLE).table

    listed = {
        (f"{kind.group}/{version}".removeprefix("/"), kind.kind)
        for kind in table.values()
        for version in kind.versions
    }

    assert set(CATALOG.names) == listed


def test_the_packed_files_are_those_that_the_sources_name() -> None:
    """Whoever changes one by hand has to say where it comes from."""
    sources = (PACKED / "SOURCES.md").read_text("utf-8")

    assert hashlib.sha256(zlib.decompress(BLOB)).hexdigest() in sources
    assert hashlib.sha256(TABLE).hexdigest() in sources


def test_a_schema_never_reads_a_file(tmp_path: Path) -> None:
    """A reference out of the packed data is refused, not followed: no files, no network."""
    (tmp_path / "any.json").write_text("{}")
    definition = {"$ref": (tmp_path / "any.json").as_uri()}
    index = {"versions": ["1.30"], "kinds": {"v1/Pod": "Pod"}, "definitions": {"Pod": [[0, 1]]}}
    catalog = Catalog.parse(
        zlib.compress(f"{json.dumps(index)}\n{json.dumps(definition)}".encode())
    )

    with pytest.raises(jsonschema_rs.ValidationError, match="LookupError"):
        list(schemas.problems(catalog, "Pod", "1.30", {}))
