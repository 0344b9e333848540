"""Every report format: pure text of a sealed report."""

from pipeline_gitops.reports.shown import Shown

__all__ = ["Shown"]
