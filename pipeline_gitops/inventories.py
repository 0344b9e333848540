"""Who owns what in a target, and which deploy is newer: values and rules, no storage format.

An inventory is written first as a superset (claim: everything that is there or is about to be) and
shrunk last (settle), so that a run killed in between never forgets an object. Order between deploys
comes from Git ancestry, then from the forge's own counter, never from a clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import NewType

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.values import dataclass

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
    """One object that we applied. *finished*: it ran to its end, and Kubernetes deletes it then."""

    id: ObjectId
    receipt: Receipt = Receipt("")
    finished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A deploy under way: who, and which objects it is about to write or delete.

    *inherited*: objects of earlier claims that nobody settled; those runs may still be alive.
    *automatic*: a rollback that a failed deploy began; whoever finds it may finish it.
    """

    stamp: Stamp
    ids: tuple[ObjectId, ...] = ()
    inherited: tuple[ObjectId, ...] = ()
    automatic: bool = False

    @property
    def all(self) -> frozenset[ObjectId]:
        """Every object that this run, or one before it, may have written."""
        return frozenset({*self.ids, *self.inherited})


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What one environment owns in its target. *stamp* is None before the first deploy.

    *epoch* counts the claims and only ever grows. *held*: the revision that a rollback left ("" =
    none); neither it nor what led to it is deployed again until somebody releases it. *good*: the
    last deploy after which everything ran; *changed*: what deploys may have written or deleted
    since, and *created*: what of that was not there before.
    """

    owner: Owner
    stamp: Stamp | None = None
    members: tuple[Member, ...] = ()
    history: tuple[Stamp, ...] = ()
    claim: Claim | None = None
    epoch: int = 0
    held: str = ""
    good: Stamp | None = None
    changed: tuple[ObjectId, ...] = ()
    created: tuple[ObjectId, ...] = ()
    version: Version = Version("")

    @property
    def ids(self) -> frozenset[ObjectId]:
        """The members' identities."""
        return frozenset(member.id for member in self.members)

    @property
    def newest(self) -> Stamp | None:
        """The deploy that counts: the one under way, else the last that was finished."""
        return self.claim.stamp if self.claim else self.stamp


def claimed(
    inventory: Inventory,
    stamp: Stamp,
    ids: Iterable[ObjectId],
    *,
    held: str | None = None,
    created: Iterable[ObjectId] = (),
    automatic: bool = False,
) -> Inventory:
    """The superset to write before the first object: members, and all that is about to change.

    Receipts of objects about to be written are cleared: until it is settled, nobody can know what a
    killed run left there. The objects of an unfinished claim are carried along. *held* None: as it
    was. *created*: which of *ids* are not there yet.
    """
    touched = frozenset(ids)
    earlier = inventory.claim.all if inventory.claim else frozenset()
    claim = Claim(
        stamp=stamp,
        ids=tuple(sorted(touched)),
        inherited=tuple(sorted(earlier)),
        automatic=automatic,
    )
    cleared = touched | frozenset(claim.inherited)
    kept = [member for member in inventory.members if member.id not in cleared]
    members = sorted([*kept, *(Member(id=id) for id in cleared)], key=lambda member: member.id)
    return replace(
        inventory,
        members=tuple(members),
        claim=claim,
        epoch=inventory.epoch + 1,
        held=inventory.held if held is None else held,
        # Where there is nothing to go back to, nobody asks what has changed since.
        changed=_with(inventory.changed, touched) if inventory.good else (),
        created=_with(inventory.created, created) if inventory.good else (),
    )


def _with(known: Iterable[ObjectId], more: Iterable[ObjectId]) -> tuple[ObjectId, ...]:
    return tuple(sorted({*known, *more}))


def settled(
    inventory: Inventory,
    stamp: Stamp,
    *,
    receipts: Mapping[ObjectId, Receipt],
    gone: Iterable[ObjectId],
    good: bool = False,
    finished: frozenset[ObjectId] = frozenset(),
) -> Inventory:
    """The inventory after a finished deploy: receipts recorded, deleted objects dropped.

    *good*: all of it was seen to run. *finished*: what Kubernetes may delete by itself from now on.
    """
    dropped = frozenset(gone)
    members = tuple(
        replace(
            member,
            receipt=receipts.get(member.id, member.receipt),
            finished=member.id in finished,
        )
        for member in inventory.members
        if member.id not in dropped
    )
    history = (stamp, *(old for old in inventory.history if old != stamp))[:HISTORY]
    # What was not there when all was good, and is gone again, is as it was then.
    over = dropped & frozenset(inventory.created)
    return replace(
        inventory,
        stamp=stamp,
        members=members,
        history=history,
        claim=None,
        good=stamp if good else inventory.good,
        changed=() if good else _without(inventory.changed, over),
        created=() if good else _without(inventory.created, over),
    )


def _without(known: Iterable[ObjectId], fewer: frozenset[ObjectId]) -> tuple[ObjectId, ...]:
    return tuple(id for id in known if id not in fewer)


def previous(inventory: Inventory, revision: str) -> str:
    """What was deployed last before *revision* is, or was; "" for a first deploy."""
    stamps = (inventory.stamp, *inventory.history)
    return next((one.revision for one in stamps if one and one.revision != revision), "")


class Relation(StrEnum):
    """How one commit relates to another, in the words of Git forges."""

    IDENTICAL = "identical"
    AHEAD = "ahead"  # a proper descendant
    BEHIND = "behind"  # a proper ancestor
    DIVERGED = "diverged"
    UNKNOWN = "unknown"  # one of them is not to be found, or the history is cut off


class Precedence(StrEnum):
    """Whether a deploy may go on, after the one that the target records."""

    DUE = "due"
    SUPERSEDED = "superseded"
    UNDECIDED = "undecided"


def precedence(recorded: Stamp | None, mine: Stamp, relation: Relation) -> Precedence:
    """Whether my deploy comes after the recorded one. *relation*: my commit's to the recorded.

    Where ancestry does not tell (branches, rewritten history), the forge's counter of runs does;
    without two different counters nothing does.
    """
    if recorded is None or recorded.revision == mine.revision:
        return Precedence.DUE
    match relation:
        case Relation.IDENTICAL | Relation.AHEAD:
            return Precedence.DUE
        case Relation.BEHIND:
            return Precedence.SUPERSEDED
        case Relation.DIVERGED | Relation.UNKNOWN:
            if not (recorded.sequence and mine.sequence) or recorded.sequence == mine.sequence:
                return Precedence.UNDECIDED
            newer = mine.sequence > recorded.sequence
            return Precedence.DUE if newer else Precedence.SUPERSEDED


def is_held(held: str, mine: Stamp, relation: Relation) -> bool:
    """Whether a rollback stands against my deploy. *relation*: my commit's to the held one.

    A commit beside the held one does not bring it back; where nobody can tell, it might.
    """
    if not held:
        return False
    stands = (Relation.IDENTICAL, Relation.BEHIND, Relation.UNKNOWN)
    return mine.revision == held or relation in stands


def rolled_back(inventory: Inventory, revision: str) -> str:
    """What is held once *revision* is deployed by a rollback: the newest that was left."""
    left = inventory.held or (inventory.newest.revision if inventory.newest else "")
    return "" if left == revision else left
