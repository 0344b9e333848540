"""What is said of the way back after a failed deploy."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_gitops import masks, reports
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.reports import cures, notes, recoveries, words
from pipeline_gitops.reports.notes import Stamp
from pipeline_gitops.views import (
    Action,
    CardView,
    FaultView,
    Health,
    HealthView,
    LeftView,
    Refusal,
    Report,
    Result,
    RollbackView,
    RolloutView,
    WrittenView,
)
from tests.unit.reports.samples import change, deployed, report, rollout

API = ObjectId("apps", "Deployment", "shop", "api")
JOB = ObjectId("batch", "Job", "shop", "seed")
REVISION = "1a2b3c4d5e"


def health(word: Health) -> RolloutView:
    return RolloutView(objects=(HealthView(id=API, health=word, sentence="as it is"),))


def ended(verdict: Verdict, *states: str, **fields: Any) -> Result:
    written = tuple(WrittenView(id=API, action=Action.UPDATE, state=state) for state in states)
    return Result(environment="prod", verdict=verdict, written=written, **fields)


def back(result: Result, revision: str = REVISION, **fields: Any) -> RollbackView:
    return RollbackView(revision=revision, result=result, **fields)


def failed(rollback: RollbackView | None) -> Result:
    card = CardView(id=API, cause="there is no such image", cure="push the image")
    return ended(
        Verdict.UNHEALTHY,
        "done",
        rollout=health(Health.FAILED),
        cards=(card,),
        rollback=rollback,
    )


def next_step(rollback: RollbackView) -> str:
    return cures.next_step(Report(command="deploy", results=(failed(rollback),)))


@pytest.mark.parametrize(
    ("rollback", "said"),
    [
        (
            back(ended(Verdict.OK, "done", rollout=health(Health.CURRENT))),
            "rolled back to 1a2b3c4, 1 object running",
        ),
        (
            back(ended(Verdict.UNHEALTHY, "done", rollout=health(Health.FAILED))),
            "rolled back to 1a2b3c4, which does not run either",
        ),
        (
            back(ended(Verdict.PARTIAL, "done", "refused")),
            "rolled back to 1a2b3c4 in part, 1 of 2 changes made",
        ),
        (back(ended(Verdict.REFUSED)), "not rolled back to 1a2b3c4"),
        (back(ended(Verdict.UNREACHABLE)), "not rolled back to 1a2b3c4"),
        (
            back(ended(Verdict.SUPERSEDED)),
            "not rolled back to 1a2b3c4, another deploy came first",
        ),
        (
            back(ended(Verdict.TERMINATED, "done")),
            "the rollback to 1a2b3c4 was interrupted",
        ),
        (
            back(ended(Verdict.REFUSED), revision=""),
            "not rolled back, there is nothing to go back to",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_came_of_it_in_a_phrase(rollback: RollbackView, said: str) -> None:
    """Never more than was seen; it follows the failure in every headline and status."""
    assert recoveries.phrase(rollback) == said
    assert words.phrase(failed(rollback)) == (f"rollout failed, 1 of 1 object not running; {said}")


def test_what_was_left_is_told_with_its_reason() -> None:
    """Beside what was written."""
    left = LeftView(id=JOB, action=Action.CREATE, why="a Job runs once")

    told = [*recoveries.lines(back(ended(Verdict.OK, "done"), left=(left,)))]

    assert told == [
        "update Deployment.apps shop/api: done",
        "Job.batch shop/seed is left as it is, not created: a Job runs once",
    ]


def test_after_a_way_back_the_failure_is_what_is_to_be_cured() -> None:
    """And running the job again would be refused."""
    rollback = back(ended(Verdict.OK, "done"), held="9f28425")

    assert next_step(rollback).startswith("push the image; this commit is held")


def test_a_way_back_that_was_not_gone_names_the_command() -> None:
    """After what stands in its way."""
    refusal = Refusal(rule="field-conflict", message="owned by tuner", cure="leave the field")

    step = next_step(back(ended(Verdict.REFUSED, refusals=(refusal,))))

    assert step == (
        "leave the field; then go back by hand: "
        "pipeline-gitops rollback --environment prod --to 1a2b3c4 --now"
    )


def test_where_there_is_nothing_to_go_back_to_the_failure_is_what_counts() -> None:
    """No command could go there either."""
    fault = FaultView(message="there is nothing to go back to", cure="push a fix")

    assert next_step(back(ended(Verdict.REFUSED, fault=fault), revision="")) == "push the image"


@pytest.mark.parametrize("kind", ["markdown", "text", "html"])
def test_nothing_that_went_wrong_on_the_way_back_is_left_out(kind: str) -> None:
    """Neither what was refused, nor what broke, nor why it does not run."""
    inner = ended(
        Verdict.PARTIAL,
        "unknown",
        refusals=(Refusal(rule="field-conflict", message="owned by tuner"),),
        fault=FaultView(message="the server went away"),
        rollout=health(Health.FAILED),
        cards=(CardView(id=API, cause="the older image is gone"),),
    )
    report = Report(command="deploy", results=(failed(back(inner)),))

    shown = reports.KINDS[kind](masks.seal(report, ()))

    for said in ("owned by tuner", "the server went away", "the older image is gone", "unknown"):
        assert said in shown


@pytest.mark.parametrize("kind", ["json", "markdown", "html"])
def test_a_secret_in_the_way_back_is_masked(kind: str) -> None:
    """However deep it lies."""
    card = CardView(id=API, cause="password hunter2hunter2 refused", log=("hunter2hunter2",))
    inner = ended(Verdict.UNHEALTHY, rollout=health(Health.FAILED), cards=(card,))
    report = Report(command="deploy", results=(failed(back(inner)),))

    shown = reports.KINDS[kind](masks.seal(report, ["hunter2hunter2"]))

    assert "hunter2" not in shown
    assert "rolled back to 1a2b3c4" in shown or kind == "json"


def test_a_name_runs_nothing_in_the_shell_that_it_is_copied_to() -> None:
    """Environments are found by the names of folders, which a branch may bring."""
    there = replace(failed(back(ended(Verdict.PARTIAL))), environment="$(reboot)")
    gone = replace(deployed(change(), rollout=rollout()), environment="a b", previous=REVISION)

    (section,) = notes.sections_of(report(gone), Stamp(), limit=60_000)

    told = cures.next_step(Report(command="deploy", results=(there,)))
    assert "rollback --environment '$(reboot)' --to" in told
    assert "pipeline-gitops rollback --environment 'a b'" in section.body
