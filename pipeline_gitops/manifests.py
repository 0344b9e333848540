"""Settled identities: which object a document means, and where its secrets sit.

`resolve` runs once, before anything uses an identity. It knows which kinds live in a namespace (the
packed table, the CustomResourceDefinitions of the same set, what the target serves) and which
namespace the environment falls back to.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from dataclasses import field

from pipeline_gitops.documents import Body, Document, at, mapping, text
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.kinds import Kind, Kinds
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding, Severity

# Written by client-side apply: holds a whole copy of the object, Secret data included.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Fields of metadata that only the server fills in; what was exported from a cluster holds them too.
SERVER_FIELDS = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)

# Annotations that a cluster target writes on live objects, never part of what somebody wants: which
# claim the last write was made under, and which claim an earlier run was fenced off by.
EPOCH = "pipeline-gitops.dev/epoch"
FENCE = "pipeline-gitops.dev/fence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A document with a settled identity. The body is what will be sent."""

    id: ObjectId
    body: Body = field(repr=False)
    document: Document = field(repr=False)

    @property
    def place(self) -> Place:
        """Where it stands in the rendered or source files."""
        return self.document.place

    @property
    def api_version(self) -> str:
        """Group and version as written."""
        return text(self.body, "apiVersion")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ManifestSet:
    """All objects that an environment wants, sorted by identity, each once. Equal to itself only:
    what follows from a set can so be remembered."""

    manifests: tuple[Manifest, ...] = ()
    namespace: str = ""  # where namespaced objects without one go; "" = left open

    @property
    def ids(self) -> frozenset[ObjectId]:
        """Identities of all manifests."""
        return frozenset(manifest.id for manifest in self.manifests)

    def get(self, id: ObjectId) -> Manifest | None:
        """The manifest of that identity."""
        return next((manifest for manifest in self.manifests if manifest.id == id), None)


def group_of(api_version: str) -> str:
    """The API group of "apps/v1", "" for the core's "v1"."""
    return api_version.rpartition("/")[0]


def id_of(body: Body, *, namespaced: bool, namespace: str = "") -> ObjectId:
    """Identity of an object; *namespace* is the fallback for one that names none."""
    return ObjectId(
        group_of(text(body, "apiVersion")),
        text(body, "kind"),
        (text(body, "metadata", "namespace") or namespace) if namespaced else "",
        text(body, "metadata", "name"),
    )


def defined_kinds(documents: Iterable[Document]) -> Kinds:
    """Kinds that the CustomResourceDefinitions among *documents* define."""
    return Kinds.of(
        Kind(
            group=text(document.body, "spec", "group"),
            kind=text(document.body, "spec", "names", "kind"),
            plural=text(document.body, "spec", "names", "plural"),
            namespaced=text(document.body, "spec", "scope") != "Cluster",
            versions=tuple(_versions(document.body)),
        )
        for document in documents
        if text(document.body, "kind") == "CustomResourceDefinition"
        and group_of(text(document.body, "apiVersion")) == "apiextensions.k8s.io"
    )


def _versions(crd: Body) -> Iterator[str]:
    versions = at(crd, "spec", "versions")
    if isinstance(versions, list):
        for version in versions:
            if at(version, "served") is not False:
                yield text(version, "name")


def resolve(
    documents: Iterable[Document], kinds: Kinds, namespace: str
) -> tuple[ManifestSet, tuple[Finding, ...]]:
    """The set with settled identities, and findings for objects that stand in it twice.

    A kind that nobody knows counts as namespaced, as most custom resources are.
    """
    documents = tuple(documents)
    known = defined_kinds(documents).over(kinds)
    manifests: dict[ObjectId, Manifest] = {}
    findings: list[Finding] = []
    for document in documents:
        manifest = _settle(document, known, namespace)
        first = manifests.setdefault(manifest.id, manifest)
        if first is not manifest:
            findings.append(_twice(first, manifest))
    ordered = tuple(manifests[id] for id in sorted(manifests))
    return ManifestSet(manifests=ordered, namespace=namespace), tuple(findings)


def _settle(document: Document, kinds: Kinds, namespace: str) -> Manifest:
    body = document.body
    kind = kinds.get(group_of(text(body, "apiVersion")), text(body, "kind"))
    namespaced = kind.namespaced if kind else True
    id = id_of(body, namespaced=namespaced, namespace=namespace)
    if text(body, "metadata", "namespace") != id.namespace:
        metadata = {**mapping(body, "metadata"), "namespace": id.namespace}
        if not id.namespace:
            del metadata["namespace"]
        body = {**body, "metadata": metadata}
    return Manifest(id=id, body=body, document=document)


def _twice(first: Manifest, second: Manifest) -> Finding:
    return Finding(
        rule="object-twice",
        message=f"{second.id} is defined twice, first at {first.place}",
        cure="remove one, or give it another name or namespace",
        place=second.document.locate("/metadata/name"),
        id=second.id,
    )


def is_secret(body: Body) -> bool:
    """Whether values of this object are secret: a Secret of the core group, however it is
    written."""
    return text(body, "kind") == "Secret" and not group_of(text(body, "apiVersion"))


def is_encrypted(body: Body) -> bool:
    """Whether a Secret's values are ciphertext (SOPS keeps its metadata beside them)."""
    return bool(text(body, "sops", "mac"))


def secret_values(body: Body) -> Iterator[str]:
    """Every value of a Secret as people would write it down, and as it stands in `data`."""
    if not is_secret(body):
        return
    for value in mapping(body, "stringData").values():
        if isinstance(value, str):
            yield value
    for value in mapping(body, "data").values():
        if isinstance(value, str):
            yield value
            try:
                yield base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                continue  # not base64, or binary: only its written form can show up in a text


def vanishes(body: Body) -> bool:
    """Whether Kubernetes deletes the object by itself once it is finished.

    https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/
    """
    is_job = (group_of(text(body, "apiVersion")), text(body, "kind")) == ("batch", "Job")
    return is_job and isinstance(at(body, "spec", "ttlSecondsAfterFinished"), int)


def ignored_status(set_: ManifestSet) -> tuple[Finding, ...]:
    """A notice for each kind of which some have a status: only a controller may say that."""
    having: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in set_.manifests:
        if manifest.body.get("status"):
            having.setdefault(manifest.id.group_kind, []).append(manifest)
    return tuple(
        Finding(
            rule="status-ignored",
            message=f"the status of {first.id}"
            + (f" and of {len(rest)} more {first.id.kind}" if rest else "")
            + " is ignored: only a controller may write it",
            cure="remove it from the manifest",
            severity=Severity.NOTICE,
            place=first.document.locate("/status"),
            pointer="/status",
            id=first.id,
        )
        for first, *rest in having.values()
    )


def unknown_scope(
    set_: ManifestSet, kinds: Kinds, documents: Iterable[Document]
) -> tuple[Finding, ...]:
    """A notice for each kind whose scope we had to assume."""
    known = defined_kinds(documents).over(kinds)
    missing: dict[tuple[str, str], Manifest] = {}
    for manifest in set_.manifests:
        if known.get(*manifest.id.group_kind) is None:
            missing.setdefault(manifest.id.group_kind, manifest)
    return tuple(
        Finding(
            rule="unknown-kind",
            message=f"{manifest.api_version} {manifest.id.kind} is not a known kind: "
            "taken as namespaced, not checked",
            cure="put its CustomResourceDefinition into the same set",
            severity=Severity.NOTICE,
            place=manifest.place,
            id=manifest.id,
        )
        for manifest in missing.values()
    )
