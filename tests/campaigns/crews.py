"""Deployers as real processes, and the repositories that they deploy from."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.campaigns.scenarios import Body
from tests.cli.conftest import IDENTITY
from tests.parts.processes import tied

NURSERY = Path(__file__).resolve().parent / "nursery.py"
END_S = 120.0
CONFIG = """\
version: 1
environments:
  {environment}:
    path: deploy
    target: {{cluster: {{}}}}
    policy: {{timeout: 60s, stability: 0s, patience: {{seconds: 1}}}}
"""


@dataclass
class Deployer:
    """One process. *code* is None while it lives, negative after a signal."""

    pid: int
    output: Path
    code: int | None = None

    def send(self, number: signal.Signals) -> None:
        """A signal, unless it has ended."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def said(self) -> str:
        """All its output so far."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""


@dataclass
class Crew:
    """Starts deployers and knows how they end. Start it in the main thread."""

    folder: Path
    changed: threading.Condition = field(default_factory=threading.Condition)
    _living: dict[int, Deployer] = field(default_factory=dict)
    _started: list[int] = field(default_factory=list)
    _count: int = 0

    def __enter__(self) -> Self:
        with (self.folder / "nursery.log").open("wb") as log:
            self._program = subprocess.Popen(
                tied([sys.executable, "-W", "ignore", NURSERY]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._program.stdin:
            self._program.stdin.close()
        self._program.wait()
        self._thread.join()
        if self._program.stdout:
            self._program.stdout.close()

    def start(self, argv: Sequence[str], cwd: Path, **environ: str) -> Deployer:
        """A process that runs a command."""
        self._count += 1
        output = self.folder / f"output-{self._count}"
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        order = {
            "argv": list(argv),
            "cwd": str(cwd),
            "env": {**kept, **IDENTITY, "HOME": str(self.folder), **environ},
            "output": str(output),
        }
        assert self._program.stdin
        with self.changed:
            self._program.stdin.write(json.dumps(order).encode() + b"\n")
            self._program.stdin.flush()
            begun = self.changed.wait_for(lambda: self._started or not self._thread.is_alive(), 60)
            assert begun, "no deployer starts"
            assert self._started, (self.folder / "nursery.log").read_text()
            deployer = Deployer(self._started.pop(), output)
            self._living[deployer.pid] = deployer
            self.changed.notify_all()
        return deployer

    def wait(self, done: Callable[[], bool], seconds: float = END_S) -> bool:
        """Waits until something is true that the end of a deployer or a notice may make true."""
        with self.changed:
            return self.changed.wait_for(done, seconds)

    def ended(self, deployer: Deployer) -> int:
        """Its exit code, once it has one."""
        assert self.wait(lambda: deployer.code is not None), f"it hangs: {deployer.said()}"
        assert deployer.code is not None
        return deployer.code

    def notice(self) -> None:
        """Whoever waits looks again."""
        with self.changed:
            self.changed.notify_all()

    def _listen(self) -> None:
        assert self._program.stdout
        for line in self._program.stdout:
            news: dict[str, Any] = json.loads(line)
            with self.changed:
                if "started" in news:
                    self._started.append(news["started"])
                    # The end may be told before whoever started it could take it in.
                    self.changed.notify_all()
                    self.changed.wait_for(lambda: not self._started)
                elif "ended" in news:
                    self._living.pop(news["ended"]).code = news["code"]
                self.changed.notify_all()
        self.notice()


class History:
    """A real Git repository whose commits are made out of states, without a work tree."""

    def __init__(self, root: Path, environment: str, states: Sequence[Sequence[Body]]) -> None:
        self.root = root
        root.mkdir()
        self._environment = environment
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", "https://git.example.com/acme/shop.git")
        self._trees = [self._tree(state) for state in states]

    def git(self, *arguments: str, stdin: str = "") -> str:
        """What Git prints."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **IDENTITY},
            input=stdin,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, state: int, parent: str = "") -> str:
        """A commit that wants one of the states."""
        above = ("-p", parent) if parent else ()
        return self.git("commit-tree", self._trees[state], *above, "-m", f"State {state}")

    def checkout(self, commit: str, name: str) -> Path:
        """A clone's work tree of its own at that commit; the same of that name every time."""
        place = self.root.parent / name
        if place.exists():
            subprocess.run(
                ["git", "reset", "--quiet", "--hard", commit],
                cwd=place,
                env={**os.environ, **IDENTITY},
                check=True,
            )
        else:
            self.git("worktree", "add", "--quiet", "--detach", str(place), commit)
        return place

    def _tree(self, bodies: Sequence[Body]) -> str:
        text = "---\n".join(json.dumps(body) + "\n" for body in bodies)
        blob = self.git("hash-object", "-w", "--stdin", stdin=text)
        folder = self.git("mktree", stdin=f"100644 blob {blob}\tall.yaml\n")
        config = CONFIG.format(environment=self._environment)
        settings = self.git("hash-object", "-w", "--stdin", stdin=config)
        entries = f"100644 blob {settings}\t.pipeline-gitops.yaml\n040000 tree {folder}\tdeploy\n"
        return self.git("mktree", stdin=entries)
