"""Whole commands, called in the process, on small repositories."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline_gitops import cli
from tests.cli.jobs import Job
from tests.cli.manifests import plain
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab

IDENTITY = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Repository:
    """A Git repository in a temporary directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **IDENTITY},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, files: Mapping[str, str], message: str = "Change") -> str:
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """An empty repository, which is also the current directory."""
    root = tmp_path / "repository"
    root.mkdir()
    made = Repository(root)
    made.git("init", "--quiet", "--initial-branch=main")
    monkeypatch.chdir(root)
    return made


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No CI, no cluster, no home of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "GITLAB_", "CI", "JENKINS", "PIPELINE_GITOPS", "RUNNER_")):
            monkeypatch.delenv(name)
    for name in ("KUBECONFIG", "GH_TOKEN", "BUILD_TAG", "CHANGE_ID", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cluster(
    repository: Repository, kubeconfig: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A repository whose environment is deployed to a namespace of the test's own."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    repository.commit(plain(f"cluster: {{namespace: {namespace}}}"))
    return namespace


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """Runs one command; afterwards the signals are as they were."""
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }

    def run(*arguments: str) -> Said:
        capfd.readouterr()
        code = cli.run(arguments)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    yield run
    for number, disposition in before.items():
        signal.signal(number, disposition)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    """A stateful stand-in for GitHub."""
    forge = FakeGitHub()
    yield forge
    forge.close()


@pytest.fixture
def gitlab() -> Iterator[FakeGitLab]:
    """A stateful stand-in for GitLab."""
    forge = FakeGitLab()
    yield forge
    forge.close()


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Job:
    """The CI job that the command runs in."""
    return Job(monkeypatch, tmp_path)
