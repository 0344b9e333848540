"""In which order a plan is carried out, drawn: a column for each wave, a line for each edge.

Every object is a link to its change. What is drawn stands below as a list as well: for those who
listen, and for waves that are too long to draw.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.reports import words
from pipeline_gitops.reports.fences import short
from pipeline_gitops.reports.page.elements import Element, element
from pipeline_gitops.reports.page.texts import named
from pipeline_gitops.reports.words import counted
from pipeline_gitops.views import Action, OrderView, PlanView, WaveView

MOST_NODES = 12  # of a wave; the rest is one node that says how many
MOST_LISTED = 60
LONGEST_NAME, LONGEST_KIND = 20, 25  # characters that fit a node
COMMON = 5  # what more objects than that need, as they do their namespace, is drawn faintly

WIDTH, HEIGHT = 164, 38
ACROSS, DOWN = WIDTH + 40, HEIGHT + 8
TOP = 44  # the columns' heads

_Spot = tuple[int, int]  # column and row


def order(plan: PlanView, anchors: Mapping[ObjectId, str]) -> Element | None:
    """The section of a plan's order; None where there is none, or nothing to wait for."""
    if plan.order is None or len(plan.order.waves) < 2:
        return None
    said = f"{counted(len(plan.order.waves), 'wave')}, one after the other"
    if plan.order.edges:
        said += ". A solid line waits until its object runs, a dashed one until it is sent"
    return element(
        "section",
        element("h3", "Order"),
        element("p", f"{said}.", class_="lead"),
        element(
            "div",
            _Drawing(plan, plan.order, anchors).svg(),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="Waves of the plan",
        ),
        element(
            "details",
            element("summary", "The same as a list"),
            element("ol", *map(_listed, plan.order.waves)),
        ),
        class_="order",
    )


def _listed(wave: WaveView) -> Element:
    head = f"{wave.phase}: " if wave.phase else ""
    needs = element(
        "p",
        "once these run: ",
        *(element("span", named(id), " ") for id in wave.needs[:MOST_LISTED]),
    )
    more = len(wave.ids) - MOST_LISTED
    return element(
        "li",
        f"{head}{counted(len(wave.ids), 'object')}",
        needs if wave.needs else None,
        element(
            "ul",
            *(element("li", named(id)) for id in wave.ids[:MOST_LISTED]),
            element("li", f"and {more} more") if more > 0 else None,
            class_="ids",
        ),
    )


class _Drawing:
    """Where every node stands, and what is drawn of it."""

    def __init__(self, plan: PlanView, order: OrderView, anchors: Mapping[ObjectId, str]) -> None:
        self._anchors = anchors
        self._order = order
        self._actions = {change.id: change.action for change in plan.changes}
        self._shown = [self._first(wave) for wave in order.waves]
        self._spots: dict[ObjectId, _Spot] = {}
        for column, (wave, shown) in enumerate(zip(order.waves, self._shown, strict=True)):
            rows = {id: row for row, id in enumerate(shown)}
            self._spots |= {id: (column, rows.get(id, len(shown))) for id in wave.ids}

    def _first(self, wave: WaveView) -> Sequence[ObjectId]:
        """What is drawn of a wave: all of it, or first what others wait for."""
        if len(wave.ids) <= MOST_NODES:
            return wave.ids
        tied = {id for edge in self._order.edges if edge.waits for id in (edge.user, edge.needed)}
        return sorted(wave.ids, key=lambda id: id not in tied)[: MOST_NODES - 1]

    def svg(self) -> Element:
        """The whole drawing, lines below nodes."""
        columns = len(self._order.waves)
        deepest = max(self._rows(column) for column in range(columns))
        width, height = columns * ACROSS - (ACROSS - WIDTH), TOP + deepest * DOWN
        waves = range(columns)
        return element(
            "svg",
            *self._edges(),
            *(self._head(column) for column in waves),
            *(self._node(id) for shown in self._shown for id in shown),
            *(self._rest(column) for column in waves),
            class_="graph",
            width=width,
            height=height,
            viewBox=f"0 0 {width} {height}",
        )

    def _rows(self, column: int) -> int:
        return len(self._shown[column]) + bool(self._hidden(column))

    def _hidden(self, column: int) -> int:
        return len(self._order.waves[column].ids) - len(self._shown[column])

    def _head(self, column: int) -> Element:
        wave = self._order.waves[column]
        about = wave.phase or counted(len(wave.ids), "object")
        if wave.needs:
            about += f", waits for {len(wave.needs)}"
        x = column * ACROSS
        return element(
            "g",
            element("text", f"Wave {column + 1}", x=x, y=14, class_="title"),
            element("text", about, x=x, y=31, class_="about"),
            class_="wave",
        )

    def _node(self, id: ObjectId) -> Element:
        x, y = self._corner(self._spots[id])
        action = self._actions.get(id, Action.UPDATE)
        box = element(
            "g",
            element("title", f"{words.VERBS[action]} {id}"),
            element("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=4),
            element("rect", x=x, y=y, width=4, height=HEIGHT, rx=2, class_=f"edge {action.value}"),
            element("text", short(id.kind, LONGEST_KIND), x=x + 12, y=y + 15, class_="about"),
            element("text", short(id.name, LONGEST_NAME), x=x + 12, y=y + 30, class_="title"),
            class_="node",
            data_node=self._number(id),
        )
        anchor = self._anchors.get(id)
        return element("a", box, href=f"#{anchor}") if anchor else box

    def _rest(self, column: int) -> Element | None:
        hidden = self._hidden(column)
        if not hidden:
            return None
        x, y = self._corner((column, len(self._shown[column])))
        return element(
            "g",
            element("rect", x=x, y=y, width=WIDTH, height=HEIGHT, rx=4),
            element("text", f"and {hidden} more", x=x + 12, y=y + 23, class_="about"),
            class_="rest",
            data_node=f"{column}-{len(self._shown[column])}",
        )

    def _edges(self) -> list[Element]:
        """Each pair of spots once, as a solid line if any of its edges waits."""
        waits: dict[tuple[_Spot, _Spot], bool] = {}
        for edge in self._order.edges:
            if edge.user in self._spots and edge.needed in self._spots:
                pair = (self._spots[edge.needed], self._spots[edge.user])
                waits[pair] = waits.get(pair, False) or edge.waits
        users = Counter(needed for needed, _ in waits)
        return [
            self._edge(pair, solid=solid, common=users[pair[0]] > COMMON)
            for pair, solid in sorted(waits.items())
        ]

    def _edge(self, pair: tuple[_Spot, _Spot], *, solid: bool, common: bool) -> Element:
        (x, y), (to_x, to_y) = map(self._corner, pair)
        x, y, to_y = x + WIDTH, y + HEIGHT // 2, to_y + HEIGHT // 2
        bend = max((to_x - x) // 2, 24)
        return element(
            "path",
            d=f"M{x} {y}C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}",
            class_=("waits" if solid else "after") + (" common" if common else ""),
            data_from="-".join(map(str, pair[0])),
            data_to="-".join(map(str, pair[1])),
        )

    def _corner(self, spot: _Spot) -> tuple[int, int]:
        column, row = spot
        return column * ACROSS, TOP + row * DOWN

    def _number(self, id: ObjectId) -> str:
        return "-".join(map(str, self._spots[id]))
