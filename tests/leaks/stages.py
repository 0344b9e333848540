"""Commands on a stage where all that they leave behind can be seen: streams, files, requests."""

import json
import os
import re
import shutil
import subprocess
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import reports
from tests.cli.conftest import Repository, Said
from tests.fakes.apiserver import FakeApiServer, Refused, Served
from tests.leaks.jobs import Jobs

Sinks = Mapping[str, str]

# What a status says on the way is told unless something newer is there by then.
_ON_THE_WAY = re.compile(
    r'.*("pending"|"running"|"in_progress"|waits for its turn|"deploying").*\n'
)
# How long what took, as the page draws it.
_BARS = re.compile(r'<svg(?=[^>]*width="100%").*?</svg>', re.DOTALL)

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: worker, namespace: default}
spec:
  restartPolicy: Never
  containers: [{name: worker, image: "registry.example.com/worker:1"}]
"""


class TroubledServer(FakeApiServer):
    """An API server in which pods fail, with these words of theirs and of others about them."""

    def __init__(self) -> None:
        super().__init__()
        self.last_words = ""
        self.events: list[str] = []

    def answer(self, method: str, path: str, query: dict[str, str], *rest: Any) -> Any:
        """Lets nobody watch: whoever waits lists once a second."""
        if query.get("watch"):
            raise Refused(403, "Forbidden", "forbidden: cannot watch resource")
        return super().answer(method, path, query, *rest)

    def _settle(self, kind: Served, body: dict[str, Any]) -> None:
        super()._settle(kind, body)
        if kind.kind != "Pod":
            return
        body["status"] = {
            "phase": "Failed",
            "message": self.last_words,
            "containerStatuses": [
                {
                    "name": "worker",
                    "restartCount": 3,
                    "state": {"terminated": {"exitCode": 1, "message": self.last_words}},
                }
            ],
        }
        about = {key: body["metadata"][key] for key in ("uid", "name")}
        for number, message in enumerate(self.events):
            event = {
                "involvedObject": {**about, "kind": "Pod"},
                "reason": "Failed",
                "type": "Warning",
                "message": message,
                "count": 1,
                "lastTimestamp": "2100-01-01T00:00:00Z",
            }
            self.store(self.kind("", "Event"), "default", f"event-{number}", event)


def _written(bodies: list[Any]) -> str:
    return json.dumps(bodies, ensure_ascii=False, indent=1)


class Stage:
    """One job in one repository: what is planted is up to the test."""

    def __init__(
        self,
        call: Callable[..., Said],
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        server: TroubledServer,
        jobs: Callable[[Path, Path], Jobs],
    ) -> None:
        root = folder / "repository"
        self.out = folder / "out"
        self.temporary = folder / "temporary"
        for made in (root, self.out, self.temporary):
            made.mkdir(parents=True)
        self._call = call
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._children: list[str] = []
        self._job: dict[str, str] = {}
        # Commits of the same files have the same names on every stage.
        self.set(GIT_AUTHOR_DATE="2025-01-01T00:00:00Z", GIT_COMMITTER_DATE="2025-01-01T00:00:00Z")
        self.repository = Repository(root)
        self.repository.git("init", "--quiet", "--initial-branch=main")
        self.server = server
        self.jobs = jobs(folder, self.out)
        self.forge = self.jobs.forge

    def set(self, **variables: str) -> None:
        """Variables of the job."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def review(self, base: str, head: str, **variables: str) -> None:
        """A job for merge request 7."""
        self._begin(self.jobs.review(base, head) | variables)

    def push(self, sha: str, **variables: str) -> None:
        """A job for a push to main, which merged merge request 7."""
        self.forge.merged(7, sha)
        self._begin(self.jobs.push(sha) | variables)

    def run_of_a_fork(self, base: str, head: str) -> None:
        """A job that posts what the job of a fork's merge request has left."""
        self._begin(self.jobs.run_of_a_fork(base, head))

    def _begin(self, job: dict[str, str]) -> None:
        for name in self._job.keys() - job.keys():
            self._monkeypatch.delenv(name)
        self._job = job
        self.set(**job)

    def cluster(self, **how: str) -> None:
        """Credentials for the API server."""
        self.set(KUBECONFIG=str(self.server.kubeconfig(self._folder / "kubeconfig", **how)))

    def forget(self) -> None:
        """What came before does not count: it only sets the stage."""
        self.forge.seen.clear()
        self._children.clear()
        for made in (self.out, self.temporary):
            shutil.rmtree(made)
            made.mkdir()

    def run(self, *arguments: str, is_reporting: bool = True) -> Sinks:
        """Runs a command; all that it has left behind, by where."""
        self._monkeypatch.chdir(self.repository.root)
        self._monkeypatch.setenv("TMPDIR", str(self.temporary))
        self._monkeypatch.setattr("tempfile.tempdir", str(self.temporary))
        self._watch_children()
        wanted = [f"{kind}={self.out / kind}" for kind in reports.KINDS] if is_reporting else []
        said = self._call(*arguments, *(part for one in wanted for part in ("--report", one)))
        sinks = {"exit code": str(said.code), "stdout": said.out, "stderr": said.err}
        sinks |= {path.name: path.read_text() for path in self.out.iterdir()}
        sent = [one for one in self.forge.seen if one.method != "GET"]
        for name, word in self.jobs.surfaces.items():
            sinks[name] = _written([one.body for one in sent if word in one.path])
        sinks["all that the forge was sent"] = _written([one.body for one in sent])
        sinks["addresses at the forge"] = "\n".join(
            f"{one.method} {one.path} {one.query}" for one in self.forge.seen
        )
        sinks["temporary files"] = self.left_behind()
        sinks["children"] = "\n".join(self._children)
        return sinks

    def settled(self, sinks: Sinks) -> Sinks:
        """*sinks* without what differs from run to run: commits, times, ports, folders.

        Nor with children: Git is asked for objects by their names.
        """
        commits = self.repository.git("log", "--all", "--format=%H", "--reverse").split()
        kept = {name: text for name, text in sinks.items() if name != "children"}
        return {name: self._settled(text, commits) for name, text in kept.items()}

    def _settled(self, text: str, commits: Sequence[str]) -> str:
        for folder in (str(self._folder), str(self._folder).replace("_", "\\_")):
            text = text.replace(folder, "FOLDER")
        for written, sign in (("\\n", "\n"), ("\\\\u002d", "-"), ('\\"', '"')):
            text = text.replace(written, sign)
        for number, commit in enumerate(commits):
            text = re.sub(rf"{commit[:7]}[0-9a-f]*", f"COMMIT-{number}", text)
        text = _ON_THE_WAY.sub("", text)
        text = _BARS.sub("BARS", text)
        text = re.sub(r"127\.0\.0\.1:\d+", "HOST", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "TIME", text)
        # What keeps a result from being obeyed is drawn; and a section of a note has a hash of what
        # stands in it, times and commits included.
        text = re.sub(r"::[0-9a-f]{32}|hash=[0-9a-f]{16}", "DRAWN", text)
        return re.sub(
            r"\b\d+(\.\d+)? ?s\b|(\"seconds\"|\"started\"|time=\"?):? ?[\d.]+", "SECONDS", text
        )

    def left_behind(self) -> str:
        """All temporary files that are still there."""
        files = [path for path in self.temporary.rglob("*") if path.is_file()]
        return "\n".join(path.read_text(errors="replace") for path in files)

    def _watch_children(self) -> None:
        start = subprocess.Popen
        seen = self._children

        class Watched(start):  # type: ignore[type-arg,valid-type,misc]
            def __init__(self, argv: Any, *rest: Any, **options: Any) -> None:
                env = options.get("env")
                env = os.environ if env is None else env
                seen.append(" ".join(map(str, argv)))
                seen.extend(f"{name}={value}" for name, value in env.items())
                super().__init__(argv, *rest, **options)

        # Of the program only: the tests start some of their own.
        shim = types.SimpleNamespace(**{**vars(subprocess), "Popen": Watched})
        self._monkeypatch.setattr("pipeline_gitops.process.subprocess", shim)
