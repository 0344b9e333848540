"""A receipt holds only while an apply would change nothing; each shortcut that lies has a test."""

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops.config import FieldRule
from pipeline_gitops.inventories import Receipt
from pipeline_gitops.targets.cluster.records import receipts
from pipeline_gitops.targets.cluster.records.receipts import Terms

TERMS = Terms()
MARK = {"applyset.kubernetes.io/part-of": "applyset-x-v1"}
OURS = {
    "manager": "pipeline-gitops",
    "operation": "Apply",
    "apiVersion": "apps/v1",
    "time": "2026-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}


def sent(**changes: Any) -> dict[str, Any]:
    """A Deployment as we apply it."""
    metadata = {"name": "web", "namespace": "shop", "labels": {**MARK, "tier": "front"}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata}
    return {**body, "spec": {"replicas": 2}, **changes}


def answered(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """How the server answers the apply."""
    added = {"uid": "u-1", "resourceVersion": "7", "generation": 3, "managedFields": [OURS]}
    return {**copy.deepcopy(body), "metadata": {**body["metadata"], **added, **metadata}}


def counted(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """The object after somebody wrote it: its resourceVersion has moved."""
    return answered(body, resourceVersion="8", **metadata)


def test_nothing_was_written() -> None:
    """An object with the same resourceVersion is as our apply left it."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)

    assert receipts.holds(receipt, sent(), answered(sent()), TERMS)


def test_status_was_written() -> None:
    """What only moves the resourceVersion is nothing to an apply."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)
    later = dict(OURS, time="2026-02-02T00:00:00Z")

    live = counted(sent(), managedFields=[{"manager": "kubelet", "subresource": "status"}, later])

    assert receipts.holds(receipt, sent(), live, TERMS)


def test_another_manifest() -> None:
    """What would be sent is part of the receipt."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)

    assert not receipts.holds(receipt, sent(spec={"replicas": 3}), answered(sent()), TERMS)


def test_order_of_keys() -> None:
    """The order in which a map is written is nothing that changed."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)
    turned = dict(reversed(sent().items()))

    assert receipts.holds(receipt, turned, answered(sent()), TERMS)


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"generation": 4}, id="same manager, other values: the entry is the same"),
        pytest.param({"managedFields": []}, id="entry gone"),
        pytest.param(
            {"managedFields": [dict(OURS, fieldsV1={"f:spec": {}})]}, id="a field was taken from us"
        ),
        pytest.param({"managedFields": [dict(OURS, apiVersion="apps/v1beta1")]}, id="version"),
        pytest.param({"managedFields": [dict(OURS, operation="Update")]}, id="operation"),
        pytest.param({"managedFields": [dict(OURS, subresource="scale")]}, id="subresource"),
        pytest.param({"managedFields": [dict(OURS, manager="other")]}, id="manager"),
        pytest.param(
            {"managedFields": [OURS, dict(OURS, manager="helm", operation="Update")]},
            id="applied by an older tool",
        ),
        pytest.param({"labels": {**MARK, "tier": "back"}}, id="a label of ours has another value"),
        pytest.param({"labels": {"tier": "front"}}, id="our mark is gone"),
        pytest.param({"uid": "u-2"}, id="deleted and created again"),
        pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, id="terminating"),
    ],
)
def test_somebody_wrote(metadata: dict[str, Any]) -> None:
    """A write that may have touched what we send is looked at."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)

    assert not receipts.holds(receipt, sent(), counted(sent(), **metadata), TERMS)


@pytest.mark.parametrize(
    "metadata", [{"uid": "u-2"}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}]
)
def test_version_alone_proves_nothing(metadata: dict[str, Any]) -> None:
    """Neither another object of that name nor one on its way out is the one we know."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)

    assert not receipts.holds(receipt, sent(), answered(sent(), **metadata), TERMS)


def test_annotation_with_another_value() -> None:
    """Our own earlier run sent another annotation: neither generation nor entry tell."""
    body = sent()
    body["metadata"]["annotations"] = {"note": "two"}
    receipt = receipts.made(body, answered(body), TERMS)

    live = counted(body, annotations={"note": "one"})

    assert not receipts.holds(receipt, body, live, TERMS)


