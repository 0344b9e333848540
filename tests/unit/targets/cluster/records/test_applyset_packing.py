"""An inventory packed into a ConfigMap: nothing is lost, and twenty thousand objects fit."""

import base64
import json
import random
import uuid
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops import inventories
from pipeline_gitops.documents import Body
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Member, Owner, Receipt, Stamp
from pipeline_gitops.targets.cluster.records import applysets

OWNER = Owner(repository="acme/shop", environment="prod")
STAMP = Stamp(revision="a" * 40, sequence=7, run_url="https://ci.example.com/runs/7")
LIMIT = 1_048_576  # of all values of a ConfigMap, decoded

WORDS = st.text("abcxyz-.", min_size=1, max_size=8)
IDS = st.builds(ObjectId, st.sampled_from(["", "apps"]), WORDS, WORDS, WORDS)
RECEIPTS = st.just("") | st.sampled_from(["1 a b", "2 c d", "3  ", "x", "y\nz w v"]) | WORDS
STAMPS = st.builds(Stamp, revision=WORDS, sequence=st.integers(0, 99), run_url=WORDS)
CLAIMS = st.builds(
    Claim,
    stamp=STAMPS,
    ids=st.lists(IDS, unique=True).map(sorted).map(tuple),
    inherited=st.lists(IDS, unique=True).map(sorted).map(tuple),
    automatic=st.booleans(),
)
INVENTORIES = st.builds(
    Inventory,
    owner=st.just(OWNER),
    stamp=st.none() | STAMPS,
    members=st.lists(
        st.builds(Member, id=IDS, receipt=RECEIPTS.map(Receipt), finished=st.booleans()),
        unique_by=lambda one: one.id,
    )
    .map(lambda members: sorted(members, key=lambda one: one.id))
    .map(tuple),
    history=st.lists(STAMPS, max_size=3).map(tuple),
    claim=st.none() | CLAIMS,
    epoch=st.integers(0, 10**6),
    held=st.just("") | WORDS,
    good=st.none() | STAMPS,
    changed=st.lists(IDS, unique=True).map(sorted).map(tuple),
    created=st.lists(IDS, unique=True).map(sorted).map(tuple),
)


def unpacked(packed: str) -> Inventory:
    live: Body = {"binaryData": {"inventory": packed}}
    return applysets._inventory(applysets._unpacked(live))


def members(count: int) -> tuple[Member, ...]:
    """Objects as they are called in life, with receipts as random as real ones."""
    chance = random.Random(1)
    kinds = (("", "ConfigMap"), ("apps", "Deployment"), ("", "Service"), ("", "ServiceAccount"))

    def digest() -> str:
        return base64.urlsafe_b64encode(chance.randbytes(9)).decode()

    def receipt() -> Receipt:
        id = uuid.UUID(bytes=chance.randbytes(16))
        version = chance.randrange(10**6, 10**8)
        return Receipt(f"1 {id} {version} {chance.randrange(9)} {digest()} {digest()}")

    ids = (
        ObjectId(*kinds[number % 4], f"team-{number % 40}", f"service-{number // 4}")
        for number in range(count)
    )
    return tuple(Member(id=id, receipt=receipt()) for id in sorted(ids))


@given(INVENTORIES)
def test_what_is_packed_comes_back(inventory: Inventory) -> None:
    """All of it; a claim also where it names what is no member."""
    assert unpacked(applysets.packed(inventory, "mark")) == inventory


@pytest.mark.parametrize("count", [10_000, 20_000])
def test_large_inventories_fit_into_one_config_map(count: int) -> None:
    """Twenty thousand is every name of ten thousand objects changed at once."""
    full = Inventory(owner=OWNER, stamp=STAMP, members=members(count), history=(STAMP,) * 10)
    claim = Claim(stamp=STAMP, ids=tuple(member.id for member in full.members))

    for inventory in (full, replace(full, claim=claim)):
        assert len(base64.b64decode(applysets.packed(inventory, "f" * 16))) < LIMIT


def test_a_claim_on_every_member_costs_next_to_nothing() -> None:
    """They are named already."""
    full = Inventory(owner=OWNER, stamp=STAMP, members=members(5_000))
    ids = tuple(member.id for member in full.members)

    alone = len(applysets.packed(full, ""))
    claimed = len(applysets.packed(replace(full, claim=Claim(stamp=STAMP, ids=ids)), ""))

    assert claimed - alone < 1_000


def test_the_first_format_is_still_read() -> None:
    """As it lies in clusters: no epoch, nothing held, a claim's objects in full."""
    id = ["apps", "Deployment", "shop", "web"]
    fields = {
        "format": 1,
        "mark": "m",
        "owner": ["acme/shop", "prod"],
        "stamp": ["a", 7, "u"],
        "claim": [["b", 8, "v"], [id]],
        "history": [["a", 7, "u"]],
        "members": [[*id, "r"]],
    }
    packed = base64.b64encode(zlib.compress(json.dumps(fields).encode())).decode()

    assert unpacked(packed) == Inventory(
        owner=OWNER,
        stamp=Stamp(revision="a", sequence=7, run_url="u"),
        members=(Member(id=ObjectId(*id), receipt=Receipt("r")),),
        history=(Stamp(revision="a", sequence=7, run_url="u"),),
        claim=Claim(stamp=Stamp(revision="b", sequence=8, run_url="v"), ids=(ObjectId(*id),)),
    )


def test_the_number_of_deployments_kept_is_bounded() -> None:
    """Ten, however long the environment lives."""
    inventory = Inventory(owner=OWNER)
    for number in range(12):
        stamp = Stamp(revision=f"{number:040}")
        claimed = inventories.claimed(inventory, stamp, [])
        inventory = inventories.settled(claimed, stamp, receipts={}, gone=())

    stored = unpacked(applysets.packed(inventory, "mark"))

    assert [stamp.revision[-2:] for stamp in stored.history] == [
        f"{number:02}" for number in range(11, 1, -1)
    ]
