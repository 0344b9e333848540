"""How a violated schema is told to people: names, types and places, never a value."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from pipeline_gitops.documents import Json
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.patterns import pattern
from pipeline_gitops.validation.catalog import Catalog, Schema
from pipeline_gitops.validation.schemas import Problem, Wrong
from pipeline_gitops.views import Finding

Path = Sequence[str | int]

_WORDS = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_PLAIN = pattern(r"[A-Za-z_][A-Za-z0-9_-]*")
_INTEGER = pattern(r"-?[0-9]+")


def finding(
    problem: Problem, manifest: Manifest, catalog: Catalog, name: str, version: str
) -> Finding:
    """What is wrong, where, and what to do. *name* is the definition that was violated."""
    rule, message, cure = _told(problem, manifest.body, catalog, name, version)
    path, document = problem.path, manifest.document
    if problem.wrong is Wrong.UNKNOWN:
        path = (*path, problem.name)
        place = document.locate_key(_pointer(path))
    else:
        place = document.locate(_pointer(path))
    return Finding(
        rule=rule,
        message=message,
        cure=cure,
        place=place,
        pointer=_pointer(path),
        id=manifest.id,
    )


def _told(
    problem: Problem, body: Json, catalog: Catalog, name: str, version: str
) -> tuple[str, str, str]:
    """Rule, message and cure."""
    where = _where(problem.path)
    match problem.wrong:
        case Wrong.UNKNOWN:
            cure = _instead(problem, catalog, name, version)
            return "unknown-field", f"unknown field '{problem.name}' {where}", cure
        case Wrong.MISSING:
            return "missing-field", f"required field '{problem.name}' is missing {where}", "add it"
        case Wrong.TYPE:
            value = _value(body, problem.path)
            expected = f"{_dotted(problem.path)} must be {_any_of(problem.types)}"
            return "wrong-type", f"{expected}, not {_kind(value)}", _typed(problem.types, value)
        case Wrong.TOO_SMALL | Wrong.TOO_LARGE:
            bound = "less" if problem.wrong is Wrong.TOO_SMALL else "more"
            message = f"{_dotted(problem.path)} must not be {bound} than {problem.limit}"
            return "schema", message, "correct the number"
        case _:
            assert_never(problem.wrong)


def _instead(problem: Problem, catalog: Catalog, name: str, version: str) -> str:
    """What to do about an unknown field: the nearest name here, or the place it is known at."""
    here = _properties(catalog.schema_at(name, problem.path, version))
    meant = _nearest(problem.name, here)
    if meant:
        return f"did you mean '{meant}'?"
    for key, schema in here.items():
        if problem.name in _properties(catalog.resolve(schema, version)):
            return f"move it into '{key}'"
    for length in range(len(problem.path) - 1, -1, -1):
        above = problem.path[:length]
        if problem.name in _properties(catalog.schema_at(name, above, version)):
            return f"move it up, {_where(above)}"
    return "remove it"


def _properties(schema: Schema) -> Mapping[str, Schema]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    return properties


def _nearest(word: str, known: Iterable[str]) -> str:
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), sorted(folded), n=1, cutoff=0.75)
    return folded[close[0]] if close else ""


def _typed(types: Sequence[str], value: Json) -> str:
    if "string" in types and isinstance(value, bool | int | float):
        return "put it in quotes"
    if "integer" in types and isinstance(value, str) and _INTEGER.fullmatch(value):
        return "write it without quotes"
    if "boolean" in types and value in ("true", "false"):
        return "write it without quotes"
    if "array" in types and isinstance(value, Mapping):
        return "start each item with a dash"
    return "correct the value"


def _any_of(types: Sequence[str]) -> str:
    return " or ".join(word for key, word in _WORDS.items() if key in types and key != "null")


def _kind(value: Json) -> str:
    match value:
        case None:
            return _WORDS["null"]
        case bool():
            return _WORDS["boolean"]
        case int():
            return _WORDS["integer"]
        case float():
            return _WORDS["number"]
        case str():
            return _WORDS["string"]
        case Mapping():
            return _WORDS["object"]
        case _:
            return _WORDS["array"]


def _value(body: Json, path: Path) -> Json:
    for step in path:
        body = body[step]  # type: ignore[index]  # the engine was there
    return body


def _where(path: Path) -> str:
    return f"in {_dotted(path)}" if path else "at the top level"


def _dotted(path: Path) -> str:
    """*path* as people write it: spec.containers[0].env, metadata.annotations['a.b/c']."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            written += f".{step}" if written else step
        else:
            written += f"['{step}']"
    return written or "the object"


def _pointer(path: Path) -> str:
    """*path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
