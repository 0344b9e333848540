"""The changes of a plan: one fold for each, its diff as plain text until somebody looks at it.

The script colours a diff when it is opened and puts it side by side if that is wanted; without the
script the text is there, with its signs.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.reports import words
from pipeline_gitops.reports.page.elements import Child, Element, element
from pipeline_gitops.reports.page.texts import joined, named, where
from pipeline_gitops.views import Action, ChangeView, PlanView, Report, Result


def plans(result: Result, report: Report, number: int) -> Iterator[Child]:
    """Every plan of one environment, that against the target first; each change once."""
    leading = words.leading(result)
    shown: frozenset[ChangeView] = frozenset()
    for plan in result.plans:
        amounts = words.amounts(plan) or "no changes"
        names = anchors(plan, number) if plan is leading else {}
        other = [change for change in words.ranked(plan.changes, result) if change not in shown]
        same = len(plan.changes) - len(other)
        yield element(
            "section",
            element("h3", f"Compared with {plan.compared}"),
            element("p", f"{amounts}; {plan.unchanged} unchanged.", class_="lead"),
            element("p", f"{words.counted(same, 'change')} as above.") if same else None,
            _list(other, report, names),
            class_="plan",
        )
        shown |= frozenset(plan.changes)


def anchors(plan: PlanView | None, number: int) -> Mapping[ObjectId, str]:
    """Where on the page each change of a leading plan stands."""
    changes = plan.changes if plan else ()
    return {change.id: f"change-{number}-{place}" for place, change in enumerate(changes)}


def _list(
    changes: Sequence[ChangeView], report: Report, names: Mapping[ObjectId, str]
) -> Element | None:
    if not changes:
        return None
    folds = (_change(change, report, names.get(change.id)) for change in changes)
    return element("div", *folds, class_="changes")


def _change(change: ChangeView, report: Report, anchor: str | None) -> Element:
    return element(
        "details",
        element(
            "summary",
            action(change.action),
            " ",
            named(change.id),
            " ",
            element("span", change.note, class_="gist") if change.note else None,
            " ",
            _size(change.lines),
        ),
        *_body(change, report),
        id=anchor,
        class_="change",
        data_object=True,
        data_action=words.VERBS[change.action],
        data_kind=str(change.id).partition(" ")[0],
        data_namespace=change.id.namespace,
    )


def action(done: Action) -> Element:
    """What is done with an object, in a word; the style puts a sign before it."""
    return element("span", words.VERBS[done], class_=f"action {done.value}")


def _size(lines: Sequence[str]) -> Element | None:
    plus, minus = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    said = [f"+{plus}"] * bool(plus) + [f"−{minus}"] * bool(minus)
    return element("span", " ".join(said), class_="size") if said else None


def _body(change: ChangeView, report: Report) -> Iterator[Child]:
    place = where(change.place, report)
    predicted = f"predicted: {change.predicted}" if change.predicted else None
    about = list(joined([place, predicted]))
    if about:
        yield element("p", *about, class_="about")
    if change.lines:
        yield element("pre", "\n".join(change.lines), class_="diff")
    else:
        yield element("p", "There is no diff.", class_="about")
