"""Rendered manifests as files: their names, their content, their inventory, and what a survey is.

One format for directory and branch, as Argo CD and Flux read it: one file per object. The inventory
has a name which neither of them takes for a manifest. Pure: bytes come in, and go out.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from pipeline_gitops import documents, manifests
from pipeline_gitops.documents import Body, Json, text
from pipeline_gitops.errors import RefusedFault, UsageFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Member, Owner, Stamp, Version
from pipeline_gitops.manifests import Manifest, ManifestSet
from pipeline_gitops.plans import Change, Sight, Survey
from pipeline_gitops.views import Refusal

_T = TypeVar("_T")

INVENTORY = ".pipeline-gitops.inventory"

_FORMAT = 1
_LONGEST = 200  # bytes of one name; file systems end at 255
_UNNAMESPACED = "_no-namespace"  # "_" is encoded everywhere else, so no namespace is called that
_FIRST = ("apiVersion", "kind", "metadata")


# -- names and content -----------------------------------------------------------------------------


def inside(path: str) -> str:
    """*path* in its shortest form, "." for the root. Raises UsageFault when it leads elsewhere."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or any(part.lower() == ".git" for part in parts):
        raise UsageFault(
            f"{path}: a target's path lies inside the repository, and not in .git",
            "name a directory relative to the repository's root",
        )
    return "/".join(parts) or "."


def file_name(id: ObjectId) -> str:
    """The file of an object, relative to the target's path. A function of its identity alone."""
    folder = _encoded(id.namespace, id) if id.namespace else _UNNAMESPACED
    kind = f"{id.kind.lower()}.{id.group}" if id.group else id.kind.lower()
    return f"{folder}/{_encoded(f'{kind}-{id.name}', id, '.yaml')}"


def _encoded(name: str, id: ObjectId, suffix: str = "") -> str:
    """*name* in characters that no file system folds, refuses or hides."""
    raw = name.encode("utf-8", "surrogatepass")
    safe = re.sub(rb"[^a-z0-9.-]|^\.", lambda found: b"%%%02x" % found[0][0], raw)
    if len(safe) + len(suffix) > _LONGEST:
        digest = hashlib.sha256(repr(id).encode()).hexdigest()[:16]
        safe = safe[: _LONGEST - len(suffix) - 17] + b"~" + digest.encode()
    return safe.decode() + suffix


def content(body: Body) -> bytes:
    """The file's content. Equal bodies give equal bytes, in whatever order their keys came."""
    first = {key: body[key] for key in _FIRST if key in body}
    return documents.write([{**first, **documents.mapping(documents.ordered(body))}]).encode()


def wanted(change: Change) -> bytes | None:
    """What a change wants its file to hold; None for no file."""
    return content(change.sight.send.body) if change.sight.send else None


def version(present: bytes | None) -> Version:
    """What must still hold when a file is written."""
    return Version("" if present is None else hashlib.sha256(present).hexdigest())


# -- survey ----------------------------------------------------------------------------------------


def names(desired: ManifestSet, inventory: Inventory) -> frozenset[str]:
    """The files that a survey has to look at. All others are none of our business."""
    return frozenset(map(file_name, desired.ids | inventory.ids))


def survey(desired: ManifestSet, inventory: Inventory, present: Mapping[str, bytes]) -> Survey:
    """What is in the files, *present* by name, against what is wanted."""
    members = inventory.ids
    ours = frozenset(map(file_name, members))
    claimed: dict[str, ObjectId] = {}
    unchanged: set[ObjectId] = set()
    sights: list[Sight] = []
    for manifest in desired.manifests:
        name = file_name(manifest.id)
        first = claimed.setdefault(name, manifest.id)
        given = present.get(name)
        refusal = _clash(manifest.id, first) or _in_clear(manifest)
        if not refusal and manifest.id in members and _same(given, manifest):
            unchanged.add(manifest.id)
            continue
        before = None if given is None else _parsed(given, manifest.id)
        if not refusal and name not in ours and before == {}:
            refusal = _foreign(manifest.id, name)
        sights.append(
            Sight(
                id=manifest.id,
                before=before,
                after=manifest.body,
                send=manifest,
                version=version(given),
                refusal=refusal,
            )
        )
    orphans = {id: file_name(id) for id in members - desired.ids}
    pruned = {id: name for id, name in orphans.items() if name in present and name not in claimed}
    sights += [
        Sight(id=id, before=_parsed(present[name], id), version=version(present[name]))
        for id, name in pruned.items()
    ]
    return Survey(
        inventory=inventory,
        unchanged=frozenset(unchanged),
        sights=tuple(sorted(sights, key=lambda sight: sight.id)),
        gone=frozenset(orphans.keys() - pruned.keys()),
    )


def _same(given: bytes | None, manifest: Manifest) -> bool:
    # A checkout with core.autocrlf has changed nothing that anybody wrote.
    return given is not None and given.replace(b"\r\n", b"\n") == content(manifest.body)


def _parsed(given: bytes, id: ObjectId) -> Body:
    """The object of that identity in a file; empty when the file holds anything else."""
    read, _ = documents.read(given, file_name(id))
    if len(read) == 1 and _is(read[0].body, id):
        return read[0].body
    return {}


