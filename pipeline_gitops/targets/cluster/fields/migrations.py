"""Objects that were applied client-side: whose fields become ours, and what goes with that.

A client-side `kubectl apply` leaves an entry of operation Update in `managedFields`. After our own
apply it would stay a co-owner, and a field that is taken out of the manifest would stay for ever.
So its fields are moved into our entry before we apply, as `kubectl apply --server-side` does it
(https://pkg.go.dev/k8s.io/client-go/util/csaupgrade), and what is in no manifest any more goes.

The same goes for the *retired* managers, those of a tool whose object is taken over: else its next
change would meet an owner that nobody runs any more.
"""

import json
from collections.abc import Collection, Iterator

from pipeline_gitops.documents import Body, Json, mapping, text
from pipeline_gitops.manifests import LAST_APPLIED
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER
from pipeline_gitops.targets.cluster.fields import fieldsets
from pipeline_gitops.targets.cluster.fields.fieldsets import APPLY, NOTHING, UPDATE, FieldSet, Path

# All that these own came from a manifest, or is a default.
_WHOLE = frozenset({"kubectl-client-side-apply", "helm", FIELD_MANAGER})
# These own more than what was applied: an old kubectl whatever it was used for, and the server's
# stand-in all that was there before it knew owners, finalizers included.
_STAND_IN = "before-first-apply"
_PARTLY = frozenset({"kubectl", _STAND_IN})
LEGACY = _WHOLE | _PARTLY

NOBODY: frozenset[str] = frozenset()  # is retired

_LAST_APPLIED: Path = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")


def managers(live: Body, retired: Collection[str] = NOBODY) -> tuple[str, ...]:
    """Whose fields become ours."""
    entries = fieldsets.entries(live)
    found = {text(entry, "manager") for entry in entries if moving(entry, live, retired)}
    return tuple(sorted(found - {FIELD_MANAGER}))


def moved(live: Body, retired: Collection[str] = NOBODY) -> FieldSet:
    """All fields that become ours."""
    return NOTHING.union(*(moving(entry, live, retired) for entry in fieldsets.entries(live)))


def moving(entry: Body, live: Body, retired: Collection[str] = NOBODY) -> FieldSet:
    """The fields of one entry that become ours."""
    manager = text(entry, "manager")
    # `kubectl scale` goes by the same name, on a subresource: that was a person, not a manifest.
    if text(entry, "subresource"):
        return NOTHING
    is_legacy = manager in LEGACY and text(entry, "operation") == UPDATE
    if not (is_legacy or manager in retired):
        return NOTHING
    fields = fieldsets.parse(entry.get("fieldsV1"))
    if manager in _PARTLY:
        applied = _last_applied(live)
        # What we own as well, the server's stand-in owns for nobody.
        shared = fieldsets.owned(live, FIELD_MANAGER) if manager == _STAND_IN else NOTHING
        fields = frozenset(
            path
            for path in fields
            if path == _LAST_APPLIED or path in shared or fieldsets.has(applied, path)
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


def entries(live: Body, retired: Collection[str] = NOBODY) -> list[Json]:
    """The object's `managedFields` with those fields in our entry."""
    return list(_entries(live, retired))


def _entries(live: Body, retired: Collection[str]) -> Iterator[Body]:
    ours: Body = {
        "manager": FIELD_MANAGER,
        "operation": APPLY,
        "apiVersion": text(live, "apiVersion"),
        "fieldsType": "FieldsV1",
    }
    times = []
    for entry in fieldsets.entries(live):
        fields = moving(entry, live, retired)
        if _is_ours(entry):
            ours = entry
        elif not fields:
            yield entry
        else:
            times.append(text(entry, "time"))
            rest = fieldsets.parse(entry.get("fieldsV1")) - fields
            if rest:
                yield {**entry, "fieldsV1": fieldsets.write(rest)}
    union = fieldsets.owned(live, FIELD_MANAGER) | moved(live, retired)
    time = text(ours, "time") or max(times, default="")
    yield {**ours, "fieldsV1": fieldsets.write(union), **({"time": time} if time else {})}


def _is_ours(entry: Body) -> bool:
    return (
        text(entry, "manager") == FIELD_MANAGER
        and text(entry, "operation") == APPLY
        and not text(entry, "subresource")
    )


def kept(body: Body, live: Body, retired: Collection[str] = NOBODY) -> FieldSet:
    """What somebody owns of *body* once the fields have moved: what no apply removes.

    *body* is what the apply of the wanted object would make of *live*, with our new entry in it.
    """
    found: FieldSet = fieldsets.owned(body, FIELD_MANAGER)
    for entry in fieldsets.entries(body):
        if not _is_ours(entry):
            applied = {**body, "metadata": live.get("metadata")}
            found |= fieldsets.parse(entry.get("fieldsV1")) - moving(entry, applied, retired)
    return found


def released(live: Body, after: Body, retired: Collection[str] = NOBODY) -> FieldSet:
    """What goes with the apply, ours or moved: nobody wants it any more.

    A map or a field stays while somebody owns something in it; an item of a list goes when nobody
    owns the item itself (structured-merge-diff, merge/update.go, `prune`).
    """
    stays = kept(after, live, retired)
    above = {path[:length] for path in stays for length in range(1, len(path))}
    gone = (fieldsets.owned(live, FIELD_MANAGER) | moved(live, retired)) - stays
    return frozenset(path for path in gone if not (path[-1].startswith("f:") and path in above))


def foreseen(live: Body, after: Body, handed: FieldSet, retired: Collection[str] = NOBODY) -> Body:
    """*after* without what goes because it has become ours, and with what is handed over."""
    for path in sorted(handed):
        after = fieldsets.put(after, path, fieldsets.value(live, path))
    # What was ours before is gone from *after* already, or back with its default.
    going = (released(live, after, retired) & moved(live, retired)) - handed
    for path in sorted(going, reverse=True):
        after = fieldsets.without(after, path)
    return after


def notes(live: Body, retired: Collection[str] = NOBODY) -> tuple[str, ...]:
    """What a plan says of a migration."""
    found = managers(live, retired)
    if not found:
        return ()
    whence = "another tool" if set(found) & set(retired) else "client-side apply"
    annotation = _LAST_APPLIED in moved(live, retired)
    goes = ", its last-applied annotation goes" if annotation else ""
    return (f"migrated from {whence} ({', '.join(found)}){goes}",)
