"""There is one way out: what is shown is made of sealed reports, and goes through one console."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "pipeline_gitops"

# By what is written: the modules that may.
DOORS = {
    "sys.stdout": {"journal", "__main__", "cli/__init__", "cli/endings"},
    "sys.stderr": {"journal", "cli/__init__", "cli/endings"},
    "print": set(),
    "click.echo": {"cli/__init__"},
    "logging.getLogger": {"targets/cluster/api/credentials"},  # silences it
    "traceback.format_tb": {"cli/endings"},
    "traceback.print_exc": set(),
    "traceback.format_exc": set(),
    "Sealed": {"masks"},
}
MAKERS_OF_SHOWN = "reports/"


@cache
def modules() -> tuple[tuple[str, tuple[ast.AST, ...]], ...]:
    """Every module's name and the nodes of its text."""
    return tuple(
        (
            path.relative_to(PACKAGE).with_suffix("").as_posix(),
            tuple(
                node
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Call | ast.Attribute)
            ),
        )
        for path in PACKAGE.rglob("*.py")
    )


def uses(name: str) -> Iterator[str]:
    """Modules that use a dotted name, or call a plain one."""
    last = name.rpartition(".")[2]
    for module, nodes in modules():
        for node in nodes:
            if isinstance(node, ast.Call):
                found = isinstance(node.func, ast.Name) and node.func.id == name
            else:
                found = node.attr == last and ast.unparse(node) == name
            if found:
                yield module


@pytest.mark.parametrize("name", DOORS)
def test_only_these_modules_speak(name: str) -> None:
    """A module that printed for itself would print what nobody has masked."""
    assert set(uses(name)) <= DOORS[name]


def test_only_reports_make_what_may_be_shown() -> None:
    """And they take sealed reports: a type checker sees to that."""
    assert [module for module in uses("Shown") if not module.startswith(MAKERS_OF_SHOWN)] == []
