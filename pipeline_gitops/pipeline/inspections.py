"""How an environment is doing now, by what its inventory lists: nothing is rendered for it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from pipeline_gitops.config import Environment
from pipeline_gitops.errors import Fault, Verdict
from pipeline_gitops.health import PACKED, Rules
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.pipeline import cards, reviews, rollouts
from pipeline_gitops.pipeline.cards import Background
from pipeline_gitops.pipeline.looks import Expectations
from pipeline_gitops.ports import Clock, Journal, ReadTarget
from pipeline_gitops.views import DeployView, InventoryView, Result

LOOK_BACK = timedelta(hours=1)  # the API server forgets events after one hour


def inspect(
    environment: Environment,
    target: ReadTarget,
    *,
    clock: Clock,
    journal: Journal,
    rules: Rules = PACKED,
) -> Result:
    """What is deployed, since which deploy, and whether it runs. *rules* judge custom resources."""
    result = Result(environment=environment.name, target=target.name)
    try:
        return _inspect(result, target, clock, journal, rules)
    except Fault as fault:
        return reviews.failed(result, fault)


def _inspect(
    result: Result, target: ReadTarget, clock: Clock, journal: Journal, rules: Rules
) -> Result:
    inventory = target.inventory()
    if inventory.stamp is None and inventory.claim is None:
        # Whoever asks whether it runs must not be told that it does.
        return replace(result, notices=("nothing is deployed there",), verdict=Verdict.UNHEALTHY)
    result = replace(
        result,
        objects=len(inventory.members),
        inventory=_view(inventory),
        notices=tuple(_notices(inventory)),
    )
    if target.runtime is None:
        return result
    rollout = rollouts.watch(
        target.runtime,
        inventory.ids,
        clock=clock,
        deadline=clock.elapsed(),
        journal=journal,
        expected=Expectations(rules=rules),
    )
    rollout = replace(rollout, timed_out=False, seconds=0.0)  # one look; nobody waited
    result = replace(result, rollout=rollout)
    if rollouts.healthy(rollout):
        return result
    background = Background(since=clock.now() - LOOK_BACK)
    found = cards.cards(target.runtime, rollout, background, journal)
    return replace(result, cards=found, verdict=Verdict.UNHEALTHY)


def _view(inventory: Inventory) -> InventoryView:
    claim = inventory.claim
    return InventoryView(
        deployed=_deploy(inventory.stamp) if inventory.stamp else None,
        claimed=_deploy(claim.stamp) if claim else None,
        claimed_objects=len(claim.ids) if claim else 0,
        held=inventory.held,
        history=tuple(_deploy(stamp) for stamp in inventory.history),
    )


def _deploy(stamp: Stamp) -> DeployView:
    return DeployView(revision=stamp.revision, sequence=stamp.sequence, run_url=stamp.run_url)


def _notices(inventory: Inventory) -> Iterator[str]:
    stamp, claim = inventory.stamp, inventory.claim
    yield f"deployed: {_said(stamp)}" if stamp else "no deploy was finished yet"
    if claim:
        objects = len(claim.ids)
        yield f"under way, or cut short: {_said(claim.stamp)}, with {objects} objects to write"
    if inventory.held:
        yield f"held back by a rollback: {inventory.held[:7]}"
    earlier = [old for old in inventory.history if old != stamp]
    if earlier:
        yield f"before: {', '.join(old.revision[:7] for old in earlier)}"


def _said(stamp: Stamp) -> str:
    number = f", number {stamp.sequence}" if stamp.sequence else ""
    return f"{stamp.revision[:7]}{number}" + (f", {stamp.run_url}" if stamp.run_url else "")
