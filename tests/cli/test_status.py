"""`status`: how what was deployed is doing now."""

import json
from collections.abc import Callable

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import DEPLOYMENT, SECRET, config_map, plain
from tests.cluster.controlplane import ControlPlane
from tests.contract.clusters import until

MERGE = "application/merge-patch+json"
Call = Callable[..., Said]

RUNNING = DEPLOYMENT.replace("      annotations: {pipeline-gitops.test/fate: FATE}\n", "")


def test_0_everything_runs(repository: Repository, cluster: str, call: Call) -> None:
    """Each member with its word, and the deploy that it comes from; nothing is rendered."""
    revision = repository.commit({"deploy/api.yaml": RUNNING})
    assert call("deploy").code == 0
    repository.commit({"deploy/api.yaml": "this is: no manifest\n"})

    said = call("status", "--report", "json=../status.json")

    told = json.loads((repository.root.parent / "status.json").read_text())
    (environment,) = told["environments"]
    assert said.code == 0, said.text
    assert f"Deployment.apps {cluster}/api" in said.out
    assert "Current" in said.out
    assert revision[:7] in said.out
    assert environment["inventory"]["deployed"]["revision"] == revision
    assert environment["inventory"]["claimed"] is None
    assert {one["id"]["name"] for one in environment["rollout"]["objects"]} == {"api", "settings"}


def test_7_something_does_not_run(repository: Repository, cluster: str, call: Call) -> None:
    """With the reasons that the cluster knows, though nobody deployed just now."""
    repository.commit({"deploy/api.yaml": DEPLOYMENT.replace("FATE", "image-not-found")})
    assert call("deploy", "--no-wait").code == 0

    said = call("status", "--report", "json=../status.json")

    (environment,) = json.loads((repository.root.parent / "status.json").read_text())[
        "environments"
    ]
    assert said.code == 7, said.text
    assert [card["id"]["name"] for card in environment["cards"]] == ["api"]


def test_7_what_is_gone_does_not_run(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """A member that somebody deleted is not well."""
    assert call("deploy").code == 0
    control_plane.admin.delete(f"/api/v1/namespaces/{cluster}/configmaps/settings")

    said = call("status")

    assert (said.code, "NotFound" in said.out) == (7, True)


def test_7_nothing_is_deployed(repository: Repository, cluster: str, call: Call) -> None:
    """Green means running: an environment that is not there is not green."""
    said = call("status")

    assert (said.code, "nothing is deployed" in said.out) == (7, True)


def test_5_the_cluster_does_not_answer(
    repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows how it is."""
    path = repository.root.parent / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": "planted-token"}}],
        "current-context": "c",
    }
    path.write_text(json.dumps(content))
    monkeypatch.setenv("KUBECONFIG", str(path))
    repository.commit(plain("cluster: {}"))

    said = call("status", "--timeout", "1s")

    assert (said.code, "planted-token" in said.text) == (5, False)


def test_files_are_written_not_watched(repository: Repository, call: Call) -> None:
    """A directory tells what was deployed, and claims nothing about what runs."""
    revision = repository.commit(plain())
    assert call("deploy").code == 0

    said = call("status", "--report", "json=../status.json")

    (environment,) = json.loads((repository.root.parent / "status.json").read_text())[
        "environments"
    ]
    assert (said.code, environment["rollout"]) == (0, None)
    assert environment["inventory"]["deployed"]["revision"] == revision


def test_values_of_secrets_are_not_told(repository: Repository, cluster: str, call: Call) -> None:
    """Health is about how things are, not what they hold."""
    repository.commit({"deploy/secret.yaml": SECRET, "deploy/settings.yaml": config_map()})
    assert call("deploy").code == 0

    said = call("status")

    assert said.code == 0
    assert "hunter2" not in said.text


JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  ttlSecondsAfterFinished: 600
  template:
    spec:
      restartPolicy: Never
      containers: [{name: once, image: "registry.example.com/once:1"}]
"""


def test_0_a_job_that_was_done_and_deleted_is_not_missed(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """Its TTL deleted it after the deploy had seen it to its end, which the inventory records."""
    repository.commit({"deploy/job.yaml": JOB})
    assert call("deploy").code == 0
    path = f"/apis/batch/v1/namespaces/{cluster}/jobs"
    over = {"spec": {"ttlSecondsAfterFinished": 0}}
    control_plane.admin.send("PATCH", f"{path}/once", over, content_type=MERGE)
    until(lambda: not control_plane.admin.get(path)["items"], "the Job to be deleted")

    said, again = call("status"), call("deploy")

    assert said.code == 0, said.text
    assert "its TTL deleted it" in said.out
    assert again.code == 0
    assert call("status").code == 0
