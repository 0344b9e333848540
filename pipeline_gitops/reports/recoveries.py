"""What every format says of the way back after a failed deploy. The failure itself comes first."""

import shlex
from collections.abc import Iterator

from pipeline_gitops.errors import Verdict
from pipeline_gitops.views import Health, Result, RollbackView

_DONE = "done"
_STOPPED = frozenset({Verdict.INTERRUPTED, Verdict.TERMINATED})


def phrase(rollback: RollbackView) -> str:
    """What came of it: "rolled back to 1a2b3c4, 3 objects running"."""
    revision, result = rollback.revision[:7], rollback.result
    if not revision:
        return "not rolled back, there is nothing to go back to"
    done = sum(written.state == _DONE for written in result.written)
    if result.verdict is Verdict.OK:
        return f"rolled back to {revision}, {_running(result)} running"
    if result.verdict is Verdict.SUPERSEDED:
        return f"not rolled back to {revision}, another deploy came first"
    if result.verdict in _STOPPED:
        return f"the rollback to {revision} was interrupted"
    if result.verdict is Verdict.UNHEALTHY:
        return f"rolled back to {revision}, which does not run either"
    if done:
        return f"rolled back to {revision} in part, {done} of {len(result.written)} changes made"
    return f"not rolled back to {revision}"


def _running(result: Result) -> str:
    count = len(result.rollout.objects) if result.rollout else 0
    return f"{count} object" if count == 1 else f"{count} objects"


def is_well(result: Result) -> bool:
    """Whether all there is to do is to repair the revision that failed."""
    rollback = result.rollback
    settled = (Verdict.OK, Verdict.SUPERSEDED)
    return rollback is None or not rollback.revision or rollback.result.verdict in settled


def lines(rollback: RollbackView) -> Iterator[str]:
    """What was done on the way and what was not, a sentence each."""
    for written in rollback.result.written:
        said = f": {written.message}" if written.message else ""
        yield f"{written.action.value} {written.id}: {written.state}{said}"
    for view in rollback.result.rollout.objects if rollback.result.rollout else ():
        if view.health is not Health.CURRENT:
            yield f"{view.id} is {view.health.value}: {view.sentence}".rstrip(": ")
    for left in rollback.left:
        yield f"{left.id} is left as it is, not {_PAST[left.action.value]}: {left.why}"
    yield from rollback.result.notices


_PAST = {"create": "created", "update": "changed", "replace": "replaced", "delete": "deleted"}


def with_hold(cure: str, result: Result) -> str:
    """A cure, and that the commit itself does not come back by running the job again."""
    if result.rollback is None or not result.rollback.held:
        return cure
    return f"{cure}; this commit is held: deploy a newer one, or this one with --release"


def next_step(result: Result) -> str:
    """What to do where the way back was not gone to its end; "" where it was."""
    rollback = result.rollback
    if rollback is None or is_well(result):
        return ""
    fault, refusals = rollback.result.fault, rollback.result.refusals
    cures = [fault.cure] if fault else []
    cures += [refusal.cure for refusal in refusals]
    name = shlex.quote(result.environment)
    command = f"pipeline-gitops rollback --environment {name} --to {rollback.revision[:7]} --now"
    if rollback.result.verdict is Verdict.UNHEALTHY:
        status = f"pipeline-gitops status --environment {name}"
        return f"push a fix, or go back further, to what `{status}` lists as deployed before"
    cure = next(filter(str.strip, cures), "")
    return f"{cure}; then go back by hand: {command}" if cure else f"go back by hand: {command}"
