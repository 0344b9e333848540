"""A file per CI vendor: variables and events in, one `CIContext` out; and what its log obeys."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline_gitops.ci import github, gitlab, jenkins, variables
from pipeline_gitops.ci.logs import (
    annotations,
    neutral,
    output_text,
    outputs,
)
from pipeline_gitops.ci.values import CIContext, ForgeKind, Trigger, Vendor

__all__ = [
    "CIContext",
    "ForgeKind",
    "Trigger",
    "Vendor",
    "annotations",
    "detect",
    "neutral",
    "output_text",
    "outputs",
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
