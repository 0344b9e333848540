"""A table on a terminal: what fits, what it leaves behind, and what cannot act on its reader."""

import io

import pyte
import pytest

from pipeline_gitops.ci import Vendor
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.journal import Console
from pipeline_gitops.screen import rows, span
from pipeline_gitops.views import Health, Severity, StandingView

WIDTH, HEIGHT = 100, 12


def standing(
    name: str, health: Health = Health.IN_PROGRESS, why: str = "0 of 1 pods are available"
) -> StandingView:
    id = ObjectId("apps", "Deployment", "shop", name)
    return StandingView(id=id, health=health, ready="0/1", seconds=65.0, why=why)


MANY = [standing(f"bad-{n}", Health.FAILED) for n in range(3)] + [
    standing(f"good-{n:03}", Health.CURRENT) for n in range(200)
]


class Terminal:
    """A screen of bytes that were written to it, with what scrolled out of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", str(WIDTH))
        monkeypatch.setenv("LINES", str(HEIGHT))
        monkeypatch.setenv("TERM", "xterm-256color")
        self.screen = pyte.HistoryScreen(WIDTH, HEIGHT, history=10_000, ratio=1.0)
        self._stream = pyte.Stream(self.screen)
        self.written = io.StringIO()
        self.console = Console(Vendor.NONE, stderr=self.written, live=True)

    def lines(self) -> list[str]:
        """All that is there now, from the top of what scrolled out."""
        self._stream.feed(self.written.getvalue().replace("\n", "\r\n"))
        self.written.seek(0)
        self.written.truncate()
        old = ["".join(line[x].data for x in range(WIDTH)) for line in self.screen.history.top]
        return [line.rstrip() for line in [*old, *self.screen.display] if line.strip()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(monkeypatch)


def test_what_does_not_fit_is_counted() -> None:
    """The last row says how many are left, and how they are."""
    cells = rows(MANY, 4, WIDTH)

    assert [row[0].rpartition("/")[2] for row in cells[:3]] == ["bad-0", "bad-1", "bad-2"]
    assert cells[3] == ("and 200 more", "", "", "", "200 Current")
    assert rows(MANY[:4], 4, WIDTH)[-1][0] == "Deployment.apps shop/good-000"


def test_a_screen_without_room_has_no_rows() -> None:
    """Down to nothing, without an error."""
    assert [len(rows(MANY, most, WIDTH)) for most in (-3, 0, 1, 2)] == [0, 0, 1, 2]


def test_a_long_namespace_does_not_hide_the_name(terminal: Terminal) -> None:
    """Nor does a long sentence hide the words before it."""
    id = ObjectId("apps", "Deployment", "a-namespace-of-" + "many-" * 8 + "words", "web")
    terminal.console.picture(lambda: [StandingView(id=id, health=Health.FAILED, why="x " * 200)])

    lines = terminal.lines()
    assert "Deployment.apps …/web" in lines[1]
    assert "Failed" in lines[1]
    terminal.console.picture(tuple)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.4, "0s"), (59.9, "59s"), (65, "1m 5s"), (7_260, "2h 1m"), (90_000, "1d 1h")],
)
def test_times_are_short(seconds: float, says: str) -> None:
    """Two units at most."""
    assert span(seconds) == says


def test_the_table_shows_in_place_and_goes_away(terminal: Terminal) -> None:
    """However often it was drawn, there is one; at the end there is none, and the lines are."""
    console = terminal.console
    console.say("deploying")
    for _ in range(5):
        console.picture(lambda: [standing("web")])
    during = terminal.lines()
    console.picture(tuple)
    console.say("done")
    after = terminal.lines()

    assert during[:2] == [
        "  deploying",
        "OBJECT                    HEALTH       READY  SINCE    WHY",
    ]
    assert "Deployment.apps shop/web  InProgress   0/1    1m 5s    0 of 1 pods" in during[2]
    assert len(during) == 3
    assert after == ["  deploying", "  done"]


def test_lines_stay_above_the_table_once_each(terminal: Terminal) -> None:
    """What is told while the table is up lands in the scrollback, as it would without."""
    console = terminal.console
    for number in range(30):
        console.picture(lambda: [standing("web")])
        console.say(f"line {number}", Severity.ERROR)
    console.picture(tuple)

    assert terminal.lines() == [f"✗ line {number}" for number in range(30)]


def test_the_table_is_no_higher_than_the_screen(terminal: Terminal) -> None:
    """The worst is seen; the rest is counted; nothing scrolls away."""
    console = terminal.console
    for _ in range(3):
        console.picture(lambda: MANY)
    during = terminal.lines()
    console.picture(tuple)

    assert len(during) == HEIGHT - 3
    assert "shop/bad-0" in during[1]
    assert "more" in during[-1]
    assert terminal.lines() == []


@pytest.mark.parametrize(
    "planted",
    ["\x1b[2J", "\x1b]0;owned\x07", "\u202eevil", "\x9b31m", "a\rb", "a\nb\nc", "\u2066x", "\x00"],
)
def test_no_text_of_a_cluster_acts_on_the_terminal(terminal: Terminal, planted: str) -> None:
    """A condition's message may hold what clears a screen or turns the direction of writing."""
    console = terminal.console
    console.picture(lambda: [standing("web", why=f"it says {planted}"), standing("api")])
    written = terminal.written.getvalue()
    during = terminal.lines()

    assert "\x1b[2J" not in written
    assert planted not in written
    assert not {"\x07", "\u202e", "\x9b", "\u2066", "\x00"} & set(written)
    assert len(during) == 3
    console.picture(tuple)


def test_secrets_are_masked_in_the_table(terminal: Terminal) -> None:
    """As everywhere."""
    terminal.console.hide(["hunter2hunter2"])
    terminal.console.picture(lambda: [standing("web", why="it says hunter2hunter2")])

    assert "hunter2" not in terminal.written.getvalue()
    assert "[masked]" in "".join(terminal.lines())
    terminal.console.picture(tuple)


def test_markup_is_text(terminal: Terminal) -> None:
    """Square brackets colour nothing, and colons are no emoji."""
    terminal.console.picture(lambda: [standing("web", why="[red]x[/red] :boom:")])
    terminal.console.say("[bold]y[/bold] :boom:")

    lines = terminal.lines()
    assert lines[0] == "  [bold]y[/bold] :boom:"
    assert "[red]x[/red] :boom:" in lines[2]
    terminal.console.picture(tuple)


def test_the_cursor_is_never_hidden(terminal: Terminal) -> None:
    """So nothing has to be put right after a kill."""
    terminal.console.picture(lambda: [standing("web")])

    assert "\x1b[?" not in terminal.written.getvalue()
    terminal.console.picture(tuple)


def test_where_nobody_looks_nobody_is_asked() -> None:
    """The table costs a job in CI nothing."""
    asked: list[int] = []

    def standings() -> list[StandingView]:
        asked.append(1)
        return [standing("web")]

    stream = io.StringIO()
    Console(Vendor.NONE, stderr=stream).picture(standings)

    assert (asked, stream.getvalue()) == ([], "")
