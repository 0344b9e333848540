"""Our GitHub client on a GitHub that was not written by us."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.forges.github import GitHub
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import Posting, Section, Stamp
from pipeline_gitops.ports import Annotation, Check, MergeRequest
from pipeline_gitops.reports import Shown
from pipeline_gitops.views import Severity
from tests.emulate.server import OWNER, TOKEN, Emulator
from tests.fakes.world import FakeClock

_COUNTER = itertools.count()


class Project:
    """A repository of its own there."""

    def __init__(self, server: Emulator) -> None:
        self.name = f"shop-{next(_COUNTER)}"
        self._url = server.url
        body = {"name": self.name, "auto_init": True}
        self.send("POST", "/user/repos", body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer."""
        answer = requests.request(
            method,
            f"{self._url}{path}",
            json=body,
            headers={"Authorization": f"token {TOKEN}"},
            timeout=30,
        )
        answer.raise_for_status()
        return answer.json()

    def open(self) -> MergeRequest:
        """A pull request."""
        repository = f"/repos/{OWNER}/{self.name}"
        (head,) = self.send("GET", f"{repository}/branches")
        reference = {"ref": "refs/heads/feature", "sha": head["commit"]["sha"]}
        self.send("POST", f"{repository}/git/refs", reference)
        body = {"title": "Greet", "head": "feature", "base": "main"}
        return MergeRequest(number=self.send("POST", f"{repository}/pulls", body)["number"])

    def merge(self, merge_request: MergeRequest) -> str:
        """The commit that the merge made."""
        path = f"/repos/{OWNER}/{self.name}/pulls/{merge_request.number}/merge"
        return str(self.send("PUT", path, {})["sha"])


@pytest.fixture
def project(emulator: Emulator) -> Project:
    """A repository."""
    return Project(emulator)


@pytest.fixture
def forge(emulator: Emulator, project: Project) -> Iterator[GitHub]:
    """Our client."""
    context = CIContext(
        forge=ForgeKind.GITHUB,
        api_url=emulator.url,
        project=f"{OWNER}/{project.name}",
        token=TOKEN,
    )
    made = GitHub(context, pause=lambda _: None, between_writes_s=0)
    yield made
    made.close()


def test_one_note_is_created_edited_and_left_alone(project: Project, forge: GitHub) -> None:
    """Three runs, the last of them with nothing new to say."""
    merge_request = project.open()
    said = [Section(key="prod", stamp=Stamp(run=run), body=Shown(body)) for run, body in RUNS]

    how = [
        notes.upsert(forge, merge_request, [one], clock=FakeClock()).how
        for one in (*said, said[-1])
    ]

    assert how == [Posting.CREATED, Posting.EDITED, Posting.UNCHANGED]
    (note,) = forge.notes(merge_request)
    assert "4 changes" in note.body
    assert note.author == OWNER == forge.me()


RUNS = ((1, "3 changes"), (2, "4 changes"))


def test_our_note_is_found_behind_others(project: Project, forge: GitHub) -> None:
    """The list has pages, and all of them are read."""
    merge_request = project.open()
    for number in range(130):
        forge.create_note(merge_request, Shown(f"comment {number}"))

    found = forge.notes(merge_request)

    assert [note.body for note in found] == [f"comment {number}" for number in range(130)]


def test_a_note_is_deleted(project: Project, forge: GitHub) -> None:
    """One that is gone already is fine."""
    merge_request = project.open()
    note = forge.create_note(merge_request, Shown("hello"))

    for _ in range(2):
        forge.drop_note(merge_request, note)

    assert forge.notes(merge_request) == ()


def test_a_pull_request_is_read_before_and_after_its_merge(project: Project, forge: GitHub) -> None:
    """Its state, and the commit that it became."""
    merge_request = project.open()

    before = forge.merge_request(merge_request.number)
    sha = project.merge(merge_request)
    after = forge.merge_request(merge_request.number)

    assert (before.state, before.merge_sha) == ("open", "")
    assert (after.state, after.merge_sha) == ("merged", sha)


def test_findings_become_a_check_run(project: Project, forge: GitHub) -> None:
    """More of them than go into one request."""
    head = forge.merge_request(project.open().number).head_sha
    found = [
        Annotation(
            path="deploy/web.yaml",
            line=number + 1,
            severity=Severity.WARNING,
            title="image without a tag",
            message=f"number {number}",
        )
        for number in range(70)
    ]

    forge.set_check(
        Check(sha=head, name="pipeline-gitops", title="t", summary="s", annotations=tuple(found))
    )

    runs = project.send("GET", f"/repos/{OWNER}/{project.name}/commits/{head}/check-runs")
    (run,) = runs["check_runs"]
    assert (run["name"], run["status"]) == ("pipeline-gitops", "completed")
