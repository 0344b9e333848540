"""Waiting until what was written runs, or until it is clear that it will not."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pipeline_gitops import health
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Clock, Journal, Runtime, Snapshot
from pipeline_gitops.views import CardView, Health, HealthView, RolloutView, Severity

POLL_S = 1.0

# States that more waiting will not change.
_SETTLED = frozenset({Health.CURRENT, Health.FAILED})


def watch(
    runtime: Runtime, ids: Iterable[ObjectId], *, clock: Clock, deadline: float, journal: Journal
) -> RolloutView:
    """The health of *ids* once all have settled, or at *deadline* (on the clock's elapsed seconds).

    Logs transitions, not polls, and nothing of what runs from the start. Raises InterruptedFault
    when asked to stop.
    """
    watched = frozenset(ids)
    started = clock.elapsed()
    seen: Mapping[ObjectId, HealthView] = {}
    wait_s = 0.0
    while True:
        snapshot = runtime.watch(watched, wait_s)
        current = {id: _judged(id, snapshot) for id in sorted(watched)}
        for view in current.values():
            if seen.get(view.id) != view and (seen or view.health is not Health.CURRENT):
                _tell(view, journal)
        seen = current
        settled = all(view.health in _SETTLED for view in current.values())
        left = deadline - clock.elapsed()
        if settled or left <= 0:
            return RolloutView(
                objects=tuple(current.values()),
                timed_out=not settled,
                seconds=round(clock.elapsed() - started, 1),
            )
        clock.sleep(0)  # a chance to be interrupted between two polls
        wait_s = min(POLL_S, left)


def _judged(id: ObjectId, snapshot: Snapshot) -> HealthView:
    word, sentence = health.assess(snapshot.get(id))
    return HealthView(id=id, health=word, sentence=sentence)


def _tell(view: HealthView, journal: Journal) -> None:
    severity = Severity.ERROR if view.health is Health.FAILED else Severity.NOTICE
    journal.say(f"{view.id}: {view.health.value}: {view.sentence}".rstrip(": "), severity)


def healthy(rollout: RolloutView) -> bool:
    """Whether everything that was watched runs."""
    return all(view.health is Health.CURRENT for view in rollout.objects)


def cards(runtime: Runtime, rollout: RolloutView, since: datetime) -> tuple[CardView, ...]:
    """One card for each object that does not run, with the evidence that the target has."""
    return tuple(
        _card(runtime, view, since) for view in rollout.objects if view.health is not Health.CURRENT
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
