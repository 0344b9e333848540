"""What a CI job says about itself, in words of our own."""

from dataclasses import field
from enum import StrEnum

from pipeline_gitops.values import dataclass


class Vendor(StrEnum):
    """The CI systems that have a detector."""

    GITHUB = "github"
    GITLAB = "gitlab"
    JENKINS = "jenkins"
    NONE = "none"


class ForgeKind(StrEnum):
    """Where the merge request lives; Jenkins does not imply one."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    NONE = "none"


class Trigger(StrEnum):
    """Why the job runs."""

    MERGE_REQUEST = "merge-request"
    PUSH = "push"
    SCHEDULE = "schedule"
    CLOSED = "closed"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """A run that has ended, and whose report started this one: so says the forge, not that run."""

    event: str
    sha: str
    repository: str  # that its commit comes from: a fork
    number: int
    attempt: int = 1
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CIContext:
    """One CI job. Strings are "" and numbers 0 where the vendor does not say."""

    vendor: Vendor = Vendor.NONE
    trigger: Trigger = Trigger.MANUAL
    forge: ForgeKind = ForgeKind.NONE
    api_url: str = ""
    server_url: str = ""
    project: str = ""  # "group/name"; on the forge that holds the merge request
    project_id: str = ""  # GitLab's number of it
    sha: str = ""  # the commit that people know: a merge request's head, never a test merge
    checked_out: str = ""  # the commit in the work tree, a test merge included
    base_sha: str = ""
    subject: str = ""  # the pushed commit's first line
    branch: str = ""  # pushed branch; of a merge request its source
    base_branch: str = ""
    default_branch: str = ""
    merge_request: int = 0
    labels: tuple[str, ...] = ()
    fork: bool = False
    reported: ReportedRun | None = None
    run_url: str = ""
    run_number: int = 0
    attempt: int = 1
    job_environment: str = ""  # GitLab: of which the job itself keeps a deployment record
    pipeline_id: str = ""  # GitLab: statuses go to this pipeline, not to a stray one
    actor: str = ""
    token: str = field(default="", repr=False)
    token_name: str = ""  # the variable that held it
    job_token: bool = False  # GitLab's CI_JOB_TOKEN: may read, not write notes
    ca_file: str = ""
    summary_file: str = ""  # GITHUB_STEP_SUMMARY
    output_file: str = ""  # GITHUB_OUTPUT

    def files_url(self, revision: str) -> str:
        """What a file's path is appended to for its permalink; "" where the forge is unknown."""
        if not (self.server_url and self.project and revision):
            return ""
        match self.forge:
            case ForgeKind.GITHUB:
                return f"{self.server_url}/{self.project}/blob/{revision}"
            case ForgeKind.GITLAB:
                return f"{self.server_url}/{self.project}/-/blob/{revision}"
            case ForgeKind.GITEA:
                return f"{self.server_url}/{self.project}/src/commit/{revision}"
            case ForgeKind.NONE:
                return ""
