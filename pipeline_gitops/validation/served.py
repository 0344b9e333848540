"""Objects of a group that is Kubernetes' own, in a version or of a kind that it does not serve."""

import difflib

from pipeline_gitops.manifests import Manifest, group_of
from pipeline_gitops.validation.catalog import Catalog
from pipeline_gitops.views import Finding

# The only group that was gone before the oldest packed version (1.22).
_GONE_GROUP = "extensions"
# What kustomize calls its own transformers; they end up in no cluster.
_KUSTOMIZE = "builtin"
# Kinds that were gone before the oldest packed version, and what does their work.
_GONE_KINDS = {
    "PodSecurityPolicy": "remove it, and label the namespace for Pod Security admission",
}


def unserved(manifest: Manifest, catalog: Catalog, version: str) -> Finding | None:
    """What is wrong with the apiVersion or kind; None for a kind of somebody else's."""
    api_version, kind = manifest.api_version, manifest.id.kind
    if api_version == _KUSTOMIZE or not _is_builtin(manifest.id.group, catalog):
        return None
    if kind in _GONE_KINDS:
        return _finding(manifest, "api-removed", "/apiVersion", version, _GONE_KINDS[kind])
    elsewhere = _serving(manifest, catalog, version)
    first = _first_serving(manifest, catalog)
    if first and first not in catalog.versions[: catalog.versions.index(version)]:
        use = f"use {elsewhere}" if elsewhere else "remove it"
        return Finding(
            rule="unknown-kind-version",
            message=f"Kubernetes {version} has no {api_version} {kind} yet: it comes with {first}",
            cure=f"{use}, or set kubernetesVersion to what the cluster runs",
            place=manifest.document.locate("/apiVersion"),
            pointer="/apiVersion",
            id=manifest.id,
        )
    if elsewhere:
        # No stable version of a built-in kind was ever taken away.
        rule = "api-removed" if _is_prerelease(api_version) else "unknown-kind-version"
        return _finding(manifest, rule, "/apiVersion", version, f"use apiVersion {elsewhere}")
    if first:
        return _finding(manifest, "api-removed", "/apiVersion", version, "remove it")
    meant = _meant(manifest, catalog, version)
    cure = f"did you mean '{meant}'?" if meant else "correct apiVersion and kind"
    return _finding(manifest, "unknown-kind-version", "/kind", version, cure)


def _finding(manifest: Manifest, rule: str, pointer: str, version: str, cure: str) -> Finding:
    return Finding(
        rule=rule,
        message=f"Kubernetes {version} serves no {manifest.api_version} {manifest.id.kind}",
        cure=cure,
        place=manifest.document.locate(pointer),
        pointer=pointer,
        id=manifest.id,
    )


def _is_builtin(group: str, catalog: Catalog) -> bool:
    return group == _GONE_GROUP or any(
        group_of(api_version) == group for api_version, _ in catalog.names
    )


def _is_prerelease(api_version: str) -> bool:
    return "alpha" in api_version or "beta" in api_version


def _serving(manifest: Manifest, catalog: Catalog, version: str) -> str:
    """The best apiVersion that serves the same kind: of the same group first, then stable ones."""
    serving = [
        api_version
        for api_version, kind in catalog.names
        if kind == manifest.id.kind and catalog.serves(api_version, kind, version)
    ]

    def rank(api_version: str) -> tuple[bool, bool, bool, str]:
        return (
            group_of(api_version) != manifest.id.group,
            "alpha" in api_version,
            "beta" in api_version,
            api_version,
        )

    return min(serving, key=rank, default="")


def _first_serving(manifest: Manifest, catalog: Catalog) -> str:
    """The first packed Kubernetes version that serves exactly this, or ""."""
    wanted = (manifest.api_version, manifest.id.kind)
    return next((version for version in catalog.versions if catalog.serves(*wanted, version)), "")


def _meant(manifest: Manifest, catalog: Catalog, version: str) -> str:
    kinds = sorted(
        {
            kind
            for api_version, kind in catalog.names
            if group_of(api_version) == manifest.id.group
            and catalog.serves(api_version, kind, version)
        }
    )
    return next(iter(difflib.get_close_matches(manifest.id.kind, kinds, n=1)), "")
