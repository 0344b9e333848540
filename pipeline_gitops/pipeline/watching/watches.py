"""One environment as it changes, deploy after deploy: what its inventory lists, and how that is.

Reads only, and renders nothing. Unlike a deploy it has no set of its own to compare with: what
fails may be made well by somebody, so no word is the last one.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from enum import StrEnum

from pipeline_gitops.config import Environment
from pipeline_gitops.errors import Fault, InterruptedFault, UsageFault, Verdict
from pipeline_gitops.health import PACKED, Rules
from pipeline_gitops.health.causes import Cause
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory
from pipeline_gitops.pipeline import reviews
from pipeline_gitops.pipeline.watching import cards, inspections, rollouts
from pipeline_gitops.pipeline.watching.cards import Background
from pipeline_gitops.pipeline.watching.diagnoses import Diagnoses
from pipeline_gitops.pipeline.watching.looks import SETTLED, Looks
from pipeline_gitops.pipeline.watching.narration import Narrator, heartbeat
from pipeline_gitops.ports import Clock, Journal, ReadTarget, Runtime, Watch
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import FaultView, Health, HealthView, Result, RolloutView

POLL_S = 1.0
INVENTORY_S = 5.0  # how long a deploy may go unnoticed
FIRST_PAUSE_S, LONGEST_PAUSE_S = 3.0, 30.0  # between two looks at trouble that does not change


class Until(StrEnum):
    """When to stop watching."""

    HEALTHY = "healthy"  # all of it runs, or what does not will not get well by itself
    FOREVER = "forever"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What somebody wants to watch. *deadline* is on the clock's elapsed seconds."""

    environment: Environment
    rules: Rules = PACKED
    until: Until = Until.HEALTHY
    deadline: float = math.inf


def follow(call: Call, target: ReadTarget, *, clock: Clock, journal: Journal) -> Result:
    """How the environment is when the watching ends; what happens until then goes to *journal*."""
    result = Result(environment=call.environment.name, target=target.name)
    if target.runtime is None:
        cure = "use `pipeline-gitops status`: it tells which deploy is there"
        fault = UsageFault(f"nothing runs in {target.name} that could be watched", cure)
        return reviews.failed(result, fault)
    vigil = _Vigil(call, target, target.runtime, clock, journal)
    try:
        vigil.run()
        return vigil.result(result)
    except InterruptedFault as fault:
        stopped = FaultView(message="stopped watching", verdict=fault.verdict)
        return replace(vigil.seen(result), fault=stopped, verdict=fault.verdict)
    except Fault as fault:
        return reviews.failed(vigil.seen(result), fault)


class _Vigil:
    """One stretch of watching, over as many deploys as come."""

    def __init__(
        self, call: Call, target: ReadTarget, runtime: Runtime, clock: Clock, journal: Journal
    ) -> None:
        self._call = call
        self._target = target
        self._runtime = runtime
        self._clock = clock
        self._journal = journal
        self._narrator = Narrator(journal)
        self._started = self._beat = clock.elapsed()
        self._inventory: Inventory | None = None
        self._views: tuple[HealthView, ...] = ()
        self._aside: frozenset[ObjectId] = frozenset()
        self._members: _Members | None = None
        self._settled_since = math.inf
        self._timed_out = False

    def run(self) -> None:
        """Watches until the end that was asked for. Raises what ended it early."""
        with closing(self._narrator):
            while True:
                inventory = self._target.inventory()
                self._announce(inventory)
                if self._is_over_with(inventory):
                    return

    # -- what is known when it ends ----------------------------------------------------------------

    def seen(self, result: Result) -> Result:
        """The result with what was seen last."""
        inventory = self._inventory
        if inventory is None or not _is_used(inventory):
            return replace(result, notices=("nothing is deployed there",))
        result = inspections.recorded(result, inventory)
        rollout = RolloutView(
            objects=self._views,
            timed_out=self._timed_out,
            seconds=round(self._clock.elapsed() - self._started, 1),
        )
        notices = (*result.notices, *inspections.aside_notice(self._aside))
        return replace(result, rollout=rollout, notices=notices)

    def result(self, result: Result) -> Result:
        """The result with its verdict, and a card for each object that does not run."""
        result = self.seen(result)
        rollout, inventory = result.rollout, self._inventory
        if rollout is None or inventory is None:
            return replace(result, verdict=Verdict.UNHEALTHY)
        if not rollouts.healthy(rollout):
            self._hide(inventory)  # as they are by now
            background = Background(since=self._clock.now() - inspections.LOOK_BACK)
            found = cards.cards(self._runtime, rollout, background, self._journal)
            return replace(result, cards=found, verdict=Verdict.UNHEALTHY)
        # Under a claim, what runs may still be what ran before it.
        in_vain = self._call.until is Until.HEALTHY and inventory.claim is not None
        return replace(result, verdict=Verdict.UNHEALTHY) if in_vain else result

    # -- one inventory -----------------------------------------------------------------------------

    def _announce(self, inventory: Inventory) -> None:
        before, self._inventory = self._inventory, inventory
        for line in _news(before, inventory):
            self._journal.say(f"{self._clock.now():%Y-%m-%dT%H:%M:%SZ} {line}")

    def _is_over_with(self, inventory: Inventory) -> bool:
        """Watches its members. True: that is the end; False: the inventory has changed."""
        checked = self._clock.elapsed()
        with self._runtime.watching(inventory.ids) as stream:
            members = self._found(inventory, stream)
            while True:
                now = self._clock.elapsed()
                self._look(members, now)
                if self._is_enough(inventory, members, stream, now):
                    return True
                if now - checked >= INVENTORY_S:
                    checked = now
                    if self._target.inventory().version != inventory.version:
                        return False
                self._clock.sleep(0)  # a chance to be interrupted between two looks
                left = self._call.deadline - now
                members.looks.take(stream.next(min(POLL_S, left)), now - self._started)

    def _found(self, inventory: Inventory, stream: Watch) -> "_Members":
        """The members as they are now; what is known of them from before is kept."""
        self._hide(inventory)
        before, live = self._members, stream.read()
        expected = inspections.expectations(
            self._call.environment, inventory, live, self._call.rules
        )
        looks = Looks(inventory.ids, expected, last=before.looks.live if before else None)
        looks.take(live, self._clock.elapsed() - self._started)
        diagnoses = Diagnoses(
            self._runtime,
            expected,
            since=self._clock.now() - inspections.LOOK_BACK,
            before=before.diagnoses if before else None,
        )
        if before is None:
            self._narrator.runs(looks.views)
        self._members = _Members(looks, diagnoses, before)
        return self._members

    def _hide(self, inventory: Inventory) -> None:
        """Nothing is rendered, so only the target knows what messages and logs must not show."""
        reviews.hide(self._journal, self._runtime.secrets(inventory.ids))

    def _look(self, members: "_Members", now: float) -> None:
        """Takes in how things are, and says what is new of it."""
        members.diagnose(now, self._clock)
        live = members.looks.live
        self._aside = inspections.unwatched(live)
        views = tuple(view for view in members.views() if view.id not in self._aside)
        if any(view.health not in SETTLED for view in views):
            self._settled_since = math.inf
        elif _words(views) != _words(self._views) or self._settled_since == math.inf:
            self._settled_since = now
        self._views = views
        self._narrator.tell(views, members.known, at=self._clock.now())
        self._narrator.show(views, live, members.known, now)
        waiting = [view for view in views if view.health is not Health.CURRENT]
        if not waiting or self._call.until is Until.FOREVER:
            self._beat = now
        elif now - self._beat >= rollouts.HEARTBEAT_S:
            self._beat = now
            self._journal.say(heartbeat(waiting, members.known, now - self._started))

    def _is_enough(
        self, inventory: Inventory, members: "_Members", stream: Watch, now: float
    ) -> bool:
        if now >= self._call.deadline:
            self._timed_out = True
            return True
        if self._call.until is Until.FOREVER or inventory.stamp is None or inventory.claim:
            return False
        # Pods that are ready for a moment and crash the next one are not well.
        if now - self._settled_since < self._call.environment.policy.stability_s:
            return False
        # What is green is read, and not only heard of.
        if self._target.inventory().version != inventory.version:
            return False
        members.looks.take(stream.read(), now - self._started)
        self._look(members, now)
        return now - self._settled_since >= self._call.environment.policy.stability_s


