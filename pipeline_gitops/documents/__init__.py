"""YAML text: reading as kubectl does, writing without loss."""

from pipeline_gitops.documents.access import at, has, text
from pipeline_gitops.documents.places import Document
from pipeline_gitops.documents.reading import read, read_value
from pipeline_gitops.documents.values import Body, Json
from pipeline_gitops.documents.writing import write

__all__ = ["Body", "Document", "Json", "at", "has", "read", "read_value", "text", "write"]
