"""How soon a broken rollout is called so, with its cause, against `kubectl rollout status`.

    make bench

The same workloads break on the tests' real control plane, once deployed by us and once applied and
waited for by kubectl. The clock of both starts when the evidence is there: a pod whose status says
what is wrong. Prints for each row when the cause was named in our log, when our verdict was there,
and when kubectl gave up; it is stopped after BENCH_CUT seconds (90), as by itself it would wait for
the Deployment's progress deadline, 10 minutes.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SCENARIOS = ROOT / "tests" / "scenarios"
CASES = ("crash-loop", "image-not-found", "command-not-in-image", "missing-key")
CUT_S = float(os.environ.get("BENCH_CUT", "90"))
BAR_S = 15.0
PATIENCE_S = 60.0  # policy.patience, for what may heal: a registry may have a bad minute
PATIENT = frozenset({"image-not-found"})
UNHEALTHY = 7


def main() -> int:
    """Exit code 1 when a bar is missed."""
    from tests.cluster.controlplane import ControlPlane

    with ControlPlane() as plane, tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), plane)
        with ThreadPoolExecutor(2 * len(CASES)) as pool:
            ours = [pool.submit(bench.ours, case) for case in CASES]
            theirs = [pool.submit(bench.kubectl, case) for case in CASES]
            rows = [
                row(case, mine.result(), peer.result())
                for case, mine, peer in zip(CASES, ours, theirs, strict=True)
            ]
    return 0 if all(rows) else 1


@dataclass(kw_only=True)
class Wait:
    """One wait for a workload that breaks; seconds after the evidence, None where it never came."""

    named: float | None = None
    verdict: float | None = None
    code: int = 0
    said: str = field(default="", repr=False)


def row(case: str, mine: Wait, peer: Wait) -> bool:
    """Prints a row; False when a bar is missed."""
    bar = BAR_S + (PATIENCE_S if case in PATIENT else 0)
    named, verdict = mine.named, mine.verdict
    good = named is not None and named <= BAR_S and verdict is not None and verdict <= bar
    good = good and mine.code == UNHEALTHY
    theirs = peer.verdict
    stopped = theirs is None
    waited = CUT_S if theirs is None else theirs
    ratio = waited / max(named or waited, 0.1)
    print(
        f"{case:22} ours named {_seconds(named)}  red {_seconds(verdict)}  kubectl "
        f"{f'> {CUT_S:.0f} s, stopped' if stopped else _seconds(theirs)}  "
        f"1/{'' if not stopped else '>'}{ratio:.0f}  "
        f"bar {BAR_S:.0f} s named, {bar:.0f} s red  {'ok' if good else 'MISSED'}",
        flush=True,
    )
    if not good:
        print(mine.said[-2000:], flush=True)
    return good


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{max(value, 0.0):5.1f} s"


class Bench:
    """Workloads that break, on one control plane."""

    def __init__(self, folder: Path, plane: Any) -> None:
        self._folder = folder
        self._plane = plane
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            "KUBECONFIG": str(plane.kubeconfig(folder / "kubeconfig")),
        }

    def ours(self, case: str) -> Wait:
        """A whole deploy, as a CI job runs it."""
        namespace, root, cause = self._prepared(case, "ours")
        self._git(root, "init", "-q", "-b", "main")
        self._git(root, "add", "-A")
        self._git(root, "commit", "-qm", "x")
        command = [sys.executable, "-P", "-m", "pipeline_gitops", "deploy"]
        return self._waited(namespace, root, command, lambda line: cause in line)

    def kubectl(self, case: str) -> Wait:
        """What a script does: apply, then wait for the rollout."""
        namespace, root, cause = self._prepared(case, "kubectl")
        kubectl = [str(BIN / "kubectl"), "--namespace", namespace]
        apply = [*kubectl, "apply", "--server-side", "-f", str(root / "deploy")]
        subprocess.run(apply, check=True, env=self._env, stdout=subprocess.DEVNULL)
        command = [*kubectl, "rollout", "status", "deployment/web"]
        return self._waited(namespace, root, command, lambda line: cause in line)

    def _prepared(self, case: str, who: str) -> tuple[str, Path, str]:
        """A namespace, a repository with the scenario, and the words of its cause."""
        from tests.contract.test_scenarios import read

        namespace = f"{who}-{case}"
        about, manifests = read(SCENARIOS / f"{case}.yaml", namespace)
        self._plane.admin.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
        root = self._folder / namespace
        (root / "deploy").mkdir(parents=True)
        (root / "deploy" / "web.yaml").write_text(manifests)
        target = f"{{cluster: {{namespace: {namespace}}}}}"
        (root / ".pipeline-gitops.yaml").write_text(
            f"version: 1\nenvironments:\n  test:\n    path: deploy\n    target: {target}\n"
        )
        return namespace, root, str(about["cause"])

    def _git(self, root: Path, *arguments: str) -> None:
        who = ("-c", "user.name=b", "-c", "user.email=b@example.com")
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, env=self._env)

    def _waited(
        self, namespace: str, root: Path, command: list[str], names: Callable[[str], bool]
    ) -> Wait:
        """Runs *command* until it ends or is stopped, and watches for the evidence beside it."""
        evidence = Evidence(self._plane, namespace)
        evidence.start()
        wait, named = Wait(), None
        lines = []
        with subprocess.Popen(
            command,
            cwd=root,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            stop = threading.Timer(CUT_S + 10, process.kill)
            stop.start()
            for line in process.stdout or ():
                lines.append(line)
                if named is None and names(line):
                    named = time.monotonic()
            wait.code = process.wait()
            ended = time.monotonic()
            stop.cancel()
        evidence.join()
        wait.said = "".join(lines)
        if evidence.seen is not None:
            wait.named = None if named is None else named - evidence.seen
            wait.verdict = None if wait.code < 0 else ended - evidence.seen
        return wait


class Evidence(threading.Thread):
    """When a pod of a namespace said for the first time what is wrong, on the monotonic clock."""

    def __init__(self, plane: Any, namespace: str) -> None:
        super().__init__(daemon=True)
        self._plane = plane
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self.seen: float | None = None

    def run(self) -> None:
        deadline = time.monotonic() + CUT_S
        while time.monotonic() < deadline:
            if any(map(_is_broken, self._plane.admin.get(self._path)["items"])):
                self.seen = time.monotonic()
                return
            time.sleep(0.1)


def _is_broken(pod: Any) -> bool:
    statuses = pod.get("status", {}).get("containerStatuses", ())
    reasons = [status["state"].get("waiting", {}).get("reason", "") for status in statuses]
    return any(reason not in ("", "ContainerCreating", "PodInitializing") for reason in reasons)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
