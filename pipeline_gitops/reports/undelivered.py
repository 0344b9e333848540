"""What the job's page says where a report did not get to the forge."""

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import fences
from pipeline_gitops.reports.shown import Shown


def undelivered(report: Sealed) -> Shown:
    """The notices of *report*, one line each: what was not delivered, and what to do."""
    lines = [f"- {fences.inline(notice)}" for notice in report.notices]
    return Shown(
        "\n".join(
            [
                "",
                "**Not everything was delivered.** The exit code is that of the work.",
                "",
                *lines,
                "",
            ]
        )
    )
