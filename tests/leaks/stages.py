"""Commands on a stage where all that they leave behind can be seen: streams, files, requests."""

import json
import os
import re
import subprocess
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import reports
from tests.cli.conftest import Repository, Said
from tests.fakes.apiserver import FakeApiServer, Served
from tests.fakes.github import FakeGitHub

Sinks = Mapping[str, str]

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


class Stage:
    """One job in one repository: what is planted is up to the test."""

    def __init__(
        self,
        call: Callable[..., Said],
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        server: TroubledServer,
        github: FakeGitHub,
    ) -> None:
        root = folder / "repository"
        root.mkdir(parents=True)
        self.repository = Repository(root)
        self.repository.git("init", "--quiet", "--initial-branch=main")
        self.server = server
        self.github = github
        self._call = call
        self._folder = folder
        self._monkeypatch = monkeypatch
        self._children: list[str] = []
        self.out = folder / "out"
        self.temporary = folder / "temporary"
        for made in (self.out, self.temporary):
            made.mkdir()

    def set(self, **variables: str) -> None:
        """Variables of the job."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def job(self, event: str, payload: Mapping[str, object], **variables: str) -> None:
        """A job of GitHub Actions."""
        path = self._folder / "event.json"
        path.write_text(json.dumps(payload))
        self.set(
            GITHUB_ACTIONS="true",
            GITHUB_EVENT_NAME=event,
            GITHUB_EVENT_PATH=str(path),
            GITHUB_REPOSITORY="shop/deploy",
            GITHUB_API_URL=self.github.api_url,
            GITHUB_SERVER_URL=self.github.origin,
            GITHUB_RUN_ID="5",
            GITHUB_STEP_SUMMARY=str(self.out / "summary"),
            GITHUB_OUTPUT=str(self.out / "outputs"),
            RUNNER_TEMP=str(self.out),
            **{"GITHUB_TOKEN": "a-token-that-nothing-is-planted-in", **variables},
        )

    def pull_request(self, base: str, head: str, **variables: str) -> None:
        """A job for pull request 7."""
        ours = {"full_name": "shop/deploy", "default_branch": "main"}
        pull = {
            "number": 7,
            "head": {"sha": head, "ref": "feature", "repo": ours},
            "base": {"sha": base, "ref": "main", "repo": ours},
            "labels": [],
        }
        payload = {"action": "opened", "number": 7, "pull_request": pull, "repository": ours}
        self.job("pull_request", payload, GITHUB_SHA="f" * 40, **variables)

    def push(self, sha: str, **variables: str) -> None:
        """A job for a push to main, which merged pull request 7."""
        self.github.merged(7, sha)
        payload = {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}
        self.job("push", payload, GITHUB_SHA=sha, GITHUB_REF="refs/heads/main", **variables)

    def cluster(self, **how: str) -> None:
        """Credentials for the API server."""
        self.set(KUBECONFIG=str(self.server.kubeconfig(self._folder / "kubeconfig", **how)))

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
        for kind, word in (("note", "comments"), ("status", "statuses"), ("check", "check-runs")):
            sent = [
                one.body for one in self.github.seen if one.method != "GET" and word in one.path
            ]
            sinks[f"{kind} on the forge"] = json.dumps(sent, ensure_ascii=False, indent=1)
        rest = [one.body for one in self.github.seen if one.method != "GET"]
        sinks["all that the forge was sent"] = json.dumps(rest, ensure_ascii=False, indent=1)
        sinks["temporary files"] = self._left_behind()
        sinks["children"] = "\n".join(self._children)
        return sinks

    def settled(self, sinks: Sinks) -> Sinks:
        """*sinks* without what differs from run to run: commits, times, ports, folders.

        Nor with children: Git is asked for objects by their names.
        """
        kept = {name: text for name, text in sinks.items() if name != "children"}
        return {name: self._settled(text) for name, text in kept.items()}

    def _settled(self, text: str) -> str:
        text = text.replace(str(self._folder), "FOLDER")
        for written, sign in (("\\n", "\n"), ("\\\\u002d", "-"), ('\\"', '"')):
            text = text.replace(written, sign)
        text = re.sub(r"127\.0\.0\.1:\d+", "HOST", text)
        text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "TIME", text)
        text = re.sub(r"\b[0-9a-f]{7,64}\b|(?<=\")[\w+/]{15}( [\w+/]{15})*(?=\")", "HASH", text)
        return re.sub(
            r"\b\d+(\.\d+)? ?s\b|(\"seconds\"|\"started\"|time=\"?):? ?[\d.]+", "SECONDS", text
        )

    def _left_behind(self) -> str:
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
