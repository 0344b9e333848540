"""GitLab CI: variables in; log sections out.

https://docs.gitlab.com/ci/variables/predefined_variables/ and .../ci/jobs/job_logs/
"""

from collections.abc import Callable, Mapping

from pipeline_gitops.ci import variables
from pipeline_gitops.ci.values import CIContext, ForgeKind, Trigger, Vendor

JOB_TOKEN = "CI_JOB_TOKEN"  # noqa: S105 - the name of a variable
_TOKENS = ("PIPELINE_GITOPS_TOKEN", "GITLAB_TOKEN", JOB_TOKEN)


def detect(environ: Mapping[str, str], _read_text: Callable[[str], str]) -> CIContext | None:
    """The job, or None outside GitLab CI. Raises UsageFault where its variables do not add up."""
    if environ.get("GITLAB_CI") != "true":
        return None
    token, token_name = variables.token(environ, _TOKENS)
    merge_request = variables.number(environ, "CI_MERGE_REQUEST_IID")
    source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "")
    # The job of a fork's merge request runs in the fork; the merge request lives elsewhere.
    project_id = variables.first(environ, "CI_MERGE_REQUEST_PROJECT_ID", "CI_PROJECT_ID")
    return CIContext(
        vendor=Vendor.GITLAB,
        trigger=_trigger(environ, merge_request),
        forge=ForgeKind.GITLAB,
        api_url=environ.get("CI_API_V4_URL", ""),
        server_url=environ.get("CI_SERVER_URL", ""),
        project=variables.first(environ, "CI_MERGE_REQUEST_PROJECT_PATH", "CI_PROJECT_PATH"),
        project_id=project_id,
        # In a merged-results pipeline CI_COMMIT_SHA is a test merge that nobody knows.
        sha=variables.first(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
        subject=environ.get("CI_COMMIT_TITLE", ""),
        checked_out=environ.get("CI_COMMIT_SHA", ""),
        # Set for merged results, where the change is what comes on top of the target branch.
        base_sha=variables.first(
            environ, "CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "CI_MERGE_REQUEST_DIFF_BASE_SHA"
        ),
        branch=variables.first(environ, "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"),
        base_branch=environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", ""),
        default_branch=environ.get("CI_DEFAULT_BRANCH", ""),
        merge_request=merge_request,
        labels=tuple(
            label.strip()
            for label in environ.get("CI_MERGE_REQUEST_LABELS", "").split(",")
            if label.strip()
        ),
        fork=bool(merge_request) and source != project_id,
        run_url=environ.get("CI_JOB_URL", ""),
        run_number=variables.number(environ, "CI_PIPELINE_ID"),
        job_environment=_job_environment(environ),
        pipeline_id=environ.get("CI_PIPELINE_ID", ""),
        actor=environ.get("GITLAB_USER_LOGIN", ""),
        token=token,
        token_name=token_name,
        job_token=token_name == JOB_TOKEN,
        ca_file=variables.first(environ, "CI_SERVER_TLS_CA_FILE", "REQUESTS_CA_BUNDLE"),
    )


def _job_environment(environ: Mapping[str, str]) -> str:
    """The job's `environment:`, unless its `action:` is one that deploys nothing."""
    deploys = environ.get("CI_ENVIRONMENT_ACTION", "") in ("", "start")
    return environ.get("CI_ENVIRONMENT_NAME", "") if deploys else ""


def _trigger(environ: Mapping[str, str], merge_request: int) -> Trigger:
    """Why the pipeline runs. A child pipeline of a merge request's has its variables, too."""
    if merge_request:
        return Trigger.MERGE_REQUEST
    match environ.get("CI_PIPELINE_SOURCE", ""):
        case "push":
            return Trigger.PUSH
        case "schedule":
            return Trigger.SCHEDULE
        case _:
            return Trigger.MANUAL
