"""The judge of races, on histories made by hand."""

import pytest

from tests.campaigns.histories import Change, Event, Exit, Record, Rules

# "a" carries its commit; "t" is the same in the first and the third; only the second wants "x".
RULES = Rules(
    ranks={"one": 1, "two": 2, "three": 3},
    wants={
        "one": {"a": "1", "t": "blue"},
        "two": {"a": "2", "t": "red", "x": "1"},
        "three": {"a": "3", "t": "blue"},
    },
)
BOTH, ALL = frozenset({"a", "t"}), frozenset({"a", "t", "x"})

FIRST: list[Event] = [
    Record(1, "one", "", BOTH),
    Change(2, "a", "1"),
    Change(3, "t", "blue"),
    Record(4, "", "one", BOTH),
]
SECOND: list[Event] = [
    *FIRST,
    Record(11, "two", "one", ALL),
    Change(12, "a", "2"),
    Change(13, "t", "red"),
    Change(14, "x", "1"),
    Record(15, "", "two", ALL),
]
THIRD: list[Event] = [
    *SECOND,
    Record(21, "three", "two", ALL),
    Change(22, "a", "3"),
    Change(23, "t", "blue"),
    Change(24, "x", ""),
    Record(25, "", "three", BOTH),
]


def test_deploys_one_after_the_other() -> None:
    """Nothing is wrong with those, nor with their success."""
    exits = [Exit(4, "one", 0), Exit(15, "two", 0), Exit(25, "three", 0), Exit(25, "one", 8)]

    assert RULES.violations(THIRD, exits) == []
    assert RULES.unlike(THIRD, "three") == []


def test_killed_and_overtaken() -> None:
    """A claim that nobody settles may be taken over by a newer deploy, in-flight writes and all."""
    log: list[Event] = [
        *FIRST,
        Record(11, "two", "one", ALL),
        Change(12, "a", "2"),
        Record(13, "three", "one", ALL),
        Change(14, "x", "1"),  # sent by the second before it was overtaken
        Change(15, "a", "3"),
        Change(16, "x", ""),
        Record(17, "", "three", BOTH),
    ]

    assert RULES.violations(log, [Exit(17, "three", 0)]) == []


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (Change(26, "a", "2"), "after what is newer"),
        (Change(26, "t", "red"), "after three settled"),
        (Change(26, "x", "1"), "after three settled"),
        (Change(26, "a", ""), "which nobody wants"),
        (Change(26, "a", "9"), "which nobody wants"),
        (Record(26, "two", "three", ALL), "takes over from three"),
        (Record(26, "", "two", ALL), "takes over from three"),
    ],
)
def test_older_after_newer(late: Event, words: str) -> None:
    """Whatever an overtaken deploy writes after the newer one is a violation."""
    assert any(words in violation for violation in RULES.violations([*THIRD, late]))


def test_older_value_while_the_newer_deploys() -> None:
    """It does not take a settled inventory to know that a commit's number went back."""
    log: list[Event] = [
        *SECOND[:4],
        Record(5, "three", "one", BOTH),
        Change(6, "a", "3"),
        Change(7, "a", "1"),
    ]

    assert any("after what is newer" in one for one in RULES.violations(log))


def test_created_again_after_the_newer_deleted_it() -> None:
    """The same for an object that the newer commit does not want, and took away."""
    log: list[Event] = [
        *SECOND,
        Record(21, "three", "two", ALL),
        Change(24, "x", ""),
        Change(25, "x", "1"),
    ]

    assert any("after what is newer" in one for one in RULES.violations(log))


def test_late_creation_is_taken_back() -> None:
    """What an overtaken deploy creates too late may go again, whoever wants it."""
    log: list[Event] = [
        Record(1, "one", "", BOTH, epoch=1),
        Change(2, "a", "1", epoch=1),
        Record(3, "three", "", BOTH, epoch=2),
        Change(4, "t", "blue", epoch=1),
        Change(5, "t", ""),
        Change(6, "a", "3", epoch=2),
        Change(7, "t", "blue", epoch=2),
    ]

    assert RULES.violations([*log, Record(8, "", "three", BOTH, epoch=2)]) == []
    assert any("nobody wants" in one for one in RULES.violations([*log, Change(9, "t", "")]))


