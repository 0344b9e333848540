"""Whether manifests are what the API server of a Kubernetes version takes; no cluster is asked."""

from pipeline_gitops.validation.catalog import Catalog
from pipeline_gitops.validation.objects import validate

__all__ = ["Catalog", "validate"]
