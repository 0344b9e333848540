"""Deploys of small sets to a fake target, and their orders."""

from typing import Any

from pipeline_gitops import documents, manifests
from pipeline_gitops.config import Environment, Overlay, Policy
from pipeline_gitops.errors import Verdict
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Stamp
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.pipeline import deploys
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.views import Result
from tests.fakes.world import FakeClock, FakeJournal, FakeRepository, FakeTarget

OLDER, OLD, NEW, NEWER = "a1", "b2", "c3", "d4"
POLICY = Policy(stability_s=0.0)  # how long it has to last is told in test_rollout_ends
HISTORY = FakeRepository((OLDER, OLD, NEW, NEWER))

CONFIG = ObjectId("", "ConfigMap", "shop", "settings")
API = ObjectId("apps", "Deployment", "shop", "api")
READY = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


def config_map(name: str, **values: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values}


def deployment(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "generation": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": 1},
    }


def prepared(*bodies: dict[str, Any], policy: Policy = POLICY, **fields: Any) -> Prepared:
    found, _ = documents.read(documents.write(bodies).encode(), "rendered.yaml")
    set_, _ = manifests.resolve(found, Kinds(), "")
    environment = Environment(name="prod", overlay=Overlay(path="."), policy=policy)
    return Prepared(environment=environment, set=set_, documents=found, **fields)


def order(wanted: Prepared, *, revision: str = NEW, **fields: Any) -> Order:
    return Order(
        prepared=wanted, stamp=Stamp(revision=revision, sequence=5), deadline=30.0, **fields
    )


def deploy(order: Order, target: FakeTarget, clock: FakeClock | None = None) -> Result:
    return deploys.deploy(
        order,
        target,
        repository=HISTORY,
        clock=clock or FakeClock(),
        journal=FakeJournal(),
    )


def deployed(*bodies: dict[str, Any], revision: str = OLD) -> FakeTarget:
    """A target that holds *bodies* after a deploy."""
    target = FakeTarget()
    result = deploy(order(prepared(*bodies), revision=revision), target)
    assert result.verdict is Verdict.OK
    target.writes.clear()
    return target
