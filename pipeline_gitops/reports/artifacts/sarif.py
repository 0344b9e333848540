"""Findings as SARIF 2.1.0, which GitHub's code scanning and editors read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

GitHub refuses a whole file for one result without a location
(https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning#result-object).
What has none is no result of the analysis then, but a notification of the run (section 3.20.21).
"""

import json
from urllib.parse import quote

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.artifacts.codequality import fingerprint
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.words import SharedFinding
from pipeline_gitops.views import Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTICE: "note"}


def sarif(report: Sealed) -> Shown:
    """All findings: those with a place as results, the others as notifications."""
    found = words.findings(report.results)
    shared = [one for one in found if one.finding.place.file]
    rules = sorted({one.finding.rule for one in shared})
    driver = {
        "name": "pipeline-gitops",
        "version": report.version,
        "rules": [{"id": rule} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": report.fault is None,
                "toolExecutionNotifications": [
                    {"level": _LEVELS[one.finding.severity], "message": _message(one)}
                    for one in found
                    if one not in shared
                ],
            }
        ],
        "results": [_result(one, rules) for one in shared],
    }
    told = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return Shown(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def _result(shared: SharedFinding, rules: list[str]) -> dict[str, object]:
    finding = shared.finding
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": _message(shared),
        "partialFingerprints": {"finding/v1": fingerprint(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(finding.place.file)},
                    "region": {"startLine": max(finding.place.line, 1)},
                }
            }
        ],
    }


def _message(shared: SharedFinding) -> dict[str, str]:
    where = f" (in {', '.join(shared.environments)})" if shared.environments else ""
    cure = f". {shared.finding.cure}" if shared.finding.cure else ""
    return {"text": f"{shared.finding.message}{cure}{where}"}
