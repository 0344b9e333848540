"""The commands as people and pipelines use them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Repository, Said
from tests.cli.manifests import SECRET, config_map, kustomized, plain

Call = Callable[..., Said]
ROOT = Path(__file__).resolve().parents[2]


def test_environments_are_found_without_a_configuration(repository: Repository, call: Call) -> None:
    """With the rule that found them."""
    repository.commit(kustomized())

    said = call("environments")

    assert said.code == 0
    assert "staging" in said.out
    assert "deploy/overlays/prod" in said.out
    assert "kustomization that no other one names" in said.out
    assert "base" not in said.out.replace("deploy/base", "")


def test_init_writes_down_what_it_finds(repository: Repository, call: Call) -> None:
    """The configuration it writes is read back, and is not replaced by accident."""
    repository.commit(kustomized())

    first, again, listed = call("init"), call("init"), call("environments")

    assert (first.code, again.code, listed.code) == (0, 2, 0)
    assert ".pipeline-gitops.yaml:" in listed.out


def test_validate_needs_no_repository_for_files(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are checked wherever they lie."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(config_map())
    (tmp_path / "b.yaml").write_text(config_map() + "dta: {}\n")

    good, bad = call("validate", "a.yaml"), call("validate", "b.yaml")

    assert (good.code, bad.code) == (0, 3)
    assert "b.yaml:7" in bad.out
    assert "did you mean 'data'?" in bad.out


def test_an_error_in_an_overlay_points_at_its_source(repository: Repository, call: Call) -> None:
    """Not at the rendered text: at the file and line that a person can correct."""
    files = kustomized()
    files["deploy/base/settings.yaml"] += "dta: {}\n"
    repository.commit(files)

    said = call("validate", "--environment", "prod")

    assert said.code == 3
    assert "deploy/base/settings.yaml:7" in said.out


def test_render_prints_the_overlay_with_masked_secrets(repository: Repository, call: Call) -> None:
    """A log is read by many; the file of --output only by its owner."""
    repository.commit(plain() | {"deploy/secret.yaml": SECRET})

    said, written = call("render"), call("render", "--output", "all.yaml")

    assert (said.code, written.code) == (0, 0)
    assert "greeting: hello" in said.out
    assert "hunter2" not in said.text
    path = repository.root / "all.yaml"
    assert "hunter2hunter2" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_diff_against_base_needs_no_target(repository: Repository, call: Call) -> None:
    """It compares two renders."""
    repository.commit(kustomized())
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit({"deploy/base/settings.yaml": config_map(greeting="welcome")})

    said = call("diff", "--against", "base", "--environment", "prod")
    coded = call("diff", "--against", "base", "--environment", "prod", "--exit-code")

    assert (said.code, coded.code) == (0, 10)
    assert "-  greeting: hello" in said.out
    assert "+  greeting: welcome" in said.out


def test_deploy_then_diff_then_deploy_again(repository: Repository, call: Call) -> None:
    """Written, then nothing left to do."""
    repository.commit(plain())

    before = call("diff", "--exit-code")
    first = call("deploy")
    after = call("diff", "--exit-code")
    second = call("deploy")

    assert (before.code, first.code, after.code, second.code) == (10, 0, 0, 0)
    assert (repository.root / "rendered").is_dir()
    assert "written" in first.out
    assert "healthy" not in first.out
    assert "no change" in second.out.lower()


def test_the_report_follows_its_schema(repository: Repository, call: Call) -> None:
    """What other tools may rely on."""
    import jsonschema

    repository.commit(plain())
    schema = json.loads((Path(__file__).parents[2] / "schemas" / "report.schema.json").read_text())

    said = call("deploy", "--report", "json=report.json", "--report", "markdown=note.md")

    report = json.loads((repository.root / "report.json").read_text())
    jsonschema.validate(report, schema)
    assert (said.code, report["verdict"], report["exitCode"]) == (0, "ok", 0)
    assert [change["action"] for change in report["environments"][0]["changes"]] == ["create"]
    assert (repository.root / "note.md").read_text().startswith("###")


def test_config_show_tells_where_each_value_comes_from(
    repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag, environment, file, default."""
    repository.commit(plain())
    monkeypatch.setenv("PIPELINE_GITOPS_TIMEOUT", "5m")

    said = call("config", "show", "--origin", "--kubernetes-version", "1.34")

    rows = {line.split()[0]: line for line in said.out.splitlines() if line.split()}
    assert said.code == 0
    assert "flag --kubernetes-version" in rows["kubernetesVersion"]
    assert "environment PIPELINE_GITOPS_TIMEOUT" in rows["prod.policy.timeout"]
    assert ".pipeline-gitops.yaml:4" in rows["prod.path"]
    assert "default" in rows["prod.policy.prune"]


