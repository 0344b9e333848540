"""`--rollback on-failure`, as people and pipelines call it, against the real control plane."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import config_map
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]
ROOT = Path(__file__).resolve().parents[2]
GOES_BACK = ("--rollback", "on-failure")

CONFIG = """\
version: 1
environments:
  prod:
    path: deploy
    target: {cluster: {namespace: NAMESPACE}}
    policy: {stability: 1s, patience: {restarts: 1, seconds: 2}, timeout: 40s}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata:
      labels: {app: api}
      annotations: {FATE}
    spec:
      containers: [{name: api, image: "registry.example.com/api:VERSION"}]
"""


def api(version: int, fate: str = "") -> dict[str, str]:
    said = f"pipeline-gitops.test/fate: {fate}" if fate else ""
    text = DEPLOYMENT.replace("VERSION", str(version)).replace("FATE", said)
    return {
        "deploy/api.yaml": text,
        "deploy/settings.yaml": config_map(greeting=f"of version {version}"),
    }


@pytest.fixture
def good(
    repository: Repository,
    kubeconfig: Path,
    namespace: str,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A commit that is deployed and runs."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    config = {".pipeline-gitops.yaml": CONFIG.replace("NAMESPACE", namespace)}
    commit = repository.commit({**config, **api(1)})
    first = call("deploy")
    assert first.code == 0, first.text
    return commit


def break_it(repository: Repository) -> str:
    return repository.commit(api(2, "image-not-found"))


def greeting(plane: ControlPlane, namespace: str) -> Any:
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    return plane.admin.get(path)["data"]["greeting"]


def told(repository: Repository, name: str = "report.json") -> Any:
    (environment,) = json.loads((repository.root.parent / name).read_text())["environments"]
    return environment


def test_7_both_outcomes_are_told_in_every_format(
    repository: Repository, good: str, namespace: str, control_plane: ControlPlane, call: Call
) -> None:
    """The failure first, then what became of the way back."""
    bad = break_it(repository)
    kinds = {"json": "report.json", "markdown": "report.md", "html": "report.html"}
    reports = [f"--report={kind}=../{name}" for kind, name in kinds.items()]

    said = call("deploy", *GOES_BACK, *reports)

    back = told(repository)["rollback"]
    assert said.code == 7, said.text
    assert (back["revision"], back["held"], back["result"]["verdict"]) == (good, bad, "ok")
    assert {written["state"] for written in back["result"]["written"]} == {"done"}
    assert greeting(control_plane, namespace) == "of version 1"
    outcome = f"rolled back to {good[:7]}, 2 objects running"
    for text in (
        said.out,
        *((repository.root.parent / name).read_text() for name in kinds.values()),
    ):
        if not text.startswith("{"):
            assert outcome in text
    assert said.out.index("api:2") < said.out.index(f"Rollback: {outcome}")


def test_4_the_held_revision_and_the_way_on(repository: Repository, good: str, call: Call) -> None:
    """Refused again, told by a comparison, and lifted by a newer commit."""
    bad = break_it(repository)
    call("deploy", *GOES_BACK)

    again = call("deploy", *GOES_BACK)
    comparisons = [call("diff"), call("run")]
    repository.commit(api(3))
    repaired = call("deploy")

    assert again.code == 4, again.text
    assert f"{bad[:7]} was rolled back" in again.out
    assert all(f"held: {bad[:7]}" in said.out for said in comparisons)
    assert repaired.code == 0, repaired.text


def test_7_the_first_deploy_says_that_there_is_nothing_to_go_back_to(
    repository: Repository,
    kubeconfig: Path,
    namespace: str,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the policy, without the flag."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    config = CONFIG.replace("NAMESPACE", namespace).replace("{stab", "{rollback: on-failure, stab")
    repository.commit({".pipeline-gitops.yaml": config, **api(1, "image-not-found")})

    said = call("deploy")

    assert said.code == 7, said.text
    assert "there is nothing to go back to" in said.out
    assert "the first deploy after which everything runs is recorded" in " ".join(said.out.split())


def test_7_a_clone_without_the_revision_says_how_to_have_it(
    repository: Repository,
    good: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
) -> None:
    """A shallow one whose remote is gone."""
    break_it(repository)
    shallow = tmp_path / "shallow"
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.root}", str(shallow))
    repository.root.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(shallow)

    said = call("deploy", *GOES_BACK, "--allow-diverged")

    assert said.code == 7, said.text
    assert f"commit {good} is not in this clone" in " ".join(said.out.split())
    assert "fetch-depth: 0" in said.out


def test_2_what_contradicts_itself(repository: Repository, good: str, call: Call) -> None:
    """Who does not wait cannot see a failure; and a word that is none."""
    assert call("deploy", *GOES_BACK, "--no-wait").code == 2
    assert call("deploy", "--rollback", "always").code == 2


def test_the_flag_can_switch_the_policy_off(
    repository: Repository, good: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line, or by the variable of a pipeline."""
    break_it(repository)
    monkeypatch.setenv("PIPELINE_GITOPS_ROLLBACK", "on-failure")

    said = call("deploy", "--rollback", "off", "--report", "json=../report.json")

    assert said.code == 7, said.text
    assert told(repository)["rollback"] is None


