"""Ownership and order of deploys."""

from dataclasses import replace

import pytest

from pipeline_gitops import inventories
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import (
    Claim,
    Inventory,
    Member,
    Owner,
    Precedence,
    Receipt,
    Relation,
    Stamp,
)

OWNER = Owner(repository="acme/shop", environment="prod")
KEPT = ObjectId("", "ConfigMap", "shop", "kept")
OLD = ObjectId("", "ConfigMap", "shop", "old")
NEW = ObjectId("apps", "Deployment", "shop", "new")
MINE = Stamp(revision="b" * 40, sequence=8)
OTHERS = Stamp(revision="c" * 40, sequence=9)


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


def test_a_claim_carries_along_what_an_unfinished_one_names() -> None:
    """Whoever made it may be alive: also a third run has to look at it."""
    first = inventories.claimed(inventory(KEPT), OTHERS, [OLD])

    second = inventories.claimed(first, MINE, [NEW])
    third = inventories.claimed(second, MINE, [KEPT])

    assert second.claim == Claim(stamp=MINE, ids=(NEW,), inherited=(OLD,))
    assert third.claim is not None
    assert third.claim.inherited == (OLD, NEW)
    assert {KEPT, OLD, NEW} == third.ids


# -- since all was good ----------------------------------------------------------------------------

GOOD = Stamp(revision="a" * 40, sequence=7)
GONE = ObjectId("", "ConfigMap", "shop", "gone")


def good(*ids: ObjectId) -> Inventory:
    """After a deploy that was seen to run."""
    return inventories.settled(inventory(*ids), GOOD, receipts={}, gone=(), good=True)


def test_what_deploys_change_since_the_last_good_one_is_known_from_their_claims() -> None:
    """Also of one that was killed, and over several."""
    first = inventories.claimed(good(KEPT, OLD), OTHERS, [OLD, NEW], created=[NEW])
    second = inventories.claimed(first, MINE, [KEPT])

    assert (second.changed, second.created) == ((KEPT, OLD, NEW), (NEW,))


def test_a_deploy_that_does_not_run_leaves_the_last_good_one() -> None:
    """With what has changed since."""
    claimed = inventories.claimed(good(KEPT), MINE, [KEPT, NEW], created=[NEW])

    settled = inventories.settled(claimed, MINE, receipts={}, gone=())

    assert (settled.good, settled.changed, settled.created) == (GOOD, (KEPT, NEW), (NEW,))


def test_a_good_deploy_starts_anew() -> None:
    """It is what one goes back to from then on."""
    claimed = inventories.claimed(good(KEPT), MINE, [KEPT, NEW], created=[NEW])

    settled = inventories.settled(claimed, MINE, receipts={}, gone=(), good=True)

    assert (settled.good, settled.changed, settled.created) == (MINE, (), ())


def test_what_came_and_went_since_is_forgotten() -> None:
    """What was there is not: to go back, it has to be created again. So the list stays bounded."""
    claimed = inventories.claimed(good(OLD), MINE, [OLD, GONE], created=[GONE])

    settled = inventories.settled(claimed, MINE, receipts={}, gone=[OLD, GONE])

    assert (settled.changed, settled.created) == ((OLD,), ())


def test_where_nothing_was_good_nothing_is_remembered() -> None:
    """An environment that nobody waits for would remember for ever."""
    claimed = inventories.claimed(inventory(KEPT), MINE, [KEPT, NEW], created=[NEW])

    assert (claimed.changed, claimed.created) == ((), ())


def test_a_finished_deploy_leaves_nothing_to_inherit() -> None:
    """Its writes are over."""
    claimed = inventories.claimed(inventory(KEPT), OTHERS, [OLD])
    settled = inventories.settled(claimed, OTHERS, receipts={}, gone=())

    assert inventories.claimed(settled, MINE, [NEW]).claim == Claim(stamp=MINE, ids=(NEW,))


def test_the_epoch_grows_with_each_claim() -> None:
    """And with nothing else: it is what tells claims apart."""
    claimed = inventories.claimed(inventory(KEPT), MINE, [])
    settled = inventories.settled(claimed, MINE, receipts={}, gone=())
    again = inventories.claimed(settled, MINE, [])

    assert (claimed.epoch, settled.epoch, again.epoch) == (1, 1, 2)


B8, B9, C0, C1, C8, C9 = (
    Stamp(revision=name[0], sequence=int(name[1])) for name in ("b8", "b9", "c0", "c1", "c8", "c9")
)


@pytest.mark.parametrize(
    ("recorded", "mine", "relation", "expected"),
    [
        (None, B8, Relation.UNKNOWN, Precedence.DUE),
        (B9, B8, Relation.IDENTICAL, Precedence.DUE),
        (C9, B8, Relation.AHEAD, Precedence.DUE),
        (C1, B9, Relation.BEHIND, Precedence.SUPERSEDED),
        (C9, B8, Relation.DIVERGED, Precedence.SUPERSEDED),
        (C8, B9, Relation.DIVERGED, Precedence.DUE),
        (C9, B8, Relation.UNKNOWN, Precedence.SUPERSEDED),
        (C8, B9, Relation.UNKNOWN, Precedence.DUE),
        (C0, B9, Relation.DIVERGED, Precedence.UNDECIDED),
        (C0, B9, Relation.UNKNOWN, Precedence.UNDECIDED),
        (C8, B8, Relation.UNKNOWN, Precedence.UNDECIDED),
    ],
    ids=[
        "first deploy",
        "same commit again",
        "ancestry says newer, whatever the counter says",
        "ancestry says older, whatever the counter says",
        "diverged, lower counter",
        "diverged, higher counter",
        "unknown, lower counter",
        "unknown, higher counter",
        "diverged, no counter",
        "unknown, no counter",
        "unknown, equal counters",
    ],
)
def test_order_comes_from_ancestry_then_from_the_counter(
    recorded: Stamp | None, mine: Stamp, relation: Relation, expected: Precedence
) -> None:
    """Never from a clock; and what nothing tells is not guessed."""
    assert inventories.precedence(recorded, mine, relation) is expected


@pytest.mark.parametrize(
    ("held", "relation", "expected"),
    [
        ("", Relation.BEHIND, False),
        ("b", Relation.UNKNOWN, True),
        ("c", Relation.BEHIND, True),
        ("c", Relation.UNKNOWN, True),
        ("c", Relation.AHEAD, False),
        ("c", Relation.DIVERGED, False),
    ],
    ids=["nothing held", "itself", "leads to it", "nobody can tell", "repairs it", "beside it"],
)
def test_a_hold_stands_against_what_brings_the_held_commit_back(
    held: str, relation: Relation, expected: bool
) -> None:
    """It and what led to it; a commit after it may repair it."""
    assert inventories.is_held(held, B8, relation) is expected


def test_a_rollback_holds_the_newest_that_it_leaves() -> None:
    """Finished or under way, and a second rollback still holds the first one's."""
    done = replace(inventory(KEPT), stamp=B8)
    under_way = inventories.claimed(done, C9, [OLD])
    twice = replace(done, held="c")

    assert inventories.rolled_back(done, "a") == "b"
    assert inventories.rolled_back(under_way, "a") == "c"
    assert inventories.rolled_back(twice, "a") == "c"
    assert inventories.rolled_back(twice, "c") == ""
