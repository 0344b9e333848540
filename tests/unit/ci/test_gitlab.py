"""GitLab CI: what the variables say about a job."""

from collections.abc import Mapping

import pytest

from pipeline_gitops import ci
from pipeline_gitops.ci import CIContext, ForgeKind, Trigger, Vendor
from pipeline_gitops.errors import UsageFault

HEAD = "a" * 40
BASE = "b" * 40
TEST_MERGE = "c" * 40

JOB = {
    "GITLAB_CI": "true",
    "CI_API_V4_URL": "https://forge.example/api/v4",
    "CI_SERVER_URL": "https://forge.example",
    "CI_PROJECT_ID": "7",
    "CI_PROJECT_PATH": "shop/infra/deploy",
    "CI_COMMIT_SHA": HEAD,
    "CI_DEFAULT_BRANCH": "main",
    "CI_JOB_URL": "https://forge.example/shop/infra/deploy/-/jobs/9",
    "CI_PIPELINE_ID": "1700",
    "CI_PIPELINE_SOURCE": "push",
    "CI_COMMIT_BRANCH": "main",
    "CI_JOB_TOKEN": "job-secret",
    "GITLAB_USER_LOGIN": "ann",
}
MERGE_REQUEST = {
    **{name: value for name, value in JOB.items() if name != "CI_COMMIT_BRANCH"},
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "42",
    "CI_MERGE_REQUEST_PROJECT_ID": "7",
    "CI_MERGE_REQUEST_PROJECT_PATH": "shop/infra/deploy",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "feature",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    "CI_MERGE_REQUEST_DIFF_BASE_SHA": BASE,
    "CI_MERGE_REQUEST_LABELS": "pipeline-gitops/confirm-deletes,team: shop",
}


def detect(environ: Mapping[str, str], **more: str) -> CIContext:
    return ci.detect({**environ, **more}, lambda path: "")


def test_a_merge_request_pipeline() -> None:
    """Everything that a note and a comparison need is in the variables."""
    assert detect(MERGE_REQUEST, GITLAB_TOKEN="glpat") == CIContext(
        vendor=Vendor.GITLAB,
        trigger=Trigger.MERGE_REQUEST,
        forge=ForgeKind.GITLAB,
        api_url="https://forge.example/api/v4",
        server_url="https://forge.example",
        project="shop/infra/deploy",
        project_id="7",
        sha=HEAD,
        checked_out=HEAD,
        base_sha=BASE,
        branch="feature",
        base_branch="main",
        default_branch="main",
        merge_request=42,
        labels=("pipeline-gitops/confirm-deletes", "team: shop"),
        run_url="https://forge.example/shop/infra/deploy/-/jobs/9",
        run_number=1700,
        pipeline_id="1700",
        actor="ann",
        token="glpat",
        token_name="GITLAB_TOKEN",
    )


def test_merged_results_report_on_the_source_branch() -> None:
    """CI_COMMIT_SHA is then a test merge; the change is what comes on top of the target branch."""
    context = detect(
        MERGE_REQUEST,
        CI_COMMIT_SHA=TEST_MERGE,
        CI_MERGE_REQUEST_SOURCE_BRANCH_SHA=HEAD,
        CI_MERGE_REQUEST_TARGET_BRANCH_SHA="d" * 40,
    )

    assert (context.sha, context.checked_out, context.base_sha) == (HEAD, TEST_MERGE, "d" * 40)


def test_a_fork_reports_to_where_the_merge_request_is() -> None:
    """The job may run in the fork; note and project are the parent's."""
    context = detect(
        MERGE_REQUEST,
        CI_PROJECT_ID="9",
        CI_PROJECT_PATH="stranger/deploy",
        CI_MERGE_REQUEST_SOURCE_PROJECT_ID="9",
    )

    assert (context.fork, context.project, context.project_id) == (True, "shop/infra/deploy", "7")


@pytest.mark.parametrize(
    ("source", "trigger"),
    [
        ("push", Trigger.PUSH),
        ("schedule", Trigger.SCHEDULE),
        ("web", Trigger.MANUAL),
        ("api", Trigger.MANUAL),
        ("parent_pipeline", Trigger.MANUAL),
    ],
)
def test_only_a_push_deploys(source: str, trigger: Trigger) -> None:
    """What is started by hand, or unknown, is at most a comparison."""
    context = detect(JOB, CI_PIPELINE_SOURCE=source)

    assert (context.trigger, context.branch, context.fork) == (trigger, "main", False)


def test_a_child_pipeline_of_a_merge_request_is_a_review() -> None:
    """It has its parent's variables."""
    context = detect(MERGE_REQUEST, CI_PIPELINE_SOURCE="parent_pipeline")

    assert context.trigger is Trigger.MERGE_REQUEST


def test_a_broken_number_is_misconfigured() -> None:
    """The report would go nowhere, or elsewhere."""
    with pytest.raises(UsageFault) as caught:
        detect(MERGE_REQUEST, CI_MERGE_REQUEST_IID="forty-two")

    assert "CI_MERGE_REQUEST_IID" in caught.value.what


@pytest.mark.parametrize(
    ("variables", "token", "job_token"),
    [
        ({"PIPELINE_GITOPS_TOKEN": "ours", "GITLAB_TOKEN": "g"}, "ours", False),
        ({"GITLAB_TOKEN": "g"}, "g", False),
        ({"GITHUB_TOKEN": "other"}, "job-secret", True),
        ({"CI_JOB_TOKEN": ""}, "", False),
    ],
)
def test_the_best_token_is_taken(variables: dict[str, str], token: str, job_token: bool) -> None:
    """The job's own token comes last, it may not write notes; another forge's is never sent."""
    context = detect(JOB, **variables)

    assert (context.token, context.job_token) == (token, job_token)


def test_files_are_linked_at_a_commit() -> None:
    """A permalink stays right when the branch moves on."""
    url = detect(JOB).files_url(HEAD)

    assert url == f"https://forge.example/shop/infra/deploy/-/blob/{HEAD}"


def test_a_push_brings_its_first_line() -> None:
    """It may name the merge request that the forge does not know of."""
    assert detect(JOB, CI_COMMIT_TITLE="Add a cache (!12)").subject == "Add a cache (!12)"


@pytest.mark.parametrize(
    ("action", "kept"), [("", "prod"), ("start", "prod"), ("verify", ""), ("prepare", "")]
)
def test_the_environment_of_the_job_has_a_deployment(action: str, kept: str) -> None:
    """Unless the job only looks after it."""
    environ = {**JOB, "CI_ENVIRONMENT_NAME": "prod", "CI_ENVIRONMENT_ACTION": action}

    assert ci.detect(environ, lambda _: "").job_environment == kept
