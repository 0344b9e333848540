"""CEL, the expression language of Kubernetes and Flux: how an expression is compiled, and what it
says of one object.

Its engine is loaded with the first expression: a run without one does not pay for it. An expression
cannot hang or fill the memory: its length is limited, the engine allows 10,000 iterations and 32
levels an evaluation, and macros that make values grow are not had.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from typing import Any

from pipeline_gitops.documents import Body, Json, at, mapping
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import Place
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

LONGEST = 2_000

Variables = Mapping[str, Any]

# What an expression may name: the object, and its top-level fields, as in Flux
# (https://fluxcd.io/flux/components/kustomize/kustomizations/#health-check-expressions).
_FIELDS = ("apiVersion", "kind", "metadata", "spec", "status", "data")
# Each binds its result to a name, so ['a'].map(x, x + x) repeated doubles it every time.
_GROWING = pattern(r"\b(map|optMap|optFlatMap)(?:\s|//[^\n]*\n)*\(")
# The engine converts values by recursion in C++ and crashes on a deep one (seen at 10,000).
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Expression:
    """One compiled expression. Two are equal when they are written alike."""

    source: str
    _program: Any = field(repr=False, compare=False)

    def holds(self, variables: Variables) -> bool:
        """Whether it is true. A missing field, a wrong type, an exceeded limit: it is not."""
        try:
            # An error is a value in CEL, and so is an absent optional.
            return self._program.eval(data=variables).value() is True
        except RuntimeError:  # the engine's word for an exceeded budget
            return False


def expression(source: str, place: Place | str = "") -> Expression:
    """The compiled *source*, which is written at *place*. Raises UsageFault if it is none."""
    where = f"{place}: " if str(place) else ""
    cure = "the language: https://github.com/google/cel-spec/blob/master/doc/langdef.md"
    if len(source) > LONGEST:
        raise UsageFault(f"{where}the expression is longer than {LONGEST} characters", cure)
    if grows := _GROWING.search(source):
        raise UsageFault(
            f"{where}the expression uses {grows[1]}, which is not had here",
            "filter, all, exists and exists_one say the same of conditions",
        )
    program, problem = _compiled(source)
    if program is None:
        raise UsageFault(f"{where}the expression cannot be used: {problem}", cure)
    return Expression(source, program)


def variables(body: Body) -> Variables:
    """What an expression can see of *body*.

    A condition that was observed for an older generation than the object has now is shown with the
    status Unknown: nobody can mean it as a statement about what was just applied.
    """
    generation = at(body, "metadata", "generation")
    current = generation if isinstance(generation, int) else 0
    shown = {
        key: _plain(value, current if key == "status" else 0, 0) for key, value in body.items()
    }
    known: dict[str, Any] = {name: shown.get(name) for name in _FIELDS}
    for name in ("metadata", "spec", "status", "data"):
        known[name] = known[name] if isinstance(known[name], dict) else {}
    for name in ("apiVersion", "kind"):
        known[name] = known[name] if isinstance(known[name], str) else ""
    known["object"] = {**shown, "metadata": known["metadata"], "status": known["status"]}
    known["conditions"] = _by_type(known["status"])
    return known


def _by_type(status: Body) -> dict[str, Any]:
    found = status.get("conditions")
    return {
        item["type"]: item
        for item in (found if isinstance(found, list) else [])
        if isinstance(item, dict) and isinstance(item.get("type"), str)
    }


def _plain(value: Json, generation: int, depth: int) -> Any:
    """*value* as the engine takes it: plain containers, 64 bits, valid Unicode, not too deep."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else None
        case str():
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case _ if depth >= _DEEPEST:
            return None
        case Mapping():
            parts = {
                _plain(key, 0, 0): _plain(part, generation, depth + 1)
                for key, part in value.items()
            }
            found = parts.get("conditions")
            if generation and isinstance(found, list):
                parts["conditions"] = [_dated(item, generation) for item in found]
            return parts
        case Sequence():
            return [_plain(part, generation, depth + 1) for part in value]


def _dated(condition: Any, generation: int) -> Any:
    observed = mapping(condition).get("observedGeneration")
    if isinstance(observed, int) and observed < generation:
        return {**condition, "status": "Unknown"}
    return condition


@cache
def _compiled(source: str) -> tuple[Any, str]:
    """The program of *source*, or None and what is wrong with it."""
    environment = _environment()
    if environment is None:
        return None, "this Python has no cel-expr-python"
    try:
        return environment.compile(source), ""
    except RuntimeError as error:
        return None, _told(str(error))
    except TypeError:  # half a surrogate pair
        return None, "it is no valid Unicode"


def _told(error: str) -> str:
    """The first problem in the engine's words, with its column."""
    found = re.search(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)", error)
    if not found:
        return error.partition("\n")[0]
    line, column, problem = found.groups()
    problem = re.sub(r" \(in container ''\)| expecting .*", "", problem).strip()
    return f"{problem} (line {line}, column {column})" if int(line) > 0 else problem


@cache
def _environment() -> Any:
    # Imported here: only a run with an expression needs it. There are wheels for some platforms
    # only (docs/decisions/0005-cel.md).
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_optional
    except ImportError:
        return None
    names = ("object", "conditions", *_FIELDS)
    return cel.NewEnv(
        variables=dict.fromkeys(names, cel.Type.DYN), extensions=[ext_optional.ExtOptional()]
    )
