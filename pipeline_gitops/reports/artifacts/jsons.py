"""The report as JSON, for programs: schemas/report.schema.json says its form.

Reading it back is strict, and what comes back is as foreign as any input: a job of a fork may have
written it. It has to be sealed again, and no address in it is trusted.
"""

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.masks import Sealed
from pipeline_gitops.reports import words
from pipeline_gitops.reports.shown import Shown
from pipeline_gitops.views import ChangeView, Report, Result

SCHEMA = "pipeline-gitops/report/v1"

_TOO_MUCH = 2**53  # beyond it, numbers in JSON are no longer exact

_Node = Any  # what json makes of a text: checked, not assumed

# What a report knows under another name, or does not tell.
_RENAMED = {"results": "environments", "environment": "name"}
_UNTOLD: Mapping[type, frozenset[str]] = {Report: frozenset({"files_url"})}
# Told, but not taken over when read: what follows from the rest, and the address of the job. A link
# out of a foreign report could lead anywhere; who shows the report gives its own addresses.
_NOT_TAKEN: Mapping[type, Mapping[str, Any]] = {
    Report: {"schema": str, "verdict": Verdict, "exitCode": int, "runUrl": str},
    Result: {"changes": tuple[ChangeView, ...]},
}


def to_json(report: Sealed) -> Shown:
    """The report as one JSON text."""
    told = {
        "schema": SCHEMA,
        "verdict": report.verdict.value,
        "exitCode": report.verdict.exit_code,
        **_told(report),
    }
    return Shown(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _told(value: object) -> _Node:
    if isinstance(value, ObjectId):
        return value._asdict()
    if isinstance(value, tuple):
        return [_told(item) for item in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    untold = _UNTOLD.get(type(value), frozenset())
    told = {
        _key(field.name): _told(getattr(value, field.name))
        for field in fields(value)
        if field.name not in untold
    }
    if isinstance(value, Result):
        plan = words.leading(value)
        told["changes"] = _told(plan.changes) if plan else []
    return told


def _key(name: str) -> str:
    head, *rest = _RENAMED.get(name, name).split("_")
    return head + "".join(word.capitalize() for word in rest)


def from_json(text: str) -> Report:
    """The report that `to_json` wrote. Raises ValueError for anything else."""
    try:
        node = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(node, dict) or node.get("schema") != SCHEMA:
        raise ValueError(f"not a {SCHEMA}")
    report: Report = _read(Report, node, "")
    return report


def _unique(pairs: list[tuple[str, _Node]]) -> dict[str, _Node]:
    node = dict(pairs)
    if len(node) != len(pairs):
        raise ValueError("a key stands twice")
    return node


def _no_constant(name: str) -> _Node:
    raise ValueError(f"{name} is not JSON")


def _read(wanted: Any, node: _Node, where: str) -> Any:
    """*node* as a value of the type *wanted*; *where* is its JSON pointer."""
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        rest = next(arm for arm in get_args(wanted) if arm is not type(None))
        return None if node is None else _read(rest, node, where)
    if origin is tuple:
        if not isinstance(node, list):
            raise ValueError(f"{where}: not a list")
        item = get_args(wanted)[0]
        return tuple(_read(item, one, f"{where}/{index}") for index, one in enumerate(node))
    if wanted is ObjectId or is_dataclass(wanted):
        return _read_object(wanted, node, where)
    return _read_scalar(wanted, node, where)


def _read_object(wanted: Any, node: _Node, where: str) -> Any:
    derived = _NOT_TAKEN.get(wanted, {})
    hints = get_type_hints(wanted)
    untold = _UNTOLD.get(wanted, frozenset())
    held = ObjectId._fields if wanted is ObjectId else [field.name for field in fields(wanted)]
    names = {_key(name): name for name in held if name not in untold}
    names = {key: name for key, name in names.items() if key not in derived}
    if not isinstance(node, dict) or node.keys() != names.keys() | derived.keys():
        raise ValueError(f"{where}: not a {wanted.__name__}")
    for key, type_ in derived.items():
        _read(type_, node[key], f"{where}/{key}")
    return wanted(
        **{name: _read(hints[name], node[key], f"{where}/{key}") for key, name in names.items()}
    )


def _read_scalar(wanted: Any, node: _Node, where: str) -> Any:
    if issubclass(wanted, StrEnum) and isinstance(node, str):
        return wanted(node)  # ValueError for a word that is not one of them
    accepted: Mapping[type, Callable[[_Node], bool]] = {
        str: lambda value: isinstance(value, str),
        bool: lambda value: isinstance(value, bool),
        int: lambda value: isinstance(value, int) and _is_amount(value),
        float: _is_amount,
    }
    if wanted not in accepted or not accepted[wanted](node):
        raise ValueError(f"{where}: not a {wanted.__name__}")
    return node


def _is_amount(value: _Node) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value < _TOO_MUCH
