"""How many objects change, as GitLab's merge requests show it with a link to the job.

The only such report that it takes is Terraform's, and any JSON with these three numbers is one
(https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsterraform).
"""

import json

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.views import Action


def terraform(report: Sealed) -> Shown:
    """The numbers over all environments. What is replaced is deleted and created."""
    plans = [plan for plan in map(words.leading, report.results) if plan]

    def count(action: Action) -> int:
        return sum(plan.count(action) for plan in plans)

    replaced = count(Action.REPLACE)
    told = {
        "create": count(Action.CREATE) + replaced,
        "update": count(Action.UPDATE),
        "delete": count(Action.DELETE) + replaced,
    }
    return Shown(json.dumps(told) + "\n")
