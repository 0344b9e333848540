"""A file per CI vendor: variables and events in, one `CIContext` out."""

from pipeline_gitops.ci.values import CIContext, ForgeKind, Trigger, Vendor

__all__ = ["CIContext", "ForgeKind", "Trigger", "Vendor"]
