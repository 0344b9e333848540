"""Why an object is not written, in the words that people read, with what to do about it."""

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kind
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.targets.cluster.apis import Resource
from pipeline_gitops.targets.cluster.marks import Mark
from pipeline_gitops.targets.cluster.statuses import ApiError
from pipeline_gitops.views import Refusal

PART_OF = "applyset.kubernetes.io/part-of"

# The server's words about fields that are fixed once an object exists.
_FIXED = (
    "field is immutable",
    "may not change once set",
    "cannot change roleRef",
    "may not be changed in an update",
    "updates to statefulset spec",
    "is immutable after creation",
    "pod updates may not change fields",
)


def terminating(id: ObjectId, target: str) -> Refusal:
    """An object that is being deleted: whatever is written would go with it."""
    return Refusal(
        rule="terminating",
        message=f"{id} is being deleted in {target}",
        cure="wait until it is gone, or see which finalizer holds it; then deploy again",
        id=id,
    )


def owned_elsewhere(id: ObjectId, target: str, mark: str) -> Refusal:
    """An object that another inventory lists: two environments would fight over it."""
    return Refusal(
        rule="owned-elsewhere",
        message=f"{id} belongs to another inventory in {target} ({PART_OF}: {mark})",
        cure="take it out of the other environment first, or give it another name here",
        id=id,
    )


def kept_by(id: ObjectId, target: str, mark: Mark) -> Refusal:
    """An object of another tool, which would put it back at its next look."""
    return Refusal(
        rule="kept-by-another-tool",
        message=f"{id} is kept by {mark.tool} in {target} ({mark.key})",
        cure=f"take it out of {mark.tool} without deleting it, remove that mark, then deploy again",
        id=id,
    )


def reserved_label(manifest: Manifest) -> Refusal:
    """A manifest with the label that only an inventory may set."""
    return Refusal(
        rule="reserved-label",
        message=f"{manifest.id} sets the label {PART_OF}",
        cure="remove that label from the manifest",
        id=manifest.id,
    )


def wrong_scope(id: ObjectId, resource: Resource, target: str) -> Refusal:
    """An object in a namespace whose kind has none, or the other way round."""
    scope = "lives in namespaces" if resource.kind.namespaced else "lives in no namespace"
    return Refusal(
        rule="wrong-scope",
        message=f"{id}: the kind {scope} in {target}",
        cure="correct metadata.namespace",
        id=id,
    )


def missing_namespace(id: ObjectId, target: str) -> Refusal:
    """An object whose namespace is neither there nor in the set."""
    return Refusal(
        rule="missing-namespace",
        message=f"{id}: there is no namespace {id.namespace} in {target}",
        cure=f"add the Namespace to the set, or run `kubectl create namespace {id.namespace}`",
        id=id,
    )


def unknown_kind(manifest: Manifest, known: Kind | None, target: str) -> Refusal:
    """An object of a kind or version that the cluster does not serve."""
    id = manifest.id
    if known and known.versions:
        cure = f"served are: {', '.join(known.versions)}"
    else:
        cure = "add its CustomResourceDefinition to the set, or install it; correct the apiVersion"
    return Refusal(
        rule="unknown-kind",
        message=f"{target} does not serve {manifest.api_version} {id.kind}",
        cure=cure,
        id=id,
    )


def server_refused(manifest: Manifest, error: ApiError) -> Refusal:
    """An object that the server would not take."""
    if any(words in error.message for words in _FIXED):
        cure = "it cannot change once it exists: give the object a new name, or delete it first"
    else:
        cure = "correct the manifest"
    return Refusal(
        rule="server-refused",
        message=f"{manifest.id}: {error.message}",
        cure=cure,
        id=manifest.id,
    )
