"""The way of docs/moving.md, step by step, on the real control plane."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import config_map
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]
PAGE = Path(__file__).resolve().parents[2] / "docs/moving.md"
MARKS = {
    "helm": ("annotations", "meta.helm.sh/release-name", "helm"),
    "argocd": ("annotations", "argocd.argoproj.io/tracking-id", "argocd-controller"),
    "flux": ("labels", "kustomize.toolkit.fluxcd.io/name", "kustomize-controller"),
    "kapp": ("labels", "kapp.k14s.io/app", "kapp"),
    "kluctl": ("labels", "kluctl.io/discriminator", "kluctl"),
}


def steps(tool: str) -> list[tuple[list[str], int]]:
    """The page's commands for a tool, each with the exit code that it says."""
    blocks = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    found = []
    for line in "".join(blocks).splitlines():
        command, _, code = line.partition("  # exit code ")
        found.append((shlex.split(command.replace("helm", tool))[1:], int(code or 0)))
    return found


@pytest.mark.parametrize("tool", MARKS)
def test_an_environment_is_moved(
    tool: str, repository: Repository, cluster: str, control_plane: ControlPlane, call: Call
) -> None:
    """Refused first, taken over with a word, without one afterwards, and ours to change then."""
    where, key, manager = MARKS[tool]
    path = f"/api/v1/namespaces/{cluster}/configmaps"
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", where: {key: "shop"}},
        "data": {"greeting": "hello", "old": "of the tool"},
    }
    control_plane.admin.post(f"{path}?fieldManager={manager}", body)

    said = [(call(*words), code) for words, code in steps(tool)]

    assert [one.code for one, _ in said] == [code for _, code in said], said[-1][0].text
    assert len(said) == 5
    assert "nothing to change" in said[-1][0].out
    repository.commit({"deploy/settings.yaml": config_map(greeting="welcome")})
    assert call("deploy", "--environment", "prod").code == 0
    assert control_plane.admin.get(f"{path}/settings")["data"] == {"greeting": "welcome"}
