"""Jenkins: what the variables say about a build, and which forge its addresses name."""

from collections.abc import Mapping

import pytest

from pipeline_gitops import ci
from pipeline_gitops.ci import CIContext, ForgeKind, Trigger, Vendor
from pipeline_gitops.errors import UsageFault

HEAD = "a" * 40

JOB = {
    "JENKINS_URL": "https://ci.example/",
    "BUILD_URL": "https://ci.example/job/deploy/17/",
    "BUILD_NUMBER": "17",
    "BRANCH_NAME": "main",
    "GIT_COMMIT": HEAD,
    "GIT_URL": "https://github.com/shop/deploy.git",
    "GITHUB_TOKEN": "ghp",
}
CHANGE = {
    **JOB,
    "BRANCH_NAME": "PR-42",
    "CHANGE_ID": "42",
    "CHANGE_BRANCH": "feature",
    "CHANGE_TARGET": "main",
    "CHANGE_AUTHOR": "ann",
    "CHANGE_URL": "https://github.com/shop/deploy/pull/42",
}


def detect(environ: Mapping[str, str], **more: str) -> CIContext:
    return ci.detect({**environ, **more}, lambda path: "")


def test_a_change_request_of_github() -> None:
    """The address of the change names forge and project."""
    assert detect(CHANGE) == CIContext(
        vendor=Vendor.JENKINS,
        trigger=Trigger.MERGE_REQUEST,
        forge=ForgeKind.GITHUB,
        api_url="https://api.github.com",
        server_url="https://github.com",
        project="shop/deploy",
        sha=HEAD,
        checked_out=HEAD,
        branch="feature",
        base_branch="main",
        merge_request=42,
        run_url="https://ci.example/job/deploy/17/",
        run_number=17,
        actor="ann",
        token="ghp",
        token_name="GITHUB_TOKEN",
    )


def test_a_change_request_of_gitlab() -> None:
    """Groups nest; another forge's token is not sent there."""
    context = detect(
        CHANGE, CHANGE_URL="https://git.example:8443/shop/infra/deploy/-/merge_requests/42"
    )

    facts = (context.forge, context.api_url, context.project, context.token)
    assert facts == (ForgeKind.GITLAB, "https://git.example:8443/api/v4", "shop/infra/deploy", "")


@pytest.mark.parametrize(
    ("git_url", "forge", "api_url", "project"),
    [
        (
            "git@github.com:shop/deploy.git",
            ForgeKind.GITHUB,
            "https://api.github.com",
            "shop/deploy",
        ),
        (
            "https://user:secret@gitlab.example/shop/infra/deploy.git",
            ForgeKind.GITLAB,
            "https://gitlab.example/api/v4",
            "shop/infra/deploy",
        ),
        (
            "ssh://git@git.example:7999/shop/deploy.git",
            ForgeKind.GITHUB,
            "https://git.example/api/v3",
            "shop/deploy",
        ),
        (
            "https://acme.ghe.com/shop/deploy.git",
            ForgeKind.GITHUB,
            "https://api.acme.ghe.com",
            "shop/deploy",
        ),
        (
            "http://github.example:3000/shop/deploy",
            ForgeKind.GITHUB,
            "http://github.example:3000/api/v3",
            "shop/deploy",
        ),
        ("/srv/git/deploy.git", ForgeKind.NONE, "", ""),
        ("C:\\git\\deploy", ForgeKind.NONE, "", ""),
        ("https://[broken/deploy.git", ForgeKind.NONE, "", ""),
        ("", ForgeKind.NONE, "", ""),
    ],
)
def test_a_branch_build_knows_its_forge_by_the_repository(
    git_url: str, forge: ForgeKind, api_url: str, project: str
) -> None:
    """The host's name tells; under another name it is the forge that there is a token for."""
    context = detect(JOB, GIT_URL=git_url)

    assert (context.forge, context.api_url, context.project) == (forge, api_url, project)


def test_credentials_of_a_clone_address_are_left_behind() -> None:
    """An address ends up in logs and notes."""
    context = detect(JOB, GIT_URL="https://user:hunter2@github.com/shop/deploy.git")

    assert "hunter2" not in repr(context)


def test_two_tokens_do_not_tell_the_forge() -> None:
    """Rather no note than a token for the wrong server."""
    context = detect(JOB, GIT_URL="https://git.example/shop/deploy.git", GITLAB_TOKEN="glpat")

    assert (context.forge, context.token) == (ForgeKind.NONE, "")


@pytest.mark.parametrize(
    "git_url",
    [
        "https://bitbucket.org/shop/deploy.git",
        "git@bitbucket.shop.example:shop/deploy.git",
        "https://codeberg.org/shop/deploy",
        "https://gitea.shop.example/shop/deploy.git",
        "https://shop@dev.azure.com/shop/deploy/_git/deploy",
    ],
)
def test_a_token_is_not_sent_to_a_forge_of_another_kind(git_url: str) -> None:
    """Jobs have a GITHUB_TOKEN for modules and releases too, wherever their repository is."""
    context = detect(JOB, GIT_URL=git_url)

    assert (context.forge, context.api_url, context.token) == (ForgeKind.NONE, "", "")


@pytest.mark.parametrize(
    ("variables", "trigger", "branch"),
    [
        ({}, Trigger.PUSH, "main"),
        ({"BRANCH_NAME": "", "GIT_BRANCH": "origin/main"}, Trigger.PUSH, "main"),
        ({"BRANCH_NAME": "v1", "TAG_NAME": "v1"}, Trigger.PUSH, ""),
        ({"BRANCH_NAME": ""}, Trigger.MANUAL, ""),
    ],
)
def test_a_build_of_a_branch_is_a_push(
    variables: dict[str, str], trigger: Trigger, branch: str
) -> None:
    """Multibranch or not; a tag is no branch."""
    context = detect(JOB, **variables)

    assert (context.trigger, context.branch) == (trigger, branch)


def test_a_fork_is_known() -> None:
    """Jenkins names it."""
    assert detect(CHANGE, CHANGE_FORK="stranger").fork


def test_a_server_without_an_address_is_known_by_its_builds() -> None:
    """JENKINS_URL is missing where nobody set it."""
    context = detect({**JOB, "JENKINS_URL": "", "BUILD_TAG": "jenkins-deploy-17"})

    assert context.vendor is Vendor.JENKINS


def test_a_broken_number_is_misconfigured() -> None:
    """The report would go nowhere, or elsewhere."""
    with pytest.raises(UsageFault) as caught:
        detect(CHANGE, CHANGE_ID="PR-42")

    assert "CHANGE_ID" in caught.value.what
