"""Fields that somebody else sets, as a table: who, since when, and the two values."""

from collections.abc import Iterable

from pipeline_gitops.reports.fences import cell, code, short
from pipeline_gitops.reports.packing import Item, Section
from pipeline_gitops.views import FieldConflict, Refusal

HEADER = ("Field", "Owner", "Since", "There", "Here")

_LONGEST = 80


def row(conflict: FieldConflict) -> tuple[str, ...]:
    """The cells of one field, under `HEADER`. The server does not keep every owner's time."""
    return (
        conflict.field,
        conflict.owner,
        conflict.since or "unknown",
        conflict.theirs,
        conflict.ours,
    )


def section(name: str, refusals: Iterable[Refusal]) -> Section | None:
    """The fields of all *refusals* in Markdown; None where none is about fields."""
    found = [(refusal, one) for refusal in refusals for one in refusal.conflicts]
    if not found:
        return None
    columns = ("Object", *HEADER)
    header = f"| {' | '.join(columns)} |\n|{'|'.join('--' for _ in columns)}|"
    items = tuple(
        Item(levels=(_line(refusal, one),), group="field that somebody else sets")
        for refusal, one in found
    )

    def opening(shown: int, total: int) -> str:
        share = "" if shown == total else f" ({shown} of {total} shown)"
        return f"**{name}Set by others{share}**\n\n{header}"

    return Section(opening=opening, items=items, gap="\n")


def _line(refusal: Refusal, conflict: FieldConflict) -> str:
    field, owner, since, theirs, ours = (short(said, _LONGEST) for said in row(conflict))
    about = code(short(str(refusal.id), _LONGEST)) if refusal.id else ""
    cells = (about, code(field), cell(owner), cell(since), _value(theirs), _value(ours))
    return f"| {' | '.join(cells)} |"


def _value(said: str) -> str:
    return code(said) if said else ""
