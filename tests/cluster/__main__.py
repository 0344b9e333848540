"""Start a control plane to play with, and keep it until Ctrl-C.

Usage: python tests/cluster/__main__.py [--ready-file PATH]
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

if not __package__:  # run as a script: find the package `tests` all the same
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.cluster.controlplane import ControlPlane
from tests.parts.errors import PartError


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Start a control plane to play with.")
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="PATH",
        help="once it is ready, write the path of its kubeconfig here",
    )
    arguments = parser.parse_args(argv)

    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)  # all three end it as Ctrl-C does
    try:
        with ControlPlane() as plane:
            serve(plane, arguments.ready_file)
    except PartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def serve(plane: ControlPlane, ready_file: Path | None) -> None:
    """Say how to use it, and stay until a signal comes or a program ends."""
    kubeconfig = plane.kubeconfig(plane.folder / "kubeconfig")
    print(f"export KUBECONFIG={kubeconfig}", flush=True)
    print("The control plane is ready; Ctrl-C ends it.", file=sys.stderr, flush=True)
    try:
        if ready_file:
            part = ready_file.with_name(ready_file.name + ".part")
            part.write_text(f"{kubeconfig}\n")
            part.rename(ready_file)  # whoever sees the file can read it whole
        while True:
            plane.check()
            time.sleep(1)
    finally:
        if ready_file:
            ready_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
