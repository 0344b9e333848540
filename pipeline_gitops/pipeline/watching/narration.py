"""What is said while objects are watched: each transition once, each cause once, and a table.

Lines stay in the log; the table changes in place where somebody looks at a terminal.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pipeline_gitops.documents import Body
from pipeline_gitops.health.causes import Cause
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline.watching.standings import Standings, explained
from pipeline_gitops.ports import Journal
from pipeline_gitops.views import Health, HealthView, Severity

MOST_NAMED = 3  # objects in a line of progress


class Narrator:
    """Tells a journal what becomes of objects. Has to be closed: it takes the table away."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._standings = Standings()
        self._told: dict[ObjectId, tuple[Health, str]] = {}
        self._rules: Mapping[ObjectId, str] = {}  # of the causes that were told

    def runs(self, views: Sequence[HealthView]) -> None:
        """Takes what is well for told: at the first look, that is nothing new."""
        well = {view.id: view for view in views if view.health is Health.CURRENT}
        self._told.update({id: (view.health, view.sentence) for id, view in well.items()})

    def tell(
        self,
        views: Sequence[HealthView],
        known: Mapping[ObjectId, Cause],
        *,
        at: datetime | None = None,
    ) -> None:
        """Says what is new. *known*: what ails those that do not get well. *at*: the time, where
        it is to be said."""
        for view in views:
            cause = None if view.health is Health.CURRENT else known.get(view.id)
            if cause and (cause.said in view.sentence or self._rules.get(view.id) == cause.rule):
                cause = None
            if cause or self._told.get(view.id) != (view.health, view.sentence):
                self._say(view, cause, at)
            self._told[view.id] = (view.health, view.sentence)
        self._rules = {id: cause.rule for id, cause in known.items()}

    def _say(self, view: HealthView, cause: Cause | None, at: datetime | None) -> None:
        said = explained(view, cause) if cause else view.sentence
        line = f"{view.id}: {view.health.value}: {said}".rstrip(": ")
        when = f"{at:%Y-%m-%dT%H:%M:%SZ} " if at else ""
        severity = Severity.ERROR if view.health is Health.FAILED else Severity.NOTICE
        self._journal.say(when + line, severity)

    def show(
        self,
        views: Sequence[HealthView],
        live: Mapping[ObjectId, Body],
        known: Mapping[ObjectId, Cause],
        now: float,
    ) -> None:
        """Draws the table anew. *now*: the clock's elapsed seconds."""
        self._journal.picture(lambda: self._standings.at(now, views, live, known))

    def close(self) -> None:
        """Takes the table away; the lines stay."""
        self._journal.picture(tuple)


def heartbeat(
    waiting: Sequence[HealthView], known: Mapping[ObjectId, Cause], seconds: float
) -> str:
    """What is still waited for, and why: CI systems take a silent job for a dead one."""
    named = [
        f"{view.id}: {explained(view, known.get(view.id)) or view.health.value}"
        for view in waiting[:MOST_NAMED]
    ]
    more = len(waiting) - len(named)
    tail = f"; and {more} more" if more else ""
    return f"still waiting after {seconds:.0f} s: {'; '.join(named)}{tail}"
