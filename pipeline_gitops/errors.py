"""What can end a run, how bad it is, and which exit code says so.

A `Fault` is something that broke: one line of what and where, one line of what to do next. Its text
never holds a manifest body, an environment or a token. Expected bad news (a finding, a refusal, a
sick rollout) is not a fault but a value in the report; both come down to a `Verdict`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar


class Verdict(StrEnum):
    """How a run, or one environment of it, ended."""

    OK = "ok"
    INTERNAL = "internal-error"
    USAGE = "usage"
    REJECTED = "manifests-rejected"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    PARTIAL = "applied-in-part"
    UNHEALTHY = "rollout-failed"
    SUPERSEDED = "superseded"
    UNREPORTED = "report-not-delivered"
    DIFFERENT = "different"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"

    @property
    def exit_code(self) -> int:
        """The process exit code, a contract with every pipeline that calls us."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Verdict.OK: 0,
    Verdict.INTERNAL: 1,
    Verdict.USAGE: 2,
    Verdict.REJECTED: 3,
    Verdict.REFUSED: 4,
    Verdict.UNREACHABLE: 5,
    Verdict.PARTIAL: 6,
    Verdict.UNHEALTHY: 7,
    Verdict.SUPERSEDED: 8,
    Verdict.UNREPORTED: 9,
    Verdict.DIFFERENT: 10,
    Verdict.INTERRUPTED: 130,
    Verdict.TERMINATED: 143,
}

# Over several environments the first of these wins: what is broken in a target before what never
# reached it, and a refusal before a difference.
_PRECEDENCE = (
    Verdict.TERMINATED,
    Verdict.INTERRUPTED,
    Verdict.INTERNAL,
    Verdict.USAGE,
    Verdict.PARTIAL,
    Verdict.UNHEALTHY,
    Verdict.UNREACHABLE,
    Verdict.REFUSED,
    Verdict.REJECTED,
    Verdict.SUPERSEDED,
    Verdict.UNREPORTED,
    Verdict.DIFFERENT,
    Verdict.OK,
)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that speaks for all of them; OK for none."""
    return min(verdicts, key=_PRECEDENCE.index, default=Verdict.OK)


class Fault(Exception):
    """Something broke; *what* says what and where, *cure* what to do next."""

    verdict: ClassVar[Verdict] = Verdict.INTERNAL

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure


class UsageFault(Fault):
    """The call, the configuration or the CI environment does not add up."""

    verdict = Verdict.USAGE


class RejectedFault(Fault):
    """Manifests that cannot be rendered or read at all."""

    verdict = Verdict.REJECTED


class RefusedFault(Fault):
    """What we will not do, found out outside a plan."""

    verdict = Verdict.REFUSED


class UnreachableFault(Fault):
    """A cluster or a remote that does not answer, or says no."""

    verdict = Verdict.UNREACHABLE


class PartialFault(Fault):
    """Some of a plan is written, the rest is not."""

    verdict = Verdict.PARTIAL


class ReportFault(Fault):
    """The forge did not take the report. Never changes the verdict of a deploy by itself."""

    verdict = Verdict.UNREPORTED


class LackingFault(ReportFault):
    """Nothing went wrong: this token may not do it, or the forge has no such thing."""


class InterruptedFault(Fault):
    """The CI, or a person, asked us to stop (SIGINT, SIGTERM or SIGHUP).

    *asked_s*: when, on the clock's elapsed seconds; None = a moment ago.
    """

    verdict = Verdict.INTERRUPTED

    def __init__(self, what: str, cure: str = "", *, asked_s: float | None = None) -> None:
        super().__init__(what, cure)
        self.asked_s = asked_s


class TerminatedFault(InterruptedFault):
    """Asked to stop by SIGTERM."""

    verdict = Verdict.TERMINATED
