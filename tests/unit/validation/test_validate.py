"""Rules about all findings, whatever the manifest."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops import documents, manifests
from pipeline_gitops.documents import Document
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import Place
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.validation import validate
from pipeline_gitops.validation.objects import MOST
from pipeline_gitops.views import Finding, Severity
from tests.golden.validation import update

CANARY = "correct-horse-battery-staple"
IDENTITY = ("apiVersion", "kind", "metadata")


def judged(body: Any, version: str = "1.34") -> tuple[Finding, ...]:
    document = Document(body=body, place=Place("manifest.yaml", 1, 1), number=1)
    set_, _ = manifests.resolve([document], update.KINDS, "")
    return validate(set_.manifests, update.CATALOG, version=version)


def bodies() -> list[Any]:
    """The bodies of all golden cases."""
    texts = [(case / "manifest.yaml").read_bytes() for case in update.cases()]
    return [found.body for text in texts for found in documents.read(text, "manifest.yaml")[0]]


def with_canaries(value: Any, canary: Any) -> Any:
    """*value* with *canary* in the place of every scalar."""
    if isinstance(value, dict):
        return {key: with_canaries(part, canary) for key, part in value.items()}
    if isinstance(value, list):
        return [with_canaries(part, canary) for part in value]
    return canary


@pytest.mark.parametrize("canary", [CANARY, [CANARY], {"a": CANARY}, 7355735573557355735])
def test_no_value_is_ever_told(canary: Any) -> None:
    """A value may be a secret, in a Secret or out of it; only names, types and places are told."""
    planted = [
        {
            key: value if key in IDENTITY else with_canaries(value, canary)
            for key, value in body.items()
        }
        for body in bodies()
    ]

    findings = [finding for body in planted for finding in judged(body)]

    assert len(findings) > 50
    assert not [f for f in findings if CANARY in repr(f) or "7355735" in repr(f)]


@pytest.mark.parametrize("count", [MOST, MOST + 1, MOST + 30])
def test_at_most_twenty_findings_of_an_object_are_told(count: int) -> None:
    """The rest is counted, so that nobody takes the first twenty for all."""
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {f"key-{number}": number for number in range(count)},
    }

    findings = judged(body)

    rest = [f"and {count - MOST} more in this object"] if count > MOST else []
    assert rest == [finding.message for finding in findings[MOST:]]
    assert {Severity.ERROR} == {finding.severity for finding in findings}


def test_one_bad_object_does_not_hide_another() -> None:
    """Every object of the set is judged."""
    text = b"".join(
        b"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %b}\ndat: {}\n" % name
        for name in (b"a", b"b", b"c")
    )

    findings = update.findings(text, "1.34")

    assert [finding.id.name for finding in findings if finding.id] == ["a", "b", "c"]


def test_an_unknown_newer_version_is_one_notice() -> None:
    """Not one for each object, and nothing that would reject them."""
    findings = validate([], update.CATALOG, version="1.99")

    assert [finding.severity for finding in findings] == [Severity.NOTICE]


def test_an_old_version_is_a_usage_fault() -> None:
    """It is refused even when there is nothing to judge."""
    with pytest.raises(UsageFault):
        validate([], update.CATALOG, version="1.20")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.floats(-1, 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["metadata", "spec", "status", "data", "replicas", "template", "containers", "sops", "ports"]
)


@given(
    st.sampled_from(sorted(update.CATALOG.names)),
    st.dictionaries(FIELDS, JSON | st.dictionaries(FIELDS, JSON, max_size=3), max_size=4),
    st.sampled_from(update.CATALOG.versions),
)
def test_any_body_is_judged(kind: tuple[str, str], fields: dict[str, Any], version: str) -> None:
    """Whatever stands in a manifest, the answer is findings."""
    body = {**fields, "apiVersion": kind[0], "kind": kind[1]}
    document = Document(body=body, place=Place("manifest.yaml", 1, 1), number=1)
    id = manifests.id_of(body, namespaced=True)

    findings = validate(
        [Manifest(id=id, body=body, document=document)], update.CATALOG, version=version
    )

    assert all(finding.id == id and finding.cure for finding in findings)


def test_validating_drags_in_nothing_slow() -> None:
    """`validate` starts fast: no other JSON Schema engine, no HTTP, no client of anything."""
    program = """
import sys
from tests.golden.validation import update
assert update.findings(b"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {}}", "1.34")
slow = {"jsonschema", "kubernetes", "requests", "urllib3", "github", "gitlab", "asyncio"}
print(sorted(slow & set(sys.modules)))
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "[]\n"
