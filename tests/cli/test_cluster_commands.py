"""Whole commands against the real control plane."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import DEPLOYMENT, SECRET, config_map
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]
ROOT = Path(__file__).resolve().parents[2]


def test_deploy_then_nothing_then_prune(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """Applied, unchanged, and what is no longer rendered is deleted."""
    path = f"/api/v1/namespaces/{cluster}/configmaps"

    first, second = call("deploy"), call("deploy")
    there = control_plane.admin.get(f"{path}/settings")
    repository.git("mv", "deploy/settings.yaml", "deploy/other.yaml")
    repository.commit({"deploy/other.yaml": config_map("other")})
    third = call("deploy")
    names = {item["metadata"]["name"] for item in control_plane.admin.get(path)["items"]}

    assert (first.code, second.code, third.code) == (0, 0, 0), first.text + third.text
    assert there["data"] == {"greeting": "hello"}
    assert "nothing to change" in second.out
    assert "other" in names
    assert "settings" not in names


def test_7_a_rollout_that_does_not_get_ready_says_why(
    repository: Repository, cluster: str, call: Call
) -> None:
    """Exit code 7 at the deadline, the report written, the card with what the cluster knows."""
    broken = DEPLOYMENT.replace("FATE", "image-not-found")
    repository.commit({"deploy/api.yaml": broken})

    said = call("deploy", "--timeout", "5s", "--report", "json=report.json")

    assert said.code == 7, said.text
    report = json.loads((repository.root / "report.json").read_text())
    (card,) = report["environments"][0]["cards"]
    assert card["id"]["name"] == "api"
    assert "Pod" in " ".join(card["chain"])


def test_values_of_secrets_are_in_no_output(
    repository: Repository, cluster: str, call: Call
) -> None:
    """Neither what is rendered nor what the cluster answers."""
    outputs = []
    repository.commit({"deploy/secret.yaml": SECRET})
    for values in ("hunter2hunter2", "hunter3hunter3"):
        repository.commit({"deploy/secret.yaml": SECRET.replace("hunter2hunter2", values)})
        for command in ("diff", "deploy"):
            outputs.append(
                call(command, "--report", "json=../r.json", "--report", "markdown=../r.md")
            )
            outputs += [
                Said(0, (repository.root.parent / name).read_text(), "")
                for name in ("r.json", "r.md")
            ]

    assert [said.code for said in outputs] == [0] * len(outputs)
    for said in outputs:
        for planted in ("hunter2", "hunter3", "aHVudGVy"):
            assert planted not in said.text


def test_5_an_identity_that_may_do_nothing_is_denied(
    repository: Repository,
    cluster: str,
    control_plane: ControlPlane,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Forbidden and unknown tokens are exit code 5, also for a diff."""
    for token in (control_plane.viewer_token, "expired-token-123"):
        path = control_plane.kubeconfig(tmp_path / "other", token=token)
        monkeypatch.setenv("KUBECONFIG", str(path))

        diff, deploy = call("diff"), call("deploy")

        assert (diff.code, deploy.code) == (5, 5), diff.text
        assert token not in diff.text + deploy.text


def test_2_a_wrong_context_is_a_usage_error(
    repository: Repository, cluster: str, call: Call
) -> None:
    """With the names that there are."""
    said = call("diff", "--context", "tset")

    assert said.code == 2
    assert "test" in said.text


def test_what_the_server_refuses_is_known_before_the_first_write(
    repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """Exit code 4 from the dry run; the good half is not written either."""
    wrong = DEPLOYMENT.replace("FATE", "none").replace(
        "matchLabels: {app: api}", "matchLabels: {a: b}"
    )
    repository.commit({"deploy/api.yaml": wrong})

    said = call("deploy")

    path = f"/api/v1/namespaces/{cluster}/configmaps"
    names = {item["metadata"]["name"] for item in control_plane.admin.get(path)["items"]}
    assert said.code == 4, said.text
    assert "settings" not in names


def test_the_shop_runs(
    repository: Repository, kubeconfig: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole example: namespace, definition and instance, workloads, migration, all running."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    shutil.copytree(ROOT / "examples" / "shop", repository.root, dirs_exist_ok=True)
    repository.commit({})
    arguments = ("-e", "dev", "--target", "cluster", "--namespace", "shop-dev", "--timeout", "2m")

    first, second = call("deploy", *arguments), call("deploy", *arguments)

    assert (first.code, second.code) == (0, 0), first.text if first.code else second.text
    assert "37 objects running" in first.out
    assert "nothing to change" in second.out
