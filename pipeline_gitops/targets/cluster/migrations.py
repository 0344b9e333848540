"""Objects that were applied client-side: whose fields become ours, and what goes with that.

A client-side `kubectl apply` leaves an entry of operation Update in `managedFields`. After our own
apply it would stay a co-owner, and a field that is taken out of the manifest would stay for ever.
So its fields are moved into our entry before we apply, as `kubectl apply --server-side` does it
(https://pkg.go.dev/k8s.io/client-go/util/csaupgrade), and what is in no manifest any more goes.
"""

import json
from collections.abc import Iterator

from pipeline_gitops.documents import Body, Json, mapping, text
from pipeline_gitops.manifests import LAST_APPLIED
from pipeline_gitops.targets.cluster import fieldsets
from pipeline_gitops.targets.cluster.fieldsets import APPLY, NOTHING, UPDATE, FieldSet, Path
from pipeline_gitops.targets.cluster.objects import FIELD_MANAGER

# All that these own came from a manifest, or is a default.
_WHOLE = frozenset({"kubectl-client-side-apply", "helm", FIELD_MANAGER})
# These own more than what was applied: an old kubectl whatever it was used for, and the server's
# stand-in all that was there before it knew owners, finalizers included.
_PARTLY = frozenset({"kubectl", "before-first-apply"})
LEGACY = _WHOLE | _PARTLY

_LAST_APPLIED: Path = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")


def managers(live: Body) -> tuple[str, ...]:
    """Whose fields become ours."""
    found = {text(entry, "manager") for entry in fieldsets.entries(live) if moving(entry, live)}
    return tuple(sorted(found - {FIELD_MANAGER}))


def moved(live: Body) -> FieldSet:
    """All fields that become ours."""
    return NOTHING.union(*(moving(entry, live) for entry in fieldsets.entries(live)))


def moving(entry: Body, live: Body) -> FieldSet:
    """The fields of one entry that become ours."""
    manager = text(entry, "manager")
    # `kubectl scale` goes by the same name, on a subresource: that was a person, not a manifest.
    if text(entry, "operation") != UPDATE or text(entry, "subresource"):
        return NOTHING
    if manager not in LEGACY:
        return NOTHING
    fields = fieldsets.parse(entry.get("fieldsV1"))
    if manager in _PARTLY:
        applied = _last_applied(live)
        fields = frozenset(
            path for path in fields if path == _LAST_APPLIED or fieldsets.has(applied, path)
        )
    if text(entry, "apiVersion") != text(live, "apiVersion"):
        # The paths of another version hold where they lead to something.
        fields = frozenset(path for path in fields if fieldsets.has(live, path))
    return fields


def _last_applied(live: Body) -> Body:
    try:
        return mapping(json.loads(text(live, "metadata", "annotations", LAST_APPLIED)))
    except (ValueError, RecursionError):
        return {}


def entries(live: Body) -> list[Json]:
    """The object's `managedFields` with those fields in our entry."""
    return list(_entries(live))


def _entries(live: Body) -> Iterator[Body]:
    ours: Body = {
        "manager": FIELD_MANAGER,
        "operation": APPLY,
        "apiVersion": text(live, "apiVersion"),
        "fieldsType": "FieldsV1",
    }
    times = []
    for entry in fieldsets.entries(live):
        fields = moving(entry, live)
        if _is_ours(entry):
            ours = entry
        elif not fields:
            yield entry
        else:
            times.append(text(entry, "time"))
            rest = fieldsets.parse(entry.get("fieldsV1")) - fields
            if rest:
                yield {**entry, "fieldsV1": fieldsets.write(rest)}
    union = fieldsets.owned(live, FIELD_MANAGER) | moved(live)
    time = text(ours, "time") or max(times, default="")
    yield {**ours, "fieldsV1": fieldsets.write(union), **({"time": time} if time else {})}


def _is_ours(entry: Body) -> bool:
    return (
        text(entry, "manager") == FIELD_MANAGER
        and text(entry, "operation") == APPLY
        and not text(entry, "subresource")
    )


def kept(body: Body, live: Body) -> FieldSet:
    """What somebody owns of *body* once the fields have moved: what no apply removes.

    *body* is what the apply of the wanted object would make of *live*, with our new entry in it.
    """
    found: FieldSet = fieldsets.owned(body, FIELD_MANAGER)
    for entry in fieldsets.entries(body):
        if not _is_ours(entry):
            applied = {**body, "metadata": live.get("metadata")}
            found |= fieldsets.parse(entry.get("fieldsV1")) - moving(entry, applied)
    return found


def released(live: Body, after: Body) -> FieldSet:
    """What goes with the apply, ours or moved: nobody wants it any more.

    A map or a field stays while somebody owns something in it; an item of a list goes when nobody
    owns the item itself (structured-merge-diff, merge/update.go, `prune`).
    """
    stays = kept(after, live)
    above = {path[:length] for path in stays for length in range(1, len(path))}
    gone = (fieldsets.owned(live, FIELD_MANAGER) | moved(live)) - stays
    return frozenset(path for path in gone if not (path[-1].startswith("f:") and path in above))


def foreseen(live: Body, after: Body, handed: FieldSet) -> Body:
    """*after* without what goes because it has become ours, and with what is handed over."""
    for path in sorted(handed):
        after = fieldsets.put(after, path, fieldsets.value(live, path))
    # What was ours before is gone from *after* already, or back with its default.
    going = (released(live, after) & moved(live)) - handed
    for path in sorted(going, reverse=True):
        after = fieldsets.without(after, path)
    return after


def notes(live: Body) -> tuple[str, ...]:
    """What a plan says of a migration."""
    found = managers(live)
    if not found:
        return ()
    annotation = _LAST_APPLIED in moved(live)
    goes = ", its last-applied annotation goes" if annotation else ""
    return (f"migrated from client-side apply ({', '.join(found)}){goes}",)
