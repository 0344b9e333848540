"""The example application is one that we would let pass ourselves."""

import os
from pathlib import Path

import pytest

from pipeline_gitops import config, manifests, overlays
from pipeline_gitops.cli import session
from pipeline_gitops.config import Config, DirectorySpec, EngineSpec, Environment
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.ports import Rendered, Tree
from pipeline_gitops.validation import validate
from tests.golden.validation import update

SHOP = Path(__file__).resolve().parents[3] / "examples" / "shop"
NAMES = ("dev", "staging", "prod")


@pytest.fixture(scope="module")
def shop() -> Config:
    text = (SHOP / config.FILE).read_bytes()
    return config.parse(text, config.FILE, session.config_schema())


@pytest.fixture(scope="module")
def rendered(shop: Config) -> dict[str, Rendered]:
    renderer = overlays.Renderer(EngineSpec(), os.environ)
    chosen = [environment(shop, name).overlay for name in NAMES]
    return dict(zip(NAMES, renderer(chosen, Tree(str(SHOP))), strict=True))


def environment(shop: Config, name: str) -> Environment:
    found = shop.environment(name)
    assert found
    return found


def settled(rendered: Rendered) -> ManifestSet:
    return manifests.resolve(rendered.documents, update.KINDS, "")[0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("version", ["1.34", "1.35", "1.36", "1.37"])
def test_every_environment_is_valid(rendered: dict[str, Rendered], name: str, version: str) -> None:
    """Rendering says nothing, and neither does the validation."""
    set_ = settled(rendered[name])

    findings = (
        *rendered[name].findings,
        *validate(set_.manifests, update.CATALOG, version=version),
        *manifests.unknown_scope(set_, update.KINDS, rendered[name].documents),
    )

    assert findings == ()


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_lives_in_its_own_namespace(
    rendered: dict[str, Rendered], name: str
) -> None:
    """Which the environment brings along."""
    set_ = settled(rendered[name])

    assert {"", f"shop-{name}"} == {id.namespace for id in set_.ids}
    assert f"shop-{name}" in {id.name for id in set_.ids if id.kind == "Namespace"}


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_goes_to_a_directory_in_clear(
    shop: Config, rendered: dict[str, Rendered], name: str
) -> None:
    """A directory of rendered manifests is kept in Git."""
    bodies = [manifest.body for manifest in settled(rendered[name]).manifests]
    to_directory = isinstance(environment(shop, name).target, DirectorySpec)

    encrypted = [manifests.is_encrypted(body) for body in bodies if manifests.is_secret(body)]

    assert [to_directory] == encrypted
