"""Values that the tests of plans share."""

from typing import Any

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Owner
from pipeline_gitops.plans import Sight, Survey

OWNER = Owner(repository="acme/shop", environment="prod")


def body(kind: str = "ConfigMap", name: str = "a", **fields: Any) -> dict[str, Any]:
    group = {"Deployment": "apps/v1", "StatefulSet": "apps/v1"}.get(kind, "v1")
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **fields}


def id_of(kind: str = "ConfigMap", name: str = "a") -> ObjectId:
    group = "apps" if kind in ("Deployment", "StatefulSet") else ""
    return ObjectId(group, kind, "shop", name)


def created(kind: str = "ConfigMap", name: str = "a", **fields: Any) -> Sight:
    return Sight(id=id_of(kind, name), after=body(kind, name, **fields))


def deleted(kind: str = "ConfigMap", name: str = "a") -> Sight:
    return Sight(id=id_of(kind, name), before=body(kind, name))


def survey(*sights: Sight, **fields: Any) -> Survey:
    return Survey(inventory=Inventory(owner=OWNER), sights=sights, **fields)
