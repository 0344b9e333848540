"""The three sentences that every format starts from: verdict, what would hurt, what to do."""

from dataclasses import replace

import pytest

from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import Place
from pipeline_gitops.reports import cures, words
from pipeline_gitops.reports.words import Tone
from pipeline_gitops.views import Action, CardView, FaultView, Finding, Refusal, Result, Severity
from tests.unit.reports.samples import API, DATA, change, deployed, report, reviewed, rollout

CREATED = change(Action.CREATE)
REFUSAL = Refusal(rule="dangerous-delete", message=f"{DATA} would go", cure="confirm it", id=DATA)


@pytest.mark.parametrize(
    ("result", "phrase"),
    [
        (reviewed(), "no changes"),
        (reviewed(CREATED, change()), "1 to create, 1 to change"),
        (deployed(CREATED, rollout=rollout()), "deployed, 3 objects running"),
        (deployed(rollout=rollout()), "nothing to change, 3 objects running"),
        (deployed(CREATED, rollout=None), "1 object written"),
        (
            replace(deployed(CREATED, rollout=rollout(API)), verdict=Verdict.UNHEALTHY),
            "rollout failed, 1 of 4 objects not running",
        ),
        (
            replace(reviewed(change(Action.DELETE)), refusals=(REFUSAL,), verdict=Verdict.REFUSED),
            "refused, would delete 1 PersistentVolumeClaim",
        ),
        (replace(reviewed(), plans=()), "9 objects checked, no error"),
        (replace(reviewed(), verdict=Verdict.SUPERSEDED), "superseded by a newer deploy"),
    ],
)
def test_a_phrase_says_what_came_of_an_environment(result: object, phrase: str) -> None:
    """Future tense before a deploy, past tense after it, and how bad it is."""
    assert words.phrase(result) == phrase  # type: ignore[arg-type]


def test_the_worst_environment_speaks_first() -> None:
    """A headline names what failed, and says that the rest is fine."""
    failed = replace(reviewed(), environment="zeta", verdict=Verdict.UNREACHABLE)

    headline = words.headline(report(reviewed(environment="alpha"), failed))

    assert headline == "zeta: target unreachable, or access denied; alpha is fine"


def test_the_cause_of_a_red_answer_comes_before_its_dangers() -> None:
    """Who opens a failed deploy asks why it failed; nothing was deleted yet."""
    card = CardView(id=API, cause="cannot pull the image")
    failed = replace(
        deployed(CREATED, change(Action.DELETE, id=DATA), rollout=rollout(API)),
        verdict=Verdict.UNHEALTHY,
        cards=(card,),
        dangers=(f"{DATA} is deleted",),
    )

    assert [one.label for one in words.concerns(report(failed))] == ["Cause", "Danger"]


@pytest.mark.parametrize(
    ("more", "said"),
    [(1, "1 more environment failed"), (2, "2 more environments failed")],
)
def test_environments_that_are_not_named_are_counted(more: int, said: str) -> None:
    """Two names are enough for a headline."""
    failed = replace(reviewed(), verdict=Verdict.UNREACHABLE)
    named = [replace(failed, environment=f"e{number}") for number in range(2 + more)]

    assert words.headline(report(*named)).endswith(said)


def test_environments_without_changes_are_one_sentence() -> None:
    """Two quiet environments do not make two clauses."""
    quiet = (reviewed(environment="a"), reviewed(environment="b"))

    assert words.headline(report(*quiet)) == "No environment changes"


def test_many_environments_that_were_only_checked_have_no_changes() -> None:
    """Nothing was compared, so nothing is called a change."""
    checked = (replace(reviewed(environment=name), plans=()) for name in "abcd")

    assert words.headline(report(*checked)) == "4 environments, 36 objects checked, no error"


def test_a_danger_names_its_object_apart() -> None:
    """The object at a danger's start is an identity, which formats can set as code."""
    danger = f"{DATA} is deleted"
    result = replace(reviewed(change(Action.DELETE, id=DATA)), dangers=(danger,))

    (concern,) = words.concerns(report(result))

    assert (concern.label, concern.id, concern.text) == ("Danger", DATA, "is deleted")


