"""What annotations of an object say about how to deploy it: a file for each tool that has some."""

from pipeline_gitops.hints.merging import of, problems
from pipeline_gitops.hints.ours import PREFIX
from pipeline_gitops.hints.values import Hints, Hook, HookDelete, HookPhase, Problem

__all__ = ["PREFIX", "Hints", "Hook", "HookDelete", "HookPhase", "Problem", "of", "problems"]