def test_foreign_labels() -> None:
    """Labels and annotations that others add are theirs."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)
    labels = {**sent()["metadata"]["labels"], "theirs": "x"}

    assert receipts.holds(receipt, sent(), counted(sent(), labels=labels), TERMS)


@pytest.mark.parametrize("generation", [None, 0])
def test_kind_without_generation(generation: int | None) -> None:
    """Where nothing counts the changes of an object, one that was written is looked at."""
    body = sent(apiVersion="v1", kind="ConfigMap", data={"a": "b"})
    receipt = receipts.made(body, answered(body, generation=generation), TERMS)

    live = counted(body, generation=generation)

    assert not receipts.holds(receipt, body, live, TERMS)


def test_items_in_another_order() -> None:
    """A PUT that turns a list around leaves entry and labels; the generation tells."""
    body = sent(spec={"containers": [{"name": "a"}, {"name": "b"}]})
    receipt = receipts.made(body, answered(body), TERMS)

    assert not receipts.holds(receipt, body, counted(body, generation=4), TERMS)


def test_managed_fields_written_back() -> None:
    """Somebody who changes a value and puts our entry back is given away by the generation."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)

    live = counted(sent(spec={"replicas": 9}), generation=4)

    assert not receipts.holds(receipt, sent(), live, TERMS)


def test_other_field_owners() -> None:
    """A rule about field owners decides about the same manifest in another way."""
    receipt = receipts.made(sent(), answered(sent()), TERMS)
    terms = Terms(field_owners=(FieldRule(manager="hpa", decision="leave"),))

    assert not receipts.holds(receipt, sent(), answered(sent()), terms)


# -- dry runs --------------------------------------------------------------------------------------


def test_proven_by_a_dry_run() -> None:
    """A dry run that changed nothing proves as much as a write."""
    live = answered(sent())

    receipt = receipts.proven(sent(), live, live, TERMS)

    assert receipts.holds(receipt, sent(), counted(sent()), TERMS)


def test_dry_run_that_would_own_more() -> None:
    """Equal values that are not ours yet may go without us: only the resourceVersion proves."""
    live = answered(sent(), managedFields=[dict(OURS, fieldsV1={})])

    receipt = receipts.proven(sent(), live, answered(sent()), TERMS)

    assert receipts.holds(receipt, sent(), live, TERMS)
    moved = counted(sent(), managedFields=[dict(OURS, fieldsV1={})])
    assert not receipts.holds(receipt, sent(), moved, TERMS)


def test_owning_nothing() -> None:
    """An object in which we own nothing is only proven by its resourceVersion."""
    receipt = receipts.proven(sent(), answered(sent(), managedFields=[]), {}, TERMS)

    assert not receipts.holds(receipt, sent(), counted(sent(), managedFields=[]), TERMS)


# -- custom resources ------------------------------------------------------------------------------

WIDGET = sent(apiVersion="acme.io/v1", kind="Widget")
KNOWN = Terms(definitions={("acme.io", "Widget"): "crd-1/1"})


def test_definition_as_it_was() -> None:
    """An instance is proven while its definition stands."""
    receipt = receipts.made(WIDGET, answered(WIDGET), KNOWN)

    assert receipts.holds(receipt, WIDGET, counted(WIDGET), KNOWN)


@pytest.mark.parametrize("definition", ["crd-1/2", "crd-2/1"])
def test_definition_that_changed(definition: str) -> None:
    """A field that left the schema vanishes without a trace in the object."""
    receipt = receipts.made(WIDGET, answered(WIDGET), KNOWN)
    terms = Terms(definitions={("acme.io", "Widget"): definition})

    assert not receipts.holds(receipt, WIDGET, answered(WIDGET), terms)


def test_definition_that_cannot_be_read() -> None:
    """Where a definition cannot be seen, instances have no receipts, and old ones prove nothing."""
    receipt = receipts.made(WIDGET, answered(WIDGET), KNOWN)

    assert receipts.made(WIDGET, answered(WIDGET), TERMS) == ""
    assert not receipts.holds(receipt, WIDGET, answered(WIDGET), TERMS)


# -- Secrets ---------------------------------------------------------------------------------------


