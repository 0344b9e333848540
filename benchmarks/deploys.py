"""Deploys against kubectl (and helm), in one run, as ratios, on the tests' real control plane.

    make bench               # 501 and 1,001 objects, as it is and with 20 ms on every round trip
    make bench PLOT=1        # and up to 10,000 objects, with docs/deploy-cost.svg
    make bench HELM=1        # and helm, where it is on PATH

Prints for each row ours, the peer's, the ratio and the bar; our CPU time, requests and the peak of
memory beside it. Two floors tell what no client could beat: "server" is the CPU time that the
control plane spent meanwhile, over the number of cores; "reading" is a Python that imports click,
urllib3 and PyYAML, reads the files with its C loader, and ends. Medians of interleaved runs.
BENCH_RUNS, BENCH_SIZES and BENCH_GROWTH choose less
or more: BENCH_SIZES=101 BENCH_GROWTH="101 301" is over in a minute.
"""

import contextlib
import json
import os
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PROGRAM = (sys.executable, "-P", "-m", "pipeline_gitops")
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SIZES = tuple(map(int, os.environ.get("BENCH_SIZES", "501 1001").split()))
GROWTH = tuple(map(int, os.environ.get("BENCH_GROWTH", "101 301 1001 3001 10001").split()))
SETTLED_S = 300.0  # by when the controllers have seen everything
DELAY_S = 0.02  # added to every round trip
CHANGED = 10
FEW, MANY = 10, 100  # changed, to tell the cost of each from that of a deploy
READING = """
import pathlib, sys, click, urllib3, yaml
for path in pathlib.Path(sys.argv[1]).iterdir():
    list(yaml.load_all(path.read_bytes(), yaml.CSafeLoader))
"""
COUNTED = "PIPELINE_GITOPS_BENCH_REQUESTS"


def main() -> int:
    """Exit code 1 when a bar is missed."""
    if COUNTED in os.environ:
        return counted(os.environ[COUNTED])
    from benchmarks.delays import Delayed
    from tests.cluster.controlplane import ControlPlane

    rows = Rows()
    with ControlPlane() as plane, tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            for delay in (0.0, DELAY_S):
                with Delayed(plane.url, delay) as url:
                    measure(rows, Bench(Path(folder), plane, url), size, delay)
        if os.environ.get("PLOT"):
            bench = Bench(Path(folder), plane, plane.url)
            (ROOT / "docs" / "deploy-cost.svg").write_text(plot(growth(rows, bench)))
    return 0 if all(rows.good) else 1


# -- what is measured ------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Run:
    """One run of a program."""

    seconds: float
    cpu: float  # seconds, of it and of what it started
    server: float  # seconds of CPU time, of the control plane meanwhile
    megabytes: float
    output: str = field(repr=False)


