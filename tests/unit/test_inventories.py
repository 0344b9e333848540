"""Ownership and order of deploys."""

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Member, Owner, Receipt, Stamp

OWNER = Owner(repository="acme/shop", environment="prod")
KEPT = ObjectId("", "ConfigMap", "shop", "kept")
OLD = ObjectId("", "ConfigMap", "shop", "old")
NEW = ObjectId("apps", "Deployment", "shop", "new")
MINE = Stamp(revision="b" * 40, sequence=8)


def inventory(*ids: ObjectId) -> Inventory:
    members = tuple(Member(id=id, receipt=Receipt("r")) for id in ids)
    return Inventory(owner=OWNER, members=members)


def test_a_claim_is_a_superset_of_what_was_and_what_will_be() -> None:
    """A run killed after its claim has forgotten nothing."""
    claimed = inventories.claimed(inventory(KEPT, OLD), MINE, [OLD, NEW])

    assert {KEPT, OLD, NEW} == claimed.ids


def test_a_claim_clears_the_receipts_of_what_it_will_write() -> None:
    """Until it is settled nobody can know what stands there."""
    claimed = inventories.claimed(inventory(KEPT, OLD), MINE, [OLD])

    receipts = {member.id: member.receipt for member in claimed.members}
    assert receipts == {KEPT: "r", OLD: ""}


def test_settling_drops_what_is_gone_and_records_the_rest() -> None:
    """After a deploy the inventory lists exactly what is there."""
    claimed = inventories.claimed(inventory(KEPT, OLD), MINE, [OLD, NEW])

    settled = inventories.settled(claimed, MINE, receipts={NEW: Receipt("n")}, gone=[OLD])

    assert {member.id: member.receipt for member in settled.members} == {KEPT: "r", NEW: "n"}
    assert (settled.stamp, settled.claim, settled.history) == (MINE, None, (MINE,))


def test_the_history_is_bounded() -> None:
    """It stays small however often is deployed."""
    current = inventory(KEPT)

    for number in range(30):
        stamp = Stamp(revision=f"{number:040}", sequence=number)
        current = inventories.settled(current, stamp, receipts={}, gone=())

    assert len(current.history) == inventories.HISTORY


@pytest.mark.parametrize(
    ("recorded", "mine", "ancestor", "expected"),
    [
        (None, Stamp(revision="b"), None, False),
        (Stamp(revision="b", sequence=9), Stamp(revision="b", sequence=1), True, False),
        (Stamp(revision="a", sequence=9), Stamp(revision="b", sequence=1), False, False),
        (Stamp(revision="c", sequence=1), Stamp(revision="b", sequence=9), True, True),
        (Stamp(revision="c", sequence=9), Stamp(revision="b", sequence=8), None, True),
        (Stamp(revision="c", sequence=8), Stamp(revision="b", sequence=9), None, False),
        (Stamp(revision="c"), Stamp(revision="b", sequence=9), None, False),
    ],
    ids=[
        "first deploy",
        "same commit again",
        "ancestry says newer, whatever the counter says",
        "ancestry says older, whatever the counter says",
        "unknown ancestry, lower counter",
        "unknown ancestry, higher counter",
        "no counter to compare",
    ],
)
def test_order_comes_from_ancestry_then_from_the_counter(
    recorded: Stamp | None, mine: Stamp, ancestor: bool | None, expected: bool
) -> None:
    """Never from a clock."""
    assert expected is inventories.superseded(recorded, mine, mine_is_ancestor=ancestor)
