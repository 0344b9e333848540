"""Deploys that meet on one environment, on a real control plane: the newer one stands.

An older run is stopped at a chosen moment, a newer one runs from beginning to end, and the older
one goes on as if nothing had happened.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline_gitops import inventories
from pipeline_gitops.config import Environment, Overlay, Policy
from pipeline_gitops.errors import Verdict
from pipeline_gitops.inventories import Inventory, Stamp
from pipeline_gitops.manifests import EPOCH, FENCE, ManifestSet
from pipeline_gitops.pipeline import deploys
from pipeline_gitops.pipeline.executions import Order
from pipeline_gitops.pipeline.reviews import Prepared
from pipeline_gitops.plans import Change, Outcome, Plan, State, Survey
from pipeline_gitops.ports import Writing
from pipeline_gitops.targets.cluster import ClusterTarget
from pipeline_gitops.targets.cluster.records.fences import MANAGER
from pipeline_gitops.views import Result
from tests.cluster.api import ApiError
from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import (
    Cluster,
    config_map,
    deployment,
    planned,
    preview,
    until,
    wanted,
)
from tests.fakes.world import FakeJournal, FakeRepository

ROOT = Path(__file__).resolve().parents[2]
FIRST, OLD, NEW = "1" * 40, "2" * 40, "3" * 40
HISTORY = FakeRepository((FIRST, OLD, NEW))
PATIENCE_S = 60.0


# -- runs, and where they are stopped --------------------------------------------------------------


class Stopped:
    """A target whose run is stopped at moments; each time, the next act for it happens."""

    def __init__(
        self, target: ClusterTarget, acts: Mapping[str, Sequence[Callable[[], object]]]
    ) -> None:
        self._target = target
        self._acts = {moment: list(reversed(each)) for moment, each in acts.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def reach(self, moment: str) -> None:
        """Lets the other one in, if this is when."""
        waiting = self._acts.get(moment)
        if waiting:
            waiting.pop()()

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        self.reach("before the survey")
        return self._target.survey(desired, inventory)

    @contextmanager
    def claim(self, inventory: Inventory) -> Iterator["StoppedWriting"]:
        self.reach("before the claim")
        with self._target.claim(inventory) as writing:
            self.reach("under the claim")
            yield StoppedWriting(self, writing)


class StoppedWriting:
    """What it writes with."""

    def __init__(self, run: Stopped, writing: Writing) -> None:
        self._run = run
        self._writing = writing

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        yield from self._writing.apply(changes)

    def settle(self, inventory: Inventory) -> None:
        self._run.reach("before settling")
        self._writing.settle(inventory)


def run(
    cluster: Cluster,
    revision: str,
    *bodies: Any,
    moment: str = "",
    meanwhile: Callable[[], object] = lambda: None,
    acts: Mapping[str, Sequence[Callable[[], object]]] | None = None,
) -> Result:
    """A whole deploy of these objects, stopped once where *moment* says, or where *acts* say."""
    target = cluster.target()
    environment = Environment(name="staging", overlay=Overlay(path="."), policy=Policy())
    desired = wanted(target, cluster.namespace, *bodies)
    order = Order(
        prepared=Prepared(environment=environment, set=desired),
        stamp=Stamp(revision=revision),
        wait=False,
        deadline=0.0,
    )
    stopped: Any = Stopped(target, acts or {moment: [meanwhile]})
    return deploys.deploy(
        order,
        stopped,
        repository=HISTORY,
        clock=target._clock,
        journal=FakeJournal(),
    )


def claimed(
    cluster: Cluster, revision: str, *bodies: Any
) -> tuple[Any, ClusterTarget, Survey, Plan]:
    """A run under its claim, as far as it got when it was stopped or killed."""
    target = cluster.target()
    survey, plan = planned(target, wanted(target, cluster.namespace, *bodies))
    claim = inventories.claimed(survey.inventory, Stamp(revision=revision), plan.ids)
    return target.claim(claim), target, survey, plan


def ours(cluster: Cluster) -> set[str]:
    """The ConfigMaps of the test, without the inventory."""
    return {name for name in cluster.names("ConfigMap") if not name.startswith("pipeline-gitops")}


def fenced(cluster: Cluster, name: str, kind: str = "ConfigMap") -> bool:
    return FENCE in cluster.get(kind, name)["metadata"].get("annotations", {})


X1, X2, Y, Z = config_map("x", v="1"), config_map("x", v="2"), config_map("y"), config_map("z")


# -- the older run wakes up after the newer one ----------------------------------------------------


def test_a_woken_run_changes_nothing(cluster: Cluster) -> None:
    """It would update, delete and create what the newer run had no reason to write."""
    run(cluster, FIRST, X1, Y)

    newer: list[Result] = []
    older = run(
        cluster,
        OLD,
        X2,
        Z,
        moment="under the claim",
        meanwhile=lambda: newer.append(run(cluster, NEW, X1, Y)),
    )

    assert (newer[0].verdict, older.verdict) == (Verdict.OK, Verdict.SUPERSEDED)
    assert ours(cluster) == {"x", "y"}
    assert cluster.get("ConfigMap", "x")["data"] == {"v": "1"}
    inventory = cluster.target().inventory()
    assert (inventory.stamp, inventory.claim) == (Stamp(revision=NEW), None)
    assert {id.name for id in inventory.ids} == {"x", "y"}


@pytest.mark.parametrize("moment", ["before the claim", "before settling"])
def test_whenever_it_was_stopped_the_newer_run_stands(cluster: Cluster, moment: str) -> None:
    """Before it wrote anything, and after it wrote everything."""
    run(cluster, FIRST, X1, Y)

    newer: list[Result] = []
    older = run(
        cluster,
        OLD,
        X2,
        Y,
        Z,
        moment=moment,
        meanwhile=lambda: newer.append(run(cluster, NEW, X1, Y)),
    )

    assert (newer[0].verdict, older.verdict) == (Verdict.OK, Verdict.SUPERSEDED)
    assert cluster.get("ConfigMap", "x")["data"] == {"v": "1"}
    assert ours(cluster) == {"x", "y"}


def test_the_report_of_a_woken_run_says_what_it_wrote_and_took_back(cluster: Cluster) -> None:
    """Exit code 8 is no excuse for silence."""
    run(cluster, FIRST, X1)

    older = run(
        cluster,
        OLD,
        X1,
        Z,
        moment="under the claim",
        meanwhile=lambda: run(cluster, NEW, X1),
    )

    assert [(one.id.name, one.state) for one in older.written] == [("z", "done"), ("z", "stale")]
    assert "taken back" in older.written[1].message
    assert "newer" in " ".join(older.notices)


def test_a_late_creation_that_the_newer_run_wants_stays(cluster: Cluster) -> None:
    """The older run leaves what the newer one has taken as its own."""
    run(cluster, FIRST, X1)
    claim, _, _, plan = claimed(cluster, OLD, X1, Z)

    with claim as older:
        newer = run(
            cluster,
            NEW,
            X1,
            Z,
            config_map("w"),
            # It comes after the fence, before the newer run writes.
            moment="under the claim",
            meanwhile=lambda: list(older._writes.apply(plan.changes)),
        )
        older._made += [_made(change) for change in plan.changes]
        outcomes = older._taken_back()

    assert newer.verdict is Verdict.OK
    assert [outcome.state for outcome in outcomes] == [State.STALE]
    assert ours(cluster) == {"w", "x", "z"}


def test_a_late_creation_that_was_seen_and_taken_back_is_made_again(cluster: Cluster) -> None:
    """The newer run found it as wanted; it must not settle on what is gone again."""
    run(cluster, FIRST, X1)
    claim, _, _, plan = claimed(cluster, OLD, X1, Z)

    def nothing() -> None:
        """The first look, before the fence."""

    with claim as older:

        def create() -> None:
            list(older._writes.apply(plan.changes))
            older._made += [_made(change) for change in plan.changes]

        newer = run(
            cluster,
            NEW,
            X1,
            Z,
            acts={
                "before the survey": [nothing, create],
                "before the claim": [nothing, lambda: older._taken_back()],
            },
        )

    assert newer.verdict is Verdict.OK
    assert ours(cluster) == {"x", "z"}


def _made(change: Change) -> Outcome:
    return Outcome(id=change.id, action=change.action, state=State.DONE)


def test_of_two_runs_of_one_commit_the_later_finishes(cluster: Cluster) -> None:
    """The earlier one writes nothing once it wakes up."""
    run(cluster, FIRST, X1, Y)

    later: list[Result] = []
    earlier = run(
        cluster,
        OLD,
        X2,
        Z,
        moment="under the claim",
        meanwhile=lambda: later.append(run(cluster, OLD, X2, Z)),
    )

    assert later[0].verdict is Verdict.OK
    assert earlier.verdict in (Verdict.OK, Verdict.SUPERSEDED)
    assert ours(cluster) == {"x", "z"}
    assert {id.name for id in cluster.target().inventory().ids} == {"x", "z"}


# -- what the newer run does about it --------------------------------------------------------------


def test_every_live_object_of_an_unfinished_claim_is_fenced(cluster: Cluster) -> None:
    """Those that need no write, too; by a field manager of its own."""
    run(cluster, FIRST, X1, Y)
    claim, *_ = claimed(cluster, OLD, X2)
    with claim:
        pass  # killed before its first write

    run(cluster, NEW, X1, Y)

    owners = {
        entry["manager"] for entry in cluster.get("ConfigMap", "x")["metadata"]["managedFields"]
    }
    assert MANAGER in owners
    assert (fenced(cluster, "x"), fenced(cluster, "y")) == (True, True)


def test_a_run_of_the_same_commit_fences_as_well(cluster: Cluster) -> None:
    """The killed one may be alive in truth."""
    run(cluster, FIRST, X1)
    claim, *_, plan = claimed(cluster, OLD, X2, Y)
    with claim as killed:
        list(killed.apply(plan.changes))

    again = run(cluster, OLD, X2, Y)

    assert again.verdict is Verdict.OK
    assert (fenced(cluster, "x"), fenced(cluster, "y")) == (True, True)


def test_a_run_that_is_killed_before_it_fences_leaves_that_to_the_next(cluster: Cluster) -> None:
    """The claim that it wrote names the objects of the one before."""
    run(cluster, FIRST, X1, Y)
    claim, *_ = claimed(cluster, FIRST, X2, Y)
    with claim:
        pass
    target = cluster.target()
    inventory = target.inventory()
    unfenced = inventories.claimed(inventory, Stamp(revision=OLD), ())
    target._parent.write(unfenced, inventory.version)

    run(cluster, NEW, X1, Y)

    assert fenced(cluster, "x")


def test_without_an_unfinished_claim_nothing_is_fenced(cluster: Cluster) -> None:
    """It costs what changed."""
    run(cluster, FIRST, X1, Y)

    run(cluster, OLD, X2, Y)
    run(cluster, NEW, X1)

    assert not fenced(cluster, "x")


def test_a_fence_is_no_difference_and_rolls_no_pod(cluster: Cluster) -> None:
    """Neither to a dry run nor to a receipt, and the pods' template stays as it is."""
    run(cluster, FIRST, deployment("web"), X1)
    before = cluster.get("Deployment", "web")["spec"]["template"]
    claim, *_ = claimed(cluster, OLD, deployment("web", replicas=2), X2)
    with claim:
        pass

    run(cluster, NEW, deployment("web"), X1)

    assert fenced(cluster, "web", "Deployment")
    assert cluster.get("Deployment", "web")["spec"]["template"] == before
    assert preview(cluster, deployment("web"), X1).changes == ()
    thorough = cluster.target(thorough=True)
    assert preview(cluster, deployment("web"), X1, target=thorough).changes == ()


