"""Failure cards: one for each object that does not run, with all that people need to go on.

Lines of logs and messages of events are somebody else's text. They are masked before they are cut:
half a secret would no longer be recognised.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime

from pipeline_gitops import masks
from pipeline_gitops.documents import Body, bodies, text
from pipeline_gitops.health import causes
from pipeline_gitops.health.causes import Cause, Wanted
from pipeline_gitops.health.generations import newest
from pipeline_gitops.health.pods import failing
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.pipeline.watching import diagnoses
from pipeline_gitops.ports import Evidence, Journal, Runtime
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import CardView, Health, HealthView, RolloutView

MOST_LOGGED = 20  # cards with logs: each costs requests
MOST_CONTAINERS = 3  # of a pod
MOST_EVENTS = 10
LONGEST_LINE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is known about the objects beside what runs: where they are written, and their set."""

    since: datetime
    places: Mapping[ObjectId, Place] = field(default_factory=dict, repr=False)
    wanted: Wanted = field(default_factory=dict, repr=False)


def cards(
    runtime: Runtime,
    rollout: RolloutView,
    background: Background,
    journal: Journal,
    known: Sequence[CardView] = (),
) -> tuple[CardView, ...]:
    """One card for each object that does not run, sorted.

    *known*: cards that were made while their objects were still there.
    """
    made = {card.id: card for card in known}
    sick = [view for view in rollout.objects if view.health is not Health.CURRENT]
    asked = frozenset(view.id for view in sick if view.id not in made)
    live = {id: body for id, body in _live(runtime, asked).items() if body is not None}
    evidence = runtime.evidence(live, background.since) if live else {}
    redact = masks.Redactor(journal.secrets())
    for number, view in enumerate(view for view in sick if view.id in asked):
        maker = _Card(view, live.get(view.id), evidence.get(view.id, Evidence()), background)
        log = maker.log(runtime) if number < MOST_LOGGED else ()
        made[view.id] = _cut(replace(maker.card(), log=tuple(log)), redact)
    return tuple(made[view.id] for view in sick)


def _live(runtime: Runtime, ids: frozenset[ObjectId]) -> Mapping[ObjectId, Body | None]:
    return runtime.watch(ids, 0.0) if ids else {}


def _cut(card: CardView, redact: masks.Redactor) -> CardView:
    return replace(
        card,
        cause=redact(card.cause),
        events=tuple(redact(event)[:LONGEST_LINE] for event in card.events),
        log=tuple(line[:LONGEST_LINE] for line in redact.lines(card.log)),
    )


class _Card:
    """One object that does not run, and what explains it."""

    def __init__(
        self, view: HealthView, live: Body | None, evidence: Evidence, background: Background
    ) -> None:
        self._view = view
        self._live = live
        self._events = evidence.events
        self._background = background
        itself = [(view.id, live)] if live is not None else []
        self._owned: list[tuple[ObjectId, Body]] = [*itself, *evidence.owned]
        self._cause: Cause | None = None
        if live is not None:
            self._cause = diagnoses.cause(live, evidence, background.wanted)
        self._pod = self._sample()

    def card(self) -> CardView:
        """All but the log."""
        return CardView(
            id=self._view.id,
            cause=self._sentence(),
            rule=self._cause.rule if self._cause else self._view.rule,
            chain=tuple(map(str, self._chain())),
            events=tuple(self._told())[-MOST_EVENTS:],
            cure=self._cure(),
            place=self._background.places.get(self._view.id, Place("")),
        )

    def _sentence(self) -> str:
        view, found = self._view, self._cause
        if found is None:
            return view.sentence or view.health.value
        # What the object says of itself, or a limit that it missed, comes before the reason.
        if view.health is Health.FAILED and not view.rule and found.said not in view.sentence:
            return f"{view.sentence}: {found.said}"
        return found.said

    def _sample(self) -> ObjectId | None:
        """A pod of the newest version that shows the cause; else one that is not well."""
        if self._live is None:
            return None
        kept = {text(body, "metadata", "uid") for body in newest(self._live, self._bodies())}
        pods = [
            (id, body)
            for id, body in self._owned
            if id.kind == "Pod" and text(body, "metadata", "uid") in kept
        ]
        told = diagnoses.happenings(self._events)
        for id, pod in pods if self._cause else ():
            found = causes.find(pod, (), told, self._background.wanted)
            if found and self._cause and found.key == self._cause.key:
                return id
        return next((id for id, pod in pods if failing(pod)), None)

    def _bodies(self) -> list[Body]:
        return [body for _, body in self._owned]

    def _chain(self) -> Sequence[ObjectId]:
        """From the object down to the pod that shows the cause."""
        by_uid = {text(body, "metadata", "uid"): (id, body) for id, body in self._owned}
        found = dict(self._owned)
        chain: list[ObjectId] = []
        step = self._pod or self._refused()
        while step is not None and step != self._view.id and step not in chain:
            chain.append(step)
            owners = [
                text(owner, "uid")
                for owner in bodies(found.get(step, {}), "metadata", "ownerReferences")
            ]
            step = next((by_uid[uid][0] for uid in owners if uid in by_uid), None)
        return (self._view.id, *reversed(chain))

    def _refused(self) -> ObjectId | None:
        """What could not create its pods, where there is no pod to show."""
        names = {(event.kind, event.name) for event in self._events if "Create" in event.reason}
        return next((id for id, _ in self._owned if (id.kind, id.name) in names), None)

    def _told(self) -> Iterator[str]:
        """Events of all that is concerned, each text once."""
        merged: dict[tuple[str, str], int] = {}
        for event in self._events:
            key = (event.reason, event.message)
            merged[key] = merged.pop(key, 0) + event.count  # the newest one last
        for (reason, message), count in merged.items():
            yield f"{reason}: {message}" + (f" ({count} times)" if count > 1 else "")

    def _cure(self) -> str:
        """What to do about it, and the next command to type."""
        cure = self._cause.cure if self._cause else ""
        return "; ".join(filter(None, (cure, self._command())))

    def _command(self) -> str:
        id = self._view.id
        where = f" --namespace {id.namespace}" if id.namespace else ""
        if self._pod:
            crashed = next(iter(failing(dict(self._owned)[self._pod])), None)
            if crashed:
                previous = " --previous" if crashed[1] else ""
                container = f" --container {crashed[0]}{previous}"
                return f"run `kubectl logs {self._pod.name}{container}{where}`"
            return f"run `kubectl describe pod {self._pod.name}{where}`"
        kind = f"{id.kind}.{id.group}" if id.group else id.kind
        return f"run `kubectl describe {kind.lower()} {id.name}{where}`" if self._live else ""

    def log(self, runtime: Runtime) -> Iterator[str]:
        """Last lines of each container that crashed, of the run that crashed as well."""
        if self._pod is None:
            return
        parts = []
        for container, before in failing(dict(self._owned)[self._pod])[:MOST_CONTAINERS]:
            runs = (True, False) if before else (False,)
            read = [(run, runtime.log(self._pod, container, previous=run)) for run in runs]
            seen: list[tuple[str, ...]] = []
            for previous, lines in read:
                if lines and lines not in seen:
                    seen.append(lines)
                    parts.append((f"{container}, {'the run before' if previous else 'now'}", lines))
        for title, lines in parts:
            if len(parts) > 1:
                yield f"-- {title}:"
            yield from lines