class Bench:
    """Runs of ours and of the peers against one address of the control plane."""

    def __init__(self, folder: Path, plane: Any, url: str) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.plane = plane
        kubeconfig = plane.kubeconfig(self.folder / "kubeconfig")
        kubeconfig.write_text(kubeconfig.read_text().replace(plane.url, url))
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(ROOT),
        }

    def repository(self, namespace: str, size: int) -> Path:
        """A repository with *size* objects in a folder that kubectl takes as well."""
        root = self.folder / namespace
        (root / "deploy").mkdir(parents=True)
        target = f"{{cluster: {{namespace: {namespace}}}}}"
        (root / ".pipeline-gitops.yaml").write_text(
            f"version: 1\nenvironments:\n  {namespace}:\n    path: deploy\n    target: {target}\n"
        )
        write(root, namespace, size)
        self.git(root, "init", "-q", "-b", "main")
        self.commit(root)
        return root

    def commit(self, root: Path) -> None:
        self.git(root, "add", "-A")
        self.git(root, "commit", "-qm", "x")

    def git(self, root: Path, *arguments: str) -> None:
        who = ("-c", "user.name=b", "-c", "user.email=b@example.com")
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, env=self.env)

    def ours(self, root: Path, *arguments: str, codes: Sequence[int] = (0,)) -> Run:
        return self.run([*PROGRAM, *arguments], root, codes=codes)

    def kubectl(self, root: Path, *arguments: str, codes: Sequence[int] = (0,)) -> Run:
        command = [str(BIN / "kubectl"), *arguments, "--server-side", "-f", str(root / "deploy")]
        return self.run(command, root, codes=codes)

    def helm(self, root: Path) -> Run:
        chart = root / "chart"
        if not chart.exists():
            (chart / "templates").mkdir(parents=True)
            (chart / "Chart.yaml").write_text("apiVersion: v2\nname: bench\nversion: 0.1.0\n")
            for file in (root / "deploy").iterdir():
                shutil.copy(file, chart / "templates")
        return self.run(["helm", "upgrade", "--install", root.name, str(chart)], root)

    def run(
        self,
        command: Sequence[str],
        root: Path,
        *,
        codes: Sequence[int] = (0,),
        env: dict[str, str] | None = None,
    ) -> Run:
        """Wall time and peak memory of one program."""
        with tempfile.TemporaryFile() as output:
            served = self.served()
            started = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=root, env={**self.env, **(env or {})}, stdout=output, stderr=output
            )
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            said = output.read().decode(errors="replace")
        assert process.returncode in codes, f"{command}: {process.returncode}\n{said[-2000:]}"
        scale = 1024 if sys.platform == "linux" else 1024 * 1024
        cpu = usage.ru_utime + usage.ru_stime
        return Run(
            seconds=seconds,
            cpu=cpu,
            server=self.served() - served,
            megabytes=usage.ru_maxrss / scale,
            output=said,
        )

    def served(self) -> float:
        """Seconds of CPU time that the control plane has spent so far; 0 where /proc is not."""
        ticks = 0
        for pid in self.plane.pids.values():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def reading(self, root: Path) -> Run:
        """What any Python program that reads the files spends at the least."""
        return self.run([sys.executable, "-P", "-c", READING, str(root / "deploy")], root)

    def requests(self, root: Path, *arguments: str) -> int:
        """How many requests one of our commands sends."""
        count = self.folder / "requests"
        command = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments]
        self.run(command, root, env={COUNTED: str(count)})
        return int(count.read_text())

    def settle(self, namespace: str) -> None:
        """Waits until the controllers are done: their writes are nothing to measure."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        deadline = time.monotonic() + SETTLED_S
        while time.monotonic() < deadline:
            items = self.plane.admin.get(path)["items"]
            if all(item["status"].get("observedGeneration") for item in items):
                return
            time.sleep(0.5)
        print(f"the controllers are not through with {namespace} yet", flush=True)


def measure(rows: "Rows", bench: Bench, size: int, delay: float) -> None:
    """All rows of one number of objects and one distance."""
    where = f"{size:,} objects, {'loopback' if not delay else f'+{delay * 1000:.0f} ms'}"
    mark = "d" if delay else "l"
    first: dict[str, list[Run]] = {"ours": [], "kubectl": [], "helm": []}
    again: dict[str, list[Run]] = {"ours": [], "kubectl": [], "helm": [], "reading": []}
    mine = theirs = Path()
    for number in range(RUNS):
        mine = bench.repository(f"ours-{size}-{mark}{number}", size)
        theirs = bench.repository(f"kubectl-{size}-{mark}{number}", size)
        first["ours"].append(bench.ours(mine, "deploy", "--no-wait"))
        first["kubectl"].append(bench.kubectl(theirs, "apply"))
        bench.settle(mine.name)
        bench.settle(theirs.name)
        again["ours"].append(bench.ours(mine, "deploy"))
        again["kubectl"].append(bench.kubectl(theirs, "apply"))
        again["reading"].append(bench.reading(mine))
        if os.environ.get("HELM") and shutil.which("helm"):
            helmed = bench.repository(f"helm-{size}-{mark}{number}", size)
            first["helm"].append(bench.helm(helmed))
            again["helm"].append(bench.helm(helmed))
    requests = bench.requests(mine, "deploy")
    loopback_s = 1.0 if size == 1001 and not delay else None
    rows.add(f"first install, {where}", first, ratio=1 / 3 if not delay else 1 / 5)
    rows.add(f"nothing to do, {where}", again, ratio=1 / 8, seconds=loopback_s, requests=requests)
    for root in (mine, theirs):
        write(root, root.name, size, changed=CHANGED)
        bench.commit(root)
    seen: dict[str, list[Run]] = {"ours": [], "kubectl": [], "reading": []}
    for _ in range(RUNS):
        seen["ours"].append(bench.ours(mine, "diff"))
        seen["kubectl"].append(bench.kubectl(theirs, "diff", codes=(0, 1)))
        seen["reading"].append(bench.reading(mine))
    rows.add(f"diff of {CHANGED}, {where}", seen, ratio=1 / 10)
    rows.memory(where, [run for runs in (first, again, seen) for run in runs["ours"]], 200)


def growth(rows: "Rows", bench: Bench) -> list[tuple[int, float]]:
    """Milliseconds for each changed object, by the number of objects there are."""
    points = []
    for size in GROWTH:
        root = bench.repository(f"grow-{size}", size)
        runs = [bench.ours(root, "deploy", "--no-wait", "--timeout", "20m")]
        bench.settle(root.name)
        runs.append(bench.ours(root, "deploy", "--no-wait"))
        for changed in (FEW, MANY):
            write(root, root.name, size, changed=changed)
            bench.commit(root)
            runs.append(bench.ours(root, "deploy", "--no-wait"))
            bench.settle(root.name)
        first, quiet, few, many = (run.seconds for run in runs)
        # The few stay changed, so the second deploy writes the others; both claim and record.
        cost = (many - few) / (MANY - FEW - FEW) * 1000
        points.append((size, cost))
        print(
            f"{size:6,} objects: nothing to do {quiet:6.2f} s, {FEW} changed "
            f"{few:6.2f} s, {MANY - FEW} changed {many:6.2f} s, {cost:5.2f} ms each; "
            f"first install {first:6.2f} s",
            flush=True,
        )
        if size == GROWTH[-1]:
            rows.memory(f"{size:,} objects", runs, 600)
    return points


class Rows:
    """What was measured, as it is printed."""

    def __init__(self) -> None:
        self.good: list[bool] = []

    def add(
        self,
        name: str,
        runs: dict[str, list[Run]],
        *,
        ratio: float,
        seconds: float | None = None,
        requests: int | None = None,
    ) -> None:
        """A row; missed when the ratio to kubectl or the seconds are over the bar."""
        medians = {who: statistics.median(r.seconds for r in rs) for who, rs in runs.items() if rs}
        mine, theirs = medians.pop("ours"), medians["kubectl"]
        cpu = statistics.median(run.cpu for run in runs["ours"])
        server = statistics.median(run.server for run in runs["ours"]) / (os.cpu_count() or 1)
        good = mine <= ratio * theirs and (seconds is None or mine <= seconds)
        self.good.append(good)
        peers = "  ".join(f"{who} {spent:6.2f} s" for who, spent in medians.items())
        bar = f"bar 1/{1 / ratio:.0f}" + (f" and {seconds:.1f} s" if seconds else "")
        said = "ok" if good else "MISSED"
        more = f"  {requests} requests" if requests is not None else ""
        print(
            f"{name:42} ours {mine:6.2f} s ({cpu:5.2f} CPU, server {server:5.2f})  {peers}  "
            f"1/{theirs / mine:.1f}  {bar}  {said}{more}",
            flush=True,
        )

    def memory(self, name: str, runs: Sequence[Run], bar: float) -> None:
        """The highest peak of *runs*, in MB."""
        peak = max(run.megabytes for run in runs)
        self.good.append(peak <= bar)
        said = "ok" if peak <= bar else "MISSED"
        print(f"peak memory, {name:29} ours {peak:4.0f} MB  bar {bar:.0f} MB  {said}", flush=True)


# -- the objects -----------------------------------------------------------------------------------


def write(root: Path, namespace: str, size: int, *, changed: int = 0) -> None:
    """Writes a Namespace and as many of each kind; *changed* of them differ from the rest."""
    each = (size - 1) // len(_TEMPLATES)
    head = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    (root / "deploy" / "00-namespace.yaml").write_text(json.dumps(head) + "\n")
    for kind, template in _TEMPLATES.items():
        new = changed // len(_TEMPLATES)
        texts = (
            template.format(ns=namespace, n=number, x="new" if number < new else "x")
            for number in range(each)
        )
        (root / "deploy" / f"{kind.lower()}.yaml").write_text("---\n".join(texts))


_TEMPLATES = {
    "ConfigMap": """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings-{n}, namespace: {ns}, labels: {{app: web-{n}, tier: {x}}}}}
