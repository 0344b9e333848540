"""How a rollout went, over time: a row for each object that was waited for, its bar drawn as SVG.

The bars' positions are percentages, so they fit any width without being drawn anew.
"""

from collections.abc import Mapping, Sequence

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.reports import words
from pipeline_gitops.reports.page.elements import Child, Element, element
from pipeline_gitops.reports.page.texts import named, prose
from pipeline_gitops.reports.words import counted
from pipeline_gitops.views import Health, HealthView, RolloutView

MOST_ROWS = 200
MOST_TICKS = 5
AT_ONCE = 1.0  # seconds; what took no longer needs no bar
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


def rollout(view: RolloutView | None, anchors: Mapping[ObjectId, str]) -> Element | None:
    """The section of a rollout; None where nothing was observed."""
    if view is None or not view.objects:
        return None
    waited = _waited(view.objects)
    shown = waited[:MOST_ROWS]
    calm = [one for one in view.objects if not _is_waited(one)]
    return element(
        "section",
        element("h3", "Rollout"),
        element("p", _sentence(view), class_="lead"),
        _table(shown, anchors) if shown else None,
        element("p", f"{len(waited) - len(shown)} more took at most {_time(waited[-1].seconds)}.")
        if len(waited) > len(shown)
        else None,
        _at_once(calm),
        class_="rollout",
    )


def _is_waited(view: HealthView) -> bool:
    return view.seconds >= AT_ONCE or view.health is not Health.CURRENT


def _waited(views: Sequence[HealthView]) -> list[HealthView]:
    """What did not run from the start, in the order in which it was waited for.

    Where that is too much to draw, what does not run and what took longest comes first.
    """

    def weight(view: HealthView) -> tuple[bool, float, float, ObjectId]:
        return (view.health is Health.CURRENT, view.started, -view.seconds, view.id)

    waited = sorted(filter(_is_waited, views), key=weight)
    if len(waited) <= MOST_ROWS:
        return waited
    return sorted(waited, key=lambda view: (view.health is Health.CURRENT, -view.seconds, view.id))


def _sentence(view: RolloutView) -> str:
    sick = len(words.unwell(view))
    running = f"{len(view.objects) - sick} of {counted(len(view.objects), 'object')} running"
    ended = "gave up" if view.timed_out else "watched for"
    return f"{running}, {ended} {'after ' if view.timed_out else ''}{_time(view.seconds)}."


def _table(views: Sequence[HealthView], anchors: Mapping[ObjectId, str]) -> Element:
    total = max(*(view.started + view.seconds for view in views), 1.0)
    ticks = _ticks(total)
    head = element(
        "tr",
        element("th", "Object", scope="col"),
        element("th", "State", scope="col"),
        element("th", _axis(ticks, total), class_="time", scope="col"),
        element("th", "Ready after", scope="col", class_="number"),
    )
    rows = (_row(view, total, anchors) for view in views)
    return element(
        "table", element("thead", head), element("tbody", *rows), class_="timeline stacking"
    )


def _row(view: HealthView, total: float, anchors: Mapping[ObjectId, str]) -> Element:
    tone = "good" if view.health is Health.CURRENT else "bad"
    object_: Child = named(view.id)
    if view.id in anchors:
        object_ = element("a", object_, href=f"#{anchors[view.id]}")
    said = element("span", *prose(view.sentence), class_="why") if view.sentence else None
    ready = _time(view.seconds) if view.health is Health.CURRENT else "not ready"
    return element(
        "tr",
        element("th", object_, scope="row"),
        element("td", element("b", view.health.value, class_=tone), said),
        element("td", _bar(view, total, tone), class_="time"),
        element("td", ready, class_="number"),
        data_object=True,
        data_kind=str(view.id).partition(" ")[0],
        data_namespace=view.id.namespace,
    )


def _bar(view: HealthView, total: float, tone: str) -> Element:
    """From when it was watched until it was well, or given up."""
    left = _percent(view.started, total)
    return element(
        "svg",
        element("rect", y=8, width="100%", height=2, class_="track"),
        element(
            "rect",
            x=left,
            y="4",
            width=_percent(max(view.seconds, total / 200), total),
            height="10",
            rx="2",
            class_=tone,
        ),
        class_="bar",
        width="100%",
        height="18",
        role="img",
        aria_label=f"from {_time(view.started)} for {_time(view.seconds)}",
    )


def _axis(ticks: Sequence[int], total: float) -> Element:
    return element(
        "svg",
        *(element("text", _time(tick), x=_percent(tick, total), y="12") for tick in ticks),
        class_="axis",
        width="100%",
        height="16",
        role="img",
        aria_label=f"time, {_time(total)} in all",
    )


def _ticks(total: float) -> tuple[int, ...]:
    step = next((step for step in _STEPS if total / step <= MOST_TICKS), _STEPS[-1])
    # The last one would run into the next column.
    return tuple(range(0, min(int(total * 0.92), step * 2 * MOST_TICKS) + 1, step))


def _percent(part: float, total: float) -> str:
    return f"{min(100 * part / total, 100):.4g}%"


def _time(seconds: float) -> str:
    """As people say it: "4.2 s", "3 min", "3 min 20 s", "2 h"."""
    if seconds < 60:
        return f"{round(seconds, 1):g} s"
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (left if not hours else 0, "s"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def _at_once(views: Sequence[HealthView]) -> Element | None:
    if not views:
        return None
    count = counted(len(views), "object")
    return element(
        "details",
        element("summary", f"{count} ran within a second"),
        element("ul", *(element("li", named(view.id)) for view in views), class_="ids"),
    )
