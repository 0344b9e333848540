"""What only a real Gitea shows: whom a note notifies, what becomes of forks, how edits collide."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.ports import CommitStatus, MergeRequest, StatusState
from pipeline_gitops.reports import Shown
from tests.fakes.descriptions import FOLDER
from tests.fakes.forge import newest
from tests.fakes.openapi import cut as cuts
from tests.gitea.places import RealPlace
from tests.gitea.server import GiteaServer, Refusal


def test_a_bare_mention_notifies(repository: RealPlace) -> None:
    """So that the other tests of mentions can be believed."""
    repository.push("feature")
    number = repository.open("feature")
    body = Shown(f"cc @{repository.visitor.login}")

    repository.connect().create_note(MergeRequest(number=number), body)

    assert repository.mentions() == ["Change feature"]


def test_edits_at_the_same_moment_are_a_fault_or_done(repository: RealPlace) -> None:
    """The server answers 500 to one that lost: its writer has to look what stands there."""
    repository.push("feature")
    merge_request = MergeRequest(number=repository.open("feature"))
    forge = repository.connect()
    note = forge.create_note(merge_request, Shown("begin"))
    said: list[str] = []
    faults: list[str] = []

    def edit(writer: int) -> None:
        own = repository.connect()
        for turn in range(10):
            try:
                said.append(own.edit_note(merge_request, note, Shown(f"{writer}.{turn}")).body)
            except ReportFault as fault:
                faults.append(fault.what)

    threads = [threading.Thread(target=edit, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (standing,) = forge.notes(merge_request)
    assert standing.body in said
    assert all("500" in fault for fault in faults)
    assert standing.id == note.id


class Fork:
    """A fork of a repository by its visitor, with a pull request."""

    def __init__(self, place: RealPlace) -> None:
        self._place = place
        visitor = place.visitor
        visitor.api.post(f"/repos/{place.project}/forks", {"name": "fork"})
        self.project = f"{visitor.login}/fork"
        place.git("checkout", "--quiet", "-b", "stranger")
        (place.folder / "theirs").write_text("theirs")
        place.git("add", "--all")
        place.git("commit", "--quiet", "-m", "Theirs")
        url = f"{place.server.url}/{self.project}.git"
        place.git(*place.signed(visitor), "push", "--quiet", url, "HEAD:stranger")
        self.head = place.git("rev-parse", "HEAD")
        body = {"title": "Theirs", "head": f"{visitor.login}:stranger", "base": "main"}
        self.number = int(place.api("POST", "pulls", body, by=visitor)["number"])

    def delete(self) -> None:
        """The pull request stays, closed."""
        self._place.visitor.api.send("DELETE", f"/repos/{self.project}")


def test_a_merge_request_of_a_fork_gets_a_note_and_a_status(repository: RealPlace) -> None:
    """By those who may write in the repository that it goes to."""
    fork = Fork(repository)
    forge = repository.connect()

    found = forge.merge_request(fork.number)
    note = forge.create_note(found, Shown("hello"))
    forge.set_status(CommitStatus(sha=fork.head, context="c", state=StatusState.SUCCESS))

    assert (found.head_sha, found.state) == (fork.head, "open")
    assert forge.notes(found) == (note,)
    assert [one.state for one in newest(forge, fork.head)] == [StatusState.SUCCESS]


def test_a_merge_request_whose_fork_is_gone_is_read(repository: RealPlace) -> None:
    """It is closed, and its head is still known."""
    fork = Fork(repository)
    fork.delete()

    found = repository.connect().merge_request(fork.number)

    assert (found.state, found.head_sha) == ("closed", fork.head)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "deployments", None),
        ("GET", "environments", None),
        ("POST", "check-runs", {}),
        ("GET", "commits/{sha}/pulls", None),
    ],
)
def test_the_server_still_lacks_what_we_do_without(
    repository: RealPlace, method: str, path: str, body: Any
) -> None:
    """The day that one of these is there, our client can do more."""
    sha = repository.push("main")

    with pytest.raises(Refusal) as caught:
        repository.api(method, path.format(sha=sha), body)

    assert caught.value.status == 404


def test_the_description_of_the_fake_is_the_servers_own(gitea: GiteaServer) -> None:
    """Cut out of what the server shows to people who ask it for its API."""
    swagger = requests.get(f"{gitea.url}/swagger.v1.json", timeout=30).json()
    swagger["basePath"] = "/api/v1"

    cut = cuts.cut(cuts.converted(swagger), cuts.PATHS["gitea"])

    committed = json.loads((FOLDER / "gitea.json").read_text())
    assert {**committed, "info": None} == {**cut, "info": None}


def test_the_server_listens_on_loopback_only(gitea: GiteaServer) -> None:
    """And nobody can register there."""
    assert gitea.url.startswith("http://127.0.0.1:")