data:
  color: blue
  greeting: hello {n}
  config.yaml: |
    log: info
    listen: 0.0.0.0:8080
    upstream: http://web-{n}:80
""",
    "ServiceAccount": """\
apiVersion: v1
kind: ServiceAccount
metadata: {{name: web-{n}, namespace: {ns}, labels: {{app: web-{n}, tier: {x}}}}}
""",
    "Service": """\
apiVersion: v1
kind: Service
metadata: {{name: web-{n}, namespace: {ns}, labels: {{app: web-{n}, tier: {x}}}}}
spec:
  selector: {{app: web-{n}}}
  ports:
    - {{name: http, port: 80, targetPort: 8080}}
""",
    "Ingress": """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web-{n}, namespace: {ns}, labels: {{app: web-{n}, tier: {x}}}}}
spec:
  rules:
    - host: web-{n}.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {{service: {{name: web-{n}, port: {{name: http}}}}}}
""",
    "Deployment": """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web-{n}, namespace: {ns}, labels: {{app: web-{n}, tier: {x}}}}}
spec:
  replicas: 0
  selector:
    matchLabels: {{app: web-{n}}}
  template:
    metadata:
      labels: {{app: web-{n}}}
    spec:
      serviceAccountName: web-{n}
      containers:
        - name: web
          image: registry.example.com/web:1.{n}
          env:
            - {{name: COLOR, value: blue}}
            - {{name: NUMBER, value: "{n}"}}
          ports:
            - {{name: http, containerPort: 8080}}
          resources:
            requests: {{cpu: 100m, memory: 64Mi}}
            limits: {{memory: 128Mi}}
          readinessProbe:
            httpGet: {{path: /healthz, port: http}}
          volumeMounts:
            - {{name: settings, mountPath: /etc/web}}
      volumes:
        - name: settings
          configMap: {{name: settings-{n}}}
