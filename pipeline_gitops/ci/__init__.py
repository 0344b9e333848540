"""A file per CI vendor: variables and events in, one `CIContext` out; and what its log obeys."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline_gitops.ci import github, gitlab, jenkins, variables
from pipeline_gitops.ci.github import told
from pipeline_gitops.ci.logs import (
    annotations,
    fenced,
    neutral,
    output_text,
    outputs,
)
from pipeline_gitops.ci.values import CIContext, ForgeKind, ReportedRun, Trigger, Vendor
from pipeline_gitops.ci.variables import secrets

__all__ = [
    "CIContext",
    "ForgeKind",
    "ReportedRun",
    "Trigger",
    "Vendor",
    "annotations",
    "detect",
    "fenced",
    "neutral",
    "output_text",
    "outputs",
    "secrets",
    "told",
    "vendor",
]


def detect(environ: Mapping[str, str], read_text: Callable[[str], str]) -> CIContext:
    """The CI job that this is, with what PIPELINE_GITOPS_* variables say instead.

    Raises UsageFault when the job is a known CI's and its variables or event do not add up.
    """
    vendors = (github.detect, gitlab.detect, jenkins.detect)
    detected = (detect_one(environ, read_text) for detect_one in vendors)
    context = next((one for one in detected if one), CIContext())
    sha = variables.commit(environ, "PIPELINE_GITOPS_SHA")
    base_branch = environ.get("PIPELINE_GITOPS_BASE_BRANCH", "")
    if sha:
        context = replace(context, sha=sha)
    if base_branch:
        # Who names the branch does so because the commit that the CI names is not in the clone.
        context = replace(context, base_branch=base_branch, base_sha="")
    return context


def vendor(environ: Mapping[str, str]) -> Vendor:
    """Whose log this is written to, whatever else may be wrong with the job's variables."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return Vendor.GITHUB
    if environ.get("GITLAB_CI") == "true":
        return Vendor.GITLAB
    return Vendor.JENKINS if environ.get("JENKINS_URL") else Vendor.NONE
