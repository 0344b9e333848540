"""`run` by the CI's event, and where its report goes."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Repository, Said
from tests.cli.jobs import Job
from tests.cli.manifests import config_map, plain
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab

Call = Callable[..., Said]
TOKEN = "planted-token-123"


def feature(repository: Repository) -> tuple[str, str]:
    """A base commit on main, and a head commit on a branch."""
    base = repository.commit(plain())
    repository.git("checkout", "--quiet", "-b", "feature")
    return base, repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})


def test_a_merge_request_gets_one_note_and_a_status(
    repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """Created once, edited in place; nothing is written to the target."""
    base, head = feature(repository)
    job.pull_request(base, head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    first = call("run")
    repository.commit({"deploy/settings.yaml": config_map(greeting="third")})
    second = call("run")

    assert (first.code, second.code) == (0, 0), first.text + second.text
    (note,) = github.bodies()
    assert "+  greeting: third" in note
    assert github.statuses_of(head)[0][:2] == ("success", "pipeline-gitops/prod")
    assert not (repository.root / "rendered").exists()
    assert TOKEN not in first.text + second.text


def test_the_same_report_is_not_written_twice(
    repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """An unchanged section costs no write of the note."""
    base, head = feature(repository)
    job.pull_request(base, head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    call("run")
    call("run")

    assert len([path for method, path in github.writes() if "comments" in path]) <= 2


def test_a_configuration_that_cannot_be_read_is_told_in_the_note(
    repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """Of the environments that the merge base knows: the commit hides its own."""
    base, _ = feature(repository)
    broken = "version: 1\nenviroments: {}\n"
    head = repository.commit({".pipeline-gitops.yaml": broken})
    job.pull_request(base, head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    said = call("run")

    assert said.code == 2
    (note,) = github.bodies()
    assert "unknown key 'enviroments'" in note
    assert github.statuses_of(head)[0][:2] == ("failure", "pipeline-gitops/prod")


def test_a_merge_request_can_repair_the_configuration(
    repository: Repository, call: Call, job: Job
) -> None:
    """A merge base that nobody can read allows nothing: no target is asked."""
    repository.commit({**plain(), ".pipeline-gitops.yaml": "version: 1\nenviroments: {}\n"})
    base = repository.git("rev-parse", "HEAD").strip()
    repository.git("checkout", "--quiet", "-b", "feature")
    head = repository.commit(plain())
    job.pull_request(base, head)

    said = call("run")

    assert said.code == 0, said.text
    assert "the merge base has no configuration to go by" in said.text
    assert "its target is used from the merge on" in said.text


def test_what_breaks_before_there_is_an_environment_is_told_all_the_same(
    repository: Repository, call: Call, job: Job, tmp_path: Path
) -> None:
    """After the merge nothing can be deployed: summary, outputs and files say why."""
    sha = repository.commit({".pipeline-gitops.yaml": "version: 1\nenviroments: {}\n"})
    summary, output, report = (tmp_path / name for name in ("summary.md", "output", "report.json"))
    job.push("main", sha, GITHUB_STEP_SUMMARY=str(summary), GITHUB_OUTPUT=str(output))

    said = call("run", "--report", f"json={report}")

    why = ".pipeline-gitops.yaml:2:1: unknown key 'enviroments'"
    assert said.code == 2
    assert why in said.text
    assert "unknown key 'enviroments'" in summary.read_text()
    assert "exit-code=2\n" in output.read_text()
    assert json.loads(report.read_text())["fault"]["message"].startswith(why)
    assert "::error title=usage::.pipeline-gitops.yaml" in said.text


def test_a_note_that_cannot_be_posted_fails_nothing(
    repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """Exit code 0, the note in the log; 9 where the report is required."""
    base, head = feature(repository)
    job.pull_request(base, head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN="readonly-1")

    said, required = call("run"), call("run", "--require-report")

    assert (said.code, required.code) == (0, 9)
    assert "was not delivered" in said.err
    assert "+  greeting: welcome" in said.out
    assert github.bodies() == []


def test_without_a_token_the_note_goes_to_a_file(
    repository: Repository, call: Call, job: Job, tmp_path: Path
) -> None:
    """As on a fork. The log has the report, and needs it once."""
    base, head = feature(repository)
    job.pull_request(base, head, fork=True, RUNNER_TEMP=str(tmp_path))

    said = call("run")

    assert said.code == 0
    assert said.out.count("+  greeting: welcome") == 1
    assert "+  greeting: welcome" in (tmp_path / "pipeline-gitops-note.md").read_text()


def test_outside_of_ci_no_note_is_left_behind(repository: Repository, call: Call) -> None:
    """There is no later step to post it, and the work tree stays clean."""
    feature(repository)

    said = call("run")

    assert said.code == 0
    assert said.out.count("+  greeting: welcome") == 1
    assert repository.git("status", "--porcelain") == ""


def test_a_push_deploys_and_reports_on_the_merged_request(
    repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """The note is on the merge request that brought the commit."""
    sha = repository.commit(plain())
    github.merged(7, sha)
    job.push("main", sha, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    said = call("run")

    assert said.code == 0, said.text
    assert list((repository.root / "rendered").rglob("configmap-settings.yaml"))
    (note,) = github.bodies()
    assert "prod" in note


def test_a_push_to_another_branch_deploys_nothing(
    repository: Repository, call: Call, job: Job
) -> None:
    """Only the branch of an environment, or the default branch."""
    sha = repository.commit(plain())
    job.push("feature", sha)

    said = call("run")

    assert said.code == 0
    assert not (repository.root / "rendered").exists()
    assert "no environment is deployed from branch feature" in said.text


def test_a_merge_request_cannot_move_its_target(
    repository: Repository, call: Call, job: Job
) -> None:
    """The change is shown as a danger and holds from the merge on."""
    base = repository.commit(plain())
    repository.git("checkout", "--quiet", "-b", "feature")
    head = repository.commit(plain("directory: {path: elsewhere}"))
    job.pull_request(base, head)

    said = call("run")

    assert said.code == 0
    assert "changes target of prod" in said.out
    assert "directory rendered" in said.out


def test_gitlab_merge_requests_are_answered_as_well(
    repository: Repository, call: Call, job: Job, gitlab: FakeGitLab
) -> None:
    """One note on the merge request, by the project token."""
    base, head = feature(repository)
    job.gitlab_merge_request(gitlab, base, head)

    first, second = call("run"), call("run")

    assert (first.code, second.code) == (0, 0), first.text
    notes = [note["body"] for note in gitlab.notes.values()]
    assert len(notes) == 1
    assert "+  greeting: welcome" in notes[0]


def test_a_jenkins_change_request_is_reviewed(repository: Repository, call: Call, job: Job) -> None:
    """Compared with its target branch; without a token the note stays in the log."""
    _, head = feature(repository)
    job.set(
        JENKINS_URL="https://jenkins.example.com/",
        BUILD_NUMBER="3",
        CHANGE_ID="7",
        CHANGE_TARGET="main",
        CHANGE_BRANCH="feature",
        CHANGE_URL="https://github.com/shop/deploy/pull/7",
        GIT_COMMIT=head,
    )

    said = call("run")

    assert said.code == 0, said.text
    assert "+  greeting: welcome" in said.out


def test_a_ci_whose_variables_do_not_add_up_is_misconfigured(call: Call, job: Job) -> None:
    """Exit code 2: this CI, but not right."""
    job.set(GITHUB_ACTIONS="true", GITHUB_EVENT_NAME="pull_request", GITHUB_EVENT_PATH="/nowhere")

    said = call("run")

    assert (said.code, "Traceback" in said.text) == (2, False)


def test_reports_of_earlier_jobs_become_one_note(
    repository: Repository, call: Call, job: Job, github: FakeGitHub
) -> None:
    """The worst of them gives the exit code."""
    base, head = feature(repository)
    job.pull_request(base, head)
    good = call("validate", "--report", "json=good.json")
    repository.write({"deploy/settings.yaml": config_map() + "dta: {}\n"})
    bad = call("validate", "--report", "json=bad.json")
    job.pull_request(base, head, GITHUB_API_URL=github.api_url, GITHUB_TOKEN=TOKEN)

    said = call("report", "good.json", "bad.json")

    assert (good.code, bad.code, said.code) == (0, 3, 3)
    (note,) = github.bodies()
    assert "unknown field" in note


def test_a_report_that_is_none_is_refused(
    repository: Repository, call: Call, tmp_path: Path
) -> None:
    """What another job wrote is checked before anything of it is shown."""
    repository.commit(plain())
    (repository.root / "x.json").write_text('{"schema": "something"}')

    said = call("report", "x.json")

    assert (said.code, "not a report" in said.text) == (2, True)
