"""Verdicts and exit codes."""

import pytest

from pipeline_gitops.errors import Verdict, worst

EXIT_CODES = {
    Verdict.OK: 0,
    Verdict.INTERNAL: 1,
    Verdict.USAGE: 2,
    Verdict.REJECTED: 3,
    Verdict.REFUSED: 4,
    Verdict.UNREACHABLE: 5,
    Verdict.PARTIAL: 6,
    Verdict.UNHEALTHY: 7,
    Verdict.SUPERSEDED: 8,
    Verdict.UNREPORTED: 9,
    Verdict.DIFFERENT: 10,
    Verdict.INTERRUPTED: 130,
    Verdict.TERMINATED: 143,
}


def test_every_verdict_has_its_exit_code() -> None:
    """The exit codes are a contract with the pipelines that call us."""
    codes = {verdict: verdict.exit_code for verdict in Verdict}

    assert codes == EXIT_CODES


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Verdict.OK, Verdict.DIFFERENT),
        (Verdict.DIFFERENT, Verdict.UNREPORTED),
        (Verdict.UNREPORTED, Verdict.SUPERSEDED),
        (Verdict.SUPERSEDED, Verdict.REJECTED),
        (Verdict.REJECTED, Verdict.REFUSED),
        (Verdict.REFUSED, Verdict.UNREACHABLE),
        (Verdict.UNREACHABLE, Verdict.UNHEALTHY),
        (Verdict.UNHEALTHY, Verdict.PARTIAL),
        (Verdict.PARTIAL, Verdict.USAGE),
        (Verdict.USAGE, Verdict.INTERNAL),
    ],
)
def test_the_worst_environment_speaks_for_all(better: Verdict, worse: Verdict) -> None:
    """Over several environments the first of 1, 2, 6, 7, 5, 4, 3, 8, 9, 10, 0 wins."""
    assert worse is worst([better, worse])
    assert worse is worst([worse, better])


def test_no_environment_at_all_is_ok() -> None:
    """Nothing to say is not a failure."""
    assert Verdict.OK is worst([])
