"""The configuration: environments, targets, policies; its file; what a merge request may not
widen."""

from pipeline_gitops.config.parsing import duration, inside, nearest, parse
from pipeline_gitops.config.safety import trusted
from pipeline_gitops.config.values import (
    FILE,
    TOOLS,
    Binding,
    BranchSpec,
    ClusterSpec,
    Config,
    Deletes,
    DirectorySpec,
    Engine,
    EngineSpec,
    Environment,
    FieldRule,
    Overlay,
    Policy,
    Rollback,
    Scope,
    TargetSpec,
)

__all__ = [
    "FILE",
    "TOOLS",
    "Binding",
    "BranchSpec",
    "ClusterSpec",
    "Config",
    "Deletes",
    "DirectorySpec",
    "Engine",
    "EngineSpec",
    "Environment",
    "FieldRule",
    "Overlay",
    "Policy",
    "Rollback",
    "Scope",
    "TargetSpec",
    "duration",
    "inside",
    "nearest",
    "parse",
    "trusted",
]
