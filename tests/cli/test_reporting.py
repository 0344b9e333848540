"""What a run tells the forge on its way, and what is left of it where the forge does not listen."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline_gitops.cli import consulting, couriers
from pipeline_gitops.forges import answers
from tests.cli.conftest import Repository, Said
from tests.cli.hanging import STOPS_S, HangingServer, writing
from tests.cli.jobs import Job
from tests.cli.manifests import config_map, plain
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab

Call = Callable[..., Said]

TOKEN = "planted-token-123"
SERVER = "https://ci.example.com"
RUN = f"{SERVER}/shop/deploy/actions/runs/17"
PERMISSIONS = {
    "statuses": "permissions: statuses: write",
    "issues": "permissions: pull-requests: write",
    "deployments": "permissions: deployments: write",
    "checks": "permissions: checks: write",
}
UNKNOWN_KIND = """\
apiVersion: example.com/v1
kind: Widget
metadata:
  name: w
"""


@pytest.fixture
def pushed(repository: Repository, job: Job, github: FakeGitHub, tmp_path: Path) -> str:
    """A push to main of what merge request 7 brought."""
    sha = repository.commit(plain())
    github.merged(7, sha)
    job.push(
        "main",
        sha,
        GITHUB_API_URL=github.api_url,
        GITHUB_SERVER_URL=SERVER,
        GITHUB_RUN_ID="17",
        GITHUB_TOKEN=TOKEN,
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
        RUNNER_TEMP=str(tmp_path),
    )
    return sha


def is_deployed(repository: Repository) -> bool:
    """Whether the deploy has done its work, whatever became of the report."""
    return any((repository.root / "rendered").rglob("configmap-settings.yaml"))


def states(github: FakeGitHub, sha: str) -> list[str]:
    """Of the commit status, oldest first."""
    return [state for state, _, _ in github.statuses_of(sha)]


# -- in step -------------------------------------------------------------------------------------


def test_status_and_deployment_follow_the_deploy(
    pushed: str, repository: Repository, call: Call, github: FakeGitHub
) -> None:
    """One deployment, which ends as the status ends, and a note."""
    said = call("run")

    (record,) = github.deployments.told("prod")
    assert said.code == 0, said.text
    assert is_deployed(repository)
    assert states(github, pushed)[-1] == record[-1][0] == "success"
    assert github.statuses_of(pushed)[-1][2].startswith(record[-1][1])
    assert len(github.bodies()) == 1


@pytest.mark.parametrize("event", ["schedule", "workflow_dispatch"])
def test_a_look_changes_nothing_at_the_forge(
    pushed: str, call: Call, job: Job, github: FakeGitHub, event: str
) -> None:
    """The commit whose deploy failed stays red, whatever a nightly comparison finds."""
    failed = {"state": "failure", "context": "pipeline-gitops/prod", "description": "does not run"}
    github.all_statuses.append({"sha": pushed, **failed})
    job.github(event, {"repository": {"default_branch": "main"}}, GITHUB_SHA=pushed)

    said = call("run")

    assert said.code == 0, said.text
    assert states(github, pushed) == ["failure"]
    assert github.writes() == []


def test_the_deployment_of_the_job_is_used(pushed: str, call: Call, github: FakeGitHub) -> None:
    """The runner has made one for `environment: prod`."""
    github.deployments.begin(pushed, "prod", log_url=f"{RUN}/job/3")

    call("run")

    (record,) = github.deployments.told("prod")
    assert record[-1][0] == "success"


def test_a_run_that_breaks_off_leaves_nothing_running(
    pushed: str, call: Call, github: FakeGitHub
) -> None:
    """A fault outside of any environment, once they were announced."""
    said = call("run", "--rollback", "on-failure", "--no-wait")

    assert said.code == 2
    assert states(github, pushed)[-1] == "failure"
    assert github.deployments.told("prod")[0][-1][0] == "failure"


def words(github: FakeGitHub, sha: str) -> tuple[str, str]:
    """The last words of the commit's status and of the deployment, empty before the first."""
    (record,) = github.deployments.told("prod") or [[]]
    status = states(github, sha)
    return status[-1] if status else "", record[-1][0] if record else ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_cancelled_deploy_is_told_as_cancelled(
    repository: Repository, job: Job, github: FakeGitHub, tmp_path: Path, number: int, code: int
) -> None:
    """While a write hangs, which is not waited for any longer than a runner leaves."""
    sha = repository.commit(plain("cluster: {namespace: default}"))
    github.merged(7, sha)
    job.push("main", sha, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)
    with HangingServer() as server, writing(server, repository, tmp_path, "run") as running:
        # The forge is told by a thread of its own: the deploy may be ahead of it.
        on_the_way = words(github, sha)
        while on_the_way != ("pending", "in_progress") and running.poll() is None:
            time.sleep(0.05)
            on_the_way = words(github, sha)
        running.send_signal(number)
        said, _ = running.communicate(timeout=STOPS_S)
        still_hangs = not server.answers.is_set()

    assert running.returncode == code, said
    assert on_the_way == ("pending", "in_progress")
    assert words(github, sha) == ("error", "error")  # GitHub's word for it
    assert still_hangs