def test_what_a_killed_run_created_late_is_deleted_and_shown(cluster: Cluster) -> None:
    """After the fence, before the newer run settles; nobody is left to take it back."""
    run(cluster, FIRST, X1)
    claim, _, _, plan = claimed(cluster, OLD, X1, Z)

    with claim as killed:
        newer = run(
            cluster,
            NEW,
            X2,
            moment="before settling",
            meanwhile=lambda: list(killed._writes.apply(plan.changes)),
        )

    assert newer.verdict is Verdict.OK
    assert ours(cluster) == {"x"}
    assert [(one.id.name, one.action.value) for one in newer.written] == [
        ("x", "update"),
        ("z", "delete"),
    ]
    assert {change.id.name for change in newer.plans[0].changes} == {"x", "z"}


def test_what_the_older_run_wrote_before_it_was_fenced_is_planned_anew(cluster: Cluster) -> None:
    """The newer run had surveyed already: it looks again, and its report shows the second plan."""
    run(cluster, FIRST, X1, Y)
    claim, _, _, plan = claimed(cluster, OLD, X2, Y)

    with claim as older:
        newer = run(
            cluster,
            NEW,
            X1,
            Y,
            moment="before the claim",
            meanwhile=lambda: list(older.apply(plan.changes)),
        )

    assert newer.verdict is Verdict.OK
    assert cluster.get("ConfigMap", "x")["data"] == {"v": "1"}
    assert [change.id.name for change in newer.plans[0].changes] == ["x"]


