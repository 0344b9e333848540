"""One object against one schema: the only module that knows the JSON Schema engine."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from pipeline_gitops.documents import Body
from pipeline_gitops.validation.catalog import REFERENCE, Catalog
from pipeline_gitops.values import dataclass


class Wrong(StrEnum):
    """What a schema has against a value."""

    UNKNOWN = "additionalProperties"
    MISSING = "required"
    TYPE = "type"
    TOO_SMALL = "minimum"
    TOO_LARGE = "maximum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One violation. *path* leads to the value, or to the mapping whose field *name* is wrong."""

    wrong: Wrong
    path: tuple[str | int, ...]
    name: str = ""  # of the unknown or missing field
    types: tuple[str, ...] = ()  # expected, in JSON Schema's words
    limit: int = 0


def problems(catalog: Catalog, name: str, version: str, body: Body) -> Iterator[Problem]:
    """All violations of the definition *name*."""
    key = (name, version)
    if key not in catalog.compiled:
        catalog.compiled[key] = _compiled(catalog, name, version)
    for error in catalog.compiled[key].iter_errors(body):
        yield from _problems(error)


def _compiled(catalog: Catalog, name: str, version: str) -> Any:
    import jsonschema_rs

    schema = {"$ref": REFERENCE + name, "$defs": catalog.closure(name, version)}
    return jsonschema_rs.Draft202012Validator(schema, retriever=_refuse)


def _refuse(uri: str) -> Any:
    """Schemas refer to nothing outside themselves: no network, no files."""
    raise LookupError(uri)


def _problems(error: Any) -> Iterator[Problem]:
    wrong = Wrong(error.kind.name)
    path = tuple(error.instance_path)
    match wrong:
        case Wrong.UNKNOWN:
            for name in error.kind.unexpected:
                yield Problem(wrong=wrong, path=path, name=name)
        case Wrong.MISSING:
            yield Problem(wrong=wrong, path=path, name=error.kind.property)
        case Wrong.TYPE:
            yield Problem(wrong=wrong, path=path, types=tuple(error.kind.types))
        case Wrong.TOO_SMALL | Wrong.TOO_LARGE:
            yield Problem(wrong=wrong, path=path, limit=error.kind.limit)
