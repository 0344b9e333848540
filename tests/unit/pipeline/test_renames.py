"""An object whose name ends in a hash of its content is one object, whatever it is called."""

from dataclasses import replace

import pytest

from pipeline_gitops.documents import Body
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline import renames, reviews
from pipeline_gitops.plans import Change, Plan, Sight
from pipeline_gitops.views import Action

OLD, NEW = "settings-5f8h2t7kbc", "settings-9d4m6g2f7h"


def body(name: str, kind: str = "ConfigMap", **data: str) -> Body:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}


def gone(name: str, kind: str = "ConfigMap", **data: str) -> Change:
    """The deletion of an object."""
    return Change(Sight(id=ObjectId("", kind, "shop", name), before=body(name, kind, **data)))


def made(name: str, kind: str = "ConfigMap", **data: str) -> Change:
    """The creation of an object."""
    return Change(Sight(id=ObjectId("", kind, "shop", name), after=body(name, kind, **data)))


def test_a_new_hash_is_a_change() -> None:
    """One entry with the difference, instead of a deletion and a creation."""
    plan = Plan(changes=(gone(OLD, greeting="hello"), made(NEW, greeting="welcome")))

    shown = reviews.view(plan, "cluster", {})

    (change,) = shown.changes
    assert (change.id.name, change.action) == (NEW, Action.UPDATE)
    assert change.note == f"renamed: content hash, was {OLD}"
    assert {"-  greeting: hello", "+  greeting: welcome"} <= set(change.lines)
    assert change.paths == ("/data/greeting", "/metadata/name")


def test_a_renamed_secret_shows_no_value() -> None:
    """Only that it changes."""
    plan = Plan(changes=(gone(OLD, "Secret", key="b2xk"), made(NEW, "Secret", key="bmV3")))

    (change,) = reviews.view(plan, "cluster", {}).changes

    assert '-  key: "[masked] [before]"' in change.lines
    assert '+  key: "[masked] [after]"' in change.lines


def test_the_plan_stays_what_it_is() -> None:
    """Only the showing is of one object: both writes are made, and bound."""
    plan = Plan(changes=(gone(OLD), made(NEW)))

    reviews.view(plan, "cluster", {})

    assert [change.action for change in plan.changes] == [Action.DELETE, Action.CREATE]


@pytest.mark.parametrize(
    "changes",
    [
        (gone(OLD), made("other-9d4m6g2f7h")),
        (gone(OLD), made("settings")),
        (gone(OLD), made("settings-9d4m6g2f7")),
        (gone(OLD), made("settings-abcdefghij")),
        (gone(OLD, "ConfigMap"), made(NEW, "Secret")),
        (gone(OLD, "Deployment"), made(NEW, "Deployment")),
        (gone(OLD), gone("settings-2222222222"), made(NEW)),
        (gone(OLD), made(NEW), made("settings-2222222222")),
    ],
)
def test_what_is_not_surely_one_object_is_two(changes: tuple[Change, ...]) -> None:
    """Another name, no hash, another kind, or more than one candidate."""
    assert renames.renamed(changes) == {}


def test_another_namespace_is_another_object() -> None:
    """Names count within their namespace."""
    new = made(NEW)
    elsewhere = Change(replace(new.sight, id=ObjectId("", "ConfigMap", "elsewhere", NEW)))

    assert renames.renamed([gone(OLD), elsewhere]) == {}
