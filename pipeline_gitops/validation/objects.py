"""All objects of a set against the schemas of one Kubernetes version."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from pipeline_gitops import manifests
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.validation import fields, schemas, served
from pipeline_gitops.validation.catalog import Catalog
from pipeline_gitops.views import Finding, Severity

MOST = 20  # findings of one object


def validate(objects: Iterable[Manifest], catalog: Catalog, *, version: str) -> tuple[Finding, ...]:
    """What the API server of a Kubernetes version would not take, object by object.

    *version* is "1.34" or "1.34.2", "" for the newest known. A newer one is judged by the newest
    known, with a notice; an older one raises UsageFault. Custom kinds are left alone.
    """
    nearest = catalog.nearest(version)
    found = list(_notices(version, catalog, nearest))
    for manifest in objects:
        found += _of(manifest, catalog, nearest)
    return tuple(found)


def _notices(asked: str, catalog: Catalog, nearest: str) -> Iterator[Finding]:
    if catalog.is_older_than(asked):
        yield Finding(
            rule="kubernetes-version",
            message=f"Kubernetes {asked} is not known yet: checked against {nearest}",
            cure="a newer pipeline-gitops may know it",
            severity=Severity.NOTICE,
        )


def _of(manifest: Manifest, catalog: Catalog, version: str) -> list[Finding]:
    if not catalog.serves(manifest.api_version, manifest.id.kind, version):
        finding = served.unserved(manifest, catalog, version)
        return [finding] if finding else []
    name = catalog.names[manifest.api_version, manifest.id.kind]
    manifest = _as_sent(manifest)
    problems = schemas.problems(catalog, name, version, manifest.body)
    shown = [
        fields.finding(problem, manifest, catalog, name, version)
        for problem in islice(problems, MOST)
    ]
    shown.sort(key=lambda finding: (finding.place, finding.pointer, finding.message))
    rest = sum(1 for _ in problems)
    return [*shown, _more(manifest, rest)] if rest else shown


def _as_sent(manifest: Manifest) -> Manifest:
    """*manifest* without what decryption takes away before the server sees it."""
    if not (manifests.is_secret(manifest.body) and manifests.is_encrypted(manifest.body)):
        return manifest
    body = {key: value for key, value in manifest.body.items() if key != "sops"}
    return replace(manifest, body=body)


def _more(manifest: Manifest, rest: int) -> Finding:
    return Finding(
        rule="schema",
        message=f"and {rest} more in this object",
        cure="correct the first ones and look again",
        place=manifest.place,
        id=manifest.id,
    )
