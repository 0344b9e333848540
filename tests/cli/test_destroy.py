"""`destroy`: an environment is taken down, on a real control plane and in files."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.targets.cluster.writes import Writes
from tests.cli.conftest import Repository, Said
from tests.cli.manifests import DEPLOYMENT, config_map, plain
from tests.cluster.api import ApiError
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]

RUNNING = DEPLOYMENT.replace("      annotations: {pipeline-gitops.test/fate: FATE}\n", "")
SURE = ("--confirm", "prod")
ENVIRONMENT = ("--environment", "prod")
KEPT = config_map("precious").replace(
    "  name: precious\n",
    '  name: precious\n  annotations: {pipeline-gitops.dev/keep: "true"}\n',
)
CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""


def names(
    plane: ControlPlane, namespace: str, path: str = "api/v1", plural: str = "configmaps"
) -> set[str]:
    listed = plane.admin.get(f"/{path}/namespaces/{namespace}/{plural}")["items"]
    return {item["metadata"]["name"] for item in listed} - {"kube-root-ca.crt"}


def test_4_nothing_goes_without_the_name(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """What would go is shown, and nothing is written."""
    assert call("deploy").code == 0
    before = names(control_plane, cluster)

    said, wrong = call("destroy", *ENVIRONMENT), call("destroy", *ENVIRONMENT, "--confirm", "dev")

    assert (said.code, wrong.code) == (4, 4)
    assert f"ConfigMap {cluster}/settings" in said.out
    assert "--confirm prod" in said.out
    assert names(control_plane, cluster) == before


def test_0_everything_goes_and_the_inventory_last(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """Workloads included; a second time there is nothing."""
    repository.commit({"deploy/api.yaml": RUNNING})
    assert call("deploy").code == 0

    said, again = call("destroy", *ENVIRONMENT, *SURE), call("destroy", *ENVIRONMENT, *SURE)

    assert (said.code, again.code) == (0, 0), said.text
    assert names(control_plane, cluster) == set()
    assert names(control_plane, cluster, "apis/apps/v1", "deployments") == set()
    assert "nothing is deployed" in again.out


def test_what_is_to_be_kept_stays(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """With a notice."""
    repository.commit({"deploy/kept.yaml": KEPT})
    assert call("deploy").code == 0

    said = call("destroy", *ENVIRONMENT, *SURE)

    assert said.code == 0, said.text
    assert names(control_plane, cluster) == {"precious"}
    assert "kept: ConfigMap" in said.out


def test_4_volumes_need_a_second_word(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """The environment's name alone does not delete data."""
    repository.commit({"deploy/claim.yaml": CLAIM})
    assert call("deploy").code == 0

    refused = call("destroy", *ENVIRONMENT, *SURE)
    there = names(control_plane, cluster, plural="persistentvolumeclaims")
    done = call("destroy", *ENVIRONMENT, *SURE, "--confirm-deletes")

    assert (refused.code, there) == (4, {"data"})
    assert "dangerous" in refused.out or "with it what it holds" in refused.out
    assert done.code == 0, done.text
    assert names(control_plane, cluster, plural="persistentvolumeclaims") == set()


def test_4_a_protected_environment(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """It has to be called so as well."""
    text = (repository.root / ".pipeline-gitops.yaml").read_text()
    repository.commit({".pipeline-gitops.yaml": text + "    protected: true\n"})
    assert call("deploy").code == 0

    refused, done = (
        call("destroy", *ENVIRONMENT, *SURE),
        call("destroy", *ENVIRONMENT, *SURE, "--protected"),
    )

    assert (refused.code, done.code) == (4, 0), done.text


def test_7_what_is_held_by_a_finalizer_is_waited_for(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """The inventory stays while something is left; once it is gone, the same command ends well."""
    assert call("deploy").code == 0
    path = f"/api/v1/namespaces/{cluster}/configmaps/settings"
    hold(control_plane, path, ["example.com/hold"])

    held = call("destroy", *ENVIRONMENT, *SURE, "--timeout", "3s")
    still = call("destroy", *ENVIRONMENT, *SURE, "--timeout", "3s")
    left = names(control_plane, cluster)
    release = threading.Timer(1.0, hold, (control_plane, path, []))
    release.start()
    done = call("destroy", *ENVIRONMENT, *SURE, "--timeout", "30s")
    release.join()

    assert (held.code, still.code) == (7, 7), still.text
    assert ("settings" in left, len(left)) == (True, 2)
    assert done.code == 0, done.text
    assert names(control_plane, cluster) == set()


def hold(plane: ControlPlane, path: str, finalizers: list[str]) -> None:
    body = {"metadata": {"finalizers": finalizers}}
    plane.admin.send("PATCH", path, body, content_type="application/merge-patch+json")


class Killed(BaseException):
    """As abrupt as a kill, inside of one process."""


def test_killed_in_between_it_goes_on(
    repository: Repository,
    cluster: str,
    control_plane: ControlPlane,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The inventory outlives everything that it lists."""
    files = {f"deploy/c{number}.yaml": config_map(f"c{number}") for number in range(4)}
    repository.commit({**files, "deploy/api.yaml": RUNNING})
    assert call("deploy").code == 0
    count, real = 0, Writes._delete

    def dying(self: Any, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count > 3:
            raise Killed
        return real(self, *arguments)

    monkeypatch.setattr(Writes, "_delete", dying)
    with pytest.raises(Killed):
        call("destroy", *ENVIRONMENT, *SURE)
    left = names(control_plane, cluster)
    monkeypatch.setattr(Writes, "_delete", real)

    done = call("destroy", *ENVIRONMENT, *SURE)

    assert len(left) > 1
    assert done.code == 0, done.text
    assert names(control_plane, cluster) == set()


def test_the_namespace_of_the_inventory_goes_as_well(
    repository: Repository,
    kubeconfig: Path,
    namespace: str,
    control_plane: ControlPlane,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It takes the inventory along; that is no failure."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    own = f"{namespace}-own"[-60:].strip("-")
    repository.commit(
        plain(f"cluster: {{namespace: {own}}}")
        | {"deploy/ns.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {own}}}\n"}
    )
    assert call("deploy").code == 0

    done = call("destroy", *ENVIRONMENT, *SURE, "--confirm-deletes", "--timeout", "60s")

    assert done.code == 0, done.text
    with pytest.raises(ApiError, match="404"):
        control_plane.admin.get(f"/api/v1/namespaces/{own}")


def test_a_directory_is_emptied(repository: Repository, call: Call) -> None:
    """Files of the inventory, and the inventory; others stay."""
    repository.commit(plain())
    assert call("deploy").code == 0
    other = repository.root / "rendered" / "other.txt"
    other.write_text("mine")

    done = call("destroy", *ENVIRONMENT, *SURE)

    left = [path.name for path in (repository.root / "rendered").rglob("*") if path.is_file()]
    assert (done.code, left) == (0, ["other.txt"]), done.text


def test_2_one_environment_at_a_time(repository: Repository, call: Call) -> None:
    """No name is not all of them."""
    repository.commit(plain())

    assert call("destroy").code == 2
    assert call("destroy", "--environment", "prod,dev").code == 2
