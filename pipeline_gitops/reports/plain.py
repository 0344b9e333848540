"""Texts of commands that make no report: a table, a sentence, manifests that are masked already."""

from collections.abc import Sequence

from pipeline_gitops.masks import clean
from pipeline_gitops.reports.fences import one_line
from pipeline_gitops.reports.shown import Shown


def table(rows: Sequence[Sequence[str]]) -> Shown:
    """Rows as aligned columns, the first row being the header."""
    flat = [[clean(one_line(cell)) for cell in row] for row in rows]
    return Shown("".join(f"{line}\n" for line in aligned(flat)))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def sentence(text: str) -> Shown:
    """One line."""
    return Shown(clean(one_line(text)) + "\n")


def manifests(text: str) -> Shown:
    """YAML in which the values of Secrets are masked."""
    return Shown(clean(text))
