"""The note: the answer in three lines, then evidence, cut between objects."""

import re
from dataclasses import replace

import pytest

from pipeline_gitops import reports
from pipeline_gitops.errors import Verdict
from pipeline_gitops.masks import Sealed
from pipeline_gitops.views import Action, CardView, Finding, Refusal, Result, Severity
from tests.unit.reports.samples import (
    API,
    DATA,
    RUN_URL,
    change,
    deployed,
    named,
    numbered,
    report,
    reviewed,
    rollout,
)


def note(*results: Result, limit: int = 60_000) -> str:
    return reports.markdown(report(*results), limit=limit)


def test_the_first_three_lines_are_the_answer() -> None:
    """Verdict, what would hurt, what to do."""
    result = replace(
        reviewed(change(Action.DELETE, id=DATA)),
        dangers=(f"{DATA} is deleted",),
        refusals=(Refusal(rule="dangerous-delete", message="no", cure="confirm it", id=DATA),),
        verdict=Verdict.REFUSED,
    )

    lines = note(result).split("\n")[:3]

    assert lines == [
        "### 🔴 prod: refused, would delete 1 PersistentVolumeClaim",
        "**Danger:** `PersistentVolumeClaim shop/db-data` is deleted\\",
        "**Next:** confirm it",
    ]


@pytest.mark.parametrize("word", ["running", "healthy", "deployed"])
def test_a_target_that_cannot_observe_is_never_said_to_run(word: str) -> None:
    """Without a rollout, objects are written, in every format."""
    shown = report(deployed(change(), rollout=None))

    texts = (reports.markdown(shown), reports.terminal(shown, colour=False))

    assert [text for text in texts if re.search(word, text.lower())] == []
    assert all("1 object written" in text for text in texts)


def test_a_cut_says_how_much_is_shown() -> None:
    """What does not fit is left out whole, and the fold says so; the counts stay complete."""
    shown = note(reviewed(*numbered(40, lines=20)), limit=2_500)

    found = re.search(r"prod: 40 changes \((\d+) of 40 shown\)", shown)
    assert found
    assert int(found[1]) == shown.count("```diff") > 0
    assert "| prod | 0 | 40 | 0 | 0 | 3 |" in shown
    assert "**Cut to fit.** " in shown
    assert f"the whole report is in [the job]({RUN_URL})." in shown


def test_no_cut_is_claimed_where_all_is_shown() -> None:
    """A whole note does not speak of cuts."""
    shown = note(reviewed(*numbered(3)))

    assert "shown" not in shown
    assert "Cut to fit" not in shown


def test_the_most_dangerous_object_survives_a_cut() -> None:
    """Deletions come first, so they are cut last."""
    result = reviewed(*numbered(40, lines=20), change(Action.DELETE, id=DATA))

    shown = note(result, limit=2_500)

    assert "#### delete `PersistentVolumeClaim shop/db-data`" in shown


def test_an_object_too_large_for_the_note_keeps_its_name() -> None:
    """A diff that does not fit leaves its heading, and the smaller ones after it."""
    huge = change(Action.DELETE, id=DATA, lines=2_000)

    shown = note(reviewed(huge, change()), limit=4_000)

    assert "#### delete `PersistentVolumeClaim shop/db-data`\n\n2000 lines left out." in shown
    assert "#### change `Deployment.apps shop/api`" in shown


def test_a_huge_environment_does_not_push_the_others_out() -> None:
    """Room is shared: a small environment is shown whole beside a huge one."""
    huge = reviewed(*numbered(500, lines=20), environment="huge")
    small = reviewed(change(), environment="small")

    shown = note(huge, small, limit=10_000)

    assert "<summary>small: 1 change</summary>" in shown


@pytest.mark.parametrize("limit", range(0, 3_000, 50))
def test_a_note_never_exceeds_its_limit(limit: int) -> None:
    """A forge drops a note that is one character too long."""
    results = [reviewed(*numbered(5), environment=f"environment-{n}") for n in range(9)]

    assert len(note(*results, limit=limit)) <= limit


def test_errors_are_never_folded() -> None:
    """What rejects a merge request stands in the open: where, what, and what to do."""
    finding = Finding(rule="schema", message="not a number", cure="write 3")
    shown = note(replace(reviewed(), findings=(finding,), verdict=Verdict.REJECTED))

    assert "- schema\\\n  not a number\\\n  **Cure:** write 3" in shown
    assert "<details>" not in shown


def test_many_warnings_are_folded() -> None:
    """Remarks that stop nothing do not push the changes out of sight."""
    warnings = tuple(
        Finding(rule="old", message=f"old {n}", severity=Severity.WARNING) for n in range(11)
    )

    shown = note(replace(reviewed(change()), findings=warnings))

    assert "<details><summary>11 remarks in the manifests</summary>" in shown


def test_a_failed_object_shows_its_last_words() -> None:
    """Red says why: events and log lines of the object, folded, in fences."""
    card = CardView(
        id=API, cause="cannot start", events=("BackOff: again",), log=("panic: no config",)
    )
    result = replace(
        deployed(change(), rollout=rollout(API)), cards=(card,), verdict=Verdict.UNHEALTHY
    )

    shown = note(result)

    assert "**Cause:** `Deployment.apps shop/api`: cannot start" in shown
    assert "```text\nBackOff: again\n```\n\n```text\npanic: no config\n```" in shown


def test_a_second_comparison_shows_only_what_is_new_in_it() -> None:
    """The merge base and the target mostly say the same; that is not shown twice."""
    first = reviewed(change())
    base = replace(
        first.plans[0],
        compared="merge base 51e7ce5",
        changes=(change(), change(Action.CREATE, id=DATA)),
    )

    shown = note(replace(first, plans=(*first.plans, base)))

    assert "<summary>prod: 1 change compared with merge base 51e7ce5 instead</summary>" in shown
    assert shown.count("#### change `Deployment.apps shop/api`") == 1


def test_a_foreign_run_address_is_not_linked() -> None:
    """Only a plain web address becomes a link."""
    shown: Sealed = report(reviewed())
    hostile = Sealed(replace(shown, run_url="javascript:alert(1)"))

    assert "javascript" not in reports.markdown(hostile)


def test_a_summary_keeps_to_its_bytes() -> None:
    """GitHub drops a summary over 1 MiB altogether, and counts bytes."""
    wide = replace(change(), lines=tuple("+" + "界" * 399 for _ in range(100)))
    many = tuple(replace(wide, id=named(str(n))) for n in range(12))

    shown = reports.summary(report(reviewed(*many)))

    assert 600_000 < len(shown.encode()) <= 900_000
