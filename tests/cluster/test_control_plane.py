"""The test cluster behaves as the tests of the program need it to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import Api, ApiError
from tests.cluster.controlplane import CURRENT_LOG, PREVIOUS_LOG, ControlPlane

FATE = "pipeline-gitops.test/fate"
REASON, MESSAGE = "pipeline-gitops.test/reason", "pipeline-gitops.test/message"
EXIT_CODE = "pipeline-gitops.test/exit-code"
READY_AFTER = "pipeline-gitops.test/ready-after"
PATIENCE_S = 20.0
COLLECTIONS = {
    "Deployment": ("apis/apps/v1", "deployments"),
    "StatefulSet": ("apis/apps/v1", "statefulsets"),
    "DaemonSet": ("apis/apps/v1", "daemonsets"),
    "Job": ("apis/batch/v1", "jobs"),
    "Pod": ("api/v1", "pods"),
}


def pod_template(**annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}, "annotations": annotations},
        "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
    }


def create(admin: Api, namespace: str, kind: str, spec: dict[str, Any], **metadata: Any) -> str:
    """Create an object named `web`; its path."""
    collection = f"/{COLLECTIONS[kind][0]}/namespaces/{namespace}/{COLLECTIONS[kind][1]}"
    admin.post(collection, {"metadata": {"name": "web", **metadata}, "spec": spec})
    return f"{collection}/web"


def create_pod(admin: Api, namespace: str, **annotations: str) -> str:
    template = pod_template(**annotations)
    return create(admin, namespace, "Pod", template["spec"], **template["metadata"])


def wait_for(admin: Api, path: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The object at *path*, as soon as its status meets *condition*."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found: dict[str, Any] = admin.get(path)
        if condition(found["status"]):
            return found
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain: {found['status']}"
        time.sleep(0.05)


def has_condition(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: any(
        each["type"] == name and each["status"] == "True" for each in status.get("conditions", ())
    )


def waits_with(reason: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: any(
        each["state"].get("waiting", {}).get("reason") == reason
        for each in status.get("containerStatuses", ())
    )


def test_server_version(control_plane: ControlPlane) -> None:
    """The server calls itself the release it was built from."""
    version = control_plane.admin.get("/version")

    assert (version["gitVersion"], version["major"], version["minor"]) == ("v1.36.3", "1", "36")


def test_kubeconfig(kubeconfig: Path) -> None:
    """kubectl can use the kubeconfig, by the name of its context."""
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    command = [kubectl, f"--kubeconfig={kubeconfig}", "--context=test", "auth", "whoami"]

    said = subprocess.run(command, capture_output=True, text=True, check=False)

    assert said.returncode == 0, said.stderr
    assert "system:masters" in said.stdout


def test_deployment_becomes_available(control_plane: ControlPlane, namespace: str) -> None:
    """A Deployment of two replicas becomes available."""
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": pod_template(),
    }
    path = create(control_plane.admin, namespace, "Deployment", spec)

    found = wait_for(control_plane.admin, path, lambda status: status.get("availableReplicas") == 2)

    assert has_condition("Available")(found["status"])


def test_job_completes(control_plane: ControlPlane, namespace: str) -> None:
    """A Job completes, and its pod succeeds."""
    template = pod_template()
    template["spec"]["restartPolicy"] = "Never"
    path = create(control_plane.admin, namespace, "Job", {"template": template})

    found = wait_for(control_plane.admin, path, has_condition("Complete"))

    assert found["status"]["succeeded"] == 1


def test_statefulset_becomes_ready(control_plane: ControlPlane, namespace: str) -> None:
    """A StatefulSet's pods become ready, one after the other."""
    spec = {
        "replicas": 2,
        "serviceName": "web",
        "selector": {"matchLabels": {"app": "web"}},
        "template": pod_template(),
    }
    path = create(control_plane.admin, namespace, "StatefulSet", spec)

    found = wait_for(control_plane.admin, path, lambda status: status.get("readyReplicas") == 2)

    assert found["status"]["currentReplicas"] == 2


def test_daemonset_becomes_ready(control_plane: ControlPlane, namespace: str) -> None:
    """A DaemonSet has one ready pod on the one node."""
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": pod_template()}
    path = create(control_plane.admin, namespace, "DaemonSet", spec)

    found = wait_for(control_plane.admin, path, lambda status: status.get("numberReady") == 1)

    assert found["status"]["desiredNumberScheduled"] == 1


def test_readiness_can_be_delayed(control_plane: ControlPlane, namespace: str) -> None:
    """A pod that asks for it becomes ready only after that time."""
    path = create_pod(control_plane.admin, namespace, **{READY_AFTER: "3s"})

    found = wait_for(control_plane.admin, path, has_condition("Ready"))

    moments = {each["type"]: each["lastTransitionTime"] for each in found["status"]["conditions"]}
    ready, scheduled = (datetime.fromisoformat(moments[each]) for each in ("Ready", "PodScheduled"))
    assert (ready - scheduled).total_seconds() >= 2  # both are cut to whole seconds