""",
}


# -- requests --------------------------------------------------------------------------------------


def counted(path: str) -> int:
    """Runs our program in this process, and writes down how many requests it sent."""
    from urllib3.connectionpool import HTTPConnectionPool

    numbers: list[int] = []
    send = HTTPConnectionPool.urlopen

    def urlopen(self: Any, *arguments: Any, **named: Any) -> Any:
        numbers.append(1)
        return send(self, *arguments, **named)

    HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign]
    try:
        runpy.run_module("pipeline_gitops", run_name="__main__", alter_sys=True)
    finally:
        Path(path).write_text(str(len(numbers)))
    return 0


# -- the plot --------------------------------------------------------------------------------------


def plot(points: Sequence[tuple[int, float]]) -> str:
    """An SVG of the cost of a changed object against the number of objects (logarithmic)."""
    from math import log10

    width, height, left, low = 640, 320, 60, 40
    top = max(cost for _, cost in points) * 1.5
    span = log10(points[-1][0]) - log10(points[0][0])

    def x(size: int) -> float:
        return left + (log10(size) - log10(points[0][0])) / span * (width - left - 40)

    def y(cost: float) -> float:
        return height - low - cost / top * (height - low - 20)

    line = " ".join(f"{x(size):.0f},{y(cost):.0f}" for size, cost in points)
    marks = "".join(_marks(x(size), y(cost), height - low, size, cost) for size, cost in points)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="white"/>'
        f'<path d="M{left} 20V{height - low}H{width - 20}" fill="none" stroke="#888"/>'
        f'<text x="{left}" y="14">milliseconds for each changed object</text>'
        f'<text x="{width - 20}" y="{height - 6}" text-anchor="end">objects in the set</text>'
        f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>{marks}</svg>\n'
    )


def _marks(x: float, y: float, base: float, size: int, cost: float) -> str:
    return (
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#06c"/>'
        f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{cost:.1f}</text>'
        f'<text x="{x:.0f}" y="{base + 16:.0f}" text-anchor="middle">{size:,}</text>'
    )


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
