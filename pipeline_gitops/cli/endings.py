"""How a command ends that did not get to its end: masked and harmless like everything that is said.

The text of a fault may quote a file's name, an environment's, an argument, an address. Of our own
mistakes only the place is told, and of what third parties say on their way down, nothing.
"""

import errno
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline_gitops import __version__
from pipeline_gitops.errors import Fault, Verdict

if TYPE_CHECKING:
    from pipeline_gitops.journal import Console


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_CURE = "make room on the disk of the job, and run it again: it goes on where it stopped"


class Ending:
    """What `run` says last. *environ*: the job, for a command that ends before its session."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._console: Console | None = None

    def use(self, console: "Console") -> None:
        """Speaks through *console* from now on: it knows what is hidden."""
        self._console = console

    def fault(self, fault: Fault) -> int:
        """Says a fault and its cure, and gives the exit code."""
        cure = [f"  {' '.join(fault.cure.split())}"] if fault.cure else []
        self._say("\n".join([f"pipeline-gitops: {' '.join(fault.what.split())}", *cure]))
        return fault.verdict.exit_code

    def bug(self, error: Exception) -> int:
        """Where our own mistake happened. Its words are left out: they may quote a manifest."""
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Verdict.INTERNAL.exit_code
        if isinstance(error, OSError) and error.errno in _FULL:
            return self.fault(Fault(f"cannot write: {os.strerror(error.errno)}", _FULL_CURE))
        import traceback  # 14 ms that only a bug pays for

        self._say("".join(traceback.format_tb(error.__traceback__)))
        self._say(f"pipeline-gitops {__version__}: {type(error).__name__}: this is a bug")
        self._say("  please report it with the lines above; they hold no value of yours")
        return Verdict.INTERNAL.exit_code

    def _say(self, text: str) -> None:
        if self._console is None:
            from pipeline_gitops import ci  # what nothing but a fault needs this early
            from pipeline_gitops.journal import Console

            self._console = Console(ci.vendor(self._environ))
            self._console.hide(tuple(ci.secrets(self._environ)))
        self._console.tell(text)


def current() -> Ending | None:
    """The ending of the command that is running, or None outside of one."""
    context = click.get_current_context(silent=True)
    return context.find_object(Ending) if context else None


def leave(codes: Sequence[int]) -> None:
    """Ends the process at once: to take apart all that was read is a tenth of a short command.

    Where there is no code yet, or a stream cannot be flushed, Python ends it and says why.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    if codes:
        os._exit(codes[0])


def hush() -> None:
    """Keeps the interpreter from printing exceptions of threads and finalizers, and warnings.

    Their texts are somebody else's, and may hold an address with its password.
    """
    threading.excepthook = _unheard
    sys.unraisablehook = _unheard
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")


def _unheard(raised: Any) -> None:
    sys.stderr.write(f"pipeline-gitops: {raised.exc_type.__name__} in the background\n")
