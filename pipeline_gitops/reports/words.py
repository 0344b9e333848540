"""What a report says, in the words of every format: the verdict, and what would hurt.

A target that cannot observe is never said to run: where a result has no rollout, its objects are
*written*.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.reports import recoveries
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import (
    Action,
    ChangeView,
    Finding,
    Health,
    HealthView,
    PlanView,
    Refusal,
    Report,
    Result,
    RolloutView,
    Severity,
    WrittenView,
)


class Tone(StrEnum):
    """How much a reader has to worry, worst first."""

    BAD = "bad"
    CARE = "care"
    GOOD = "good"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that hurts or would hurt, and where it comes from."""

    label: str  # "Danger" or "Cause"
    text: str
    environments: tuple[str, ...] = ()
    id: ObjectId | None = None  # what *text* goes on about, without naming it itself
    place: Place = Place("")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFinding:
    """A finding, and the environments that have it: a base file is rendered by many."""

    finding: Finding
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a headline knows of one environment."""

    environment: str
    tone: Tone
    outcome: str
    compared: bool = False  # whether changes were looked for at all
    objects: int = 0


_CALM = frozenset({Verdict.OK, Verdict.DIFFERENT, Verdict.SUPERSEDED})
_DELETION_RULES = frozenset({"dangerous-delete", "empty-render", "max-deletes"})
_DONE = "done"
_MOST_NAMED = 3  # environments in a headline

VERBS = {
    Action.CREATE: "create",
    Action.UPDATE: "change",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
}
_FUTURE = {
    Action.CREATE: "to create",
    Action.UPDATE: "to change",
    Action.REPLACE: "to replace",
    Action.DELETE: "to delete",
}
_PAST = {
    Action.CREATE: "created",
    Action.UPDATE: "changed",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
}
# Deletions first: the reader must not have to scroll for what cannot be undone.
_WEIGHT = (Action.DELETE, Action.REPLACE, Action.UPDATE, Action.CREATE)

_SAID = {
    Verdict.INTERNAL: "internal error",
    Verdict.USAGE: "misconfigured",
    Verdict.REJECTED: "cannot be rendered",
    Verdict.REFUSED: "refused",
    Verdict.UNREACHABLE: "target unreachable, or access denied",
    Verdict.PARTIAL: "applied in part",
    Verdict.UNHEALTHY: "rollout failed",
    Verdict.SUPERSEDED: "superseded by a newer deploy",
    Verdict.UNREPORTED: "report not delivered",
    Verdict.INTERRUPTED: "interrupted",
    Verdict.TERMINATED: "interrupted",
}


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 object", "3 objects"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def leading(result: Result) -> PlanView | None:
    """The plan that counts: against the target, else against the merge base."""
    return result.plans[0] if result.plans else None


def changes(result: Result) -> tuple[ChangeView, ...]:
    """The changes that count, most dangerous first."""
    plan = leading(result)
    return ranked(plan.changes, result) if plan else ()


def ranked(views: Sequence[ChangeView], result: Result) -> tuple[ChangeView, ...]:
    """Changes by how much they can hurt: named as a danger, deleted, replaced, the rest."""
    refused = {refusal.id for refusal in result.refusals}
    dangers = {_subject(danger) for danger in result.dangers}

    def weight(change: ChangeView) -> tuple[bool, int]:
        named = change.id in refused or str(change.id) in dangers
        return (not named, _WEIGHT.index(change.action))

    return tuple(sorted(views, key=weight))


def _subject(danger: str) -> str:
    """The object that a sentence starts with, if any: kind and name are its first two words."""
    return " ".join(danger.split(" ")[:2])


def tone(result: Result) -> Tone:
    """How much a reader of one result has to worry."""
    if result.verdict not in _CALM:
        return Tone.BAD
    if result.verdict is Verdict.SUPERSEDED:
        return Tone.QUIET
    if result.dangers or any(found.severity is Severity.WARNING for found in result.findings):
        return Tone.CARE
    plan = leading(result)
    if plan and not plan.changes and not result.written and result.rollout is None:
        return Tone.QUIET
    return Tone.GOOD


def overall(report: Report) -> Tone:
    """How much a reader of the whole report has to worry."""
    if report.fault:
        return Tone.BAD
    tones = {tone(result) for result in report.results}
    return next((one for one in Tone if one in tones), Tone.QUIET)


def worst_first(results: Sequence[Result]) -> tuple[Result, ...]:
    """Results in the order in which they matter to a reader."""
    order = tuple(Tone)
    return tuple(sorted(results, key=lambda result: order.index(tone(result))))


# -- one environment, in a phrase ----------------------------------------------------------------


def phrase(result: Result) -> str:
    """What came of one environment, to stand behind its name and a colon."""
    back = recoveries.phrase(result.rollback) if result.rollback else ""
    return "; ".join(filter(None, (_ended(result), back)))


def _ended(result: Result) -> str:
    match result.verdict:
        case Verdict.OK | Verdict.DIFFERENT:
            return _outcome(result)
        case Verdict.REJECTED:
            found = len(errors(result))
            return f"{counted(found, 'error')} in the manifests" if found else _SAID[result.verdict]
        case Verdict.REFUSED:
            return ", ".join(filter(None, [_SAID[result.verdict], _refused(result)]))
        case Verdict.PARTIAL:
            done = sum(written.state == _DONE for written in result.written)
            return f"applied in part, {done} of {counted(_wanted(result), 'change')} made"
        case Verdict.UNHEALTHY if is_void(result):
            return "nothing is deployed"
        case Verdict.UNHEALTHY if result.rollout:
            return _sick_rollout(result.rollout)
        case _:
            return _SAID[result.verdict]


def is_void(result: Result) -> bool:
    """Whether somebody asked how an environment is that was never deployed."""
    return not (result.rollout or result.plans or result.written or result.cards)


def _outcome(result: Result) -> str:
    done = len(done_writes(result))
    if result.rollout is not None:
        watched = len(result.rollout.objects)
        if result.inventory is not None:  # nobody wanted to change anything
            return f"{counted(watched, 'object')} running"
        verb = "deployed" if done else "nothing to change"
        return f"{verb}, {counted(watched, 'object')} running" if watched else verb
    if done:
        deleted = all(written.action is Action.DELETE for written in result.written)
        return f"{counted(done, 'object')} {'deleted' if deleted else 'written'}"
    if result.inventory is not None:
        return f"{counted(result.objects, 'object')} recorded"
    plan = leading(result)
    if plan is None:
        return f"{counted(result.objects, 'object')} checked, no error"
    return amounts(plan) or "no changes"


def _wanted(result: Result) -> int:
    plan = leading(result)
    return max(len(result.written), len(plan.changes) if plan else 0)


def _refused(result: Result) -> str:
    """What a refusal is about, where it is about deletions; else how many there are."""
    dangerous = [one.id for one in result.refusals if one.rule == "dangerous-delete" and one.id]
    if dangerous:
        kinds = sorted({id.kind for id in dangerous})
        told = [counted(sum(id.kind == kind for id in dangerous), kind) for kind in kinds]
        return f"would delete {' and '.join(told)}"
    plan = leading(result)
    deleted = plan.count(Action.DELETE) if plan else 0
    if deleted and any(one.rule in _DELETION_RULES for one in result.refusals):
        return f"would delete {counted(deleted, 'object')}"
    return counted(len(result.refusals), "reason") if len(result.refusals) > 1 else ""


def _sick_rollout(rollout: RolloutView) -> str:
    ended = "rollout timed out" if rollout.timed_out else "rollout failed"
    sick = len(unwell(rollout))
    if not sick:  # all of it runs, and the deploy is not finished
        return ended
    return f"{ended}, {sick} of {counted(len(rollout.objects), 'object')} not running"


def unwell(rollout: RolloutView) -> tuple[HealthView, ...]:
    """What was watched and does not run."""
    return tuple(view for view in rollout.objects if view.health is not Health.CURRENT)


def done_writes(result: Result) -> tuple[WrittenView, ...]:
    """What was written."""
    return tuple(written for written in result.written if written.state == _DONE)


def undone_writes(result: Result) -> tuple[WrittenView, ...]:
    """What was tried and not written, or not known to be."""
    return tuple(written for written in result.written if written.state != _DONE)


def amounts(plan: PlanView) -> str:
    """Counts of a plan by action: "1 to create, 2 to change"; "" for none."""
    pairs = ((plan.count(action), said) for action, said in _FUTURE.items())
    return ", ".join(f"{count} {said}" for count, said in pairs if count)


# -- the whole report, in three lines ------------------------------------------------------------


def headline(report: Report) -> str:
    """The verdict, worst environment first."""
    if report.fault:
        return f"{report.command}: {_SAID.get(report.fault.verdict, 'failed')}"
    if not report.results:
        return f"{report.command}: nothing to do"
    return heading([brief(result) for result in report.results])


def brief(result: Result) -> Brief:
    """One environment in short."""
    return Brief(
        environment=result.environment,
        tone=tone(result),
        outcome=phrase(result),
        compared=bool(result.plans),
        objects=result.objects,
    )


def heading(briefs: Sequence[Brief]) -> str:
    """The verdict over some environments, at least one, worst first."""
    order = tuple(Tone)
    briefs = sorted(briefs, key=lambda one: order.index(one.tone))
    bad = [one for one in briefs if one.tone is Tone.BAD]
    if bad:
        return _bad_headline(bad, briefs[len(bad) :])
    if len(briefs) > 1 and all(one.tone is Tone.QUIET for one in briefs):
        return "No environment changes"
    if len(briefs) > _MOST_NAMED:
        return f"{len(briefs)} environments, {_kinds_of_good(briefs)}"
    return "; ".join(f"{one.environment}: {one.outcome}" for one in briefs)


def _bad_headline(bad: Sequence[Brief], rest: Sequence[Brief]) -> str:
    said = [f"{one.environment}: {one.outcome}" for one in bad[:2]]
    if len(bad) > len(said):
        said.append(f"{counted(len(bad) - len(said), 'more environment')} failed")
    if len(rest) == 1:
        said.append(f"{rest[0].environment} is fine")
    elif rest:
        said.append(f"{len(rest)} others are fine")
    return "; ".join(said)


def _kinds_of_good(briefs: Sequence[Brief]) -> str:
    if not any(one.compared for one in briefs):
        return f"{counted(sum(one.objects for one in briefs), 'object')} checked, no error"
    quiet = sum(one.tone is Tone.QUIET for one in briefs)
    return f"{len(briefs) - quiet} with changes" if quiet else "all with changes"


def concerns(report: Report) -> tuple[Concern, ...]:
    """What hurts or would hurt, worst environment first, each once for all that share it.

    Of one environment the cause comes first: who reads a red answer asks why.
    """
    found: dict[Concern, list[str]] = {}
    if report.fault:
        found[Concern(label="Cause", text=report.fault.message)] = []
    for result in worst_first(report.results):
        causes = _causes(result) if tone(result) is Tone.BAD else ()
        for concern in (*causes, *_dangers(result)):
            found.setdefault(concern, []).append(result.environment)
    return tuple(
        replace(concern, environments=tuple(environments))
        for concern, environments in found.items()
    )


def _dangers(result: Result) -> Iterator[Concern]:
    known = {str(change.id): change for plan in result.plans for change in plan.changes}
    for danger in result.dangers:
        change = known.get(_subject(danger))
        id, place = (change.id, change.place) if change else (None, Place(""))
        yield Concern(label="Danger", text=without(danger, id), id=id, place=place)


def without(sentence: str, id: ObjectId | None) -> str:
    """A sentence without the object that it starts with."""
    return sentence.removeprefix(f"{id} ") if id else sentence


def _causes(result: Result) -> Iterator[Concern]:
    """The cause of one bad result: the first that was found of what ended it."""
    if result.fault:
        yield Concern(label="Cause", text=result.fault.message)
    elif result.cards:
        card = result.cards[0]
        yield Concern(label="Cause", text=card.cause, id=card.id, place=card.place)
    elif undone_writes(result):
        written = undone_writes(result)[0]
        text = f"{written.state}: {written.message}" if written.message else written.state
        yield Concern(label="Cause", text=text, id=written.id)
    elif result.refusals:
        refusal = result.refusals[0]
        if not _is_told(refusal, result):
            yield Concern(label="Cause", text=refusal.message)
    elif errors(result):
        error = errors(result)[0]
        yield Concern(label="Cause", text=error.message, id=error.id, place=error.place)


def _is_told(refusal: Refusal, result: Result) -> bool:
    """Whether a danger says already what a refusal is about."""
    return refusal.id is not None and any(str(refusal.id) in danger for danger in result.dangers)


def errors(result: Result) -> tuple[Finding, ...]:
    """The findings that reject the manifests."""
    return tuple(found for found in result.findings if found.severity is Severity.ERROR)


def reassurance(report: Report) -> str:
    """What stands in the place of concerns where there are none."""
    return reassurances([(one.environment, reassured(one)) for one in report.results])


def reassurances(said: Sequence[tuple[str, str]]) -> str:
    """Sentences about environments, by their names, as one text."""
    if len(said) == 1:
        return said[0][1]
    lines = [f"{environment}: {text}" for environment, text in said[:_MOST_NAMED] if text]
    more = len(said) - _MOST_NAMED
    if more > 0:
        be = "is" if more == 1 else "are"
        lines.append(f"{counted(more, 'more environment')} {be} in the table.")
    return " ".join(lines)


def reassured(result: Result) -> str:
    """What sets a reader's mind at rest about one environment."""
    plan = leading(result)
    done = done_writes(result)
    if done:
        unobserved = "" if result.rollout else "; what becomes of them was not observed"
        return f"{_done_amounts(done)}{unobserved}."
    if result.verdict is Verdict.SUPERSEDED:
        return "Nothing was written."
    if plan is None:
        return "Nothing was compared or written."
    if not plan.changes:
        return f"{counted(plan.unchanged, 'object')} compared with {plan.compared}, all the same."
    deleted, replaced = plan.count(Action.DELETE), plan.count(Action.REPLACE)
    if replaced:
        return f"{counted(replaced, 'object')} to replace."
    if deleted:
        return f"{counted(deleted, 'object')} to delete, none that takes data or others along."
    return "Nothing is deleted or replaced."


def _done_amounts(done: Sequence[WrittenView]) -> str:
    pairs = ((sum(one.action is action for one in done), said) for action, said in _PAST.items())
    return ", ".join(f"{count} {said}" for count, said in pairs if count)


def findings(results: Sequence[Result]) -> tuple[SharedFinding, ...]:
    """Findings of all results, each once, errors first, then in the order of files and lines."""
    sharing: dict[Finding, list[str]] = {}
    for result in results:
        for finding in result.findings:
            names = sharing.setdefault(finding, [])
            if result.environment not in names:
                names.append(result.environment)
    severities = tuple(Severity)
    ordered = sorted(sharing, key=lambda one: (severities.index(one.severity), one.place))
    return tuple(
        SharedFinding(finding=finding, environments=tuple(sharing[finding])) for finding in ordered
    )