# -- the optional policy ---------------------------------------------------------------------------


@pytest.fixture
def policy(cluster: Cluster, control_plane: ControlPlane) -> Iterator[None]:
    """docs/policies/order-fence.yaml, for the test's namespace only, once it is in force."""
    made = []
    for body in yaml.safe_load_all((ROOT / "docs/policies/order-fence.yaml").read_text()):
        name = f"{body['metadata']['name']}-{cluster.namespace}"
        body["metadata"]["name"] = name
        if "policyName" in body["spec"]:
            body["spec"]["policyName"] = name
            label = {"kubernetes.io/metadata.name": cluster.namespace}
            body["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": label}}
        plural = body["kind"].lower().replace("policy", "policies").removesuffix("binding")
        plural = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies"}.get(
            body["kind"], "validatingadmissionpolicybindings"
        )
        path = f"apis/admissionregistration.k8s.io/v1/{plural}"
        cluster.send("POST", path, body)
        made.append(f"{path}/{name}")
    run(cluster, FIRST, X1)
    until(lambda: denied(cluster, control_plane), "the policy to be in force")
    yield
    for path in reversed(made):
        cluster.send("DELETE", path)


def denied(cluster: Cluster, plane: ControlPlane) -> bool:
    """Whether the server denies what the claim before the recorded one would create."""
    inventory = cluster.get("ConfigMap", "pipeline-gitops-acme-shop-staging")["metadata"]
    late = config_map("late")
    late["metadata"] |= {
        "labels": {
            "applyset.kubernetes.io/part-of": inventory["labels"]["applyset.kubernetes.io/id"]
        },
        "annotations": {EPOCH: str(int(inventory["annotations"][EPOCH]) - 1)},
    }
    try:
        plane.admin.post(f"/{cluster.path('ConfigMap')}?fieldManager=pipeline-gitops", late)
    except ApiError as refused:
        return "a newer deploy has claimed" in str(refused)
    plane.admin.delete(f"/{cluster.path('ConfigMap', 'late')}")
    return False


