"""Pods of an old template say nothing about the new one."""

from typing import Any

from pipeline_gitops.health.generations import newest


def owned(kind: str, name: str, *, owner: str = "", **metadata: Any) -> dict[str, Any]:
    """An object that a controller made; its uid is its name."""
    references = [{"uid": owner}] if owner else []
    return {
        "kind": kind,
        "metadata": {"name": name, "uid": name, "ownerReferences": references, **metadata},
    }


def names(found: tuple[Any, ...]) -> list[str]:
    return [body["metadata"]["name"] for body in found]


def replica_set(name: str, revision: str) -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": revision}
    return owned("ReplicaSet", name, annotations=annotations)


def test_a_deployment_has_one_newest_replica_set() -> None:
    """The one with its own revision, and the pods of that one."""
    live = {
        "kind": "Deployment",
        "metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}},
    }
    old, new = replica_set("old", "1"), replica_set("new", "2")
    pods = [owned("Pod", "a", owner="old"), owned("Pod", "b", owner="new")]

    assert names(newest(live, [old, new, *pods])) == ["new", "b"]


def test_a_replica_set_that_is_not_numbered_yet_is_not_the_newest() -> None:
    """The controller numbers it before it makes pods."""
    live = {
        "kind": "Deployment",
        "metadata": {"annotations": {"deployment.kubernetes.io/revision": "2"}},
    }

    assert newest(live, [owned("ReplicaSet", "fresh")]) == ()


def test_pods_of_a_stateful_set_carry_their_revision() -> None:
    """Those of the update revision count."""
    live = {"kind": "StatefulSet", "status": {"updateRevision": "web-2"}}
    pods = [
        owned("Pod", "web-0", labels={"controller-revision-hash": "web-1"}),
        owned("Pod", "web-1", labels={"controller-revision-hash": "web-2"}),
    ]

    assert names(newest(live, pods)) == ["web-1"]


def test_pods_of_a_daemon_set_carry_their_template() -> None:
    """Those of the newest template count."""
    annotations = {"deprecated.daemonset.template.generation": "3"}
    live = {"kind": "DaemonSet", "metadata": {"annotations": annotations}}
    pods = [
        owned("Pod", "a", labels={"pod-template-generation": "2"}),
        owned("Pod", "b", labels={"pod-template-generation": "3"}),
    ]

    assert names(newest(live, pods)) == ["b"]


def test_everything_of_a_job_counts() -> None:
    """A Job has one template."""
    assert names(newest({"kind": "Job"}, [owned("Pod", "a")])) == ["a"]
