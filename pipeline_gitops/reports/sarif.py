"""Findings as SARIF 2.1.0, which GitHub's code scanning and editors read.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from urllib.parse import quote

from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.codequality import fingerprint
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.reports.words import SharedFinding
from pipeline_gitops.views import Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTICE: "note"}


def sarif(report: Sealed) -> Shown:
    """All findings; one without a place has no location."""
    shared = words.findings(report.results)
    rules = sorted({one.finding.rule for one in shared})
    driver = {
        "name": "pipeline-gitops",
        "version": report.version,
        "rules": [{"id": rule} for rule in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
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
    where = f" (in {', '.join(shared.environments)})" if shared.environments else ""
    cure = f". {finding.cure}" if finding.cure else ""
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{finding.message}{cure}{where}"},
        "partialFingerprints": {"finding/v1": fingerprint(finding)},
    }
    if finding.place.file:
        place = {
            "artifactLocation": {"uri": quote(finding.place.file)},
            "region": {"startLine": max(finding.place.line, 1)},
        }
        result["locations"] = [{"physicalLocation": place}]
    return result