def _is(body: Body, id: ObjectId) -> bool:
    named = ObjectId(
        manifests.group_of(text(body, "apiVersion")),
        text(body, "kind"),
        text(body, "metadata", "namespace") or id.namespace,
        text(body, "metadata", "name"),
    )
    return named == id


def _clash(id: ObjectId, first: ObjectId) -> Refusal | None:
    if first == id:
        return None
    return Refusal(
        rule="file-name-taken",
        message=f"{id} would be written to the file of {first}",
        cure="rename one of them",
        id=id,
    )


def _in_clear(manifest: Manifest) -> Refusal | None:
    body = manifest.body
    if not manifests.is_secret(body):
        return None
    values = [value for value in manifests.secret_values(body) if value]
    # SOPS's metadata alone proves nothing about a value that was added beside it.
    if manifests.is_encrypted(body) and all(value.startswith("ENC[") for value in values):
        return None
    return Refusal(
        rule="secret-in-clear",
        message=f"{manifest.id} would be written into Git in clear",
        cure="encrypt it with SOPS, use a SealedSecret or an ExternalSecret instead, "
        "or deploy to a cluster target",
        id=manifest.id,
    )


def _foreign(id: ObjectId, name: str) -> Refusal:
    return Refusal(
        rule="file-not-ours",
        message=f"{name} is there already, is not in the inventory, and is not {id}",
        cure="move that file away, or give the target a path of its own",
        id=id,
    )


# -- inventory -------------------------------------------------------------------------------------


def write_inventory(inventory: Inventory) -> bytes:
    """The inventory file: JSON with a member a line, so that Git shows small differences."""
    claim = inventory.claim
    fields = {
        "format": str(_FORMAT),
        "owner": _json(
            {
                "environment": inventory.owner.environment,
                "repository": inventory.owner.repository,
            }
        ),
        "stamp": _json(_stamp_fields(inventory.stamp)),
        "claim": _json(_stamp_fields(claim.stamp if claim else None)),
        "claimed": _rows(_id_fields(id) for id in (sorted(claim.all) if claim else ())),
        "history": _rows(_stamp_fields(stamp) for stamp in inventory.history),
        **({"held": _json(inventory.held)} if inventory.held else {}),
        "members": _rows(_id_fields(id) for id in sorted(inventory.ids)),
    }
    lines = ",\n".join(f"{_json(name)}: {value}" for name, value in fields.items())
    return f"{{\n{lines}\n}}\n".encode()


def _json(value: object) -> str:
    return json.dumps(value)


def _rows(values: Iterable[object]) -> str:
    rows = ",\n".join(map(_json, values))
    return f"[\n{rows}\n]" if rows else "[]"


def _stamp_fields(stamp: Stamp | None) -> dict[str, str | int] | None:
    if stamp is None:
        return None
    return {"revision": stamp.revision, "sequence": stamp.sequence, "run": stamp.run_url}


def _id_fields(id: ObjectId) -> list[str]:
    return [id.group, id.kind, id.namespace, id.name]


def read_inventory(given: bytes | None, owner: Owner, file: str) -> Inventory:
    """The inventory in a file; an empty one when there is no file.

    Raises RefusedFault for one that is damaged, or somebody else's.
    """
    if given is None:
        return Inventory(owner=owner)
    try:
        found = _inventory(json.loads(given), version(given))
    except (ValueError, RecursionError):
        raise RefusedFault(
            f"the inventory {file} is damaged, or of a newer version of this program",
            "restore it from Git's history; or remove it, then delete by hand what is not wanted "
            "any more: files that hold a wanted object are taken over",
        ) from None
    if found.owner != owner:
        raise RefusedFault(
            f"the inventory {file} belongs to environment '{found.owner.environment}' "
            f"of {found.owner.repository}, not to '{owner.environment}' of {owner.repository}",
            "give this environment a path of its own; if it was only renamed, "
            "correct the owner in that file",
        )
    return found


def _inventory(value: Json, version: Version) -> Inventory:
    fields = _fields(value)
    if fields.get("format") != _FORMAT:
        raise ValueError("format")
    owner = _fields(fields.get("owner"))
    claim = _stamp(fields.get("claim"))
    return Inventory(
        owner=Owner(
            repository=_string(owner.get("repository")),
            environment=_string(owner.get("environment")),
        ),
        stamp=_stamp(fields.get("stamp")),
        members=tuple(Member(id=id) for id in sorted(_list(fields.get("members"), _id))),
        history=tuple(stamp for stamp in _list(fields.get("history"), _stamp) if stamp),
        claim=Claim(stamp=claim, ids=_list(fields.get("claimed"), _id)) if claim else None,
        held=_string(fields.get("held", "")),
        version=version,
    )


def _fields(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise ValueError("not an object")
    return value


def _string(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def _list(value: Json, item: Callable[[Json], _T]) -> tuple[_T, ...]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return tuple(map(item, value))


def _id(value: Json) -> ObjectId:
    group, kind, namespace, name = _list(value, _string)
    return ObjectId(group, kind, namespace, name)


def _stamp(value: Json) -> Stamp | None:
    if value is None:
        return None
    fields = _fields(value)
    sequence = fields.get("sequence")
    if not isinstance(sequence, int):
        raise ValueError("not a number")
    return Stamp(
        revision=_string(fields.get("revision")),
        sequence=sequence,
        run_url=_string(fields.get("run")),
    )