class _Members:
    """The members of one inventory: how they look, and what ails those that are not well."""

    def __init__(self, looks: Looks, diagnoses: Diagnoses, before: "_Members | None") -> None:
        self.looks = looks
        self.diagnoses = diagnoses
        self._final: Mapping[ObjectId, Cause] = before._final if before else {}
        self._asked: frozenset[tuple[ObjectId, Health, str]] = frozenset()
        self._rest_until = 0.0
        self._pause = FIRST_PAUSE_S

    @property
    def known(self) -> Mapping[ObjectId, Cause]:
        """What ailed each object when it was looked at last."""
        return self.diagnoses.known

    def views(self) -> Iterator[HealthView]:
        """Every object's health. What will not get well by itself has failed, for as long as it
        does not."""
        for view in self.looks.views:
            cause = self._final.get(view.id)
            if cause is None or view.health is not Health.IN_PROGRESS:
                yield view
            else:
                yield replace(view, health=Health.FAILED, sentence=cause.said, rule=cause.rule)

    def diagnose(self, now: float, clock: Clock) -> None:
        """Looks at the evidence where it is time to; seldom at trouble that stays the same."""
        sick = [view for view in self.looks.views if view.health is not Health.CURRENT]
        asked = frozenset((view.id, view.health, view.sentence) for view in sick)
        if asked != self._asked:
            self._pause, self._rest_until = FIRST_PAUSE_S, 0.0
        if not sick or now < self._rest_until or not self.diagnoses.is_due(now):
            return
        before, self._asked = self._rules(), asked
        failed = {view.id for view in sick if view.health is Health.FAILED}
        live = {id: self.looks.live[id] for id in failed if id in self.looks.live}
        self._final = self.diagnoses.final({**self.looks.ailing(), **live}, now)
        self.diagnoses.took(now, clock.elapsed())
        self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        if self._rules() != before:
            self._pause = FIRST_PAUSE_S
        self._rest_until = now + self._pause

    def _rules(self) -> Mapping[ObjectId, str]:
        return {id: cause.rule for id, cause in self.known.items()}


def _words(views: Sequence[HealthView]) -> Sequence[tuple[ObjectId, Health]]:
    return [(view.id, view.health) for view in views]


def _is_used(inventory: Inventory) -> bool:
    return inventory.stamp is not None or inventory.claim is not None


def _news(before: Inventory | None, inventory: Inventory) -> Iterator[str]:
    """What an inventory tells that the one before did not."""
    stamp, claim = inventory.stamp, inventory.claim
    if not _is_used(inventory):
        yield "nothing is deployed there yet" if before is None else "nothing is deployed any more"
        return
    if claim and (before is None or before.claim is None or before.claim.stamp != claim.stamp):
        objects = inspections.objects(len(claim.ids))
        yield f"a deploy is under way: {inspections.said(claim.stamp)}, {objects} to write"
    is_new = before is None or before.stamp != stamp or (before.claim and not claim)
    if stamp and is_new and not claim:
        objects = inspections.objects(len(inventory.members))
        yield f"deployed: {inspections.said(stamp)}; {objects}"
