"""What is taken over of a report that a job of somebody else wrote: a fork's, with the fork's code.

It may hold anything. What is left is text of bounded size about environments that are known here,
under a sentence that says whose word it is. No plan of it can be a proof, no address of it is
followed, and what it tells of deploys is not told on: a fork has none.
"""

from collections.abc import Collection
from dataclasses import fields, is_dataclass, replace
from typing import Any

from pipeline_gitops.ids import Place
from pipeline_gitops.reports import words
from pipeline_gitops.reports.words import Tone
from pipeline_gitops.views import PlanView, Report, Result

LARGEST = 8 * 1024 * 1024  # bytes of a file that is read at all

_LONGEST = 10_000  # characters of one text
_MOST = 10_000  # items of one list
_COMMANDS = frozenset({"run", "diff", "validate"})  # that only look


def taken_over(report: Report, known: Collection[str], source: str) -> Report:
    """The report without what a stranger has no say in.

    *known*: the environments of our own configuration. *source*: whose job wrote it. Raises
    ValueError, with a sentence, for what no review of ours looks like.
    """
    _check_size(report)
    if report.command not in _COMMANDS:
        raise ValueError("it is not of a command that only looks")
    mine = tuple(_result(one, source) for one in report.results if one.environment in known)
    left = len(report.results) - len(mine)
    notices = (f"{left} environments that are not known here are left out",) if left else ()
    return replace(
        report, results=mine, notices=(*notices, *report.notices), run_url="", files_url=""
    )


def _result(result: Result, source: str) -> Result:
    if result.written or result.rollout or result.cards or result.inventory:
        raise ValueError("it tells of a deploy")
    default = Result(environment=result.environment)
    # Whatever else a deploy tells, now or later, is not taken over: only these are a review's.
    kept = ("objects", "target", "engine", "refusals", "dangers", "notices", "fault", "verdict")
    plain = replace(
        default,
        **{name: getattr(result, name) for name in kept},
        findings=tuple(replace(one, place=_place(one.place)) for one in result.findings),
        plans=tuple(map(_plan, result.plans)),
    )
    said = f"this is what the job of {source} says: nothing of it was checked here"
    if words.tone(plain) is Tone.QUIET:
        return replace(plain, notices=(said, *plain.notices))
    return replace(plain, dangers=(said, *plain.dangers))


def _plan(plan: PlanView) -> PlanView:
    changes = tuple(replace(one, place=_place(one.place)) for one in plan.changes)
    return PlanView(compared=plan.compared, changes=changes, unchanged=plan.unchanged)


def _place(place: Place) -> Place:
    """The place, where its path leads to a file of the repository."""
    parts = place.file.split("/")
    inside = all(part not in ("", ".", "..") and "\\" not in part for part in parts)
    return place if inside else Place("")


def _check_size(value: Any) -> None:
    if isinstance(value, str):
        if len(value) > _LONGEST:
            raise ValueError("a text in it is too long")
    elif isinstance(value, tuple):
        if len(value) > _MOST:
            raise ValueError("a list in it is too long")
        for item in value:
            _check_size(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            _check_size(getattr(value, field.name))