def test_older_claim_after_newer() -> None:
    """Two runs of a commit are told apart by their claims."""
    log: list[Event] = [
        Record(1, "one", "", BOTH, epoch=1),
        Record(2, "one", "", BOTH, epoch=2),
        Change(3, "a", "1", epoch=2),
        Change(4, "a", "1", epoch=1),
    ]

    assert any("by an older claim" in one for one in RULES.violations(log))


def test_the_hole_of_a_paused_deploy() -> None:
    """The newer one finds "t" right and does not write it; the older one writes it then."""
    log: list[Event] = [
        *FIRST,
        Record(11, "two", "one", ALL),
        Record(12, "three", "one", ALL),
        Change(13, "a", "3"),
        Record(14, "", "three", BOTH),
        Change(15, "t", "red"),
    ]

    assert any("after three settled" in one for one in RULES.violations(log))


def test_settled_too_early() -> None:
    """An inventory that says done while an object is not."""
    log: list[Event] = [
        *FIRST,
        Record(11, "two", "one", ALL),
        Change(12, "a", "2"),
        Record(13, "", "two", ALL),
    ]

    violations = RULES.violations(log)

    assert any("two is settled, but t is blue" in one for one in violations)
    assert any("two is settled, but x is absent" in one for one in violations)


def test_lost_member() -> None:
    """An object that is there and that the inventory forgot."""
    log: list[Event] = [*SECOND[:-1], Record(15, "", "two", BOTH)]

    assert any("x is there, but no member" in one for one in RULES.violations(log))


def test_written_without_a_claim() -> None:
    """Nothing is written that the inventory does not name already."""
    assert any("before anything" in one for one in RULES.violations([Change(1, "a", "1")]))
    log: list[Event] = [Record(1, "two", "", BOTH), Change(2, "x", "1")]
    assert any("x = 1, but no member" in one for one in RULES.violations(log))


@pytest.mark.parametrize(
    ("exit_", "words"),
    [
        (Exit(13, "two", 0), "never settled"),
        (Exit(13, "two", 0), "x is absent, which is older"),
        (Exit(4, "two", 8), "nothing newer is recorded"),
    ],
)
def test_false_success(exit_: Exit, words: str) -> None:
    """A deployer that says done, or superseded, when it is not so."""
    assert any(words in one for one in RULES.violations(THIRD, [exit_]))


def test_overtaken_by_a_run_of_the_same_commit() -> None:
    """Of two runs of a commit one may leave it to the other, once that has claimed it."""
    log: list[Event] = [*FIRST, Record(11, "two", "one", ALL), Record(12, "two", "one", ALL)]

    assert RULES.violations(log, [Exit(11, "two", 8)]) == []
    assert RULES.violations(log, [Exit(4, "two", 8)]) != []


def test_success_of_an_overtaken_deploy() -> None:
    """Whoever was done before a newer one came may say so later."""
    assert RULES.violations(THIRD, [Exit(25, "one", 0)]) == []


def test_no_winner() -> None:
    """At the end the newest commit is settled, and nothing else is there."""
    assert RULES.unlike(SECOND, "three") != []
    assert RULES.unlike(THIRD[:-1], "three") != []
    assert RULES.unlike([], "three") == ["there is no inventory"]


def test_a_creation_that_came_too_late_and_was_withdrawn() -> None:
    """It could not be fenced, since it was not there; its own run took it back."""
    log: list[Event] = [
        *FIRST,
        Record(11, "two", "one", ALL, epoch=1),
        Record(12, "three", "one", ALL, epoch=2),
        Change(13, "a", "3", epoch=2),
        Record(14, "", "three", BOTH, epoch=2),
        Change(15, "x", "1", epoch=1),
        Change(16, "x", "", epoch=1),
    ]

    assert RULES.violations(log) == []
    assert RULES.unlike(log, "three") == []


@pytest.mark.parametrize(
    "after",
    [
        [],
        [Change(16, "x", "", epoch=2)],
        [Change(16, "x", "2", epoch=1), Change(17, "x", "", epoch=1)],
    ],
)
def test_a_creation_that_came_too_late_and_stayed(after: list[Event]) -> None:
    """Whoever else removes it, or writes it again: it was not withdrawn."""
    log: list[Event] = [
        *FIRST,
        Record(11, "two", "one", ALL, epoch=1),
        Record(12, "three", "one", ALL, epoch=2),
        Change(13, "a", "3", epoch=2),
        Record(14, "", "three", BOTH, epoch=2),
        Change(15, "x", "1", epoch=1),
        *after,
    ]

    assert RULES.violations(log)
