"""When fields change hands, and when not."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.plans import Change, FieldOwner, Sight
from pipeline_gitops.targets.cluster.fields import handovers, owners, transfers
from pipeline_gitops.targets.cluster.fields.owners import Dispute

WEB = ObjectId("apps", "Deployment", "shop", "web")
SEEN = Version("u/1")
REPLICAS = ("f:spec", "f:replicas")


def live(version: str = "1", manager: str = "kubectl-client-side-apply") -> Any:
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": version,
            "managedFields": [entry],
        },
        "spec": {"replicas": 4, "paused": False},
    }


class Recording:
    """Stands for the cluster's objects: says what was asked."""

    def __init__(self, now: Any) -> None:
        self.now = now
        self.asked: list[tuple[str, Any]] = []

    def read(self, resource: Any, id: ObjectId) -> Any:
        self.asked.append(("read", None))
        return self.now

    def patch(self, resource: Any, id: ObjectId, operations: Any, **_: Any) -> Any:
        self.asked.append(("patch", {one["path"]: one["value"] for one in operations}))
        return live("9")

    def write(
        self, resource: Any, id: ObjectId, body: Any, version: Version, *, force: bool, manager: str
    ) -> Any:
        self.asked.append((manager, (body, version, force)))
        self.now = live("5")
        return type("Answer", (), {"body": self.now})


def transfer(objects: Recording, version: Version = SEEN, **more: Any) -> Version:
    sight = Sight(id=WEB, before=live(), after=live(), version=SEEN)
    nothing: Any = None
    there: Any = objects
    return transfers.transfer(there, nothing, Change(replace(sight, **more)), version)


def test_migration_is_conditioned() -> None:
    """The owners are replaced of the very object that was seen."""
    objects = Recording(live())

    version = transfer(objects)

    ((_, patch),) = objects.asked
    assert version == "u/9"
    assert patch["/metadata/resourceVersion"] == "1"
    assert patch["/metadata/uid"] == "u"


def test_hand_over_comes_first() -> None:
    """The hand-over manager owns the field, with the value that was seen, before it leaves us."""
    owner = FieldOwner(path=".spec.replicas", owner="x", decision=handovers.HANDED)
    objects = Recording(live())

    transfer(objects, owners=(owner,))

    (manager, (body, version, force)), *_, (last, _) = objects.asked
    assert (manager, version, force) == (owners.HANDOVER, SEEN, False)
    assert body["spec"] == {"replicas": 4}
    assert last == "patch"


def test_owners_that_were_not_shown() -> None:
    """Where other fields would move than were shown none does, and the version holds no more."""
    now = live("2")
    now["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]["f:minReadySeconds"] = {}
    objects = Recording(now)

    version = transfer(objects, version=Version("u/2"))

    assert version == SEEN
    assert [name for name, _ in objects.asked] == ["read"]


def test_migration_that_was_done_before() -> None:
    """What an earlier try has moved is not moved again."""
    objects = Recording(live("2", manager="pipeline-gitops-other"))

    assert transfer(objects, version=Version("u/2")) == "u/2"
    assert [name for name, _ in objects.asked] == ["read"]


@pytest.mark.parametrize(
    "more", [{"replaces": True}, {"predicted": "why"}, {"before": None}, {"after": None}]
)
def test_nothing_to_transfer(more: dict[str, Any]) -> None:
    """What is created, replaced, deleted or only predicted keeps its owners."""
    objects = Recording(live())

    assert transfer(objects, **more) == SEEN
    assert objects.asked == []


# -- which fields are handed over ------------------------------------------------------------------


def handed(*released: Any, scaled: bool = True, **more: Any) -> Any:
    dispute = Dispute(id=WEB, sent={}, live=live(), is_scaled=lambda: scaled, **more)
    return handovers.handed(frozenset(released), dispute)


def test_replicas_under_an_autoscaler() -> None:
    """Replicas are handed over where an autoscaler takes them, and nothing else."""
    paused = ("f:spec", "f:paused")

    assert handed(REPLICAS, paused) == {REPLICAS}
    assert handed(REPLICAS, paused, scaled=False) == frozenset()


def test_field_of_an_item_that_goes() -> None:
    """With an item of a list that goes, all of it goes."""
    assert handed(REPLICAS, ("f:spec",)) == frozenset()
