"""The report on a terminal: verdict first, all of the evidence, the next step last."""

from dataclasses import replace

from hypothesis import given

from pipeline_gitops import masks, reports
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import Place
from pipeline_gitops.views import Action, Finding, Refusal, Report, Result
from tests.unit.reports.samples import DATA, change, hostile, report, reviewed


def text(*results: Result, colour: bool = False, width: int = 100) -> str:
    return reports.terminal(report(*results), width=width, colour=colour)


def test_the_verdict_is_the_first_line_and_the_next_step_the_last() -> None:
    """Who reads one line reads the right one."""
    lines = text(reviewed(change())).rstrip("\n").split("\n")

    assert lines[0] == "✓ prod: 1 to change"
    assert lines[-1] == "Next: merge when these are the changes you mean"


def test_a_long_report_ends_with_the_verdict_too() -> None:
    """What fills more than a screen leaves its end in sight, not its beginning."""
    long = replace(change(), lines=tuple(f"+{number}" for number in range(30)))

    lines = text(reviewed(long)).rstrip("\n").split("\n")

    assert lines[-2:] == [lines[0], "Next: merge when these are the changes you mean"]
    assert text(reviewed(change())).count(lines[0]) == 1


def test_the_table_has_only_columns_that_say_something() -> None:
    """Six counts of which five are nought hide the one, and do not fit 80 columns."""
    header = text(reviewed(change())).split("\n")[2]

    assert header.split() == ["environment", "change", "unchanged", "compared", "with"]


def test_a_finding_says_where_what_and_what_to_do() -> None:
    """file:line first: terminals and editors make it clickable."""
    finding = Finding(
        rule="schema", message="not a number", cure="write 3", place=Place("a.yaml", 3, 7)
    )

    shown = text(replace(reviewed(), findings=(finding,), verdict=Verdict.REJECTED))

    assert "✗ a.yaml:3:7  schema\n  not a number\n    → write 3" in shown


def test_a_refusal_comes_with_its_rule_and_its_cure() -> None:
    """What we will not do, under which name the documentation has it, and what would make us."""
    refusal = Refusal(rule="max-deletes", message="too many", cure="confirm it")

    shown = text(replace(reviewed(), refusals=(refusal,), verdict=Verdict.REFUSED))

    assert "  ✗ refused: too many (max-deletes)\n    → confirm it" in shown


def test_deletions_are_shown_before_the_rest() -> None:
    """Order is by danger, not by name."""
    shown = text(reviewed(change(Action.CREATE), change(Action.DELETE, id=DATA)))

    assert shown.index("delete PersistentVolumeClaim") < shown.index("create Deployment")


def test_of_many_new_objects_only_the_names_are_shown() -> None:
    """A first deploy is no thousand lines long; what is changed beside it is shown whole."""
    new = [
        replace(change(Action.CREATE, id=DATA._replace(name=f"d{number}")), lines=("+new",))
        for number in range(4)
    ]

    many = text(reviewed(*new, replace(change(), lines=("-old", "+other"))))
    few = text(reviewed(*new[:3]))

    assert all(f"create  PersistentVolumeClaim shop/d{number}" in many for number in range(4))
    assert "4 new objects by name only" in many
    assert (many.count("+new"), many.count("+other"), few.count("+new")) == (0, 1, 3)


def test_a_diff_is_coloured_by_its_sign() -> None:
    """Green comes, red goes; nothing depends on colour alone."""
    one = replace(change(), lines=("-old", "+new", " same"))

    shown = text(reviewed(one), colour=True)

    assert "\x1b[31m-old\x1b[0m" in shown
    assert "\x1b[32m+new\x1b[0m" in shown
    assert "\n     same\n" in shown


@given(hostile)
def test_without_colour_there_is_no_control_character(report: Report) -> None:
    """Nothing foreign moves the cursor, sets a title or turns the text around."""
    shown = reports.terminal(masks.seal(report, ()), colour=False)

    assert masks.clean(shown) == shown


@given(hostile)
def test_only_our_lines_start_at_the_margin(report: Report) -> None:
    """A message of many lines cannot pass for a verdict of ours: one verdict, one next step."""
    shown = reports.terminal(masks.seal(report, ()), colour=False)

    lines = shown.split("\n")
    assert len([line for line in lines if line.startswith("Next:")]) == 1
    assert shown.startswith(("✗ ", "! ", "✓ ", "= "))


def test_long_messages_are_wrapped_under_themselves() -> None:
    """Text keeps to the width, further lines stay in their column."""
    refusal = Refusal(rule="r", message="word " * 60)

    shown = text(replace(reviewed(), refusals=(refusal,), verdict=Verdict.REFUSED), width=60)

    body = [line for line in shown.split("\n") if "word" in line]
    assert len(body) > 3
    assert all(len(line) <= 60 for line in body)
    assert all(line.startswith("    word") for line in body[1:])
