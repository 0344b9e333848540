"""Which differences matter, and how they are printed."""

import base64
from typing import Any

import pytest

from pipeline_gitops import diffs


def body(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, **fields}


def secret(**values: str) -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": data}


@pytest.mark.parametrize(
    "noise",
    [
        {"resourceVersion": "5"},
        {"uid": "u"},
        {"generation": 3},
        {"managedFields": []},
        {"creationTimestamp": None},
        {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}},
        {"annotations": {"deployment.kubernetes.io/revision": "4"}},
        {"labels": {}},
    ],
    ids=lambda noise: next(iter(noise)),
)
def test_what_only_the_server_writes_is_no_difference(noise: dict[str, Any]) -> None:
    """It moves without anybody deploying."""
    assert diffs.same(body(), body(metadata={"name": "a", **noise}))


def test_status_is_no_difference() -> None:
    """Only controllers write it."""
    assert diffs.same(body(), body(status={"phase": "Active"}))


def test_a_label_is_a_difference() -> None:
    """Selectors and policies look at it."""
    assert not diffs.same(body(), body(metadata={"name": "a", "labels": {"app": "x"}}))


def test_a_diff_shows_the_lines_around_a_change() -> None:
    """Three lines of context, as in every diff."""
    before = body(data={f"k{number}": "v" for number in range(9)})
    after = body(data={**before["data"], "k4": "other"})

    lines = diffs.lines(before, after)

    assert lines[:6] == ("   k1: v", "   k2: v", "   k3: v", "-  k4: v", "+  k4: other", "   k5: v")


def test_keys_stand_in_one_order_on_both_sides() -> None:
    """The server sorts keys, people do not: that is no change."""
    before = body(data={"b": "1", "a": "2"})
    after = body(data={"a": "2", "b": "1"})

    assert diffs.lines(before, after) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, secret(password="hunter2hunter2")),
        (secret(password="hunter2hunter2"), None),
        (secret(password="hunter2hunter2"), secret(password="other-value-1")),
        (secret(password="hunter2hunter2", user="someone"), secret(password="hunter2hunter2")),
    ],
    ids=["created", "deleted", "changed", "key removed"],
)
def test_a_secret_shows_keys_and_no_value(before: Any, after: Any) -> None:
    """No value, no base64 of it, no length, no common prefix."""
    text = "\n".join(diffs.lines(before, after))

    assert "password" in text
    for value in ("hunter2", "other-value", "someone"):
        assert value not in text
        assert base64.b64encode(value.encode()).decode()[:6] not in text


def test_a_changed_secret_value_is_seen_to_change() -> None:
    """Hidden, but not hidden that it changes."""
    lines = diffs.lines(secret(a="one-value", b="same"), secret(a="other", b="same"))

    assert sum(line.startswith("-") for line in lines) == 1
    assert sum(line.startswith("+") for line in lines) == 1


def test_two_secrets_of_other_length_print_alike() -> None:
    """Masking tells neither length nor content."""
    assert diffs.lines(None, secret(a="x")) == diffs.lines(None, secret(a="y" * 500))


def test_the_copy_in_the_last_applied_annotation_is_not_shown() -> None:
    """It holds the whole Secret in clear."""
    copied = secret(a="x")
    copied["metadata"] = {
        "name": "db",
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2hunter2"},
    }

    assert "hunter2" not in "".join(diffs.lines(copied, secret(a="other")))


def test_annotations_of_a_secret_are_masked() -> None:
    """Tools keep copies of values there."""
    noted = secret(a="x")
    noted["metadata"] = {"name": "db", "annotations": {"tool/copy": "hunter2hunter2"}}

    assert "hunter2" not in "".join(diffs.lines(None, noted))


def test_string_data_and_data_are_one() -> None:
    """The server turns the one into the other: no difference to show."""
    written = {**secret(), "stringData": {"a": "x"}}
    written.pop("data")

    assert diffs.lines(secret(a="x"), written) == ()


def test_the_summary_names_images_and_replicas() -> None:
    """What people look for first."""

    def workload(image: str, replicas: int) -> dict[str, Any]:
        containers = [{"name": "api", "image": image}]
        return body(spec={"replicas": replicas, "template": {"spec": {"containers": containers}}})

    assert (
        diffs.summary(workload("shop/api:1", 1), workload("shop/api:2", 3))
        == "api: shop/api:1 -> shop/api:2, replicas: 1 -> 3"
    )
