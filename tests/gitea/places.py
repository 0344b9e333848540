"""A repository on a Gitea, real or played, with the same things to do to it."""

from __future__ import annotations

import itertools
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from pipeline_gitops.ci import CIContext, ForgeKind
from pipeline_gitops.forges.gitea import Gitea
from tests.cli.conftest import IDENTITY
from tests.fakes.gitea import FakeGitea
from tests.gitea.server import Account, GiteaServer, Refusal

WRITER = ("write:issue", "write:repository", "read:user")
STYLES = ("merge", "rebase", "rebase-merge", "squash", "fast-forward-only")
NOTIFIED_S = 60.0  # a mention comes within a fraction of a second
MERGE_S = 60.0  # a new pull request is looked at first; until then: "Please try again later"


class Place(Protocol):
    """What a test of the Gitea client arranges. There is a commit on main in the beginning."""

    def connect(self, *scopes: str) -> Gitea:
        """A client with a token that has these scopes; without any, those that a job needs."""
        ...

    def stranger(self) -> Gitea:
        """A client with a token that nobody has."""
        ...

    def push(self, branch: str, *, since: str = "main") -> str:
        """A new commit on a branch, which begins where another one is."""
        ...

    def open(self, branch: str) -> int:
        """A new pull request for a branch."""
        ...

    def merge(self, number: int, style: str) -> str:
        """Merges it, and gives the last commit of main."""
        ...

    def write(self, number: int, body: str) -> str:
        """A comment by somebody else."""
        ...

    def bodies(self, number: int) -> list[str]:
        """All comments, oldest first."""
        ...

    def rename(self) -> None:
        """Gives the repository another name."""
        ...


class Clients:
    """Clients, and their end."""

    def __init__(self) -> None:
        self._clients: list[Gitea] = []

    def client(self, api_url: str, project: str, token: str) -> Gitea:
        """One that does not wait between tries."""
        context = CIContext(
            forge=ForgeKind.GITEA, api_url=api_url, project=project, token=token, token_name="TOKEN"
        )
        made = Gitea(context, pause=lambda _: None)
        self._clients.append(made)
        return made

    def close(self) -> None:
        """Closes their connections."""
        for client in self._clients:
            client.close()


class FakePlace(Clients):
    """The repository of a fake."""

    def __init__(self) -> None:
        super().__init__()
        self._server = FakeGitea()
        self.push("main")

    def connect(self, *scopes: str) -> Gitea:
        return self._connect(self._server.token(*scopes or WRITER))

    def stranger(self) -> Gitea:
        return self._connect("unknown")

    def _connect(self, token: str) -> Gitea:
        return self.client(self._server.api_url, "shop/deploy", token)

    def push(self, branch: str, *, since: str = "main") -> str:
        return self._server.push(branch, since=since)

    def open(self, branch: str) -> int:
        return self._server.open(branch)

    def merge(self, number: int, style: str) -> str:
        return self._server.merge(number, style)

    def write(self, number: int, body: str) -> str:
        return self._server.add_note("alice", body, number=number)

    def bodies(self, number: int) -> list[str]:
        return [one["body"] for one in self._server.comments_of(number)]

    def rename(self) -> None:
        self._server.name = "other"

    def close(self) -> None:
        super().close()
        self._server.close()


class RealPlace(Clients):
    """A repository of its own on a real server. *bot* may write there, *visitor* only look."""

    def __init__(self, server: GiteaServer, folder: Path) -> None:
        super().__init__()
        self.server = server
        self.owner, self.bot, self.visitor = (server.account(n) for n in ("shop", "bot", "alice"))
        self.project = f"{self.owner.login}/deploy"
        self.folder = folder / "repository"
        self.folder.mkdir()
        self._counter = itertools.count()
        self.owner.api.post("/user/repos", {"name": "deploy", "default_branch": "main"})
        self.api("PUT", f"collaborators/{self.bot.login}", {"permission": "write"})
        self.git("init", "--quiet", "--initial-branch=main")
        self.push("main")

    def api(self, method: str, path: str, body: Any = None, *, by: Account | None = None) -> Any:
        """What the server answers to somebody, usually the owner, about the repository."""
        return (by or self.owner).api.send(method, f"/repos/{self.project}/{path}", body)

    def connect(self, *scopes: str) -> Gitea:
        return self._connect(self.bot.token(*scopes or WRITER))

    def stranger(self) -> Gitea:
        return self._connect("0" * 40)

    def _connect(self, token: str) -> Gitea:
        return self.client(f"{self.server.url}/api/v1", self.project, token)

    def git(self, *arguments: str) -> str:
        """What Git prints in a clone of the owner's."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **IDENTITY},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def push(self, branch: str, *, since: str = "main") -> str:
        known = self.git("branch", "--list", branch)
        begin = [] if known else [since] if self.git("branch", "--list", since) else []
        if begin:
            self.git("checkout", "--quiet", "-b", branch, *begin)
        elif known:
            self.git("checkout", "--quiet", branch)
        name = f"file-{next(self._counter)}"
        return self.commit(branch, {name: name})

    def commit(self, branch: str, files: dict[str, str], message: str = "Change") -> str:
        """A commit of files on the branch that is checked out, pushed."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        self.git(*self.signed(self.owner), "push", "--quiet", self.url, f"HEAD:{branch}")
        return self.git("rev-parse", "HEAD")

    @property
    def url(self) -> str:
        """What Git clones."""
        return f"{self.server.url}/{self.project}.git"

    def signed(self, account: Account) -> list[str]:
        """Arguments of Git that let it speak for somebody."""
        return ["-c", f"http.extraHeader=Authorization: token {account.api.token}"]

    def open(self, branch: str) -> int:
        body = {"title": f"Change {branch}", "head": branch, "base": "main"}
        return int(self.api("POST", "pulls", body)["number"])

    def merge(self, number: int, style: str) -> str:
        deadline = time.monotonic() + MERGE_S
        while True:
            try:
                self.api("POST", f"pulls/{number}/merge", {"Do": style})
                break
            except Refusal as refusal:
                if refusal.status != 405 or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
        self.git(*self.signed(self.owner), "fetch", "--quiet", self.url, "main")
        self.git("checkout", "--quiet", "main")
        self.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        return self.git("rev-parse", "HEAD")

    def write(self, number: int, body: str) -> str:
        made = self.api("POST", f"issues/{number}/comments", {"body": body}, by=self.visitor)
        return str(made["id"])

    def bodies(self, number: int) -> list[str]:
        found = self.api("GET", f"issues/{number}/comments")
        return [one["body"] for one in sorted(found, key=lambda one: int(one["id"]))]

    def mentions(self) -> list[str]:
        """The titles of what the visitor was notified of, once there is something."""
        deadline = time.monotonic() + NOTIFIED_S
        while not (found := self.visitor.api.get("/notifications?all=true")):
            assert time.monotonic() < deadline, "nobody was notified"
            time.sleep(0.1)
        return [one["subject"]["title"] for one in found]

    def rename(self) -> None:
        self.owner.api.send("PATCH", f"/repos/{self.project}", {"name": "other"})
