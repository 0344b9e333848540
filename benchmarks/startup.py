"""Start-up against peers, in one run, as ratios: what a CI job pays before any work.

    make bench

Prints for each row ours, the peer's, the ratio, and the bar it must reach. Medians of interleaved
runs, after a warm-up that also compiles.
"""

import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
RUNS = 11
PROGRAM = (sys.executable, "-P", "-m", "pipeline_gitops")

MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {greeting: hello}
"""


def main() -> int:
    """Exit code 1 when a bar is missed."""
    compileall.compile_dir(str(ROOT / "pipeline_gitops"), quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "settings.yaml"
        manifest.write_text(MANIFEST)
        rows = [
            row("--version", [*PROGRAM, "--version"], kubectl("version", "--client"), bar_s=0.10),
            row(
                "validate, one file",
                [*PROGRAM, "validate", str(manifest)],
                kubeconform(str(manifest)),
                bar_s=0.30,
            ),
        ]
    return 0 if all(rows) else 1


def kubectl(*arguments: str) -> list[str]:
    """kubectl, which the wheel brings."""
    return [str(BIN / "kubectl"), *arguments]


def kubeconform(path: str) -> list[str]:
    """kubeconform where it is installed; it needs its schemas from the network or a cache."""
    found = shutil.which("kubeconform")
    return [found, "-strict", path] if found else []


def row(name: str, ours: Sequence[str], peer: Sequence[str], *, bar_s: float) -> bool:
    """Measures both in turn and prints the row; True when ours is within its bar."""
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(RUNS + 1):
        for key, argv in (("ours", ours), ("peer", peer)):
            if argv:
                spent = seconds(argv)
                if number:  # the first is the warm-up
                    times[key].append(spent)
    mine = statistics.median(times["ours"])
    good = mine <= bar_s
    theirs = statistics.median(times["peer"]) if times["peer"] else None
    against = f"{theirs:6.3f} s  {mine / theirs:5.2f}x" if theirs else "not installed"
    said = "ok" if good else "MISSED"
    print(f"{name:20} ours {mine:6.3f} s  peer {against}  bar {bar_s:.2f} s  {said}")
    return good


def seconds(argv: Sequence[str]) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    subprocess.run(
        argv,
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
