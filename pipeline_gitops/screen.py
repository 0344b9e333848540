"""A table on a terminal that is drawn over while somebody waits, and goes away without a trace.

Lines that are to stay are written above it. The cursor is never hidden and no other screen is
entered, so that a terminal needs no repair after a kill at any moment.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.views import Health, StandingView

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

KEPT = 3  # lines of the terminal for what was said before
SHORTEST_NAME = 24
COLUMNS = {"OBJECT": 0, "HEALTH": 11, "READY": 5, "SINCE": 7, "WHY": 0}  # by their least width
_STYLES = {
    Health.CURRENT.value: "green",
    Health.FAILED.value: "red",
    Health.IN_PROGRESS.value: "yellow",
}


def rows(standings: Sequence[StandingView], most: int, width: int) -> tuple[tuple[str, ...], ...]:
    """At most that many rows of cells, in the order given; the last one counts what is left out.

    *width*: of the terminal; the names take less than half of it.
    """
    longest = max(width * 2 // 5, SHORTEST_NAME)
    kept = standings if len(standings) <= most else standings[: max(most - 1, 0)]
    cells = [
        (_named(one.id, longest), one.health.value, one.ready, span(one.seconds), one.why)
        for one in kept
    ]
    left = standings[len(kept) :]
    if left and most > 0:
        cells.append((f"and {len(left)} more", "", "", "", _counted(left)))
    return tuple(cells)


def _named(id: ObjectId, most: int) -> str:
    """The object, without its namespace where that is too much: its kind and name tell it best."""
    whole = str(id)
    if len(whole) <= most or not id.namespace:
        return whole
    return str(id._replace(namespace="…"))


def span(seconds: float) -> str:
    """A length of time as people say it: 42s, 3m 5s, 2h 10m, 3d 4h."""
    whole = int(seconds)
    for unit, size, below, part in (("d", 86_400, "h", 3600), ("h", 3600, "m", 60)):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // part}{below}"
    return f"{whole // 60}m {whole % 60}s" if whole >= 60 else f"{whole}s"


def _counted(left: Sequence[StandingView]) -> str:
    words = [one.health.value for one in left]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))


class Screen:
    """One terminal. *harmless* makes a text one that may be shown there."""

    def __init__(self, stream: TextIO, harmless: Callable[[str], str]) -> None:
        self._stream = stream
        self._harmless = harmless
        self._live: Live | None = None

    def show(self, standings: Sequence[StandingView]) -> None:
        """Draws the table over the one before; takes it away where there is nothing to show."""
        if not standings:
            self.close()
            return
        if self._live is None:
            self._live = self._opened()
        size = self._live.console.size
        cells = rows(standings, size.height - KEPT - 1, size.width)
        self._live.update(self._table(cells, size.width), refresh=True)

    def above(self, line: str) -> bool:
        """Writes a line that stays, above the table; False where there is no table."""
        if self._live is None:
            return False
        from rich.text import Text

        self._live.console.print(Text(line), soft_wrap=True)
        return True

    def close(self) -> None:
        """Takes the table away."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _opened(self) -> "Live":
        from rich.console import Console  # 60 ms that only a terminal pays for
        from rich.live import Live

        class Visible(Console):
            def show_cursor(self, show: bool = True) -> bool:
                return False

        console = Visible(
            file=self._stream,
            force_terminal=True,
            color_system="standard",
        )
        live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        live.start()
        return live

    def _table(self, cells: Sequence[Sequence[str]], width: int) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="dim", expand=False)
        # Where all is too wide, what is said gives way to what it is said of.
        widest = max((len(cell) for cell, *_ in cells), default=0)
        for name, least in {**COLUMNS, "OBJECT": min(widest, width // 2)}.items():
            table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=least)
        for row in cells:
            style = _STYLES.get(row[1], "")
            table.add_row(*(Text(self._harmless(cell), style=style) for cell in row))
        return table
