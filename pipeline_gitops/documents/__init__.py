"""YAML text: reading as kubectl does, writing without loss."""

from pipeline_gitops.documents.access import at, bodies, has, items, mapping, ordered, text
from pipeline_gitops.documents.places import Document
from pipeline_gitops.documents.reading import read, read_value
from pipeline_gitops.documents.values import Body, Json
from pipeline_gitops.documents.writing import write

__all__ = [
    "Body",
    "Document",
    "Json",
    "at",
    "bodies",
    "has",
    "items",
    "mapping",
    "ordered",
    "read",
    "read_value",
    "text",
    "write",
]
