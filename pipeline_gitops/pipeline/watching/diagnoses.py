"""Why objects do not get well, by the evidence that a target has; and when that is final.

Looked at every few seconds while a deploy waits, so that nobody waits for what will not come.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pipeline_gitops.documents import Body, text
from pipeline_gitops.health import causes
from pipeline_gitops.health.causes import Cause, Happening, Wanted
from pipeline_gitops.health.facts import number
from pipeline_gitops.health.generations import newest
from pipeline_gitops.health.patience import is_over
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline.watching.looks import Expectations
from pipeline_gitops.ports import Event, Evidence, Runtime
from pipeline_gitops.values import dataclass

FIRST_S = 2.0  # controllers need a moment before there is evidence of anything
EVERY_S = 3.0
SHARE = 5  # a look costs lists: it takes a fifth of the time at most
LONGEST_S = 12.0

# What a Job counts by itself, and ends for: its backoff limit says how often a pod may fail.
_COUNTED_BY_JOBS = frozenset({"crash", "out-of-memory", "killed", "command-not-found", "evicted"})


def cause(live: Body, evidence: Evidence, wanted: Wanted) -> Cause | None:
    """The likeliest cause, of pods of the newest version alone."""
    owned = newest(live, [body for _, body in evidence.owned])
    found = causes.find(live, owned, happenings(evidence.events), wanted)
    # While older pods are still there, the quota has room once they are gone.
    if found and found.rule == "quota" and _is_replacing(live):
        return replace(found, final=False)
    return found


def happenings(events: Sequence[Event]) -> tuple[Happening, ...]:
    """Events as causes are read from them."""
    return tuple(
        Happening(
            reason=event.reason,
            message=event.message,
            kind=event.kind,
            name=event.name,
            count=event.count,
        )
        for event in events
    )


def _is_task(live: Body) -> bool:
    return text(live, "kind") in ("Job", "CronJob")


def _is_replacing(live: Body) -> bool:
    total, updated = number(live, "status", "replicas"), number(live, "status", "updatedReplicas")
    return text(live, "kind") == "Deployment" and total > updated


@dataclass(slots=True)
class _Trouble:
    """What ails an object, and since when."""

    rule: str
    since: float


class Diagnoses:
    """Keeps how long trouble lasts. Times are the clock's elapsed seconds.

    *before*: whoever looked at the same objects until now; what lasted goes on lasting.
    """

    def __init__(
        self,
        runtime: Runtime,
        expected: Expectations,
        *,
        since: datetime,
        before: "Diagnoses | None" = None,
    ) -> None:
        self._runtime = runtime
        self._expected = expected
        self._since = since
        self._troubles: dict[ObjectId, _Trouble] = {}
        self._due: float | None = None
        self._known: Mapping[ObjectId, Cause] = {}
        if before is not None:
            self._troubles, self._due, self._known = before._troubles, before._due, before._known

    @property
    def known(self) -> Mapping[ObjectId, Cause]:
        """What ailed each object when it was looked at last."""
        return self._known

    def is_due(self, now: float) -> bool:
        """Whether it is time to look at the evidence again."""
        if self._due is None:
            self._due = now + FIRST_S
        return now >= self._due

    def took(self, started: float, ended: float) -> None:
        """Says how long the last look took: an expensive one is not repeated so soon."""
        self._due = ended + min(max(EVERY_S, SHARE * (ended - started)), LONGEST_S)

    def final(self, ailing: Mapping[ObjectId, Body], now: float) -> Mapping[ObjectId, Cause]:
        """Those of *ailing* that will not get well, and why."""
        evidence = self._runtime.evidence(ailing, self._since) if ailing else {}
        found = {
            id: one
            for id, body in ailing.items()
            if (one := cause(body, evidence.get(id, Evidence()), self._expected.wanted))
        }
        self._known = found
        # What is well again, or ails from something else, starts anew.
        self._troubles = {id: self._trouble(id, one.rule, now) for id, one in found.items()}
        return {id: one for id, one in found.items() if self._is_over(id, ailing[id], one, now)}

    def _trouble(self, id: ObjectId, rule: str, now: float) -> _Trouble:
        before = self._troubles.get(id)
        return before if before and before.rule == rule else _Trouble(rule, now)

    def _is_over(self, id: ObjectId, live: Body, one: Cause, now: float) -> bool:
        if _is_task(live) and one.rule in _COUNTED_BY_JOBS:
            return False
        lasting = now - self._troubles[id].since
        return is_over(one, lasting, self._expected.patience_with(id))
