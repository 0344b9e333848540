"""How fields change hands before an object is applied: handed over, and moved into our entry.

Each write carries what must still hold, changes nothing but owners, and may be repeated: a run that
is killed in between leaves an object that the next one plans the same way.
"""

from collections.abc import Collection

from pipeline_gitops.documents import Body, text
from pipeline_gitops.inventories import Version
from pipeline_gitops.plans import Change
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import Objects, version_of
from pipeline_gitops.targets.cluster.fields import handovers, migrations, owners
from pipeline_gitops.views import Action


def transfer(objects: Objects, resource: Resource, change: Change, version: Version) -> Version:
    """Makes the transfers that the plan showed; the version that the object has then.

    Where other fields would change hands than it showed, nothing does, and the version is that of
    the plan, which holds no more: the apply is stale.
    """
    before = change.sight.before
    # A prediction does not show what goes with a transfer, and a replaced object has no owners yet.
    if before is None or change.action is not Action.UPDATE or change.sight.predicted:
        return version
    handed = [o for o in change.sight.owners if o.decision == handovers.HANDED]
    if handed:
        body = handovers.body(before, handed)
        answer = objects.write(
            resource, change.id, body, version, force=False, manager=owners.HANDOVER
        )
        version = version_of(answer.body)
    retired = change.sight.retired
    moved = migrations.moved(before, retired)
    if not moved:
        return version
    live = before if version == change.sight.version else objects.read(resource, change.id)
    if live is None or version_of(live) != version:
        return change.sight.version
    found = migrations.moved(live, retired)
    if not found:  # an earlier try of ours has done it
        return version
    if found != moved:
        return change.sight.version
    # In the name of the hand-over: it is no deploy of the object, and sets nothing but its owners.
    patched = objects.patch(
        resource, change.id, _operations(live, retired), dry_run=False, manager=owners.HANDOVER
    )
    return version_of(patched)


def _operations(live: Body, retired: Collection[str]) -> list[Body]:
    """The patch of an object's owners. A version that is not the live one any more is refused."""
    metadata: Body = {
        "managedFields": migrations.entries(live, retired),
        "resourceVersion": text(live, "metadata", "resourceVersion"),
        "uid": text(live, "metadata", "uid"),
    }
    return [
        {"op": "replace", "path": f"/metadata/{key}", "value": value}
        for key, value in metadata.items()
    ]
