"""Why an object is not written, in the words that people read, with what to do about it."""

from collections.abc import Sequence

from pipeline_gitops import hints
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kind
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.survey.immutables import NEVER_REPLACED
from pipeline_gitops.targets.cluster.survey.marks import Mark
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


def owned_elsewhere(id: ObjectId, target: str, mark: str, parent: str) -> Refusal:
    """An object that another inventory lists: two environments would fight over it.

    *parent*: the inventory's name and owner; "" where it cannot be found.
    """
    named = f"inventory {parent}," if parent else "another inventory"
    gone = f"; if that inventory is gone, remove the label {PART_OF} from it" if not parent else ""
    return Refusal(
        rule="owned-elsewhere",
        message=f"{id} belongs to {named} in {target} ({PART_OF}: {mark})",
        cure=f"take it out of the other environment first, or give it another name here{gone}",
        id=id,
    )


def kept_by(id: ObjectId, target: str, mark: Mark) -> Refusal:
    """An object of another tool, which would put it back at its next look."""
    return Refusal(
        rule="kept-by-another-tool",
        message=f"{id} is kept by {mark.tool} in {target} ({mark.key})",
        cure=f"take it out of {mark.tool} without deleting it and remove that mark; "
        f"or let this environment take over: policy.adoptFrom or --adopt-from {mark.word}",
        id=id,
    )


def hook_in_the_way(id: ObjectId, target: str) -> Refusal:
    """A hook that would have to be deleted before it runs again, and that nobody says is ours."""
    return Refusal(
        rule="hook-not-ours",
        message=f"{id} runs anew at each deploy, and {target} has one that is not from here",
        cure="delete it there, or give the hook another name",
        id=id,
    )


def undeletable(id: ObjectId, error: ApiError) -> Refusal:
    """An object that the server, a webhook or a policy would not let go."""
    return Refusal(
        rule="server-refused",
        message=f"{id} would not be deleted: {error.message}",
        cure='see what stands against it, or annotate it with pipeline-gitops.dev/keep: "true"',
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


def not_applicable(manifest: Manifest, target: str) -> Refusal:
    """An object of a kind that is only asked about, or whose own server knows no apply."""
    return Refusal(
        rule="not-applicable",
        message=f"{target} takes no server-side apply of {manifest.api_version} {manifest.id.kind}",
        cure="take it out of the environment: whatever serves that kind has to make it",
        id=manifest.id,
    )


def server_refused(manifest: Manifest, error: ApiError) -> Refusal:
    """An object that the server would not take."""
    return Refusal(
        rule="server-refused",
        message=f"{manifest.id}: {error.message}",
        cure=_cure(error, manifest.id),
        id=manifest.id,
    )


def _cure(error: ApiError, id: ObjectId) -> str:
    if error.ends_namespace:
        return f"wait until namespace {id.namespace} is gone, or deploy to another one"
    if error.exceeds_quota:
        return "raise the quota, or make room in it"
    if error.is_denied:
        return "do as the admission webhook says, or ask whoever runs it"
    if error.is_too_large:
        return "make it smaller, or split it: a cluster stores objects of up to 1.5 MiB"
    if any(words in error.message for words in _FIXED):
        return "it cannot change once it exists: give the object a new name, or delete it first"
    return "correct the manifest"


def too_large(id: ObjectId, size: int) -> Refusal:
    """An object that passes a dry run, and that the store would not take."""
    return Refusal(
        rule="too-large",
        message=f"{id} has {size / 1e6:.2f} MB: a cluster stores objects of up to 1.5 MiB",
        cure="make it smaller, or split it",
        id=id,
    )


def missing_requirement(id: ObjectId, missing: ObjectId, target: str) -> Refusal:
    """A workload that is taken, and whose pods never start."""
    return Refusal(
        rule="missing-requirement",
        message=f"{id} needs {missing}, which is neither in the set nor in {target}: "
        "its pods would never start",
        cure=f"add the {missing.kind} to the set, or correct its name",
        id=id,
    )


def leaving_requirement(id: ObjectId, leaving: ObjectId) -> Refusal:
    """A workload that names what the same deploy deletes."""
    return Refusal(
        rule="missing-requirement",
        message=f"{id} needs {leaving}, which the same deploy deletes",
        cure=f"keep the {leaving.kind} in the set, or let {id.name} name another one",
        id=id,
    )


def quota(id: ObjectId, excess: str) -> Refusal:
    """Objects that are taken one by one, and do not fit together."""
    return Refusal(
        rule="over-quota",
        message=f"{id}: {excess}",
        cure="raise the quota, or make room in it: what leaves the set is deleted last",
        id=id,
    )


def immutable(id: ObjectId, fields: Sequence[str]) -> Refusal:
    """An object of which a field would have to change that cannot."""
    said = f"{id}: {', '.join(fields)} cannot change once it exists"
    reason = NEVER_REPLACED.get(id.group_kind)
    if reason:
        said = f"{said}, and a {id.kind} is never replaced: {reason}"
        cure = "give it another name"
    else:
        cure = (
            "give it a new name; or let it be deleted and created anew, by the annotation "
            f'{hints.PREFIX}/replace: "true" or by policy.replace for objects deployed from here'
        )
    return Refusal(rule="immutable-field", message=said, cure=cure, id=id)


def in_use(id: ObjectId, fields: Sequence[str], user: str) -> Refusal:
    """An object that would have to be created anew, and that does not go while it is used."""
    return Refusal(
        rule="replacement-refused",
        message=f"{id}: {', '.join(fields)} cannot change, and it would not go: {user} uses it",
        cure="take away what uses it first, or give it another name",
        id=id,
    )


def replacement_refused(id: ObjectId, fields: Sequence[str], error: ApiError) -> Refusal:
    """An object that would have to be created anew, and that the server would not take then."""
    return Refusal(
        rule="replacement-refused",
        message=f"{id}: {', '.join(fields)} cannot change, and anew it is not taken: "
        f"{error.message}",
        cure=_cure(error, id),
        id=id,
    )
