"""How an inventory is called, and what it looks like in the cluster."""

import base64
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import (
    Claim,
    Inventory,
    Member,
    Owner,
    Receipt,
    Stamp,
    Version,
)
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.transport import Transport
from pipeline_gitops.targets.cluster.records import applysets
from pipeline_gitops.targets.cluster.records.applysets import Parent
from tests.fakes.apiserver import FakeApiServer, Fault

OWNER = Owner(repository="acme/shop", environment="staging")
STAMP = Stamp(revision="a" * 40, sequence=7, run_url="https://ci.example.com/7")
PARENT = ObjectId("", "ConfigMap", "default", "inventory")
MEMBERS = (
    Member(id=ObjectId("", "Namespace", "", "other")),
    Member(id=ObjectId("", "ConfigMap", "default", "a"), receipt=Receipt("r")),
    Member(id=ObjectId("apps", "Deployment", "other", "b")),
)
FULL = Inventory(
    owner=OWNER,
    stamp=STAMP,
    members=MEMBERS,
    history=(STAMP, Stamp(revision="b" * 40)),
    claim=Claim(stamp=STAMP, ids=tuple(member.id for member in MEMBERS)),
)


@pytest.fixture
def parent(transport: Transport) -> Parent:
    return Parent(Objects(transport), PARENT, OWNER)


def name(repository: str, environment: str, **spec: str) -> str:
    owner = Owner(repository=repository, environment=environment)
    return applysets.parent_id(ClusterSpec(**spec), owner).name


@pytest.mark.parametrize(
    ("repository", "environment", "expected"),
    [
        ("acme/shop", "staging", "pipeline-gitops-acme-shop-staging"),
        ("Acme/Shop.web", "EU_1", "pipeline-gitops-acme-shop-web-eu-1"),
        ("acme/shop", "prod-", "pipeline-gitops-acme-shop-prod"),
    ],
)
def test_name(repository: str, environment: str, expected: str) -> None:
    """The name says whose inventory it is."""
    assert name(repository, environment) == expected


def test_long_names_differ() -> None:
    """Names that are cut at the same place still differ."""
    long = "group/" + "x" * 80

    names = {name(long, "staging"), name(long, "prod"), name(f"{long}y", "prod")}

    assert len(names) == 3
    assert all(len(found) <= 63 for found in names)


@given(st.text(), st.text())
def test_every_name_is_valid(repository: str, environment: str) -> None:
    """Whatever a repository and an environment are called, the name is one for a ConfigMap."""
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name(repository, environment))


def test_named_inventory() -> None:
    """The configuration may name the inventory and its namespace."""
    spec = ClusterSpec(namespace="shop", inventory_name="ours", inventory_namespace="ops")

    assert applysets.parent_id(spec, OWNER) == ObjectId("", "ConfigMap", "ops", "ours")


def test_set_id() -> None:
    """The id follows the specification's formula, so that kubectl accepts it."""
    # printf inventory.default.ConfigMap. | openssl dgst -sha256 -binary | base64
    assert applysets.set_id(PARENT) == "applyset-FpTSEXsURNG3HoizIuiH8PZVfnJr40woiyrOmJUlXv4-v1"


def test_round_trip(parent: Parent) -> None:
    """What is written is read back, with the version that stands now."""
    version = parent.write(FULL, Version(""))

    assert parent.read() == Inventory(
        owner=OWNER,
        stamp=STAMP,
        members=MEMBERS,
        history=FULL.history,
        claim=FULL.claim,
        version=version,
    )


def test_annotations(parent: Parent, server: FakeApiServer) -> None:
    """Kinds and namespaces of the members stand in the annotations of the specification."""
    parent.write(FULL, Version(""))

    annotations = server.objects["", "ConfigMap", "default", "inventory"]["metadata"]["annotations"]
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == (
        "ConfigMap,Deployment.apps,Namespace"
    )
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "other"