def test_the_policy_denies_the_older_claim(cluster: Cluster, policy: None) -> None:
    """Even a creation, which no resourceVersion stands against, once the policy sees the claim."""
    claim, _, _, plan = claimed(cluster, OLD, X1, Z)
    with claim as older:
        run(cluster, NEW, X1, Y)
        outcome = until_denied(cluster, older, plan)

    assert "a newer deploy has claimed the inventory" in outcome.message
    assert outcome.state is State.REFUSED
    assert ours(cluster) == {"x", "y"}


def until_denied(cluster: Cluster, older: Any, plan: Plan) -> Outcome:
    """The refusal of the one creation in *plan*: what the policy reads comes by a watch."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        outcome: Outcome
        (outcome,) = older._writes.apply(plan.changes)
        if outcome.state is not State.DONE:
            return outcome
        assert time.monotonic() < deadline
        cluster.send("DELETE", cluster.path("ConfigMap", "z"))


def test_the_policy_lets_deploys_pass(
    cluster: Cluster, control_plane: ControlPlane, policy: None
) -> None:
    """First ones, changes, dry runs and deletions; and a run that it stops ends as superseded."""
    assert run(cluster, FIRST, X1, Y, deployment("web")).verdict is Verdict.OK
    assert run(cluster, OLD, X2, deployment("web")).verdict is Verdict.OK
    assert preview(cluster, X1, Z).refusals == ()

    def overtake() -> None:
        run(cluster, NEW, X1, deployment("web"))
        until(lambda: denied(cluster, control_plane), "the claim to reach the policy")

    stopped = run(
        cluster,
        OLD,
        X2,
        Z,
        deployment("web"),
        moment="under the claim",
        meanwhile=overtake,
    )

    assert stopped.verdict is Verdict.SUPERSEDED
    assert ours(cluster) == {"x"}
    assert EPOCH in cluster.get("ConfigMap", "x")["metadata"]["annotations"]
