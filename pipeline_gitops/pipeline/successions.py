"""Whether a deploy may follow the one that its target records.

Order comes from the commits: from Git here, and where the clone is cut off, from the forge. Where
commits have diverged, the forge's counter of runs tells. Nothing else does, least of all a clock.

A rollback goes backwards on purpose. It holds the revision that it leaves, so that pipelines which
are under way, or are run again, do not bring it back.
"""

import shlex
from collections.abc import Callable
from dataclasses import replace

from pipeline_gitops import inventories
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.inventories import Inventory, Precedence, Relation, Stamp
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.ports import Repository
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Refusal

Compare = Callable[[str, str], Relation]  # of base and head, as a forge tells it


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What is known of how commits relate: in the clone, then at the forge."""

    repository: Repository
    compare: Compare

    def relation(self, base: str, head: str) -> Relation:
        """How commit *head* relates to commit *base*."""
        if base == head:
            return Relation.IDENTICAL
        is_behind = self.repository.is_ancestor(head, base)
        if is_behind:
            return Relation.BEHIND
        is_ahead = self.repository.is_ancestor(base, head)
        if is_ahead:
            return Relation.AHEAD
        if is_behind is None or is_ahead is None:
            return self.compare(base, head)
        return Relation.DIVERGED


def unknown(_base: str, _head: str) -> Relation:
    """Where there is no forge to ask."""
    return Relation.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """What was decided: the order to carry out, or what stands against it."""

    order: Order
    superseded_by: Stamp | None = None
    refusal: Refusal | None = None


def decide(inventory: Inventory, order: Order, ancestry: Ancestry) -> Succession:
    """Whether, and as what, an order may follow. Raises UsageFault for a rollback of nothing."""
    if order.course.rollback:
        return _rollback(inventory, order, ancestry)
    mine, newest, held = order.stamp, inventory.newest, inventory.held
    if newest:
        relation = ancestry.relation(newest.revision, mine.revision)
        match inventories.precedence(newest, mine, relation):
            case Precedence.SUPERSEDED:
                return Succession(order=order, superseded_by=newest)
            case Precedence.UNDECIDED if not order.course.allow_diverged:
                return Succession(order=order, refusal=_undecided(newest, mine, relation))
            case _:
                pass
    if order.course.release or not held:
        return Succession(order=replace(order, held=""))
    relation = ancestry.relation(held, mine.revision)
    if inventories.is_held(held, mine, relation):
        return Succession(order=order, refusal=_held(inventory, mine))
    return Succession(order=replace(order, held="" if relation is Relation.AHEAD else held))


def _rollback(inventory: Inventory, order: Order, ancestry: Ancestry) -> Succession:
    mine, newest = order.stamp, inventory.newest
    environment = order.prepared.environment.name
    if newest is None:
        raise UsageFault(
            f"nothing is deployed to {environment} yet: there is nothing to roll back",
            f"deploy first: pipeline-gitops deploy --environment {shlex.quote(environment)}",
        )
    if order.leaving and newest.revision not in (order.leaving, mine.revision):
        return Succession(order=order, superseded_by=newest)
    is_newer = ancestry.relation(newest.revision, mine.revision) is Relation.AHEAD
    if is_newer and not inventory.held:
        raise UsageFault(
            f"{mine.revision[:7]} is newer than {newest.revision[:7]}, which is deployed",
            f"deploy it: pipeline-gitops deploy --environment {shlex.quote(environment)}",
        )
    after = newest.sequence + (newest.revision != mine.revision)
    stamp = replace(mine, sequence=max(mine.sequence, after))
    leaving = order.leaving or newest.revision
    held = inventories.rolled_back(inventory, mine.revision)
    if order.course.automatic:  # what failed, though something else may be held from before
        held = "" if leaving == mine.revision else leaving
    return Succession(order=replace(order, stamp=stamp, held=held, leaving=leaving))


def _undecided(newest: Stamp, mine: Stamp, relation: Relation) -> Refusal:
    if relation is Relation.UNKNOWN:
        why = "its history is not in this clone"
        cure = "fetch the whole history (fetch-depth: 0, GIT_DEPTH: 0), or give the job a token"
    else:
        why = "they are on different branches"
        cure = f"merge {newest.revision[:7]} into this commit's branch"
    return Refusal(
        rule="order-unknown",
        message=f"{newest.revision[:7]} is deployed, and nothing tells whether "
        f"{mine.revision[:7]} is newer: {why}, and no counter of runs decides",
        cure=f"{cure}; or deploy it all the same with --allow-diverged",
    )


def _held(inventory: Inventory, mine: Stamp) -> Refusal:
    held = inventory.held
    # Begun by itself, it is finished by itself; a run without --rollback would only take it over.
    begun = inventory.claim is not None and inventory.claim.automatic
    unfinished = "finish its rollback with --rollback on-failure, " if begun else ""
    environment = shlex.quote(inventory.owner.environment)
    what = "it" if mine.revision == held else f"{mine.revision[:7]} belongs to it, or may, and"
    return Refusal(
        rule="held",
        message=f"{held[:7]} was rolled back: {what} is not deployed again by itself",
        cure=f"{unfinished}deploy a newer commit that repairs it, or lift the hold: "
        f"pipeline-gitops deploy --release --environment {environment}",
    )