def secret(**fields: Any) -> dict[str, Any]:
    body = sent(apiVersion="v1", kind="Secret", type="Opaque", **fields)
    del body["spec"]
    return body


def stored(**data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return answered(secret(data=encoded), generation=None)


@pytest.mark.parametrize(
    "fields",
    [
        {"stringData": {"password": "hunter2"}},
        {"data": {"password": "aHVudGVyMg=="}},
        {"data": {"password": "aHVu\ndGVyMg==\n"}},
        {"data": {"password": "b2xk"}, "stringData": {"password": "hunter2"}},
    ],
)
def test_secret_as_it_was(fields: dict[str, Any]) -> None:
    """A Secret is unchanged while its values are there, however they are written."""
    live = stored(password="hunter2")
    receipt = receipts.made(secret(**fields), live, TERMS)

    assert receipts.holds(receipt, secret(**fields), live, TERMS)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"stringData": {"password": "hunter3"}}, id="value"),
        pytest.param({"stringData": {"password": 5}}, id="no string"),
        pytest.param({"stringData": {"password": "hunter2", "more": "x"}}, id="key"),
        pytest.param({"data": {"password": "aHVudGVyMg=="}}, id="the other field"),
        pytest.param({"stringData": {}}, id="key removed"),
        pytest.param({"stringData": {"password": "hunter2"}, "immutable": True}, id="immutable"),
        pytest.param({"stringData": {"password": "hunter2"}, "type": "acme/x"}, id="type"),
    ],
)
def test_secret_that_changed(fields: dict[str, Any]) -> None:
    """Another value, key or field of a Secret is a change, though no value was recorded."""
    live = stored(password="hunter2")
    receipt = receipts.made(secret(stringData={"password": "hunter2"}), live, TERMS)

    assert not receipts.holds(receipt, {**secret(), **fields}, live, TERMS)


def test_secret_that_was_written() -> None:
    """A Secret that somebody wrote is looked at."""
    body = secret(stringData={"password": "hunter2"})
    live = stored(password="hunter2")
    receipt = receipts.made(body, live, TERMS)
    moved = {**live, "metadata": {**live["metadata"], "resourceVersion": "8"}}

    assert not receipts.holds(receipt, body, moved, TERMS)


@given(one=st.text(), other=st.text(), annotation=st.text())
def test_secret_leaves_no_digest(one: str, other: str, annotation: str) -> None:
    """Two Secrets that differ in values only have the same receipt: nothing can be guessed."""
    last = "kubectl.kubernetes.io/last-applied-configuration"
    first, second = secret(stringData={"a": one}), secret(data={"b": one})
    made = {receipts.made(body, stored(), TERMS) for body in (first, second)}
    first, second = secret(stringData={"a": other}), secret(data={"b": other})
    first["metadata"]["annotations"] = {last: annotation}
    plain = receipts.made(secret(stringData={"a": other}), stored(), TERMS)

    assert plain in made
    assert receipts.made(second, stored(), TERMS) in made
    empty = secret(stringData={"a": one})
    empty["metadata"]["annotations"] = {last: ""}
    assert receipts.made(first, stored(), TERMS) == receipts.made(empty, stored(), TERMS)


# -- the text of a receipt -------------------------------------------------------------------------


@given(st.text())
def test_damaged_receipt(receipt: str) -> None:
    """A receipt that nobody can read proves nothing."""
    assert not receipts.holds(Receipt(receipt), sent(), answered(sent()), TERMS)


@pytest.mark.parametrize("metadata", [{"uid": ""}, {"resourceVersion": ""}, {"uid": "a b"}])
def test_answer_without_identity(metadata: dict[str, Any]) -> None:
    """No receipt is made of an answer that does not say which object it is about."""
    assert receipts.made(sent(), answered(sent(), **metadata), TERMS) == ""


def test_receipt_is_small() -> None:
    """Ten thousand of them have to fit into one ConfigMap."""
    uid = "0bb0cc69-5b0a-4f0e-9d0f-3b0f0b0f0b0f"

    receipt = receipts.made(sent(), answered(sent(), uid=uid, resourceVersion="123456789"), TERMS)

    assert len(receipt) <= 80
