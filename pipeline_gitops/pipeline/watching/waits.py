"""What one deploy waits for: which objects of its set count, for how long, and what it saw."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline_gitops import hints
from pipeline_gitops.documents import Body
from pipeline_gitops.health.patience import Patience
from pipeline_gitops.hints import Hook, HookPhase
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import vanishes
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.pipeline.watching import rollouts
from pipeline_gitops.pipeline.watching.cards import Background
from pipeline_gitops.pipeline.watching.looks import Expectations, Written
from pipeline_gitops.plans import Change, Outcome, Plan, State, Survey
from pipeline_gitops.ports import Clock, Journal, Runtime
from pipeline_gitops.views import Action, Health, HealthView, RolloutView


class Waits:
    """The waits of one deploy. *ran*: hooks of an earlier attempt, and whether they are there.

    *touched*: what earlier attempts have written.
    """

    def __init__(
        self,
        prepared: Prepared,
        runtime: Runtime | None,
        survey: Survey,
        plan: Plan,
        *,
        deadline: float,
        clock: Clock,
        journal: Journal,
        ran: Mapping[ObjectId, bool],
        touched: frozenset[ObjectId],
    ) -> None:
        self._runtime = runtime
        self._deadline = deadline
        self._clock = clock
        self._journal = journal
        self._ran = ran
        self._began = clock.elapsed()
        bodies = {manifest.id: manifest.body for manifest in prepared.set.manifests}
        said = {id: hints.of(body) for id, body in bodies.items()}
        self.hooks: Mapping[ObjectId, Hook] = {
            id: one.hook for id, one in said.items() if one.hook is not None
        }
        self._expected = _expectations(prepared, bodies, said)
        self._changed = touched | frozenset(plan.ids)
        self._written: dict[ObjectId, Written] = {}
        self._proven: set[ObjectId] = set()  # has stayed well for long enough in an earlier wait
        self._ignored = survey.completed | {id for id, one in said.items() if one.unwatched}
        self._kept = frozenset(bodies) - frozenset(self.hooks)
        self._seen: list[RolloutView] = []
        self.background = Background(since=clock.now(), places=prepared.places, wanted=bodies)

    def wrote(self, change: Change, outcome: Outcome) -> None:
        """Takes note of a write: from now on, what is older does not count."""
        if outcome.state is State.DONE and outcome.action is not Action.DELETE:
            self._written[outcome.id] = Written(change, outcome)
            self._proven.discard(outcome.id)

    def ran(self, phase: HookPhase) -> frozenset[ObjectId]:
        """Hooks of that phase that an earlier attempt left running."""
        return frozenset(
            id
            for id, is_there in self._ran.items()
            if is_there and id in self.hooks and self.hooks[id].phase is phase
        )

    def rollout(self, hooks: Iterable[ObjectId]) -> RolloutView | None:
        """The health of all that is kept, and of *hooks*; None where nothing runs."""
        if self._runtime is None:
            return None
        self.until_healthy(self._kept | frozenset(hooks))
        return self.seen()

    def until_healthy(self, ids: Iterable[ObjectId]) -> tuple[HealthView, ...]:
        """The health of *ids*, once it is settled."""
        counting = frozenset(ids) - self._ignored
        if self._runtime is None or not counting:
            return ()
        rollout = rollouts.watch(
            self._runtime,
            counting,
            clock=self._clock,
            deadline=self._deadline,
            journal=self._journal,
            expected=replace(
                self._expected,
                changed=self._changed - self._proven,
                written=dict(self._written),
            ),
            since=self.background.since,
            began=self._began,
        )
        self._seen.append(rollout)
        self._proven |= {view.id for view in rollout.objects if view.health is Health.CURRENT}
        return rollout.objects

    def until_gone(self, ids: frozenset[ObjectId]) -> tuple[HealthView, ...]:
        """What of *ids* is still there at the deadline."""
        if self._runtime is None or not ids:
            return ()
        return rollouts.until_gone(
            self._runtime,
            ids,
            clock=self._clock,
            deadline=self._deadline,
            journal=self._journal,
        )

    def live(self, ids: frozenset[ObjectId]) -> Mapping[ObjectId, Body]:
        """What of *ids* is there now."""
        if self._runtime is None or not ids:
            return {}
        found = self._runtime.watch(ids, 0.0)
        return {id: body for id, body in found.items() if body is not None}

    def seen(self) -> RolloutView | None:
        """Everything that was waited for, as it was seen last."""
        if self._runtime is None:
            return None
        return rollouts.merged(self._seen)


def _expectations(
    prepared: Prepared, bodies: Mapping[ObjectId, Body], said: Mapping[ObjectId, hints.Hints]
) -> Expectations:
    policy = prepared.environment.policy
    limits = {
        id: policy.object_timeout_s if one.timeout_s is None else one.timeout_s
        for id, one in said.items()
    }
    patience = Patience(restarts=policy.patience_restarts, seconds=policy.patience_s)
    return Expectations(
        limits={id: limit for id, limit in limits.items() if limit is not None},
        vanishing=frozenset(id for id, body in bodies.items() if vanishes(body)),
        stability_s=policy.stability_s,
        patience=patience,
        patiences={
            id: replace(patience, seconds=one.patience_s)
            for id, one in said.items()
            if one.patience_s is not None
        },
        rules=prepared.rules,
        wanted=bodies,
    )
