"""Waiting until what was written runs, or until it is clear that it will not."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime

from pipeline_gitops import health
from pipeline_gitops.documents import Body, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline.watching.diagnoses import Diagnoses
from pipeline_gitops.pipeline.watching.looks import NOTHING_SPECIAL, Expectations, Looks
from pipeline_gitops.pipeline.watching.narration import Narrator, heartbeat
from pipeline_gitops.ports import Clock, Journal, Runtime
from pipeline_gitops.views import Health, HealthView, RolloutView

POLL_S = 1.0
HEARTBEAT_S = 30.0


def watch(
    runtime: Runtime,
    ids: Iterable[ObjectId],
    *,
    clock: Clock,
    deadline: float,
    journal: Journal,
    expected: Expectations = NOTHING_SPECIAL,
    since: datetime | None = None,
    began: float | None = None,
) -> RolloutView:
    """The health of *ids* once all have settled, or at *deadline* (on the clock's elapsed seconds).

    *since*: when the deploy started; what went wrong before explains nothing. *began*: when its
    first wait did, on the clock's elapsed seconds. Logs transitions, not polls, and nothing of what
    runs from the start. Raises InterruptedFault when asked to stop.
    """
    watched = frozenset(ids)
    started = clock.elapsed()
    looks = Looks(
        watched, expected, began=round(started - (started if began is None else began), 1)
    )
    diagnoses = Diagnoses(runtime, expected, since=since or clock.now())
    told = started
    with runtime.watching(watched) as stream, closing(Narrator(journal)) as narrator:
        looks.take(stream.read(), clock.elapsed() - started)
        narrator.runs(looks.views)
        while True:
            now = clock.elapsed()
            if looks.waiting and diagnoses.is_due(now):
                _give_up(looks, diagnoses, now)
                diagnoses.took(now, clock.elapsed())
            narrator.tell(looks.views, diagnoses.known)
            narrator.show(looks.views, looks.live, diagnoses.known, now)
            left = deadline - now
            if not looks.waiting or left <= 0:
                break
            if now - told >= HEARTBEAT_S:
                told = now
                journal.say(heartbeat(looks.waiting, diagnoses.known, now - started))
            clock.sleep(0)  # a chance to be interrupted between two looks
            looks.take(stream.next(min(POLL_S, left)), clock.elapsed() - started)
            if not looks.waiting:  # what is green is read, and not only heard of
                looks.take(stream.read(), clock.elapsed() - started)
    return RolloutView(
        objects=looks.views,
        timed_out=bool(looks.waiting),
        seconds=round(now - started, 1),
    )


def _give_up(looks: Looks, diagnoses: Diagnoses, now: float) -> None:
    """Looks at what ails the objects, and gives up those that it will not let get well."""
    for id, cause in diagnoses.final(looks.ailing(), now).items():
        looks.give_up(id, cause)
    looks.explained(diagnoses.known)


def until_gone(
    runtime: Runtime,
    ids: frozenset[ObjectId],
    *,
    clock: Clock,
    deadline: float,
    journal: Journal,
    begun: bool = False,
) -> tuple[HealthView, ...]:
    """What of *ids* is still there at the deadline, and what holds it; none once all are gone.

    *begun*: only what is on its way out counts.
    """
    started = told = clock.elapsed()
    wait_s = 0.0
    with closing(Narrator(journal)) as narrator:
        while True:
            found = runtime.watch(ids, wait_s)
            live = {
                id: body
                for id, body in found.items()
                if body is not None and (not begun or text(body, "metadata", "deletionTimestamp"))
            }
            views = tuple(_assessed(id, live[id]) for id in sorted(live))
            now = clock.elapsed()
            if not views or now >= deadline:
                return views
            narrator.show(views, live, {}, now)
            if now - told >= HEARTBEAT_S:
                told = now
                journal.say(heartbeat(views, {}, now - started))
            ids = frozenset(live)  # what is gone, and made anew by somebody, is theirs
            clock.sleep(0)
            wait_s = min(POLL_S, deadline - now)


def _assessed(id: ObjectId, body: Body) -> HealthView:
    word, sentence = health.assess(body)
    if not text(body, "metadata", "deletionTimestamp"):
        sentence = "somebody has made it anew"
    return HealthView(id=id, health=word, sentence=sentence)


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
