"""Findings as GitLab's Code Quality report, which its merge requests show beside the lines.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

import hashlib
import json

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.views import Finding, Severity

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTICE: "info"}


def codequality(report: Sealed) -> Shown:
    """The findings that have a place; GitLab takes no others."""
    shared = words.findings(report.results)
    told = [_issue(one.finding) for one in shared if one.finding.place.file]
    return Shown(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def _issue(finding: Finding) -> dict[str, object]:
    return {
        "description": f"{finding.message}. {finding.cure}".rstrip(". ") + ".",
        "check_name": finding.rule,
        "fingerprint": fingerprint(finding),
        "severity": _SEVERITIES[finding.severity],
        "location": {
            "path": finding.place.file,
            "lines": {"begin": max(finding.place.line, 1)},
        },
    }


def fingerprint(finding: Finding) -> str:
    """What makes a finding the same one after the lines above it have moved."""
    about = (finding.rule, finding.place.file, str(finding.id), finding.pointer, finding.message)
    return hashlib.sha256("\n".join(about).encode()).hexdigest()[:32]
