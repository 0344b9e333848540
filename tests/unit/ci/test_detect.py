"""Which CI this is, and what our own variables say instead."""

import pytest

from pipeline_gitops import ci
from pipeline_gitops.ci import CIContext, Vendor
from pipeline_gitops.errors import UsageFault

GITLAB = {
    "GITLAB_CI": "true",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": "b" * 40,
}


def test_a_persons_terminal_is_no_ci() -> None:
    """Without a CI's variables there is nothing to know, and nothing is read."""
    assert ci.detect({"HOME": "/", "GITHUB_TOKEN": "ghp"}, _unread) == CIContext()


def _unread(path: str) -> str:
    raise AssertionError(path)


@pytest.mark.parametrize("value", ["", "false", "1"])
def test_a_vendor_says_true(value: str) -> None:
    """Tools that pose as a CI set other values."""
    context = ci.detect({"GITHUB_ACTIONS": value, "GITLAB_CI": value}, _unread)

    assert context.vendor is Vendor.NONE


def test_the_commit_to_report_on_can_be_named() -> None:
    """Jenkins may build a local merge that the forge has never seen."""
    context = ci.detect({**GITLAB, "PIPELINE_GITOPS_SHA": "f" * 40}, _unread)

    assert context.sha == "f" * 40


@pytest.mark.parametrize("sha", ["main", "abc123", "-rf", "F" * 40])
def test_a_commit_is_named_whole(sha: str) -> None:
    """A branch or a short hash would name another commit tomorrow."""
    with pytest.raises(UsageFault):
        ci.detect({**GITLAB, "PIPELINE_GITOPS_SHA": sha}, _unread)


def test_the_base_branch_can_be_named() -> None:
    """It then holds instead of the commit that the CI says."""
    context = ci.detect({**GITLAB, "PIPELINE_GITOPS_BASE_BRANCH": "release"}, _unread)

    assert (context.base_branch, context.base_sha) == ("release", "")