def test_config_show_tells_the_whole_policy(repository: Repository, call: Call) -> None:
    """Also what no file says, and the tool that only a flag allows."""
    text = (
        "version: 1\nenvironments:\n  prod:\n    path: deploy\n    policy:\n"
        "      retry: 5s\n      scope:\n        namespaces: [shop, 'shop-*']\n"
        "      fieldOwners:\n      - {manager: old, decision: take}\n"
    )
    repository.commit({".pipeline-gitops.yaml": text, "deploy/settings.yaml": config_map()})

    said = call("config", "show", "--origin", "--adopt-from", "helm")

    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in said.out.splitlines()}
    assert rows["prod.policy.retry"] == "5s .pipeline-gitops.yaml:6:14"
    assert rows["prod.policy.scope.namespaces"].startswith("shop, shop-* .pipeline-gitops.yaml:8")
    assert rows["prod.policy.scope.clusterKinds"] == "every one default"
    assert rows["prod.policy.adoptFrom"] == "helm flag --adopt-from"
    assert rows["prod.policy.fieldOwners"].startswith("take * of old .pipeline-gitops.yaml:10")
    assert rows["prod.policy.objectTimeout"] == "the whole timeout default"


def test_config_show_leaves_no_setting_out(repository: Repository, call: Call) -> None:
    """Whoever asks what is in force is not to read the code for the rest."""
    repository.commit(plain())
    schema = json.loads((ROOT / "schemas/config.schema.json").read_text())

    said = call("config", "show")

    shown = [line.split()[0] for line in said.out.splitlines()[1:]]
    environment, policy = (schema["$defs"][one]["properties"] for one in ("environment", "policy"))
    wanted = [f"prod.{key}" for key in environment if key != "policy"]
    wanted += [f"prod.policy.{key}" for key in policy]
    assert [
        key for key in wanted if not any(f"{one}.".startswith(f"{key}.") for one in shown)
    ] == []


@pytest.mark.parametrize("flag", ["rollback", "binding"])
def test_config_show_tells_what_the_environment_of_the_job_sets(
    flag: str, repository: Repository, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As every command does that deploys."""
    repository.commit(plain())
    monkeypatch.setenv(f"PIPELINE_GITOPS_{flag.upper()}", "off")

    said = call("config", "show", "--origin")

    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines()}
    assert rows[f"prod.policy.{flag}"] == ["off", "environment", f"PIPELINE_GITOPS_{flag.upper()}"]


@pytest.mark.parametrize("command", ["environments", "init"])
def test_manifests_that_no_environment_renders_are_named(
    command: str, repository: Repository, call: Call
) -> None:
    """Kustomizations found, the plain folders beside them would be missed without a word."""
    files = {"tools/cron.yaml": config_map(), "docs/a.yaml": "hello: world\n"}
    taken = {
        "deploy/base/kustomization.yaml": "resources: [settings.yaml, ../../shared/a.yaml]\n",
        "shared/a.yaml": config_map("shared"),
    }
    repository.commit(kustomized() | files | taken)

    said = call(command)

    assert "manifests that none of them renders: tools\n" in said.err


def test_init_says_what_comes_next(repository: Repository, call: Call) -> None:
    """The file is not finished: no environment has a target yet."""
    repository.commit(kustomized())

    said = call("init")

    assert "give each a target" in said.err


def test_permissions_of_an_environment_without_a_target(repository: Repository, call: Call) -> None:
    """What is missing is named, and how to go on."""
    repository.commit(kustomized())

    said = call("permissions", "--environment", "prod")

    assert said.code == 2
    assert "environment prod has no target" in said.err
    assert "--target cluster" in said.err


@pytest.mark.parametrize(
    ("begun", "offered"),
    [("pr", ["prod"]), ("", ["prod", "staging"]), ("prod,s", ["prod,staging"]), ("x", [])],
)
def test_a_shell_completes_environments(
    begun: str, offered: list[str], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a list with commas."""
    repository.commit(kustomized())

    assert completed(f"pipeline-gitops deploy --environment {begun}", monkeypatch) == offered


def test_a_shell_is_told_nothing_where_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside of a repository no traceback runs through the prompt."""
    monkeypatch.chdir(tmp_path)

    assert completed("pipeline-gitops deploy --environment ", monkeypatch) == []


def completed(line: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the shell offers for the last word of a line."""
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_PIPELINE_GITOPS_COMPLETE", "bash_complete")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline_gitops"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [word.removeprefix("plain,") for word in done.stdout.split()]


def test_a_tool_that_nobody_knows(repository: Repository, call: Call) -> None:
    """A misspelt tool would silently allow nothing."""
    repository.commit(plain())

    said = call("diff", "--adopt-from", "argo")

    assert (said.code, "did you mean 'argocd'?" in said.text) == (2, True)


def test_a_planted_secret_is_in_no_output(repository: Repository, call: Call) -> None:
    """Terminal, note, JSON, render: every output of every command."""
    outputs = []
    repository.commit(plain() | {"deploy/secret.yaml": SECRET})
    repository.git("checkout", "--quiet", "-b", "feature")
    changed = SECRET.replace("hunter2hunter2", "hunter3hunter3") + "  extra: hunter4hunter4\n"
    repository.commit({"deploy/secret.yaml": changed})

    for command in (
        ("validate",),
        ("render",),
        ("diff",),
        ("diff", "--against", "base"),
        ("deploy",),
        ("run",),
    ):
        reports = ("--report", "json=out.json", "--report", "markdown=out.md")
        outputs.append(call(*command, *reports).text)
        outputs += [(repository.root / name).read_text() for name in ("out.json", "out.md")]

    for text in outputs:
        for planted in ("hunter2", "hunter3", "hunter4", "aHVudGVy"):
            assert planted not in text
