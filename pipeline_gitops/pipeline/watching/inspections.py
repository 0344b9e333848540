"""How an environment is doing now, by what its inventory lists: nothing is rendered for it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from pipeline_gitops import hints
from pipeline_gitops.config import Environment
from pipeline_gitops.documents import Body
from pipeline_gitops.errors import Fault, Verdict
from pipeline_gitops.health import PACKED, Rules
from pipeline_gitops.health.patience import Patience
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.pipeline.watching import cards, rollouts
from pipeline_gitops.pipeline.watching.cards import Background
from pipeline_gitops.pipeline.watching.looks import Expectations, Looks
from pipeline_gitops.ports import Clock, Journal, ReadTarget, Snapshot
from pipeline_gitops.views import DeployView, InventoryView, Result, RolloutView

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
        return _inspect(result, environment, target, clock, journal, rules)
    except Fault as fault:
        return reviews.failed(result, fault)


def _inspect(
    result: Result,
    environment: Environment,
    target: ReadTarget,
    clock: Clock,
    journal: Journal,
    rules: Rules,
) -> Result:
    inventory = target.inventory()
    if inventory.stamp is None and inventory.claim is None:
        # Whoever asks whether it runs must not be told that it does.
        return replace(result, notices=("nothing is deployed there",), verdict=Verdict.UNHEALTHY)
    result = recorded(result, inventory)
    if target.runtime is None:
        return result
    # Nothing is rendered, so nothing is known yet of what messages and logs must not show.
    reviews.hide(journal, target.runtime.secrets(inventory.ids))
    live = target.runtime.watch(inventory.ids, 0.0)
    looks = Looks(inventory.ids, expectations(environment, inventory, live, rules))
    looks.take(live, 0.0)
    aside = unwatched(live)
    rollout = RolloutView(objects=tuple(view for view in looks.views if view.id not in aside))
    notices = (*result.notices, *aside_notice(aside))
    result = replace(result, rollout=rollout, notices=notices)
    if rollouts.healthy(rollout):
        return result
    background = Background(since=clock.now() - LOOK_BACK)
    found = cards.cards(target.runtime, rollout, background, journal)
    return replace(result, cards=found, verdict=Verdict.UNHEALTHY)


def recorded(result: Result, inventory: Inventory) -> Result:
    """The result with what the inventory tells of deploys."""
    return replace(
        result,
        objects=len(inventory.members),
        inventory=_view(inventory),
        notices=tuple(_notices(inventory)),
    )


def expectations(
    environment: Environment, inventory: Inventory, live: Snapshot, rules: Rules
) -> Expectations:
    """How members are to be judged: by what they say themselves, as nothing is rendered.

    Raises UsageFault for a rule in an object that cannot be understood.
    """
    there = {id: body for id, body in live.items() if body is not None}
    policy = environment.policy
    patience = Patience(restarts=policy.patience_restarts, seconds=policy.patience_s)
    given = {id: hints.of(body).patience_s for id, body in there.items()}
    return Expectations(
        rules=rules.over((body, Place(str(id))) for id, body in sorted(there.items())),
        finished=frozenset(member.id for member in inventory.members if member.finished),
        patience=patience,
        patiences={
            id: replace(patience, seconds=seconds)
            for id, seconds in given.items()
            if seconds is not None
        },
    )


def unwatched(live: Mapping[ObjectId, Body | None]) -> frozenset[ObjectId]:
    """Objects whose annotations say that their health does not count."""
    return frozenset(id for id, body in live.items() if body and hints.of(body).unwatched)


def aside_notice(aside: Collection[ObjectId]) -> Iterator[str]:
    """That some objects do not count, where there are any."""
    if aside:
        yield f"{objects(len(aside))} not watched: an annotation says so"


def _view(inventory: Inventory) -> InventoryView:
    claim = inventory.claim
    return InventoryView(
        deployed=_deploy(inventory.stamp) if inventory.stamp else None,
        claimed=_deploy(claim.stamp) if claim else None,
        claimed_objects=len(claim.ids) if claim else 0,
        held=inventory.held,
        good=_deploy(inventory.good) if inventory.good else None,
        history=tuple(_deploy(stamp) for stamp in inventory.history),
    )


def _deploy(stamp: Stamp) -> DeployView:
    return DeployView(revision=stamp.revision, sequence=stamp.sequence, run_url=stamp.run_url)


def _notices(inventory: Inventory) -> Iterator[str]:
    stamp, claim = inventory.stamp, inventory.claim
    yield f"deployed: {said(stamp)}" if stamp else "no deploy was finished yet"
    if claim:
        counted = objects(len(claim.ids))
        yield f"under way, or cut short: {said(claim.stamp)}, with {counted} to write"
    if inventory.held:
        yield f"held back by a rollback: {inventory.held[:7]}"
    if inventory.good and inventory.good != stamp:
        yield f"last one after which everything ran: {said(inventory.good)}"
    earlier = [old for old in inventory.history if old != stamp]
    if earlier:
        yield f"before: {', '.join(old.revision[:7] for old in earlier)}"


def objects(number: int) -> str:
    """A number of objects in words."""
    return f"{number} object" if number == 1 else f"{number} objects"


def said(stamp: Stamp) -> str:
    """A deploy in a few words."""
    number = f", number {stamp.sequence}" if stamp.sequence else ""
    return f"{stamp.revision[:7]}{number}" + (f", {stamp.run_url}" if stamp.run_url else "")
