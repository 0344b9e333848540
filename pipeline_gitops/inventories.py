"""Who owns what in a target, and which deploy is newer: values and rules, no storage format.

An inventory is written first as a superset (claim: everything that is there or is about to be) and
shrunk last (settle), so that a run killed in between never forgets an object. Order between deploys
comes from Git ancestry, then from the forge's own counter, never from a clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NewType

from pipeline_gitops.ids import ObjectId

Receipt = NewType("Receipt", str)  # how a target knows its last write; opaque to everyone else
Version = NewType("Version", str)  # what must still hold when a target writes; opaque as well

HISTORY = 10  # stamps kept; enough to find the last good deploy, small in the target


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose objects an inventory lists."""

    repository: str
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One deploy: the commit, the forge's counter of runs, and a link to the run."""

    revision: str
    sequence: int = 0
    run_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One object that we applied."""

    id: ObjectId
    receipt: Receipt = Receipt("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A deploy under way: who, and which objects it is about to write or delete."""

    stamp: Stamp
    ids: tuple[ObjectId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What one environment owns in its target. *stamp* is None before the first deploy."""

    owner: Owner
    stamp: Stamp | None = None
    members: tuple[Member, ...] = ()
    history: tuple[Stamp, ...] = ()
    claim: Claim | None = None
    version: Version = Version("")

    @property
    def ids(self) -> frozenset[ObjectId]:
        """The members' identities."""
        return frozenset(member.id for member in self.members)


def claimed(inventory: Inventory, stamp: Stamp, ids: Iterable[ObjectId]) -> Inventory:
    """The superset to write before the first object: members, and all that is about to change.

    Receipts of objects about to be written are cleared: until it is settled, nobody can know what a
    killed run left there.
    """
    touched = frozenset(ids)
    kept = [member for member in inventory.members if member.id not in touched]
    members = sorted([*kept, *(Member(id=id) for id in touched)], key=lambda member: member.id)
    return replace(
        inventory, members=tuple(members), claim=Claim(stamp=stamp, ids=tuple(sorted(touched)))
    )


def settled(
    inventory: Inventory,
    stamp: Stamp,
    *,
    receipts: Mapping[ObjectId, Receipt],
    gone: Iterable[ObjectId],
) -> Inventory:
    """The inventory after a finished deploy: receipts recorded, deleted objects dropped."""
    dropped = frozenset(gone)
    members = tuple(
        replace(member, receipt=receipts.get(member.id, member.receipt))
        for member in inventory.members
        if member.id not in dropped
    )
    history = (stamp, *(old for old in inventory.history if old != stamp))[:HISTORY]
    return replace(inventory, stamp=stamp, members=members, history=history, claim=None)


def superseded(recorded: Stamp | None, mine: Stamp, *, mine_is_ancestor: bool | None) -> bool:
    """Whether the recorded deploy is newer than mine.

    *mine_is_ancestor*: the commit of this run is a proper ancestor of the recorded one; None where
    Git cannot tell (history rewritten, or not fetched). Then the forge's counter decides.
    """
    if recorded is None or recorded.revision == mine.revision:
        return False
    if mine_is_ancestor is not None:
        return mine_is_ancestor
    return bool(recorded.sequence and mine.sequence and mine.sequence < recorded.sequence)
