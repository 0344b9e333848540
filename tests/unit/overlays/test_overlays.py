"""Finding environments, rendering them, and telling what went wrong."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline_gitops import overlays
from pipeline_gitops.config import Engine, EngineSpec, Overlay
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.overlays import Renderer, closures, kustomize
from pipeline_gitops.ports import Rendered, Tree

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
KUSTOMIZATION = "resources: [a.yaml]\n"


def files(root: Path, names: Mapping[str, str]) -> str:
    for name, text in names.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def found(root: str) -> dict[str, str]:
    return {env.name: env.overlay.path for env in overlays.discover(root)}


def test_kustomizations_that_no_other_one_names_are_environments(tmp_path: Path) -> None:
    """Named after their path below overlays, envs, environments or clusters."""
    root = files(
        tmp_path,
        {
            "app/base/kustomization.yaml": "",
            "app/overlays/prod/kustomization.yaml": "resources: [../../base]\n",
            "app/overlays/eu/prod/kustomization.yaml": "resources: [../../../base]\n",
            "app/part/kustomization.yaml": "kind: Component\n",
            "environments/qa/Kustomization": "resources: [../../app/overlays/qa]\n",
            "app/overlays/qa/kustomization.yml": "",
        },
    )

    assert found(root) == {
        "prod": "app/overlays/prod",
        "eu-prod": "app/overlays/eu/prod",
        "qa": "environments/qa",
    }


def test_names_that_clash_are_told_apart_by_their_application(tmp_path: Path) -> None:
    """Two applications may both have a prod."""
    root = files(
        tmp_path,
        {
            "api/overlays/prod/kustomization.yaml": "namespace: api\n",
            "web/overlays/prod/kustomization.yaml": "namespace: web\n",
        },
    )

    assert found(root) == {"api-prod": "api/overlays/prod", "web-prod": "web/overlays/prod"}


def test_without_kustomizations_folders_with_manifests_are_environments(tmp_path: Path) -> None:
    """The topmost ones: a plain folder is rendered with all below it."""
    root = files(
        tmp_path,
        {
            "deploy/a.yaml": CONFIG_MAP,
            "deploy/more/b.yaml": CONFIG_MAP,
            "docs/settings.yaml": "not: a manifest\n",
            ".github/workflows/w.yaml": CONFIG_MAP,
            "node_modules/x/a.yaml": CONFIG_MAP,
        },
    )

    environments = overlays.discover(root)

    assert [(env.overlay.path, env.overlay.engine) for env in environments] == [
        ("deploy", Engine.DIRECTORY)
    ]


def render(root: str, path: str, spec: EngineSpec = EngineSpec()) -> Rendered:  # noqa: B008
    (rendered,) = Renderer(spec, {"PATH": os.environ["PATH"]})([Overlay(path=path)], Tree(root))
    return rendered


def test_kustomize_is_the_real_one_and_says_its_version(tmp_path: Path) -> None:
    """What the report names is what `kubectl kustomize` would give."""
    root = files(tmp_path, {"o/kustomization.yaml": KUSTOMIZATION, "o/a.yaml": CONFIG_MAP})

    rendered = render(root, "o")

    assert len(rendered.documents) == 1
    assert rendered.engine.startswith("kustomize 5.")


def test_a_folder_without_kustomization_is_read_with_all_below_it(tmp_path: Path) -> None:
    """In a stable order, hidden folders left out."""
    root = files(
        tmp_path,
        {"o/b/b.yaml": CONFIG_MAP, "o/a.yml": CONFIG_MAP, "o/.git/c.yaml": CONFIG_MAP},
    )

    rendered = render(root, "o")

    assert [document.place.file for document in rendered.documents] == ["o/a.yml", "o/b/b.yaml"]
    assert rendered.engine == "plain directory"


def test_an_engine_that_does_not_run_is_a_usage_error(tmp_path: Path) -> None:
    """Named by the configuration, and not there."""
    root = files(tmp_path, {"o/kustomization.yaml": ""})

    with pytest.raises(UsageFault):
        render(root, "o", EngineSpec(kustomize="/nowhere/kustomize"))


def test_a_repository_does_not_bring_its_own_engine(tmp_path: Path) -> None:
    """A merge request would otherwise run a program of its own in its job."""
    ran = tmp_path / "ran"
    root = files(tmp_path / "r", {"o/kustomization.yaml": ""})
    program = tmp_path / "r" / "kustomize"
    program.write_text(f"#!/bin/sh\ntouch {ran}\necho v9.9.9\n")
    program.chmod(0o755)

    with pytest.raises(UsageFault, match="a file of the repository"):
        render(root, "o", EngineSpec(kustomize="./kustomize"))

    assert not ran.exists()


def test_an_engine_never_sees_a_token(tmp_path: Path) -> None:
    """Its environment holds a PATH and nothing of the job."""
    shown = tmp_path / "environment"
    engine = tmp_path / "kustomize"
    engine.write_text(f"#!/bin/sh\nenv > {shown}\necho v9.9.9\n")
    engine.chmod(0o755)
    root = files(tmp_path / "r", {"o/kustomization.yaml": ""})
    environ = {
        "PATH": os.environ["PATH"],
        "GITHUB_TOKEN": "planted-token-123",
        "PIPELINE_GITOPS_KUSTOMIZE": str(engine),
    }

    Renderer(EngineSpec(), environ)([Overlay(path="o")], Tree(root))

    assert "planted-token" not in shown.read_text()


@pytest.mark.parametrize(
    "entry",
    [
        "https://127.0.0.1/base",
        "http://127.0.0.1/a.yaml",
        "git@github.com:acme/x.git",
        "ssh://git@127.0.0.1/x",
        "git::https://127.0.0.1/x",
        "github.com/acme/x//base?ref=v1",
        "file:///etc/passwd",
    ],
)
def test_what_lies_on_another_machine_is_not_fetched(tmp_path: Path, entry: str) -> None:
    """Found before the engine runs, with its line."""
    root = files(tmp_path, {"o/kustomization.yaml": f"resources:\n- {entry}\n"})

    rendered = render(root, "o")

    assert [(finding.rule, str(finding.place)) for finding in rendered.findings] == [
        ("remote-base", "o/kustomization.yaml:2:3")
    ]


def test_a_closure_holds_every_file_that_a_kustomization_names(tmp_path: Path) -> None:
    """Resources, patches, generators, through all bases."""
    root = files(
        tmp_path,
        {
            "o/kustomization.yaml": (
                "resources: [../base]\npatches: [{path: p.yaml}]\n"
                "configMapGenerator: [{name: c, files: [key=f.txt], envs: [e.env]}]\n"
            ),
            "base/kustomization.yaml": KUSTOMIZATION,
        },
    )

    closure = closures.closure(root, "o")

    assert set(closure.files) == {
        "o/kustomization.yaml",
        "o/p.yaml",
        "o/f.txt",
        "o/e.env",
        "base/kustomization.yaml",
        "base/a.yaml",
    }


@pytest.mark.parametrize(
    "stderr",
    [
        "Error: invalid literal source hunter2hunter2, expected key=value",
        'Error: json: cannot unmarshal {"kind":"Secret","data":"hunter2hunter2"}',
        "Error: trouble configuring builtin PatchTransformer with config: `patch: hunter2hunter2`",
        "Error: something new: hunter2hunter2",
    ],
)
def test_of_the_engines_words_only_names_pass(stderr: str) -> None:
    """It echoes objects and patches, Secret data included."""
    finding = kustomize.failure(stderr, "/root", "o")

    assert "hunter2" not in finding.message + finding.cure
