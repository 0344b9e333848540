"""GitOps from the pipeline: validate, render, plan, deploy, and answer in the merge request."""

__version__ = "0.1.0"
