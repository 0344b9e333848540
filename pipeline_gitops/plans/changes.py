"""The plan: what a target saw, and the changes that follow from it.

A `Sight` is what the target found for one object that is not as wanted; the action is derived from
it, so no combination can lie.
"""

from collections.abc import Iterable
from dataclasses import field
from enum import StrEnum

from pipeline_gitops.documents import Body
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Receipt, Version
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOwner:
    """Who else owns a field that we want to set, since when (may be unknown), and what follows.

    *ours* and *theirs* are the two values in short, without what a Secret holds.
    """

    path: str
    owner: str
    since: str = ""
    decision: str = ""  # taken, left, refused, handed over
    ours: str = ""
    theirs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the target found for one object that is not unchanged."""

    id: ObjectId
    before: Body | None = field(default=None, repr=False)  # as it is there; None = absent
    after: Body | None = field(default=None, repr=False)  # as it will be; None = deleted
    send: Manifest | None = None  # what to write; None = delete
    version: Version = Version("")  # what must still hold when it is written
    replaces: bool = False  # an immutable field: delete, then create
    predicted: str = ""  # why the target could not preview it; "" = it did
    owners: tuple[FieldOwner, ...] = ()
    adopts: bool = False  # a live object that no inventory listed
    retired: frozenset[str] = frozenset()  # field managers whose fields become ours with the write
    notes: tuple[str, ...] = ()  # what else people should know of it, one sentence each
    refusal: Refusal | None = None  # the target would not take it


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is in the target, against what is wanted."""

    inventory: Inventory
    unchanged: frozenset[ObjectId] = frozenset()
    sights: tuple[Sight, ...] = ()
    blind: tuple[str, ...] = ()  # API groups that could not be read: prune is off
    receipts: tuple[tuple[ObjectId, Receipt], ...] = ()  # of unchanged objects, where learnt anew
    gone: frozenset[ObjectId] = frozenset()  # members that are no longer there, or no longer ours
    notices: tuple[str, ...] = ()  # what people should know beside the changes
    completed: frozenset[ObjectId] = frozenset()  # unchanged, finished: Kubernetes may delete them


@dataclass(frozen=True, slots=True)
class Change:
    """One write. Its action follows from what was seen."""

    sight: Sight

    @property
    def id(self) -> ObjectId:
        """The object's identity."""
        return self.sight.id

    @property
    def action(self) -> Action:
        """Create what is absent, delete what is not wanted, replace or update the rest."""
        if self.sight.after is None:
            return Action.DELETE
        if self.sight.before is None:
            return Action.CREATE
        return Action.REPLACE if self.sight.replaces else Action.UPDATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every change of one deploy, sorted by identity; refusals of the target beside them.

    *secrets*: values of the environment's Secrets; what is told of the plan depends on none.
    """

    changes: tuple[Change, ...] = ()
    unchanged: frozenset[ObjectId] = frozenset()
    refusals: tuple[Refusal, ...] = ()
    blind: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    leftovers: tuple[Change, ...] = ()  # deletions of what hooks left, right before these run again
    secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)

    @property
    def ids(self) -> tuple[ObjectId, ...]:
        """The objects that will be written or deleted."""
        return tuple(change.id for change in self.changes)


class State(StrEnum):
    """What came of one write. *Unknown*: the answer was lost, the write may have happened."""

    DONE = "done"
    REFUSED = "refused"
    STALE = "stale"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one change."""

    id: ObjectId
    action: Action
    state: State
    message: str = ""
    receipt: Receipt = Receipt("")
    generation: int = 0  # the generation that our own write answered; 0 = none


def compute(survey: Survey, *, prune: bool) -> Plan:
    """The plan that makes the target as wanted.

    Without *prune*, or while part of the target cannot be seen, nothing is deleted: what is not
    visible must not be taken for absent.
    """
    deletes = prune and not survey.blind
    changes = [
        Change(sight)
        for sight in sorted(survey.sights, key=lambda sight: sight.id)
        if sight.after is not None or deletes
    ]
    return Plan(
        changes=tuple(changes),
        unchanged=survey.unchanged,
        refusals=_refusals(changes),
        blind=survey.blind,
        notices=survey.notices,
    )


def _refusals(changes: Iterable[Change]) -> tuple[Refusal, ...]:
    return tuple(change.sight.refusal for change in changes if change.sight.refusal)
