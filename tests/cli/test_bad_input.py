"""Every refusal: one line what and where, one line what to do; no traceback, no body, no token."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import config_map, kustomized, plain

Call = Callable[..., Said]

BAD_MANIFESTS = {
    "syntax": ("a: [", "settings.yaml:"),
    "duplicate key": ("apiVersion: v1\nkind: A\nkind: B\nmetadata: {name: x}\n", "settings.yaml:3"),
    "not an object": ("- a\n- b\n", "settings.yaml:1"),
    "no kind": ("apiVersion: v1\nmetadata: {name: x}\n", "settings.yaml:1"),
    "no apiVersion": ("kind: ConfigMap\nmetadata: {name: x}\n", "settings.yaml:1"),
    "no name": ("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "settings.yaml:"),
    "NUL": ("apiVersion: v1\nkind: Config\0Map\nmetadata: {name: x}\n", "settings.yaml"),
    "deep": ("[" * 100_000, "settings.yaml"),
    "unknown field": (config_map() + "dta: {}\n", "settings.yaml:7"),
}


def quiet(said: Said) -> None:
    """What every refusal keeps to."""
    assert "Traceback" not in said.text
    assert "planted-token-123" not in said.text
    assert "hunter2" not in said.text


@pytest.mark.parametrize(("text", "place"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS.keys())
def test_a_manifest_error_has_file_line_and_cure(
    repository: Repository, call: Call, text: str, place: str
) -> None:
    """Exit code 3."""
    repository.commit(plain() | {"deploy/settings.yaml": text})

    said = call("validate")

    quiet(said)
    assert said.code == 3
    assert place in said.text


def test_one_bad_file_does_not_hide_the_other_nine(repository: Repository, call: Call) -> None:
    """All findings come at once."""
    repository.commit(
        plain() | {"deploy/a.yaml": "a: [", "deploy/b.yaml": config_map("b") + "dta: {}\n"}
    )

    said = call("validate")

    assert "deploy/a.yaml" in said.text
    assert "deploy/b.yaml" in said.text


def test_invalid_utf_8(repository: Repository, call: Call) -> None:
    """Exit code 3 with the file."""
    repository.commit(plain())
    (repository.root / "deploy" / "settings.yaml").write_bytes(b"a: \xff\xfe\n")

    said = call("validate")

    quiet(said)
    assert (said.code, "deploy/settings.yaml" in said.text) == (3, True)


def test_outside_a_repository(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2."""
    monkeypatch.chdir(tmp_path)

    said = call("environments")

    quiet(said)
    assert (said.code, "not a Git repository" in said.text) == (2, True)


def test_an_empty_repository(repository: Repository, call: Call) -> None:
    """Exit code 2: there is nothing to deploy."""
    said = call("deploy")

    quiet(said)
    assert said.code == 2


def test_no_environment_at_all(repository: Repository, call: Call) -> None:
    """Exit code 2 and what to add."""
    repository.commit({"README.md": "hello"})

    said = call("validate")

    quiet(said)
    assert (said.code, "no environment" in said.text) == (2, True)


def test_a_named_configuration_that_is_missing(repository: Repository, call: Call) -> None:
    """Exit code 2."""
    repository.commit(plain())

    said = call("validate", "--config", "other.yaml")

    quiet(said)
    assert (said.code, "other.yaml: no such file" in said.text) == (2, True)


def test_an_unknown_key(repository: Repository, call: Call) -> None:
    """File, line and the nearest known key."""
    repository.commit(plain() | {".pipeline-gitops.yaml": "version: 1\nenvironment: {}\n"})

    said = call("validate")

    quiet(said)
    assert said.code == 2
    assert ".pipeline-gitops.yaml:2:1: unknown key 'environment'" in said.text
    assert "did you mean 'environments'?" in said.text


def test_an_unknown_environment(repository: Repository, call: Call) -> None:
    """The nearest name is suggested."""
    repository.commit(kustomized())

    said = call("validate", "--environment", "stagin")

    quiet(said)
    assert (said.code, "did you mean 'staging'?" in said.text) == (2, True)


@pytest.mark.parametrize("path", ["../outside", "/etc"])
def test_a_path_outside_the_repository(repository: Repository, call: Call, path: str) -> None:
    """Exit code 2."""
    text = f"version: 1\nenvironments: {{prod: {{path: {path}}}}}\n"
    repository.commit(plain() | {".pipeline-gitops.yaml": text})

    said = call("validate")

    quiet(said)
    assert (said.code, "leaves the repository" in said.text) == (2, True)


def test_a_symbolic_link_out_of_the_repository(repository: Repository, call: Call) -> None:
    """The same by a link, to a folder or to a file."""
    outside = repository.root.parent / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(config_map())
    repository.commit(plain())
    shutil.rmtree(repository.root / "deploy")
    os.symlink(outside, repository.root / "deploy")

    folder = call("validate")
    os.remove(repository.root / "deploy")
    (repository.root / "deploy").mkdir()
    os.symlink(outside / "a.yaml", repository.root / "deploy" / "a.yaml")
    file = call("validate")

    for said in (folder, file):
        quiet(said)
        assert (said.code, "leads out of the repository" in said.text) == (2, True)


def test_a_kustomization_that_names_files_outside(repository: Repository, call: Call) -> None:
    """Exit code 2 with the line that names them."""
    files = kustomized()
    files["deploy/overlays/prod/kustomization.yaml"] = "resources:\n- ../../../../outside\n"
    repository.commit(files)

    said = call("validate")

    quiet(said)
    assert said.code == 2
    assert "deploy/overlays/prod/kustomization.yaml:2" in said.text


