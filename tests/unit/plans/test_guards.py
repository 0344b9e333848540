"""Where an environment may write, and what it takes to destroy one."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops import plans
from pipeline_gitops.config import Policy, Scope
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kind, Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Confirmation, Intent, Plan, Sight
from pipeline_gitops.views import Refusal
from tests.unit.plans.bodies import body, deleted, survey

CONFIRMED = Confirmation(by="--confirm-deletes")
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)


def plan_of(*ids: ObjectId, delete: bool = False) -> Plan:
    sights = [Sight(id=id, before=body()) if delete else Sight(id=id, after=body()) for id in ids]
    return plans.compute(survey(*sights), prune=True)


def guard(plan: Plan, scope: Scope, kinds: Kinds | None = None) -> tuple[Refusal, ...]:
    return plans.guard(
        plan,
        Policy(scope=scope),
        environment="prod",
        members=100,
        wanted=100,
        confirmation=CONFIRMED,
        kinds=kinds,
    )


def config_map(namespace: str) -> ObjectId:
    return ObjectId("", "ConfigMap", namespace, "settings")


ROLE = ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "reader")


@pytest.mark.parametrize(
    ("patterns", "namespace", "allowed"),
    [
        (None, "anywhere", True),
        (("shop",), "shop", True),
        (("shop",), "shop-prod", False),
        (("shop-*",), "shop-prod", True),
        (("shop-*",), "other", False),
        (("*",), "other", True),
        ((), "shop", False),
    ],
)
def test_only_the_allowed_namespaces_are_written(
    patterns: tuple[str, ...] | None, namespace: str, allowed: bool
) -> None:
    """policy.scope.namespaces, with * for anything; without it, every one."""
    found = guard(plan_of(config_map(namespace)), Scope(namespaces=patterns))

    assert [refusal.rule for refusal in found] == ([] if allowed else ["out-of-scope"])


@pytest.mark.parametrize(
    ("kinds", "allowed"),
    [
        (None, True),
        (("ClusterRole",), True),
        (("ClusterRole.rbac.authorization.k8s.io",), True),
        (("ClusterRole.example.com",), False),
        (("Namespace",), False),
        ((), False),
    ],
)
def test_only_the_allowed_kinds_without_namespaces_are_written(
    kinds: tuple[str, ...] | None, allowed: bool
) -> None:
    """policy.scope.clusterKinds, as Kind or Kind.group."""
    found = guard(plan_of(ROLE), Scope(cluster_kinds=kinds))

    assert [refusal.rule for refusal in found] == ([] if allowed else ["out-of-scope"])


def test_deletions_count_as_well_and_no_confirmation_helps() -> None:
    """A confirmation is about how much is deleted, not about whose it is."""
    found = guard(plan_of(config_map("other"), delete=True), Scope(namespaces=("shop",)))

    assert [refusal.rule for refusal in found] == ["out-of-scope"]


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (Scope(namespaces=("shop",)), True),
        (Scope(namespaces=("other",)), False),
        (Scope(namespaces=("shop",), cluster_kinds=("ClusterRole",)), False),
        (Scope(namespaces=("shop",), cluster_kinds=("Namespace",)), True),
        (Scope(cluster_kinds=("Namespace",)), True),
    ],
)
def test_a_namespace_needs_its_kind_and_its_name(scope: Scope, allowed: bool) -> None:
    """Who may make any namespace could take over any."""
    found = guard(plan_of(ObjectId("", "Namespace", "", "shop")), scope)

    assert (found == ()) is allowed


def test_a_namespace_that_is_left_open_is_outside() -> None:
    """In files an object may name none: nobody knows where it will go."""
    kind = Kind(group="", kind="ConfigMap", plural="configmaps", namespaced=True)
    open_ = plan_of(ObjectId("", "ConfigMap", "", "settings"))

    (refusal,) = guard(open_, Scope(namespaces=("shop",)), Kinds.of([kind]))

    assert "metadata.namespace" in refusal.cure


@given(
    st.lists(st.tuples(NAMES, NAMES), max_size=12),
    st.lists(NAMES.map(lambda name: f"{name}*"), max_size=4),
)
def test_a_scope_never_lets_anything_else_through(
    names: list[tuple[str, str]], patterns: list[str]
) -> None:
    """Whatever is planned: refused are exactly those that no pattern begins."""
    ids = [ObjectId("", "ConfigMap", namespace, name) for namespace, name in names]

    found = guard(plan_of(*ids), Scope(namespaces=tuple(patterns)))

    begun = {
        id for id in ids if any(id.namespace.startswith(p.removesuffix("*")) for p in patterns)
    }
    assert {refusal.id for refusal in found} == set(ids) - begun


# -- taking an environment down --------------------------------------------------------------------


def destruction(plan: Plan, intent: Intent, *, protected: bool = False) -> list[str]:
    found = plans.guard_destruction(
        plan,
        Policy(scope=Scope(namespaces=("shop",))),
        environment="prod",
        protected=protected,
        intent=intent,
    )
    return [refusal.rule for refusal in found]


def test_an_environment_is_destroyed_only_by_its_name() -> None:
    """Nothing said, or another name, is a refusal."""
    plan = plans.compute(survey(deleted()), prune=True)

    assert destruction(plan, Intent()) == ["not-confirmed"]
    assert destruction(plan, Intent(confirmed="staging")) == ["not-confirmed"]
    assert destruction(plan, Intent(confirmed="prod")) == []


@pytest.mark.parametrize("kind", sorted(plans.guards.DANGEROUS))
def test_what_takes_more_along_needs_a_second_word(kind: str) -> None:
    """Also when the whole environment goes."""
    plan = plans.compute(survey(deleted(kind)), prune=True)

    assert destruction(plan, Intent(confirmed="prod")) == ["dangerous-delete"]
    assert destruction(plan, Intent(confirmed="prod", takes_more=True)) == []


def test_a_protected_environment_needs_to_be_called_so() -> None:
    """Its name and --confirm-deletes are not enough."""
    plan = plans.compute(survey(deleted()), prune=True)

    assert destruction(plan, Intent(confirmed="prod"), protected=True) == ["protected"]
    assert destruction(plan, Intent(confirmed="prod", protected=True), protected=True) == []


def test_nothing_is_destroyed_blindly() -> None:
    """What cannot be seen would be left behind, and its inventory deleted."""
    plan = plans.compute(survey(deleted(), blind=("metrics.k8s.io",)), prune=True)

    assert destruction(plan, Intent(confirmed="prod")) == ["blind"]


def test_a_scope_holds_when_an_environment_is_destroyed() -> None:
    """Deletions count."""
    plan = plan_of(config_map("other"), delete=True)

    assert destruction(plan, Intent(confirmed="prod")) == ["out-of-scope"]


# -- size ------------------------------------------------------------------------------------------


def test_ten_thousand_objects_are_planned_and_guarded_in_seconds() -> None:
    """Plan, guard, digest, inclusion and order of 10,000 creations and 1,000 deletions."""
    created = [
        Sight(
            id=ObjectId("", "ConfigMap", "shop", f"c{number}"),
            after={**body(name=f"c{number}"), "data": {"number": str(number)}},
        )
        for number in range(10_000)
    ]
    gone = [
        Sight(id=ObjectId("", "ConfigMap", "shop", f"d{number}"), before=body(name=f"d{number}"))
        for number in range(1_000)
    ]
    started = time.process_time()

    plan = plans.compute(survey(*created, *gone), prune=True)
    found = guard(plan, Scope(namespaces=("sh*",)))
    plans.digest(plan)
    beyond = plans.exceeding(plan, plan)
    ordered = plans.schedule(plan, ManifestSet())

    assert (found, beyond) == ((), ())
    assert sum(len(wave.changes) for wave in (*ordered.main, *ordered.last)) == 11_000
    assert time.process_time() - started < 10
