"""An expression says yes or no of one object, whatever the object is, and in bounded time."""

import subprocess
import sys
import time
from typing import Any

import pytest

from pipeline_gitops import expressions
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import Place

BODY: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "Shop",
    "metadata": {"name": "a", "generation": 2},
    "spec": {"replicas": 3},
    "status": {
        "phase": "Running",
        "conditions": [
            {"type": "Ready", "status": "True", "observedGeneration": 2},
            {"type": "Old", "status": "True", "observedGeneration": 1},
        ],
    },
}


def holds(source: str, body: dict[str, Any] = BODY) -> bool:
    return expressions.expression(source).holds(expressions.variables(body))


@pytest.mark.parametrize(
    "source",
    [
        "status.phase == 'Running'",
        "object.status.phase == 'Running' && spec.replicas == 3",
        "conditions.Ready.status == 'True'",
        "status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
        "status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')",
        "!has(status.missing)",
        "status.?missing.orValue('none') == 'none'",
        "object.metadata.generation > 1.5",
        "kind == 'Shop'",
    ],
)
def test_an_expression_reads_the_object(source: str) -> None:
    """By the names that Flux has, and the conditions by their types."""
    assert holds(source)


@pytest.mark.parametrize(
    "source",
    [
        "status.missing.deeper == 1",
        "status.phase > 3",
        "status.phase",
        "int(status.phase) == 1",
        "conditions.Missing.status == 'True'",
        "1 / 0 == 1",
    ],
)
def test_what_cannot_be_answered_is_a_no(source: str) -> None:
    """A missing field or a wrong type is what a status looks like at first."""
    assert not holds(source)


def test_a_condition_of_an_older_generation_is_unknown() -> None:
    """Nobody can mean it as a statement about what was just applied."""
    assert holds("conditions.Old.status == 'Unknown'")
    assert not holds("status.conditions.exists(c, c.type == 'Old' && c.status == 'True')")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("status.phase == ", "line 1, column 17"),
        ("nosuch(1)", "nosuch"),
        ("phase == 'x'", "undeclared reference to 'phase'"),
        ("['a'].map(x, x + x)", "map"),
        ("optional.of('a') . optMap (x, x + x).hasValue()", "optMap"),
        ("['a'].map//\n(x, x + x)", "map"),
        ("1 == 1 || " * 300 + "true", "longer"),
        ("(" * 900 + "1" + ")" * 900, "recursion"),
        ("'\ud800' == ''", "Unicode"),
    ],
)
def test_what_is_no_expression_is_told_with_its_place(source: str, problem: str) -> None:
    """Before anything is done; macros that let values grow are none either."""
    with pytest.raises(UsageFault, match=r"^config\.yaml:3: ") as raised:
        expressions.expression(source, Place("config.yaml", 3))

    assert problem in raised.value.what


@pytest.mark.parametrize(
    "source",
    [
        "status.l.all(a, status.l.all(b, status.l.all(c, a + b + c >= 0)))",
        "status.x.matches('(a+)+$')",
        "'" + "a" * 900 + "'.matches('(((a*)*)*)*b')",
    ],
)
def test_an_expression_ends(source: str) -> None:
    """A loop over loops is cut off, which is a no."""
    body = {"status": {"l": list(range(5_000)), "x": "a" * 500_000 + "b"}}

    started = time.process_time()

    assert not holds(source, body)
    assert time.process_time() - started < 2


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "status",
    [
        {"a": 2**80},
        {"a": -(2**80)},
        {"a": float("nan")},
        {"a": "\ud800"},
        {"\ud800": 1},
        {"a": None},
        {"conditions": [None, 1, {"type": 3}, {"type": "Ready", "status": True}]},
        {"conditions": {"type": "Ready"}},
        nested(300),
        [],
        "text",
        None,
    ],
    ids=range(12),
)
def test_no_status_breaks_the_engine(status: Any) -> None:
    """It takes 64 bits, valid Unicode and a sane depth; anything else is not shown to it."""
    body = {"metadata": {"generation": 1}, "status": status}

    assert not holds("status.a == 'x' || conditions.Ready.status == 'x'", body)


@pytest.mark.parametrize("odd", [2**80, -(2**80), "\ud800", nested(300), None, float("inf")])
def test_one_odd_value_does_not_hide_the_others(odd: Any) -> None:
    """The engine refuses a whole object for one value that it cannot take."""
    assert holds("status.ok", {"status": {"odd": odd, "l": [odd], "ok": True}})


def test_the_engine_is_not_loaded_before_it_is_needed() -> None:
    """Commands without a health rule of this kind do not pay for it."""
    code = (
        "import sys, pipeline_gitops.__main__, pipeline_gitops.expressions;"
        "sys.exit('cel_expr_python' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