def test_every_merge_request_of_a_queue_is_told(
    pushed: str, repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """The deploy of one commit brings those that came before it, too."""
    call("run")
    second = repository.commit({"deploy/settings.yaml": config_map(greeting="second")})
    third = repository.commit({"deploy/settings.yaml": config_map(greeting="third")})
    github.merged(8, second)
    github.merged(9, third)
    before = len(github.comments_of(7))
    job.push("main", third, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    said = call("run")

    assert said.code == 0, said.text
    counts = [len(github.comments_of(number)) for number in (7, 8, 9)]
    assert counts == [before, 1, 1]
    assert states(github, second) == []
    assert states(github, third)[-1] == "success"


def test_a_direct_push_is_said_to_have_no_merge_request(
    pushed: str, call: Call, github: FakeGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status and deployment are its report."""
    monkeypatch.setattr("pipeline_gitops.pipeline.merge_requests.deliveries.INDEXED_S", 0.0)
    github.pulls_of.clear()

    said = call("run", "--require-report")

    assert said.code == 0, said.text
    assert f"no merge request brought {pushed[:7]}" in said.err
    assert states(github, pushed)[-1] == "success"


# -- with the least token ------------------------------------------------------------------------


@pytest.mark.parametrize("denied", list(PERMISSIONS))
def test_a_missing_permission_is_named_once_with_its_setting(
    pushed: str, repository: Repository, call: Call, github: FakeGitHub, denied: str
) -> None:
    """The rest is told, the deploy stands, and only status and note are required."""
    repository.write({"deploy/widget.yaml": UNKNOWN_KIND})
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--amend", "--no-edit")
    github.denied.add(denied)

    said = call("run", "--require-report")

    assert said.code == (9 if denied in ("statuses", "issues") else 0), said.text
    assert said.err.count(PERMISSIONS[denied]) == 1
    others = [setting for name, setting in PERMISSIONS.items() if name != denied]
    assert not any(setting in said.err for setting in others)
    assert is_deployed(repository)
    assert call("run").code == 0


def test_a_job_token_of_gitlab_records_deployments(
    repository: Repository, call: Call, job: Job, gitlab: FakeGitLab
) -> None:
    """No secret is needed for that; note and status are not tried, and why is said once."""
    sha = repository.commit(plain())
    gitlab.merged(7, sha)
    job.set(
        GITLAB_CI="true",
        CI_API_V4_URL=gitlab.api_url,
        CI_SERVER_URL=gitlab.origin,
        CI_PROJECT_ID="42",
        CI_PROJECT_PATH="shop/deploy",
        CI_PIPELINE_SOURCE="push",
        CI_COMMIT_BRANCH="main",
        CI_COMMIT_SHA=sha,
        CI_DEFAULT_BRANCH="main",
        CI_JOB_TOKEN="job-1",
    )

    said = call("run")

    assert said.code == 0, said.text
    assert gitlab.deployments.all[1]["status"] == "success"
    assert {path.rpartition("/")[0].rpartition("/")[2] for _, path in gitlab.writes()} <= {
        "42",
        "deployments",
    }
    assert said.err.count("scope api, role Developer") == 1
    assert "CI_JOB_TOKEN may not write a commit status" in said.err
    assert "CI_JOB_TOKEN may not write a note" in said.err


@pytest.mark.parametrize("may", [True, False])
def test_findings_are_annotated_once(
    repository: Repository, call: Call, job: Job, github: FakeGitHub, may: bool
) -> None:
    """By a check run where the token may, else by the log."""
    base = repository.commit(plain())
    repository.git("checkout", "--quiet", "-b", "feature")
    head = repository.commit({"deploy/settings.yaml": config_map() + "dta: {}\n"})
    if not may:
        github.denied.add("checks")
    job.pull_request(base, head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    said = call("run")

    (in_the_run,) = github.checks.annotations() if may else [{}]
    assert said.code == 3
    assert ("::error file=deploy/settings.yaml" in said.out) is not may
    assert ("unknown field" in in_the_run.get("message", "")) is may


# -- a forge that does not listen ----------------------------------------------------------------


def is_told_elsewhere(said: Said, folder: Path) -> bool:
    """In the log as a warning, in a file, and on the job's page."""
    return (
        "was not delivered" in said.err
        and "settings" in (folder / "pipeline-gitops-note.md").read_text()
        and "Not everything was delivered" in (folder / "summary.md").read_text()
        and TOKEN not in said.text
    )


def test_a_forge_that_answers_errors_fails_nothing(
    pushed: str,
    repository: Repository,
    call: Call,
    github: FakeGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The exit code is the deploy's, or 9 where the report is required."""
    monkeypatch.setattr(answers, "_BACKOFF_S", 0.0)
    for method in ("GET", "POST", "PATCH"):
        for _ in range(99):
            github.fail(method, status=500)

    said = call("run", "--require-report")

    assert said.code == 9, said.text
    assert is_deployed(repository)
    assert is_told_elsewhere(said, tmp_path)
    assert call("run").code == 0


def seconds(act: Callable[[], object]) -> float:
    """How long it takes on this machine, just now."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


def test_a_forge_that_hangs_costs_the_bound_and_no_more(
    pushed: str,
    repository: Repository,
    call: Call,
    github: FakeGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the beginning nor the end of a deploy waits for it, nor does what only warns."""
    monkeypatch.setattr(couriers, "BOUND_S", 1.0)
    monkeypatch.setattr(consulting, "WARNED_S", 0.5)
    for method in ("GET", "POST", "PATCH"):
        for _ in range(99):
            github.fail(method, hang=True)
    usual = seconds(lambda: call("diff"))
    started = time.monotonic()

    said = call("run")

    assert said.code == 0, said.text
    assert is_deployed(repository)
    assert is_told_elsewhere(said, tmp_path)
    assert time.monotonic() - started < 8 + 2 * usual  # a request would be waited for ten seconds


def test_a_failed_deploy_keeps_its_exit_code(
    pushed: str, repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """A report that is missing must not hide what is wrong."""
    head = repository.commit({"deploy/settings.yaml": config_map() + "dta: {}\n"})
    job.push("main", head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN="readonly-1")

    assert call("run", "--require-report").code == 3
