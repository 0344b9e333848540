"""What receipts call unchanged is what the API server itself calls unchanged."""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline_gitops.targets.cluster.api.objects import Objects
from tests import campaigns
from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import Cluster
from tests.contract.histories import KINDS, MARK_POINTER, Histories, World

MUTATING = "mutatingadmissionpolicies"
BINDINGS = "mutatingadmissionpolicybindings"


@pytest.fixture
def world(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> World:
    cluster = Cluster.of(control_plane, namespace, tmp_path)
    return World(cluster, f"g{secrets.token_hex(4)}.example.com")


def test_receipts_hold_what_a_forced_dry_run_holds(world: World) -> None:
    """Over random histories, nothing that an apply would change is ever called unchanged."""

    class Here(Histories):
        pass

    Here.world = world
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=campaigns.examples(15),
            stateful_step_count=12,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


WAYS: dict[str, Callable[[Histories], None]] = {
    "same manager, same fields, other values": lambda it: it.older_run("Deployment", alike=True),
    "our own label with another value": lambda it: it.older_run("StatefulSet", alike=True),
    "containers in another order": lambda it: it.reorder("Deployment", "some-controller"),
    "a set in another order": lambda it: it.reorder("Gadget", "some-controller"),
    "a list that got keys": lambda it: it.redefine(keyed=True, colored=True),
    "a field that left the schema": lambda it: it.redefine(keyed=False, colored=False),
    "terminating": lambda it: it.terminate("Deployment"),
    "deleted and created again": lambda it: it.recreate("ConfigMap", "pipeline-gitops"),
    "managedFields written back": lambda it: it.write_back("Deployment", "some-controller"),
    "a value of a Secret": lambda it: it.patch("Secret", "kubectl-edit", "content"),
    "our mark taken away": lambda it: it.unlabel("Deployment", "kubectl-edit", MARK_POINTER),
    "killed before it was recorded": lambda it: it.crash(3),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_in_which_a_simpler_rule_lies(world: World, way: str) -> None:
    """Every way that is known to fool a rule which looks at less."""
    history = Histories()
    history.world = world
    history.begin(1)
    WAYS[way](history)

    try:
        history.unchanged_is_unchanged()
        history.status("Deployment")
        history.unchanged_is_unchanged()
    finally:
        history.teardown()


def test_what_is_as_it_was_costs_no_dry_run(world: World) -> None:
    """After a deploy, and whatever status says since, nothing is tried out again."""
    history = Histories()
    history.world = world
    history.begin(2)
    history.status("Deployment")
    tried: list[str] = []
    preview = Objects.preview

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Objects, "preview", lambda *a, **k: tried.append("x") or preview(*a, **k))
        survey, _ = history.surveyed(history.looking)
    history.teardown()

    assert len(survey.unchanged) == len(KINDS)
    assert tried == []


def test_admission_policy_that_came_later_is_seen_by_a_thorough_survey(world: World) -> None:
    """The one thing that no receipt can tell: the same object, admitted otherwise from now on."""
    history = Histories()
    history.world = world
    history.begin(2)
    policies = "apis/admissionregistration.k8s.io/v1"
    assert world.send("GET", f"{policies}/{MUTATING}")[0] == 200  # the test server is new enough
    name = history.name
    for plural, body in mutating(policies.removeprefix("apis/"), name):
        status, answer = world.send("POST", f"{policies}/{plural}", body)
        assert status == 201, answer

    try:
        deadline = time.monotonic() + 20
        while not history.surveyed(history.target(thorough=True))[1].changes:
            assert time.monotonic() < deadline
        trusting = history.surveyed(history.target())[1]
    finally:
        world.send("DELETE", f"{policies}/{BINDINGS}/{name}")
        world.send("DELETE", f"{policies}/{MUTATING}/{name}")
        history.teardown()

    assert trusting.changes == ()


def mutating(version: str, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A policy that puts an annotation on one ConfigMap, and its binding."""
    only = {"name": "only", "expression": f"object.metadata.name == '{name}'"}
    rules = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    change = "Object{metadata: Object.metadata{annotations: {'note': 'admitted'}}}"
    spec = {
        "failurePolicy": "Ignore",
        "reinvocationPolicy": "Never",
        "matchConditions": [only],
        "matchConstraints": {"resourceRules": [{**rules, "operations": ["CREATE", "UPDATE"]}]},
        "mutations": [
            {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": change}}
        ],
    }
    head = {"apiVersion": version, "metadata": {"name": name}}
    yield MUTATING, {**head, "kind": "MutatingAdmissionPolicy", "spec": spec}
    binding = {"policyName": name}
    kind = "MutatingAdmissionPolicyBinding"
    yield BINDINGS, {**head, "kind": kind, "spec": binding}
