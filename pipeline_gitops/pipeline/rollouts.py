"""Waiting until what was written runs, or until it is clear that it will not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline_gitops import health
from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Clock, Journal, Runtime, Snapshot
from pipeline_gitops.views import CardView, Health, HealthView, RolloutView, Severity

POLL_S = 1.0
HEARTBEAT_S = 30.0  # CI systems take a silent job for a dead one
MOST_NAMED = 3  # objects in a line of progress

_UNLIMITED: Mapping[ObjectId, float] = {}

# States that more waiting will not change.
_SETTLED = frozenset({Health.CURRENT, Health.FAILED})


def watch(
    runtime: Runtime,
    ids: Iterable[ObjectId],
    *,
    clock: Clock,
    deadline: float,
    journal: Journal,
    limits: Mapping[ObjectId, float] = _UNLIMITED,
    vanishing: frozenset[ObjectId] = frozenset(),
) -> RolloutView:
    """The health of *ids* once all have settled, or at *deadline* (on the clock's elapsed seconds).

    *limits*: how many seconds one object may take, where that is less than all. *vanishing*: what
    Kubernetes deletes once it is finished. Logs transitions, not polls, and nothing of what runs
    from the start. Raises InterruptedFault when asked to stop.
    """
    watched = frozenset(ids)
    started = clock.elapsed()
    look = _Look(watched, limits, vanishing)
    told = started
    wait_s = 0.0
    while True:
        snapshot = runtime.watch(watched, wait_s)
        now = clock.elapsed()
        for view in look.at(snapshot, now - started):
            _tell(view, journal)
        waiting = [view for view in look.views if view.health not in _SETTLED]
        left = deadline - now
        if not waiting or left <= 0:
            return RolloutView(
                objects=look.views,
                timed_out=bool(waiting),
                seconds=round(now - started, 1),
            )
        if now - told >= HEARTBEAT_S:
            told = now
            journal.say(_heartbeat(waiting, now - started))
        clock.sleep(0)  # a chance to be interrupted between two polls
        wait_s = min(POLL_S, left)


class _Look:
    """How the watched objects look now, and what of it stays true."""

    def __init__(
        self,
        ids: frozenset[ObjectId],
        limits: Mapping[ObjectId, float],
        vanishing: frozenset[ObjectId],
    ) -> None:
        self._ids = sorted(ids)
        self._limits = limits
        self._vanishing = vanishing
        self._seen: dict[ObjectId, HealthView] = {}
        self._last: dict[ObjectId, Body] = {}
        self._late: dict[ObjectId, HealthView] = {}

    @property
    def views(self) -> tuple[HealthView, ...]:
        """Every object's health, sorted."""
        return tuple(self._seen[id] for id in sorted(self._seen))

    def at(self, snapshot: Snapshot, seconds: float) -> list[HealthView]:
        """Takes another look, that many seconds after the first; what is worth telling of it."""
        first = not self._seen
        news = []
        for id in self._ids:
            view = self._bounded(self._judged(id, snapshot.get(id)), seconds)
            if self._seen.get(id) != view and not (first and view.health is Health.CURRENT):
                news.append(view)
            self._seen[id] = view
        return news

    def _judged(self, id: ObjectId, body: Body | None) -> HealthView:
        if body is not None:
            self._last[id] = body
        elif id in self._vanishing:
            word, sentence = _vanished(self._last.get(id))
            return HealthView(id=id, health=word, sentence=sentence)
        word, sentence = health.assess(body)
        return HealthView(id=id, health=word, sentence=sentence)

    def _bounded(self, view: HealthView, seconds: float) -> HealthView:
        """The view, failed once the object took longer than it may."""
        limit = self._limits.get(view.id)
        if view.id in self._late:
            return self._late[view.id]
        if limit is None or seconds < limit or view.health in _SETTLED:
            return view
        sentence = f"not ready within {limit:.0f} s: {view.sentence}".rstrip(": ")
        self._late[view.id] = replace(view, health=Health.FAILED, sentence=sentence)
        return self._late[view.id]


def _vanished(last: Body | None) -> tuple[Health, str]:
    """What became of a Job that is gone, by how it was seen last.

    Its TTL deletes it whether it succeeded or not, so that it is gone says nothing.
    """
    if last is not None and _has_completed(last):
        return Health.CURRENT, "the job was complete, and its TTL deleted it"
    return Health.FAILED, (
        "it is gone, and was not seen to complete: let ttlSecondsAfterFinished be longer"
    )


def _has_completed(job: Body) -> bool:
    true = {
        text(condition, "type")
        for condition in bodies(job, "status", "conditions")
        if text(condition, "status") == "True"
    }
    if true & {"Failed", "FailureTarget"}:
        return False
    if true & {"Complete", "SuccessCriteriaMet"}:
        return True
    succeeded, wanted = at(job, "status", "succeeded"), at(job, "spec", "completions", default=1)
    return isinstance(succeeded, int) and isinstance(wanted, int) and succeeded >= wanted


def _heartbeat(waiting: Sequence[HealthView], seconds: float) -> str:
    named = [f"{view.id}: {view.sentence or view.health.value}" for view in waiting[:MOST_NAMED]]
    more = len(waiting) - len(named)
    tail = f"; and {more} more" if more else ""
    return f"still waiting after {seconds:.0f} s: {'; '.join(named)}{tail}"


def _tell(view: HealthView, journal: Journal) -> None:
    severity = Severity.ERROR if view.health is Health.FAILED else Severity.NOTICE
    journal.say(f"{view.id}: {view.health.value}: {view.sentence}".rstrip(": "), severity)


def until_gone(
    runtime: Runtime, ids: frozenset[ObjectId], *, clock: Clock, deadline: float
) -> frozenset[ObjectId]:
    """What of *ids* is still there at the deadline; none as soon as all are gone."""
    wait_s = 0.0
    while True:
        snapshot = runtime.watch(ids, wait_s)
        there = frozenset(id for id in ids if snapshot.get(id) is not None)
        left = deadline - clock.elapsed()
        if not there or left <= 0:
            return there
        clock.sleep(0)
        wait_s = min(POLL_S, left)


def healthy(rollout: RolloutView) -> bool:
    """Whether everything that was watched runs."""
    return all(view.health is Health.CURRENT for view in rollout.objects)


def merged(rollouts: Sequence[RolloutView]) -> RolloutView:
    """Several waits of one deploy as one: each object as it was seen last."""
    views = {view.id: view for rollout in rollouts for view in rollout.objects}
    return RolloutView(
        objects=tuple(views[id] for id in sorted(views)),
        timed_out=any(rollout.timed_out for rollout in rollouts),
        seconds=round(sum(rollout.seconds for rollout in rollouts), 1),
    )


def cards(
    runtime: Runtime, rollout: RolloutView, since: datetime, known: Iterable[CardView] = ()
) -> tuple[CardView, ...]:
    """One card for each object that does not run, with the evidence that the target has.

    *known*: cards that were made while their objects were still there.
    """
    made = {card.id: card for card in known}
    return tuple(
        made.get(view.id) or _card(runtime, view, since)
        for view in rollout.objects
        if view.health is not Health.CURRENT
    )


def _card(runtime: Runtime, view: HealthView, since: datetime) -> CardView:
    evidence = runtime.evidence(view.id, since)
    chain: Sequence[ObjectId] = (view.id, *(id for id, _ in evidence.owned))
    return CardView(
        id=view.id,
        cause=view.sentence,
        chain=tuple(map(str, chain)),
        events=tuple(
            f"{event.reason}: {event.message}"
            + (f" ({event.count} times)" if event.count > 1 else "")
            for event in evidence.events
        ),
        log=evidence.log,
    )
