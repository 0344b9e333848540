"""How watched objects stand right now, as a table shows it: the worst first, and for how long."""

from collections.abc import Iterable, Mapping

from pipeline_gitops.documents import Body
from pipeline_gitops.health import counts
from pipeline_gitops.health.causes import Cause
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.views import Health, HealthView, StandingView

# What a person has to see is at the top: a screen ends before a long list does.
_WORST_FIRST = (
    Health.FAILED,
    Health.UNKNOWN,
    Health.NOT_FOUND,
    Health.TERMINATING,
    Health.IN_PROGRESS,
    Health.CURRENT,
)


class Standings:
    """Keeps since when each object has had its word. Times are the clock's elapsed seconds."""

    def __init__(self) -> None:
        self._since: dict[ObjectId, tuple[Health, float]] = {}

    def at(
        self,
        now: float,
        views: Iterable[HealthView],
        live: Mapping[ObjectId, Body],
        known: Mapping[ObjectId, Cause],
    ) -> tuple[StandingView, ...]:
        """The rows of a table. *known*: what ails those that do not get well."""
        rows = [self._row(now, view, live.get(view.id), known.get(view.id)) for view in views]
        # Of the unwell, those whose trouble is known come first: they need somebody.
        return tuple(
            sorted(
                rows,
                key=lambda row: (_WORST_FIRST.index(row.health), row.id not in known, row.id),
            )
        )

    def _row(
        self, now: float, view: HealthView, body: Body | None, cause: Cause | None
    ) -> StandingView:
        word, since = self._since.get(view.id, (None, now))
        if word is not view.health:
            since = now
        self._since[view.id] = (view.health, since)
        is_gone = body is None or view.health is Health.NOT_FOUND
        return StandingView(
            id=view.id,
            health=view.health,
            ready="" if is_gone else counts.ready(body or {}),
            seconds=now - since,
            why=explained(view, cause),
        )


def explained(view: HealthView, cause: Cause | None) -> str:
    """What is said of an object, with what ails it where somebody knows."""
    if cause is None or view.health is Health.CURRENT or cause.said in view.sentence:
        return view.sentence
    return f"{view.sentence or view.health.value}, as {cause.said}"