def test_only_one_creates(parent: Parent) -> None:
    """Of two that saw no inventory, one creates it."""
    parent.write(FULL, Version(""))

    with pytest.raises(Stale):
        parent.write(FULL, Version(""))


def test_only_one_updates(parent: Parent) -> None:
    """Of two that read the same version, one writes."""
    version = parent.write(FULL, Version(""))
    parent.write(FULL, version)

    with pytest.raises(Stale):
        parent.write(FULL, version)


@pytest.mark.parametrize("fault", [Fault(reset=True, after_effect=True), Fault(reset=True)])
def test_lost_answer(parent: Parent, server: FakeApiServer, fault: Fault) -> None:
    """A write whose answer was lost is known again, whether it had its effect or not."""
    server.faults = [fault]

    version = parent.write(FULL, Version(""))

    assert parent.read().version == version


def test_lost_answer_is_not_a_lost_race(parent: Parent, server: FakeApiServer) -> None:
    """After a lost answer, an inventory that another run wrote alike is still not ours."""
    parent.write(FULL, Version(""))
    server.faults = [Fault(reset=True)]

    with pytest.raises(Stale):
        parent.write(FULL, Version(""))


def test_annotation_of_somebody_else(parent: Parent, server: FakeApiServer) -> None:
    """What somebody wrote into our annotations does not stop the next deploy."""
    version = parent.write(FULL, Version(""))
    live = server.objects["", "ConfigMap", "default", "inventory"]
    live["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"] = "Secret"
    path = ("metadata", "annotations", "applyset.kubernetes.io/contains-group-kinds")
    server.owners["", "ConfigMap", "default", "inventory"] = {"kubectl-applyset/Apply": {path}}

    parent.write(FULL, version)

    assert parent.read().ids == FULL.ids


def put(server: FakeApiServer, annotations: Mapping[str, str], packed: Any) -> None:
    body = {"metadata": {"annotations": annotations}, "binaryData": {"inventory": packed}}
    server.store(server.kind("", "ConfigMap"), "default", "inventory", body)


OURS = {"applyset.kubernetes.io/tooling": "pipeline-gitops/0.0.1"}


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "not base64!",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"not json")).decode(),
        base64.b64encode(zlib.compress(b"[]")).decode(),
        base64.b64encode(zlib.compress(json.dumps({"format": 2}).encode())).decode(),
        base64.b64encode(zlib.compress(json.dumps({"format": 1}).encode())).decode(),
    ],
)
def test_damaged_inventory(parent: Parent, server: FakeApiServer, packed: str) -> None:
    """An inventory that cannot be read is never taken for an empty one."""
    put(server, OURS, packed)

    with pytest.raises(RefusedFault, match="damaged, or of a newer version"):
        parent.read()


def test_newer_format(parent: Parent, server: FakeApiServer) -> None:
    """An inventory of a format to come is not guessed at."""
    fields = json.loads(zlib.decompress(base64.b64decode(applysets.packed(FULL, "mark"))))
    newer = json.dumps({**fields, "format": applysets.FORMAT + 1})
    put(server, OURS, base64.b64encode(zlib.compress(newer.encode())).decode())

    with pytest.raises(RefusedFault, match="of a newer version"):
        parent.read()


@pytest.mark.parametrize("tooling", ["", "kubectl/v1.36", "pipeline-gitops-fork/1"])
def test_other_tool(parent: Parent, server: FakeApiServer, tooling: str) -> None:
    """The ApplySet of another tool is not ours to write."""
    put(server, {"applyset.kubernetes.io/tooling": tooling} if tooling else {}, "")

    with pytest.raises(RefusedFault, match="no inventory of ours"):
        parent.read()


def test_thousand_members_are_small() -> None:
    """A thousand members take some ten kilobytes of the megabyte that a ConfigMap holds."""
    ids = [ObjectId("apps", "Deployment", "shop", f"service-{n}") for n in range(1_000)]
    inventory = Inventory(owner=OWNER, members=tuple(Member(id=id) for id in ids))

    assert len(applysets.packed(inventory, "mark")) < 20_000
