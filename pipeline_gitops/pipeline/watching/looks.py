"""How watched objects look now, what of it stays true, and what has to hold before it is green.

Well is what is seen to be well, in a state that is not older than what the deploy wrote, and for
what was changed, for a while.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from pipeline_gitops import health
from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.health import resources, rewrites, steadiness
from pipeline_gitops.health.causes import Cause
from pipeline_gitops.health.patience import Patience
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import vanishes
from pipeline_gitops.plans import Change, Outcome
from pipeline_gitops.ports import Snapshot
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Health, HealthView

# States that more waiting will not change.
SETTLED = frozenset({Health.CURRENT, Health.FAILED})
DELETED_S = 5.0  # what deletes an object and makes it anew has done so by then


@dataclass(frozen=True, slots=True)
class Written:
    """One write of this deploy, and what it was answered."""

    change: Change
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What objects have to do to count as well, and how long that may take.

    *limits*: how many seconds one object may take, where that is less than all. *vanishing*: what
    Kubernetes deletes once it is finished; *finished*: of what an earlier deploy saw that it was.
    *changed*: what has to stay well for *stability_s*. *wanted*: objects of the same deploy, to
    tell what a misspelt reference meant.
    """

    limits: Mapping[ObjectId, float] = field(default_factory=dict)
    vanishing: frozenset[ObjectId] = frozenset()
    finished: frozenset[ObjectId] = frozenset()
    changed: frozenset[ObjectId] = frozenset()
    written: Mapping[ObjectId, Written] = field(default_factory=dict)
    stability_s: float = 0.0
    patience: Patience = Patience()
    patiences: Mapping[ObjectId, Patience] = field(default_factory=dict)
    rules: health.Rules = health.PACKED
    wanted: Mapping[ObjectId, Body] = field(default_factory=dict, repr=False)

    def patience_with(self, id: ObjectId) -> Patience:
        """How long trouble of one object is waited for."""
        return self.patiences.get(id, self.patience)


NOTHING_SPECIAL = Expectations()


