"""Whole runs on a real Gitea: a merge request from its review to what became of its deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.ports import MergeRequest
from pipeline_gitops.reports import Shown, notes
from tests.cli.conftest import IDENTITY
from tests.cli.manifests import config_map, plain
from tests.gitea.places import STYLES, WRITER, RealPlace
from tests.gitea.server import Account

END_S = 120.0


@dataclass(frozen=True)
class Ended:
    """What a run printed, and its exit code."""

    code: int
    text: str


class Runner:
    """Runs the program as Gitea's own runner does: a process in a clone, with its variables."""

    def __init__(
        self, place: RealPlace, folder: Path, *scopes: str, account: Account | None = None
    ) -> None:
        self._place = place
        self._folder = folder
        self.token = (account or place.bot).token(*scopes or WRITER)
        self._run = 0

    def review(self, base: str, head: str, number: int) -> Ended:
        """The job of a pull request."""
        repository = {"full_name": self._place.project, "default_branch": "main"}
        pull = {
            "number": number,
            "head": {"sha": head, "ref": "feature", "repo": repository},
            "base": {"sha": base, "ref": "main", "repo": repository},
            "labels": [],
        }
        payload = {"number": number, "pull_request": pull, "repository": repository}
        self._place.git("checkout", "--quiet", head)
        return self._start("pull_request", payload, GITHUB_SHA=head)

    def push(self, sha: str, *flags: str) -> Ended:
        """The job of a push to main."""
        payload = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}
        self._place.git("checkout", "--quiet", sha)
        ref = {"GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main"}
        return self._start("push", payload, *flags, GITHUB_SHA=sha, **ref)

    def _start(self, event: str, payload: dict[str, Any], *flags: str, **variables: str) -> Ended:
        self._run += 1
        path = self._folder / "event.json"
        path.write_text(json.dumps(payload))
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "pipeline_gitops", "run", *flags],
            cwd=self._place.folder,
            env={
                **IDENTITY,
                **variables,
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                "HOME": str(self._folder),
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITEA_ACTIONS": "true",
                "GITHUB_EVENT_NAME": event,
                "GITHUB_EVENT_PATH": str(path),
                "GITHUB_REPOSITORY": self._place.project,
                "GITHUB_SERVER_URL": self._place.server.url,
                "GITHUB_API_URL": f"{self._place.server.url}/api/v1",
                "GITHUB_RUN_ID": str(self._run),
                "GITHUB_TOKEN": self.token,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=END_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def runner(repository: RealPlace, tmp_path: Path) -> Runner:
    """With a token that has the scopes of the documentation."""
    return Runner(repository, tmp_path)


def proposed(place: RealPlace, **files: str) -> tuple[str, str, int]:
    """Base, head and number of a pull request that changes the greeting, or these files."""
    base = place.commit("main", plain())
    place.git("checkout", "--quiet", "-b", "feature")
    changed = files or {"deploy/settings.yaml": config_map(greeting="welcome")}
    head = place.commit("feature", changed)
    return base, head, place.open("feature")


def ours(place: RealPlace, number: int) -> list[str]:
    """All notes of ours."""
    return [body for body in place.bodies(number) if notes.is_marked(body)]


def statuses(place: RealPlace, sha: str) -> dict[str, str]:
    """The newest state by context."""
    found = sorted(place.api("GET", f"commits/{sha}/statuses?limit=50"), key=lambda one: one["id"])
    return {one["context"]: one["status"] for one in found}


@pytest.mark.parametrize("style", STYLES)
def test_one_note_follows_a_change_from_its_review_to_its_deployment(
    repository: RealPlace, runner: Runner, style: str
) -> None:
    """Whichever way it is merged: a note with the diff, then the same note with what became of it;
    a status on the head, then one on the commit that the merge made."""
    base, head, number = proposed(repository)

    review = runner.review(base, head, number)
    (shown,) = ours(repository, number)
    before = statuses(repository, head)
    tip = repository.merge(number, style)
    deployed = runner.push(tip)

    assert (review.code, deployed.code) == (0, 0), review.text + deployed.text
    assert "greeting: welcome" in shown
    assert before["pipeline-gitops/prod"] == "success"
    assert statuses(repository, tip)["pipeline-gitops/prod"] == "success"
    (told,) = ours(repository, number)
    assert told != shown
    assert tip[:7] in told
    written = [path.read_text() for path in (repository.folder / "rendered").rglob("*.yaml")]
    assert any("greeting: welcome" in text for text in written)


def test_a_second_review_edits_the_note(repository: RealPlace, runner: Runner) -> None:
    """Nobody is notified twice."""
    base, head, number = proposed(repository)
    first = runner.review(base, head, number)
    repository.git("checkout", "--quiet", "feature")
    again = repository.commit("feature", {"deploy/settings.yaml": config_map(greeting="third")})

    second = runner.review(base, again, number)

    assert (first.code, second.code) == (0, 0), first.text + second.text
    (note,) = ours(repository, number)
    assert "greeting: third" in note


WORDS = """\
data:
  greeting: |
    cc @{name} and
    @{name}, closes #1
    ```
    @{name}
    /close
"""
KEY = '"for @{name} and": hello\n'


@pytest.mark.parametrize("foreign", [WORDS, KEY], ids=["in a diff", "in a finding"])
def test_a_note_with_foreign_words_notifies_nobody_and_moves_nothing(
    repository: RealPlace, runner: Runner, foreign: str
) -> None:
    """Mentions, commands and references of a manifest. A mention that is meant comes later, and is
    all that there is then: the server tells of them one after the other."""
    name = repository.visitor.login
    begin, _, _ = config_map().partition("\ndata:")
    base, head, number = proposed(
        repository, **{"deploy/settings.yaml": f"{begin}\n{foreign.format(name=name)}"}
    )
    later = int(repository.api("POST", "issues", {"title": "Meant"})["number"])

    runner.review(base, head, number)

    (note,) = ours(repository, number)
    assert name in note
    repository.connect().create_note(MergeRequest(number=later), Shown(f"cc @{name}"))
    assert repository.mentions() == ["Meant"]
    assert repository.connect().merge_request(number).state == "open"


def test_a_token_with_too_few_scopes_is_told_once_what_it_lacks(
    repository: RealPlace, tmp_path: Path
) -> None:
    """The deploy's exit code is its own; the scope is named where people look."""
    base, head, number = proposed(repository)
    runner = Runner(repository, tmp_path, "read:issue", "read:repository", "read:user")

    review = runner.review(base, head, number)

    assert review.code == 0, review.text
    assert ours(repository, number) == []
    assert review.text.count("write:repository") == 1
    assert review.text.count("write:issue") == 1


def test_the_token_is_shown_nowhere(repository: RealPlace, runner: Runner) -> None:
    """Neither in the output nor in the note."""
    base, head, number = proposed(repository)

    review = runner.review(base, head, number)

    assert runner.token not in review.text
    assert runner.token not in "".join(repository.bodies(number))


# -- what was reviewed is what is deployed ---------------------------------------------------------


def bound(place: RealPlace, runner: Runner, identity: str = "") -> str:
    """A commit that is deployed, from which on each change has to be reviewed."""
    files = plain()
    named = f", bindingIdentity: [{identity}]" if identity else ""
    files[".pipeline-gitops.yaml"] += f"    policy: {{binding: require{named}}}\n"
    base = place.commit("main", {**files, ".gitignore": "rendered/\n*.md\n"})
    deployed = runner.push(base, "--binding", "off")
    assert deployed.code == 0, deployed.text
    return base


def reviewed(place: RealPlace, runner: Runner, base: str, branch: str, **files: str) -> int:
    """The number of a pull request with that change, after its review."""
    place.git("checkout", "--quiet", "-b", branch, base)
    head = place.commit(branch, files)
    number = place.open(branch)
    review = runner.review(base, head, number)
    assert review.code == 0, review.text
    return number


def live(place: RealPlace) -> Path:
    """Where the settings are deployed."""
    (path,) = (place.folder / "rendered").rglob("configmap-settings.yaml")
    return path


@pytest.mark.parametrize("style", STYLES)
def test_what_was_reviewed_is_deployed(repository: RealPlace, runner: Runner, style: str) -> None:
    """Whichever way it is merged; and a run that comes again finds its proof again."""
    base = bound(repository, runner)
    changed = {"deploy/settings.yaml": config_map(greeting="welcome")}
    number = reviewed(repository, runner, base, "feature", **changed)
    tip = repository.merge(number, style)
    old = live(repository).read_text()

    deployed = runner.push(tip)
    live(repository).write_text(old)
    again = runner.push(tip)

    assert (deployed.code, again.code) == (0, 0), deployed.text + again.text
    assert "greeting: welcome" in live(repository).read_text()


def test_drift_since_the_review_is_refused(repository: RealPlace, runner: Runner) -> None:
    """Somebody changed by hand what the merge request would change."""
    base = bound(repository, runner)
    changed = {"deploy/settings.yaml": config_map(greeting="welcome")}
    number = reviewed(repository, runner, base, "feature", **changed)
    tip = repository.merge(number, "merge")
    path = live(repository)
    path.write_text(path.read_text().replace("data:", "data:\n  planted: by-hand"))
    before = path.read_text()

    deployed = runner.push(tip)

    assert deployed.code == 4, deployed.text
    assert f"which merge request {number} showed otherwise" in " ".join(deployed.text.split())
    assert path.read_text() == before


def test_only_the_account_that_is_named_reviews(
    repository: RealPlace, runner: Runner, tmp_path: Path
) -> None:
    """It has a token of its own, with the scopes of the documentation; the deploy's does not do."""
    account = repository.server.account("plan")
    repository.api("PUT", f"collaborators/{account.login}", {"permission": "write"})
    reviewer = Runner(repository, tmp_path, account=account)
    base = bound(repository, runner, account.login)
    changed = {"deploy/settings.yaml": config_map(greeting="welcome")}
    number = reviewed(repository, reviewer, base, "feature", **changed)
    other = reviewed(repository, runner, base, "other", **{"deploy/more.yaml": config_map("more")})

    first = runner.push(repository.merge(number, "merge"))
    second = runner.push(repository.merge(other, "merge"))

    assert first.code == 0, first.text
    assert second.code == 4, second.text
    said = " ".join(second.text.split())
    assert f"reported by {repository.bot.login}, and only {account.login} counts" in said


@pytest.mark.parametrize("style", ["merge", "squash"])
def test_several_that_were_merged_before_a_deploy_count_together(
    repository: RealPlace, runner: Runner, style: str
) -> None:
    """The deploy in between was superseded, say; a direct push is not covered by them."""
    base = bound(repository, runner)
    changed = {"deploy/settings.yaml": config_map(greeting="welcome")}
    first = reviewed(repository, runner, base, "first", **changed)
    more = {"deploy/third.yaml": config_map("third")}
    second = reviewed(repository, runner, base, "second", **more)
    repository.merge(first, style)
    tip = repository.merge(second, style)

    deployed = runner.push(tip)
    repository.git("checkout", "--quiet", "main")
    pushed = runner.push(repository.commit("main", {"deploy/fourth.yaml": config_map("fourth")}))

    assert deployed.code == 0, deployed.text
    assert "greeting: welcome" in live(repository).read_text()
    assert pushed.code == 4, pushed.text
    assert "no merge request brought this commit" in " ".join(pushed.text.split())