def test_fate_crash_loop(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate shows CrashLoopBackOff, restarts and the last exit code."""
    path = create_pod(control_plane.admin, namespace, **{FATE: "crash-loop"})

    found = wait_for(control_plane.admin, path, waits_with("CrashLoopBackOff"))

    (container,) = found["status"]["containerStatuses"]
    assert container["restartCount"] == 3
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert container["lastState"]["terminated"]["reason"] == "Error"


def test_fate_oom(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate shows that its container was killed for its memory use."""
    path = create_pod(control_plane.admin, namespace, **{FATE: "oom"})

    found = wait_for(control_plane.admin, path, waits_with("CrashLoopBackOff"))

    (container,) = found["status"]["containerStatuses"]
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert container["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_fate_image_not_found(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate shows ErrImagePull, then ImagePullBackOff, and stays pending."""
    path = create_pod(control_plane.admin, namespace, **{FATE: "image-not-found"})

    wait_for(control_plane.admin, path, waits_with("ErrImagePull"))
    found = wait_for(control_plane.admin, path, waits_with("ImagePullBackOff"))

    assert found["status"]["phase"] == "Pending"


def test_fate_never_ready(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate runs, but is not ready."""
    path = create_pod(control_plane.admin, namespace, **{FATE: "never-ready"})

    found = wait_for(
        control_plane.admin, path, lambda status: bool(status.get("containerStatuses"))
    )

    (container,) = found["status"]["containerStatuses"]
    assert "running" in container["state"]
    assert container["ready"] is False
    assert not has_condition("Ready")(found["status"])


def test_fate_waits(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate waits for the reason that it names."""
    said = {REASON: "CreateContainerConfigError", MESSAGE: 'secret "keys" not found'}
    path = create_pod(control_plane.admin, namespace, **{FATE: "waits"}, **said)

    found = wait_for(
        control_plane.admin, path, lambda status: bool(status.get("containerStatuses"))
    )

    (container,) = found["status"]["containerStatuses"]
    assert container["state"]["waiting"] == {"reason": said[REASON], "message": said[MESSAGE]}


def test_fate_exits(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate crashes again and again with the exit code that it names."""
    path = create_pod(control_plane.admin, namespace, **{FATE: "exits", EXIT_CODE: "127"})

    found = wait_for(
        control_plane.admin, path, lambda status: bool(status.get("containerStatuses"))
    )

    (container,) = found["status"]["containerStatuses"]
    assert container["lastState"]["terminated"]["exitCode"] == 127
    assert container["restartCount"] == 3


def test_fate_recovers(control_plane: ControlPlane, namespace: str) -> None:
    """A pod of this fate is ready after two crashes."""
    path = create_pod(control_plane.admin, namespace, **{FATE: "recovers"})

    found = wait_for(control_plane.admin, path, has_condition("Ready"))

    (container,) = found["status"]["containerStatuses"]
    assert container["restartCount"] == 2


def test_fate_of_a_job(control_plane: ControlPlane, namespace: str) -> None:
    """A Job whose pods crash, and are not restarted, fails."""
    template = pod_template(**{FATE: "crash-loop"})
    template["spec"]["restartPolicy"] = "Never"
    path = create(control_plane.admin, namespace, "Job", {"backoffLimit": 0, "template": template})

    found = wait_for(control_plane.admin, path, has_condition("Failed"))

    reasons = {each["type"]: each["reason"] for each in found["status"]["conditions"]}
    assert reasons["Failed"] == "BackoffLimitExceeded"


def test_container_logs(control_plane: ControlPlane, namespace: str) -> None:
    """The API server hands out a container's logs, and those of its previous run."""
    path = create_pod(control_plane.admin, namespace)
    wait_for(control_plane.admin, path, has_condition("Ready"))

    current = control_plane.admin.text(f"{path}/log")
    previous = control_plane.admin.text(f"{path}/log?previous=true&tailLines=1")

    assert tuple(current.splitlines()) == CURRENT_LOG
    assert tuple(previous.splitlines()) == PREVIOUS_LOG[-1:]


def test_viewer_is_forbidden(control_plane: ControlPlane, namespace: str) -> None:
    """The viewer is known, but may not even look."""
    viewer = control_plane.api(control_plane.viewer_token)

    with pytest.raises(ApiError) as refusal:
        viewer.get(f"/api/v1/namespaces/{namespace}/configmaps")

    assert refusal.value.status == 403
    assert 'User \\"viewer\\" cannot list' in str(refusal.value)


def test_stranger_is_unauthorized(control_plane: ControlPlane) -> None:
    """An unknown token is nobody's."""
    stranger = control_plane.api("no-such-token")

    with pytest.raises(ApiError) as refusal:
        stranger.get("/api/v1/namespaces")

    assert refusal.value.status == 401


def test_namespace_goes_with_its_contents(control_plane: ControlPlane, namespace: str) -> None:
    """A deleted namespace ends, with what is in it."""
    admin = control_plane.admin
    admin.post("/api/v1/namespaces", {"metadata": {"name": f"{namespace}-2"}})
    admin.post(
        f"/api/v1/namespaces/{namespace}-2/configmaps",
        {"metadata": {"name": "settings", "finalizers": []}, "data": {"a": "b"}},
    )

    admin.delete(f"/api/v1/namespaces/{namespace}-2")

    deadline = time.monotonic() + PATIENCE_S
    while f"{namespace}-2" in {
        each["metadata"]["name"] for each in admin.get("/api/v1/namespaces")["items"]
    }:
        assert time.monotonic() < deadline, "the namespace is still there"
        time.sleep(0.1)
