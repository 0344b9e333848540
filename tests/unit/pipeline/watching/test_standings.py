"""How a table of what is waited for reads."""

from typing import Any

from pipeline_gitops.health.causes import Cause
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline.watching.standings import Standings
from pipeline_gitops.views import Health, HealthView

API = ObjectId("apps", "Deployment", "shop", "api")
WEB = ObjectId("apps", "Deployment", "shop", "web")
DB = ObjectId("apps", "StatefulSet", "shop", "db")
JOB = ObjectId("batch", "Job", "shop", "once")
NO_IMAGE = Cause(rule="image-not-found", sentence="there is no image web:2")


def view(id: ObjectId, health: Health, sentence: str = "") -> HealthView:
    return HealthView(id=id, health=health, sentence=sentence)


def deployment(ready: int, wanted: int) -> dict[str, Any]:
    status = {"updatedReplicas": wanted, "availableReplicas": ready}
    spec = {"replicas": wanted}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec, "status": status}


def test_the_worst_comes_first() -> None:
    """A screen ends before a long list does; of the unwell, those with a known cause come first."""
    views = [
        view(API, Health.IN_PROGRESS),
        view(DB, Health.CURRENT),
        view(JOB, Health.FAILED),
        view(WEB, Health.IN_PROGRESS),
    ]

    rows = Standings().at(0.0, views, {}, {WEB: NO_IMAGE})

    assert [row.id for row in rows] == [JOB, WEB, API, DB]


def test_a_row_says_how_many_pods_are_ready_and_why_the_others_are_not() -> None:
    """In the words of the log."""
    views = [view(WEB, Health.IN_PROGRESS, "1 of 3 pods are available")]

    (row,) = Standings().at(0.0, views, {WEB: deployment(1, 3)}, {WEB: NO_IMAGE})

    assert (row.ready, row.why) == ("1/3", "1 of 3 pods are available, as there is no image web:2")


def test_what_is_gone_has_no_pods() -> None:
    """Whatever it had when it was seen last."""
    (row,) = Standings().at(0.0, [view(WEB, Health.NOT_FOUND)], {WEB: deployment(1, 3)}, {})

    assert row.ready == ""


def test_the_time_counts_from_the_last_change_of_the_word() -> None:
    """Another sentence is no other word."""
    standings = Standings()
    seen = [
        standings.at(second, [view(WEB, health, str(second))], {}, {})[0].seconds
        for second, health in [
            (0, Health.IN_PROGRESS),
            (7, Health.IN_PROGRESS),
            (9, Health.CURRENT),
            (12, Health.CURRENT),
        ]
    ]

    assert seen == [0, 7, 0, 3]