class Looks:
    """One look after the other.

    *began*: seconds after the deploy's first wait. *last*: objects as somebody saw them before.
    """

    def __init__(
        self,
        ids: Iterable[ObjectId],
        expected: Expectations,
        *,
        began: float = 0.0,
        last: Mapping[ObjectId, Body] | None = None,
    ) -> None:
        self._ids = sorted(ids)
        self._expected = expected
        self._began = began
        self._seen: dict[ObjectId, HealthView] = {}
        self._last: dict[ObjectId, Body] = dict(last or {})
        self._given_up: dict[ObjectId, HealthView] = {}
        self._since: dict[tuple[ObjectId, Health], float] = {}  # of a word that may not last
        self._explained: frozenset[ObjectId] = frozenset()

    @property
    def views(self) -> tuple[HealthView, ...]:
        """Every object's health, sorted."""
        return tuple(self._seen[id] for id in self._ids if id in self._seen)

    @property
    def waiting(self) -> tuple[HealthView, ...]:
        """What is not settled yet."""
        return tuple(view for view in self.views if view.health not in SETTLED)

    @property
    def live(self) -> Mapping[ObjectId, Body]:
        """Every object as it was seen last, those that are gone included."""
        return self._last

    def explained(self, ids: Iterable[ObjectId]) -> None:
        """Says which objects somebody knows the trouble of: they do not just take their time."""
        self._explained = frozenset(ids)

    def take(self, snapshot: Snapshot, seconds: float) -> None:
        """Takes a look, that many seconds after the first."""
        for id in self._ids:
            view = self._bounded(self._judged(id, snapshot.get(id), seconds), seconds)
            before = self._seen.get(id)
            if before is None or before.health not in SETTLED:
                view = replace(view, started=self._began, seconds=round(seconds, 1))
            else:
                view = replace(view, started=before.started, seconds=before.seconds)
            self._seen[id] = view

    def ailing(self) -> Mapping[ObjectId, Body]:
        """Live objects that are not well yet, and whose controllers have seen their version.

        What is there before that was made for an older one.
        """
        return {
            view.id: self._last[view.id]
            for view in self.waiting
            if view.health is Health.IN_PROGRESS
            and (view.id, Health.CURRENT) not in self._since
            and view.id in self._last
            and self._is_answered(view.id, self._last[view.id])
        }

    def give_up(self, id: ObjectId, cause: Cause) -> None:
        """Calls an object failed: waiting longer will not help."""
        view = replace(self._seen[id], health=Health.FAILED, sentence=cause.said, rule=cause.rule)
        self._given_up[id] = self._seen[id] = view

    # -- one object --------------------------------------------------------------------------------

    def _judged(self, id: ObjectId, body: Body | None, seconds: float) -> HealthView:
        if body is None and self._vanishes(id):
            last = self._last.get(id)
            word, sentence = _FINISHED if last is None and self._finished(id) else _vanished(last)
            return HealthView(id=id, health=word, sentence=sentence)
        word, sentence = health.assess(body, self._expected.rules)
        if body is None:
            word, sentence = self._missing(id, (word, sentence), seconds)
        else:
            self._since.pop((id, Health.NOT_FOUND), None)
            self._last[id] = body
            word, sentence = self._compared(id, body, (word, sentence))
            word, sentence = self._addressed(id, body, (word, sentence), seconds)
            word, sentence = self._lasting(id, body, (word, sentence), seconds)
        return HealthView(id=id, health=word, sentence=sentence)

    def _missing(self, id: ObjectId, judged: health.Judged, seconds: float) -> health.Judged:
        """The word of what is not there: failed once it was there and does not come back.

        Nothing that this deploy does brings it back, so there is nothing to wait for.
        """
        if id not in self._last:
            return judged
        since = self._since.setdefault((id, Health.NOT_FOUND), seconds)
        if seconds - since < DELETED_S:
            return judged
        return Health.FAILED, "it was there, and somebody has deleted it since"

    def _vanishes(self, id: ObjectId) -> bool:
        last = self._last.get(id)
        expected = self._expected
        return (
            id in expected.vanishing or self._finished(id) or (last is not None and vanishes(last))
        )

    def _finished(self, id: ObjectId) -> bool:
        return id in self._expected.finished

    def _compared(self, id: ObjectId, body: Body, judged: health.Judged) -> health.Judged:
        """The word, as far as it is about what this deploy wrote."""
        written = self._expected.written.get(id)
        generation = at(body, "metadata", "generation")
        if written is None or not written.outcome.generation or not isinstance(generation, int):
            return judged
        if generation < written.outcome.generation:
            return Health.IN_PROGRESS, "what is seen of it is older than what was written"
        sight = written.change.sight
        if generation == written.outcome.generation or sight.send is None or sight.predicted:
            return judged
        path = rewrites.changed(sight.send.body, sight.after or {}, body)
        if not path:
            return judged
        who = rewrites.writer(body) or "somebody"
        return (
            Health.FAILED,
            f"{who} has changed {path} since: what runs is not what was deployed",
        )

    def _addressed(
        self, id: ObjectId, body: Body, judged: health.Judged, seconds: float
    ) -> health.Judged:
        """The word of a load balancer that this deploy made: it gets the patience to get ready.

        One that had no address before the deploy will not get one from it.
        """
        is_new = id in self._expected.changed and self._is_new_balancer(id)
        if judged[0] is not Health.CURRENT or not is_new or not resources.lacks_address(body):
            return judged
        if self._expected.rules.rule_for("", "Service") is not None:
            return judged  # its user decides what it is to be waited for
        patience = self._expected.patience_with(id).seconds
        if seconds < patience or id in self._explained:
            return Health.IN_PROGRESS, "it has no address yet"
        return (
            Health.CURRENT,
            f"it got no address within {patience:g} s: maybe nothing in the cluster gives it one",
        )

    def _is_new_balancer(self, id: ObjectId) -> bool:
        written = self._expected.written.get(id)
        if written is None:
            return False
        before = written.change.sight.before
        return before is None or text(before, "spec", "type") != "LoadBalancer"

    def _lasting(
        self, id: ObjectId, body: Body, judged: health.Judged, seconds: float
    ) -> health.Judged:
        """The word, once it has lasted for as long as it takes to believe it."""
        word, sentence = judged
        for other in SETTLED - {word}:
            self._since.pop((id, other), None)  # it starts anew, should it come again
        if id not in self._expected.changed or word not in SETTLED:
            return judged
        window = self._window(id, body, word)
        since = self._since.setdefault((id, word), seconds)
        if seconds - since >= window:
            return judged
        if word is Health.FAILED:
            return Health.IN_PROGRESS, f"{sentence}: it may still say that of an older version"
        return Health.IN_PROGRESS, f"{sentence}; it has to stay so for {window:g} s".lstrip("; ")

    def _window(self, id: ObjectId, body: Body, word: Health) -> float:
        rules = self._expected.rules
        if word is Health.CURRENT:
            return steadiness.window(body, self._expected.stability_s, rules)
        # A controller that does not say which version it means may mean the one before.
        if steadiness.is_custom(body, rules) and not steadiness.tells_generation(body):
            return self._expected.patience_with(id).seconds
        return 0.0

    def _is_answered(self, id: ObjectId, body: Body) -> bool:
        generation = at(body, "metadata", "generation")
        observed = at(body, "status", "observedGeneration")
        if not isinstance(generation, int) or not isinstance(observed, int):
            return True
        written = self._expected.written.get(id)
        return observed >= max(generation, written.outcome.generation if written else 0)

    def _bounded(self, view: HealthView, seconds: float) -> HealthView:
        """The view, failed once the object took longer than it may."""
        limit = self._expected.limits.get(view.id)
        if view.id in self._given_up:
            return self._given_up[view.id]
        if limit is None or seconds < limit or view.health in SETTLED:
            return view
        sentence = f"not ready within {limit:.0f} s: {view.sentence}".rstrip(": ")
        self._given_up[view.id] = replace(view, health=Health.FAILED, sentence=sentence)
        return self._given_up[view.id]


_FINISHED: health.Judged = (Health.CURRENT, "it was complete, and its TTL deleted it")


def _vanished(last: Body | None) -> health.Judged:
    """What became of a Job that is gone, by how it was seen last.

    Its TTL deletes it whether it succeeded or not, so that it is gone says nothing.
    """
    if last is not None and _has_completed(last):
        return _FINISHED
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
