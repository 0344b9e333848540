"""Where a stranger's report may be posted: on the merge request whose head it is about, by the word
of the forge and of the event that started us. What the report says of that is only compared.
"""

from collections.abc import Sequence

from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ports import MergeRequest
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Report

_CURE = "post it from the job that the run of this very merge request started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is known without the report. *number* 0, *source* None: nobody says."""

    repository: str  # ours
    commit: str
    source: str | None = None  # the repository that the commit comes from; "" = a deleted one
    number: int = 0


def number_of(found: Sequence[Report], claim: Claim) -> int:
    """The merge request to ask the forge about. Raises RefusedFault where a report is about
    something else."""
    numbers = {_number(report, claim) for report in found}
    if len(numbers) > 1:
        raise RefusedFault("the reports are about several merge requests", _CURE)
    return numbers.pop()


def _number(report: Report, claim: Claim) -> int:
    for what, said, known in (
        ("repository", report.repository.casefold(), claim.repository.casefold()),
        ("commit", report.revision, claim.commit),
    ):
        if said != known:
            raise RefusedFault(f"the report is about another {what} than the run", _CURE)
    if claim.number and report.merge_request != claim.number:
        raise RefusedFault("the report is about another merge request than the run", _CURE)
    if not report.merge_request:
        raise RefusedFault("the report is about no merge request", _CURE)
    return report.merge_request


def passed_by(request: MergeRequest, claim: Claim) -> str:
    """Why the report is no longer wanted; "" where it is.

    Raises RefusedFault for a merge request that the commit does not come from.
    """
    source = claim.source
    if source is not None and request.head_repository.casefold() != source.casefold():
        raise RefusedFault(
            f"merge request {request.number} does not come from the repository of the run", _CURE
        )
    if request.state != "open":
        return f"merge request {request.number} is {request.state}"
    if request.head_sha != claim.commit:
        return f"merge request {request.number} has moved on to {request.head_sha[:7]}"
    return ""
