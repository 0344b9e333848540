"""A forge's server with clients of it, and what tests let them say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.forges.gitea import Gitea
from pipeline_gitops.forges.github import GitHub
from pipeline_gitops.forges.gitlab import GitLab
from pipeline_gitops.pipeline.merge_requests import notes
from pipeline_gitops.pipeline.merge_requests.notes import NotePosted, Section, Stamp
from pipeline_gitops.ports import CommitStatus, Forge, MergeRequest, StatusState
from pipeline_gitops.reports import Shown
from tests.fakes.gitea import FakeGitea
from tests.fakes.github import FakeGitHub
from tests.fakes.gitlab import FakeGitLab
from tests.fakes.world import FakeClock

CANARY = "c4n4ry-t0k3n"
SECRET = "s3cr3t-w0rds"
MERGE_REQUEST = MergeRequest(number=7)
SHA = "ab" * 20
SERVERS: dict[ForgeKind, Callable[[], Any]] = {
    ForgeKind.GITHUB: FakeGitHub,
    ForgeKind.GITLAB: FakeGitLab,
    ForgeKind.GITEA: FakeGitea,
}
CLIENTS: dict[ForgeKind, Callable[..., Any]] = {
    ForgeKind.GITHUB: GitHub,
    ForgeKind.GITLAB: GitLab,
    ForgeKind.GITEA: Gitea,
}


@dataclass
class World:
    """A forge's server, and clients of it. *pauses* holds the waits that clients wanted."""

    kind: ForgeKind
    server: Any
    pauses: list[float] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)

    def context(self, role: str = "writer", **other: Any) -> CIContext:
        """A job's context. The token's first word says what it may do."""
        given = {"forge": self.kind, "api_url": self.server.api_url, "project": "shop/deploy"}
        return CIContext(**{**given, "token": f"{role}-{CANARY}", **other})

    def connect(self, role: str = "writer", *, timeout_s: int = 5, **other: Any) -> Forge:
        """A client that waits for nothing but answers."""
        context = self.context(role, **other)
        if self.kind is ForgeKind.GITHUB:
            client: Any = GitHub(
                context, pause=self.pauses.append, timeout_s=timeout_s, between_writes_s=0
            )
        else:
            client = CLIENTS[self.kind](context, pause=self.pauses.append, timeout_s=timeout_s)
        self.clients.append(client)
        return client

    def note_path(self) -> str:
        """What all paths to notes hold."""
        return "notes" if self.kind is ForgeKind.GITLAB else "comments"

    def edit_method(self) -> str:
        """How a note is edited."""
        return "PUT" if self.kind is ForgeKind.GITLAB else "PATCH"


def section(body: str = "3 changes", *, key: str = "staging", run: int = 1) -> Section:
    """A section as a job would post it."""
    return Section(key=key, stamp=Stamp(run=run), body=Shown(body))


def post(forge: Forge, one: Section) -> NotePosted:
    """Posts it as the only writer."""
    return notes.upsert(forge, MERGE_REQUEST, [one], clock=FakeClock())


def status(description: str = "no changes", **other: Any) -> CommitStatus:
    """A status of the environment staging."""
    given = {"sha": SHA, "context": "pipeline-gitops/staging", "state": StatusState.SUCCESS}
    return CommitStatus(**{**given, "description": description, **other})
