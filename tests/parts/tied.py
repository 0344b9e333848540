"""Run a program that the kernel kills when the process that started it ends.

Usage: tied.py PARENT_PID PROGRAM [ARGUMENT...]

The parent-death signal is set here, between fork and exec, and not in a function that runs in
the forked child of a process with threads, where anything but exec may hang. It is sent when the
*thread* that forked ends, so only the main thread may start a program this way.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    parent, *command = argv
    if sys.platform == "linux":  # elsewhere there is no such signal
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot set the parent-death signal")
    if os.getppid() != int(parent):  # it ended before the signal was set
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
