"""Deploys in their order, rollbacks and handovers, as whole commands."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import config_map, plain
from tests.cluster.controlplane import ControlPlane

Call = Callable[..., Said]


def settings(greeting: str) -> dict[str, str]:
    return {"deploy/settings.yaml": config_map(greeting=greeting)}


@pytest.fixture
def line(repository: Repository, call: Call) -> tuple[str, str]:
    """Two commits, both deployed to a directory: one that was good, one that is not."""
    files = plain("directory: {path: rendered}")
    good = repository.commit({**files, ".gitignore": "rendered/\n*.json\n", **settings("good")})
    assert call("deploy").code == 0
    bad = repository.commit(settings("bad"))
    assert call("deploy").code == 0
    return good, bad


def greeting(repository: Repository) -> str:
    (found,) = (repository.root / "rendered").rglob("*settings*.yaml")
    return found.read_text().partition("greeting: ")[2].strip()


def test_a_rollback_without_now_only_shows(
    repository: Repository, line: tuple[str, str], call: Call
) -> None:
    """Like `diff`: exit code 0, nothing written, and how to go on."""
    said = call("rollback", "--environment", "prod", "--to", line[0])

    assert said.code == 0, said.text
    assert "+  greeting: good" in said.out
    assert "--now" in said.out
    assert greeting(repository) == "bad"


def test_a_rollback_holds_what_it_left(
    repository: Repository, line: tuple[str, str], call: Call
) -> None:
    """The next deploy of it is refused and says how to go on; a newer commit goes through."""
    rolled = call("rollback", "--environment", "prod", "--to", line[0], "--now")
    assert (rolled.code, greeting(repository)) == (0, "good"), rolled.text

    held = call("deploy")
    assert (held.code, greeting(repository)) == (4, "good"), held.text
    assert "--release" in held.text

    repository.commit(settings("better"))
    repaired = call("deploy")
    assert (repaired.code, greeting(repository)) == (0, "better"), repaired.text


def test_release_lifts_a_hold(repository: Repository, line: tuple[str, str], call: Call) -> None:
    """Whoever is sure says so."""
    call("rollback", "--environment", "prod", "--to", line[0], "--now")

    said = call("deploy", "--release")

    assert (said.code, greeting(repository)) == (0, "bad"), said.text


def test_a_rollback_needs_an_environment(line: tuple[str, str], call: Call) -> None:
    """All of them at once is nobody's wish."""
    assert call("rollback", "--to", line[0], "--now").code == 2


def test_a_rollback_uses_the_target_of_today(
    repository: Repository, line: tuple[str, str], call: Call
) -> None:
    """What the old commit's configuration says of its target does not count any more."""
    repository.commit(plain("directory: {path: elsewhere}"))
    (repository.root / "rendered").rename(repository.root / "elsewhere")

    said = call("rollback", "--environment", "prod", "--to", line[0], "--now")

    assert said.code == 0, said.text
    assert not (repository.root / "rendered").exists()


def test_a_branch_beside_what_is_deployed_is_refused(
    repository: Repository, line: tuple[str, str], call: Call
) -> None:
    """Exit code 4, unless it is said that it may."""
    repository.git("checkout", "--quiet", "-b", "feature", line[0])
    repository.commit(settings("feature"))

    refused = call("deploy")
    allowed = call("deploy", "--allow-diverged")

    assert (refused.code, allowed.code) == (4, 0), refused.text + allowed.text
    assert "--allow-diverged" in refused.text
    assert greeting(repository) == "feature"


def test_only_an_inventory_in_a_cluster_is_handed_over(
    repository: Repository, line: tuple[str, str], call: Call
) -> None:
    """Exit code 2."""
    assert call("handover", "--environment", "prod").code == 2
    assert call("handover").code == 2


def test_handover_and_back(
    repository: Repository,
    kubeconfig: Path,
    namespace: str,
    control_plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
) -> None:
    """Handed over, a deploy is refused by name, with the cure; taken back, it works."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    repository.commit(plain(f"cluster: {{namespace: {namespace}}}"))
    assert call("deploy").code == 0

    given = call("handover", "--environment", "prod")
    refused = call("deploy")
    back = call("handover", "--environment", "prod", "--back")
    again = call("deploy")

    assert (given.code, back.code, again.code) == (0, 0, 0), given.text + back.text + again.text
    assert "kubectl" in given.out
    assert refused.code == 4, refused.text
    assert "handover --back --environment prod" in refused.text