def test_the_older_configuration_does_not_choose_the_target(
    repository: Repository, good: str, namespace: str, control_plane: ControlPlane, call: Call
) -> None:
    """What is gone back to says what to render; where to and how is said today."""
    config = CONFIG.replace("NAMESPACE", namespace)
    former = repository.root.parent / "former"
    former.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    named = config.replace("{namespace:", f"{{kubeconfig: {former}, namespace:")
    repository.commit({".pipeline-gitops.yaml": named})
    assert call("deploy").code == 0
    former.unlink()
    break_it(repository)
    repository.commit({".pipeline-gitops.yaml": config})

    said = call("deploy", *GOES_BACK, "--report", "json=../report.json")

    assert said.code == 7, said.text
    assert told(repository)["rollback"]["result"]["verdict"] == "ok", said.text
    assert greeting(control_plane, namespace) == "of version 1"


def test_the_way_back_takes_no_time_from_other_environments(
    repository: Repository, good: str, namespace: str, call: Call
) -> None:
    """The first one uses up all of the time that both have, and then some."""
    two = CONFIG.replace("NAMESPACE", namespace).replace("timeout: 40s", "timeout: 20s")
    two = two.replace("seconds: 2", "seconds: 60").replace("stability: 1s", "stability: 12s")
    two += """\
  zone:
    path: other
    target: {cluster: {namespace: NAMESPACE}}
    policy: {timeout: 20s, stability: 1s}
""".replace("NAMESPACE", namespace)
    more = (
        api(1)["deploy/api.yaml"]
        .replace("name: api", "name: more")
        .replace("app: api", "app: more")
    )
    repository.commit({".pipeline-gitops.yaml": two, "other/more.yaml": more})
    slow = api(2, "image-not-found")
    slow["deploy/api.yaml"] = slow["deploy/api.yaml"].replace(
        "metadata: {name: api}",
        "metadata: {name: api, annotations: {pipeline-gitops.dev/timeout: 9s}}",
    )
    repository.commit(slow)

    said = call("deploy", *GOES_BACK, "--report", "json=../report.json")

    report = json.loads((repository.root.parent / "report.json").read_text())
    verdicts = {one["name"]: one["verdict"] for one in report["environments"]}
    assert verdicts == {"prod": "rollout-failed", "zone": "ok"}, said.text


@pytest.mark.parametrize("line", ["rolling back to", "update ConfigMap", "Current"])
def test_a_kill_in_the_rollback(
    repository: Repository,
    good: str,
    namespace: str,
    control_plane: ControlPlane,
    call: Call,
    line: str,
) -> None:
    """SIGKILL at some point of it; the same command again ends where it would have ended."""
    break_it(repository)
    kill_at(line, repository)

    said = call("deploy", *GOES_BACK)

    assert said.code in (4, 7), said.text  # held already, or not yet claimed
    assert f"rolled back to {good[:7]}" in said.out or "was rolled back" in said.out
    assert greeting(control_plane, namespace) == "of version 1"
    status = call("status")
    assert status.code == 0, status.text
    assert "under way" not in status.out


def kill_at(line: str, repository: Repository) -> None:
    """Deploys, and kills the deploy once its rollback has said this."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "pipeline_gitops", "deploy", *GOES_BACK]
    with subprocess.Popen(
        command,
        cwd=repository.root,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr
        watchdog = threading.Timer(60, running.kill)
        watchdog.start()
        began = False
        for said in running.stderr:
            began = began or "rolling back to" in said
            if began and line in said:
                running.send_signal(signal.SIGKILL)
                break
        watchdog.cancel()
        assert began