def test_an_environment_whose_path_is_missing(repository: Repository, call: Call) -> None:
    """Exit code 2."""
    text = "version: 1\nenvironments: {prod: {path: nowhere}}\n"
    repository.commit(plain() | {".pipeline-gitops.yaml": text})

    said = call("validate")

    quiet(said)
    assert (said.code, "nowhere: no such directory" in said.text) == (2, True)


@pytest.mark.parametrize(
    ("kustomization", "what"),
    [
        ("resources: [../../base]\nresoures: []\n", "unknown field"),
        ("resources: [missing.yaml]\n", "missing.yaml does not exist"),
        ("resources: [../../base]\npatches: [{path: p.yaml}]\n", "p.yaml does not exist"),
        (
            "resources: [../../base]\nsecretGenerator: [{name: s, literals: [hunter2hunter2]}]\n",
            "key=value",
        ),
        (
            "resources: [../../base]\npatches:\n- patch: |-\n    hunter2hunter2: [\n",
            "prod/kustomization.yaml",
        ),
        ("resources: ['https://127.0.0.1/x.yaml']\n", "another machine"),
        ("resources: ['github.com/example/x?ref=v1']\n", "another machine"),
    ],
    ids=["field", "file", "patch", "literal", "secret in a patch", "URL", "repository"],
)
def test_an_overlay_that_does_not_render(
    repository: Repository, call: Call, kustomization: str, what: str
) -> None:
    """Exit code 3 with the kustomization file, and nothing of the engine's own words."""
    files = kustomized()
    files["deploy/overlays/prod/kustomization.yaml"] = kustomization
    repository.commit(files)

    said = call("validate", "--environment", "prod")

    quiet(said)
    assert said.code == 3
    assert what in said.text


def test_uncommitted_changes(repository: Repository, call: Call) -> None:
    """A deploy refuses them with exit code 4; --allow-dirty takes them."""
    repository.commit(plain())
    repository.write({"deploy/settings.yaml": config_map(greeting="changed")})

    refused = call("deploy")
    allowed = call("deploy", "--allow-dirty")

    quiet(refused)
    assert (refused.code, allowed.code) == (4, 0)
    assert "deploy/settings.yaml" in refused.text
    assert "--allow-dirty" in refused.text


def test_untracked_files_never_count(repository: Repository, call: Call) -> None:
    """A deploy reads the commit."""
    repository.commit(plain())
    repository.write({"deploy/untracked.yaml": config_map("untracked")})

    said = call("deploy")

    assert said.code == 0
    assert not list((repository.root / "rendered").rglob("*untracked*"))


def test_two_environments_with_one_inventory(repository: Repository, call: Call) -> None:
    """Exit code 2 naming both."""
    text = "version: 1\nenvironments:\n"
    for name in ("blue", "green"):
        text += f"  {name}: {{path: deploy, target: {{directory: {{path: rendered}}}}}}\n"
    repository.commit(plain() | {".pipeline-gitops.yaml": text})

    said = call("validate")

    quiet(said)
    assert (said.code, "blue and green" in said.text) == (2, True)


def test_no_target(repository: Repository, call: Call) -> None:
    """A deploy of an environment without a target is a usage error with the cure."""
    repository.commit(plain(target=""))

    said = call("deploy")

    quiet(said)
    assert (said.code, "has no target" in said.text) == (2, True)


@pytest.mark.parametrize(
    "report", ["pdf=x.pdf", "json", "json=", "json=missing/folder.json", "json=."]
)
def test_a_report_that_cannot_be_written(repository: Repository, call: Call, report: str) -> None:
    """Exit code 2 before any work."""
    repository.commit(plain())

    said = call("deploy", "--report", report)

    quiet(said)
    assert said.code == 2
    assert not (repository.root / "rendered").exists()


def test_a_plain_secret_to_a_directory(repository: Repository, call: Call) -> None:
    """Exit code 4 with the cure; nothing is written."""
    from tests.cli.manifests import SECRET

    repository.commit(plain() | {"deploy/secret.yaml": SECRET})

    said = call("deploy")

    quiet(said)
    assert said.code == 4
    assert "SOPS" in said.text
    assert not list((repository.root).glob("rendered/**/*.yaml"))


def test_a_shallow_clone_without_the_base(
    repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2 and how to fetch more."""
    repository.commit(plain())
    repository.commit({"deploy/settings.yaml": config_map(greeting="two")})
    shallow = repository.root.parent / "shallow"
    origin = f"file://{repository.root}"
    repository.git("clone", "--quiet", "--depth=1", origin, str(shallow))
    shutil.rmtree(repository.root / ".git")
    monkeypatch.chdir(shallow)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    event = shallow.parent / "event.json"
    pull: dict[str, object] = {"number": 7, "head": {"sha": "1" * 40, "ref": "f"}}
    pull["base"] = {"sha": "2" * 40, "ref": "main"}
    event.write_text(json.dumps({"number": 7, "pull_request": pull}))
    monkeypatch.setenv("GITHUB_EVENT_NAME", "pull_request")
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/shop")
    monkeypatch.setenv("GITHUB_SHA", "1" * 40)

    said = call("run")

    quiet(said)
    assert said.code == 2
    assert "fetch-depth: 0" in said.text


def test_an_unknown_command(call: Call) -> None:
    """Exit code 2."""
    said = call("deplyo")

    quiet(said)
    assert said.code == 2


@pytest.mark.parametrize(
    ("flag", "value"), [("--timeout", "soon"), ("--target", "somewhere"), ("--context", "x")]
)
def test_a_flag_that_does_not_fit(
    repository: Repository, call: Call, flag: str, value: str
) -> None:
    """Exit code 2 naming the flag."""
    repository.commit(plain())

    said = call("diff", flag, value)

    quiet(said)
    assert (said.code, flag in said.text) == (2, True)