def test_a_refusal_that_a_danger_explains_is_not_said_twice() -> None:
    """One cause, one line."""
    result = replace(
        reviewed(change(Action.DELETE, id=DATA)),
        dangers=(f"{DATA} is deleted",),
        refusals=(REFUSAL,),
        verdict=Verdict.REFUSED,
    )

    labels = [concern.label for concern in words.concerns(report(result))]

    assert labels == ["Danger"]


def test_what_environments_share_is_said_once() -> None:
    """A fault of the base is the cause in each of its overlays."""
    finding = Finding(rule="schema", message="not a number", place=Place("base/a.yaml", 3))
    bad = replace(reviewed(), findings=(finding,), verdict=Verdict.REJECTED)
    shown = report(bad, replace(bad, environment="staging"))

    (concern,) = words.concerns(shown)

    assert concern.environments == ("prod", "staging")
    assert len(words.findings(shown.results)) == 1


def test_the_next_step_is_the_cure_of_the_worst() -> None:
    """The card of a failed object knows best what to do."""
    card = CardView(id=API, cause="cannot pull", cure="push the image")
    failed = replace(
        deployed(CREATED, rollout=rollout(API)), cards=(card,), verdict=Verdict.UNHEALTHY
    )

    assert cures.next_step(report(reviewed(CREATED), failed)) == "push the image"


def test_a_blank_cure_is_none() -> None:
    """A server's empty advice does not leave the reader without a next step."""
    card = CardView(id=API, cause="cannot pull", cure="\n")
    failed = replace(
        deployed(CREATED, rollout=rollout(API)), cards=(card,), verdict=Verdict.UNHEALTHY
    )

    assert cures.next_step(report(failed)) == "push a fix, or revert the change"


@pytest.mark.parametrize(
    ("merge_request", "step"),
    [
        (42, "merge when these are the changes you mean"),
        (0, "deploy when these are the changes you mean"),
    ],
)
def test_the_next_step_of_a_good_plan(merge_request: int, step: str) -> None:
    """On a merge request it is the merge, elsewhere the deploy."""
    shown = report(reviewed(CREATED), merge_request=merge_request)

    assert cures.next_step(shown) == step


def test_a_fault_of_the_whole_command_leads() -> None:
    """Without any result, the fault is verdict, cause and cure."""
    fault = FaultView(message="no config", cure="write one", verdict=Verdict.USAGE)
    shown = report(fault=fault)

    said = (words.headline(shown), words.concerns(shown)[0].text, cures.next_step(shown))

    assert said == ("run: misconfigured", "no config", "write one")


@pytest.mark.parametrize(
    ("result", "tone"),
    [
        (reviewed(CREATED), Tone.GOOD),
        (reviewed(), Tone.QUIET),
        (deployed(rollout=rollout()), Tone.GOOD),
        (replace(reviewed(CREATED), dangers=("it hurts",)), Tone.CARE),
        (
            replace(
                reviewed(),
                findings=(Finding(rule="old", message="old", severity=Severity.WARNING),),
            ),
            Tone.CARE,
        ),
        (replace(reviewed(), verdict=Verdict.PARTIAL), Tone.BAD),
        (replace(reviewed(), verdict=Verdict.DIFFERENT), Tone.QUIET),
    ],
)
def test_a_tone_says_how_much_to_worry(result: object, tone: Tone) -> None:
    """Red stops, yellow asks for a look, green is good, white is quiet."""
    assert words.tone(result) is tone  # type: ignore[arg-type]


def test_dangers_come_first_then_deletions() -> None:
    """The reader meets what cannot be undone before what can."""
    data = change(Action.UPDATE, id=DATA)
    result = replace(
        reviewed(CREATED, change(), change(Action.DELETE), data), dangers=(f"{DATA} is widened",)
    )

    actions = [one.action for one in words.changes(result)]

    assert actions == [Action.UPDATE, Action.DELETE, Action.UPDATE, Action.CREATE]


def test_an_environment_that_was_never_deployed_has_not_failed_a_rollout() -> None:
    """Its cure is to deploy it, not to push a fix."""
    void = report(Result(environment="dev", target="cluster dev", verdict=Verdict.UNHEALTHY))

    assert words.headline(void) == "dev: nothing is deployed"
    assert cures.next_step(void) == "deploy it: pipeline-gitops deploy --environment dev"
