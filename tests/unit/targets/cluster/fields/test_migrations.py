"""Whose fields become ours, and what goes with that."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import LAST_APPLIED
from pipeline_gitops.plans import Change, Sight
from pipeline_gitops.targets.cluster import writes
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER
from pipeline_gitops.targets.cluster.fields import fieldsets, migrations
from pipeline_gitops.targets.cluster.fields.fieldsets import FieldSet
from tests.campaigns import examples

A, B, C = (("f:data", f"f:{name}") for name in "abc")
LEGACY = "kubectl-client-side-apply"


def entry(manager: str, *paths: fieldsets.Path, operation: str = "Update", **more: str) -> Any:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsV1": fieldsets.write(frozenset(paths)),
        **more,
    }


def live(*entries: Any, applied: Any = None) -> Any:
    annotations = {} if applied is None else {LAST_APPLIED: json.dumps(applied)}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "it", "annotations": annotations, "managedFields": list(entries)},
        "data": {"a": "1", "b": "2", "c": "3"},
    }


@pytest.mark.parametrize("manager", [LEGACY, "helm", FIELD_MANAGER])
def test_appliers_of_old(manager: str) -> None:
    """All that an earlier applier owns becomes ours."""
    assert migrations.moved(live(entry(manager, A, B))) == {A, B}


@pytest.mark.parametrize("manager", ["kubectl", "before-first-apply"])
def test_owners_of_more_than_what_was_applied(manager: str) -> None:
    """Of what these own, only what was applied becomes ours; without knowing that, nothing."""
    found = entry(manager, A, B, ("f:metadata", "f:finalizers"))

    assert migrations.moved(live(found, applied={"data": {"a": "0"}})) == {A}
    assert migrations.moved(live(found)) == frozenset()


@pytest.mark.parametrize(
    "other",
    [
        entry("kubectl-edit", A),
        entry("kubectl", A, subresource="scale"),
        entry(LEGACY, A, subresource="status"),
        entry(LEGACY, A, operation="Apply"),
        entry("some-operator", A),
    ],
)
def test_everybody_else(other: Any) -> None:
    """What people and controllers own stays theirs."""
    body = live(other, applied={"data": {"a": "0"}})

    assert migrations.moved(body) == frozenset()
    assert migrations.notes(body) == ()
    assert [e for e in migrations.entries(body) if e["manager"] != FIELD_MANAGER] == [other]


def test_entry_of_another_version() -> None:
    """Of another version's paths those hold that lead to something."""
    found = entry(LEGACY, A, ("f:spec", "f:old"), apiVersion="v1beta1")

    assert migrations.moved(live(found)) == {A}


def test_ours_is_one() -> None:
    """Afterwards we have one entry with all of it, and what does not move stays where it was."""
    others = entry("some-operator", A)
    body = live(
        entry(FIELD_MANAGER, A, operation="Apply"),
        entry(LEGACY, B),
        entry("kubectl", B, C),
        others,
        applied={"data": {"c": "0"}},
    )

    found = migrations.entries(body)

    after = {**body, "metadata": {**body["metadata"], "managedFields": found}}
    assert fieldsets.owned(after, FIELD_MANAGER) == {A, B, C}
    assert fieldsets.owned(after, "kubectl", "Update") == {B}
    assert fieldsets.owned(after, LEGACY, "Update") == frozenset()
    assert others in found
    assert len([e for e in found if e["manager"] == FIELD_MANAGER]) == 1
    assert migrations.moved(after) == frozenset()


PATHS = st.frozensets(
    st.sampled_from([A, B, C, ("f:data",), ("f:metadata", "f:labels", "f:x")]), min_size=1
)


@given(PATHS, PATHS, PATHS, st.randoms())
@settings(max_examples=examples(100))
def test_order_of_entries_does_not_matter(
    ours: FieldSet, legacy: FieldSet, helm: FieldSet, random: Any
) -> None:
    """Whichever entry comes first, the union is the same; and nothing is left to move."""
    entries = [
        entry(FIELD_MANAGER, *ours, operation="Apply"),
        entry(LEGACY, *legacy),
        entry("helm", *helm),
    ]
    shuffled = random.sample(entries, len(entries))

    (one,), (other,) = migrations.entries(live(*entries)), migrations.entries(live(*shuffled))

    assert one == other
    assert fieldsets.parse(one["fieldsV1"]) == ours | legacy | helm
    assert migrations.moved(live(one)) == frozenset()


# -- what goes -------------------------------------------------------------------------------------


def released(before: Any, *entries: Any) -> FieldSet:
    return migrations.released(before, live(*entries))


def test_what_nobody_wants_goes() -> None:
    """A field that was ours or moved, and that neither we nor anybody else want, goes."""
    before = live(entry(FIELD_MANAGER, A, operation="Apply"), entry(LEGACY, B, C))

    gone = released(before, entry(LEGACY, B, C), entry("x", C))

    assert gone == {A, B}


def test_map_in_which_somebody_owns_something() -> None:
    """A map stays as long as a field in it has an owner; so does a list."""
    before = live(entry(LEGACY, ("f:data",), A, B))

    gone = released(before, entry(LEGACY, ("f:data",), A, B), entry("x", B))

    assert gone == {A}


def test_item_of_a_list() -> None:
    """An item goes when nobody owns the item itself, whoever owns a field in it."""
    item = ("f:list", 'k:{"name":"a"}')
    before = live(entry(LEGACY, item, (*item, "f:name"), (*item, "f:image")))

    gone = released(before, entry("x", (*item, "f:image")))

    assert gone == {item, (*item, "f:name")}


def test_foreseen() -> None:
    """What moves and goes is taken out; what is handed over keeps its value."""
    before = live(entry(FIELD_MANAGER, A, operation="Apply"), entry(LEGACY, B))
    after = {**before, "data": {"b": "2", "c": "3"}}

    found = migrations.foreseen(before, after, frozenset({A}))

    assert found["data"] == {"c": "3", "a": "1"}


def test_annotation_that_cannot_be_read() -> None:
    """A last-applied annotation that is no JSON says nothing."""
    body = live(entry("kubectl", A))
    body["metadata"]["annotations"] = {LAST_APPLIED: "{"}

    assert migrations.moved(body) == frozenset()


def test_own_migration_is_no_change_of_somebody_else() -> None:
    """A controller may write a status between our migration and our apply."""
    before = live(entry(LEGACY, A, B))
    before["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    after = copy.deepcopy(before)
    after["metadata"] |= {"resourceVersion": "3", "managedFields": migrations.entries(before)}
    id = ObjectId("", "ConfigMap", "shop", "it")
    change = Change(Sight(id=id, before=before, after=before))

    assert writes._is_noise(change, after)
    assert not writes._is_noise(change, {**after, "data": {"a": "9"}})
