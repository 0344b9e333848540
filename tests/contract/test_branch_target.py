"""What only a branch promises: one commit a deploy, never half of one, never anybody's lost."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline_gitops.git import Git
from pipeline_gitops.inventories import Stamp
from pipeline_gitops.targets import files
from pipeline_gitops.targets.branch import BranchTarget
from tests.contract.places import (
    BRANCH,
    ENVIRON,
    OTHER,
    OWNER,
    BranchPlace,
    claimed,
    config_map,
    content,
    deploy_once,
    finished,
    manifests_in,
    planned,
    sh,
    until_not_stale,
    wanted,
)


@pytest.fixture
def branch(tmp_path: Path) -> BranchPlace:
    return BranchPlace(tmp_path)


def log(branch: BranchPlace, *format: str) -> list[str]:
    return sh(branch.origin, "log", *format, BRANCH).decode().splitlines()


def test_deploy_is_one_commit_that_says_where_it_came_from(branch: BranchPlace) -> None:
    """Whoever looks at a rendered file finds the commit and the run that made it."""
    deploy_once(branch.target(), wanted(config_map("web"), config_map("db")))

    assert sh(branch.origin, "log", "--format=%B", BRANCH).decode().strip() == (
        f"Deploy prod at aaaaaaa\n\nSource-Revision: {'a' * 40}\n"
        "Run-URL: https://ci.example.com/runs/1\nEnvironment: prod"
    )
    assert log(branch, "--format=%an <%ae>") == ["pipeline-gitops <noreply@pipeline-gitops.dev>"]


def test_run_without_a_link_names_none(branch: BranchPlace) -> None:
    """A deploy from a terminal has no run to point at."""
    deploy_once(branch.target(), wanted(config_map("web")), Stamp(revision="b" * 40))

    trailers = log(branch, "--format=%(trailers:only,unfold)")
    assert [line for line in trailers if line] == [
        f"Source-Revision: {'b' * 40}",
        "Environment: prod",
    ]


def test_nothing_is_pushed_before_the_deploy_is_settled(branch: BranchPlace) -> None:
    """Readers of the branch never see half of a deploy."""
    target = branch.target()
    survey, plan = planned(target, wanted(config_map("web"), config_map("db")))

    with target.claim(claimed(survey, plan)) as writing:
        list(writing.apply(plan.changes))

    assert branch.files() == {}


def test_deploy_of_a_commit_that_changed_nothing_makes_no_commit(branch: BranchPlace) -> None:
    """A new stamp alone is no reason to wake up everybody who follows the branch."""
    deploy_once(branch.target(), wanted(config_map("web")))
    before = log(branch, "--format=%H")

    deploy_once(branch.target(), wanted(config_map("web")), Stamp(revision="b" * 40))

    assert log(branch, "--format=%H") == before


def test_environments_share_a_branch(branch: BranchPlace) -> None:
    """Two environments at different paths leave each other alone, and files of people as well."""
    branch.put("../../README.md", b"hello\n")
    deploy_once(branch.target(), wanted(config_map("web")))

    deploy_once(branch.target(OTHER, "manifests/qa"), wanted(config_map("web"), config_map("db")))
    deploy_once(branch.target(OTHER, "manifests/qa"), wanted(config_map("db")))

    listed = sh(branch.origin, "ls-tree", "-r", "--name-only", BRANCH).decode().splitlines()
    assert listed == [
        "README.md",
        "manifests/prod/.pipeline-gitops.inventory",
        "manifests/prod/shop/configmap-web.yaml",
        "manifests/qa/.pipeline-gitops.inventory",
        "manifests/qa/shop/configmap-db.yaml",
    ]


def test_push_to_another_path_does_not_make_a_deploy_stale(branch: BranchPlace) -> None:
    """What somebody else does elsewhere on the branch is no reason to look again."""
    deploy_once(branch.target(), wanted(config_map("web", a="1")))
    slow = branch.target()
    survey, plan = planned(slow, wanted(config_map("web", a="2")))

    with slow.claim(claimed(survey, plan)) as writing:
        list(writing.apply(plan.changes))
        branch.put("../../README.md", b"hello\n")
        writing.settle(finished(survey, plan))

    assert manifests_in(branch) == {"shop/configmap-web.yaml": content(config_map("web", a="2"))}
    assert len(log(branch, "--format=%H")) == 3


def test_jobs_that_push_at_the_same_moment_lose_nothing(branch: BranchPlace) -> None:
    """Four environments deploy to one branch at once, three times each: all of it is there."""

    targets = [
        branch.target(replace(OWNER, environment=f"e{number}"), f"manifests/e{number}")
        for number in range(4)
    ]

    def deploys(number: int) -> None:
        for step in range(3):
            maps = (
                config_map(f"{number}-{each}", step=str(step)) for each in range(step, step + 2)
            )
            until_not_stale(targets[number], wanted(*maps))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deploys, range(4)))

    listed = sh(branch.origin, "ls-tree", "-r", "--name-only", BRANCH).decode().split()
    assert [name for name in listed if name.endswith(".yaml")] == [
        f"manifests/e{number}/shop/configmap-{number}-{each}.yaml"
        for number in range(4)
        for each in (2, 3)
    ]


def test_jobs_of_one_environment_never_mix(branch: BranchPlace) -> None:
    """Of four runs of one environment at once the last one's set stands, whole and alone."""
    sets = [wanted(*(config_map(f"{run}-{each}") for each in range(3))) for run in range(4)]
    targets = [branch.target() for _ in sets]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(until_not_stale, targets, sets))

    names = set(manifests_in(branch))
    assert names in [{files.file_name(id) for id in each.ids} for each in sets]
    assert {files.file_name(id) for id in branch.target().inventory().ids} == names


def test_clone_of_the_job_is_left_as_it_was(branch: BranchPlace) -> None:
    """No branch is checked out, and nothing is staged: the job goes on where it was."""
    branch.put("x", b"1")
    work = branch.clone()
    sh(work, "checkout", "--quiet", "-B", "work", f"origin/{BRANCH}")
    (work / "staged").write_text("x")
    sh(work, "add", "staged")
    before = (work / ".git/index").read_bytes(), sh(work, "status", "--porcelain")

    deploy_once(
        BranchTarget(Git(str(work), ENVIRON), BRANCH, branch.path, OWNER), wanted(config_map("web"))
    )

    after = (work / ".git/index").read_bytes(), sh(work, "status", "--porcelain")
    assert after == before
