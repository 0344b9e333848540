"""The inventory in the cluster: a ConfigMap that is also an ApplySet parent.

`kubectl` can read which objects belong to it (https://kep.k8s.io/3659); our own records (stamp,
receipts, claim, history) lie compressed in `binaryData`, where a thousand members take 45 kB. It is
written by compare-and-swap only.
"""

import base64
import binascii
import hashlib
import json
import re
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import replace

from pipeline_gitops import __version__
from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.documents import Body, Json, at, mapping, text
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Member, Owner, Receipt, Stamp, Version
from pipeline_gitops.kinds import Kind
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster.apis import Resource
from pipeline_gitops.targets.cluster.objects import Objects, version_of
from pipeline_gitops.targets.cluster.statuses import ApiError

FORMAT = 1
TOOL = "pipeline-gitops"
LONGEST_NAME = 63

_SET = "applyset.kubernetes.io"
_OURS = "pipeline-gitops.dev"
_KEY = "inventory"
_CONFIG_MAPS = Resource(
    Kind(group="", kind="ConfigMap", plural="configmaps", namespaced=True, versions=("v1",)), "v1"
)


def parent_id(spec: ClusterSpec, owner: Owner) -> ObjectId:
    """The ConfigMap that holds an environment's inventory."""
    name = spec.inventory_name or _name(owner)
    return ObjectId("", "ConfigMap", spec.inventory_namespace or spec.namespace, name)


def _name(owner: Owner) -> str:
    wanted = f"{TOOL}-{owner.repository}-{owner.environment}"
    name = re.sub(r"[^a-z0-9-]", "-", wanted.lower()).strip("-")
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9].rstrip('-')}-{digest}"


def set_id(parent: ObjectId) -> str:
    """The ApplySet's id, by the formula of its specification; its members carry it as a label."""
    named = f"{parent.name}.{parent.namespace}.{parent.kind}.{parent.group}"
    digest = hashlib.sha256(named.encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


class Parent:
    """The inventory's ConfigMap."""

    def __init__(self, objects: Objects, id: ObjectId, owner: Owner) -> None:
        self._objects = objects
        self._id = id
        self._owner = owner

    @property
    def id(self) -> ObjectId:
        """Its identity."""
        return self._id

    def read(self) -> Inventory:
        """The inventory, an empty one where there is none yet.

        Raises RefusedFault for a ConfigMap that is not this environment's inventory.
        """
        live = self._objects.read(_CONFIG_MAPS, self._id)
        if live is None:
            return Inventory(owner=self._owner)
        tooling = text(live, "metadata", "annotations", f"{_SET}/tooling")
        if tooling.partition("/")[0] != TOOL:
            raise RefusedFault(
                f"{self._id} is there, but is no inventory of ours"
                + (f": {tooling} manages it" if tooling else ""),
                "name another one: target.cluster.inventory.name",
            )
        inventory = self._decoded(live)
        if inventory.owner != self._owner:
            theirs, mine = inventory.owner, self._owner
            raise RefusedFault(
                f"{self._id} is the inventory of environment '{theirs.environment}' of "
                f"{theirs.repository}, not of '{mine.environment}' of {mine.repository}",
                "give this environment a namespace or target.cluster.inventory.name of its own",
            )
        return replace(inventory, version=version_of(live))

    def _decoded(self, live: Body) -> Inventory:
        try:
            return _inventory(_unpacked(live))
        except (binascii.Error, zlib.error, ValueError, TypeError, KeyError, RecursionError):
            raise RefusedFault(
                f"{self._id} is damaged, or of a newer version of this program",
                "use that version; or delete the ConfigMap: wanted objects are then taken over, "
                "objects that are not wanted any more must be deleted by hand",
            ) from None

    def write(self, inventory: Inventory, expected: Version) -> Version:
        """Writes the inventory where *expected* still stands; the version that stands then.

        Raises Stale where somebody else wrote meanwhile.
        """
        mark = secrets.token_hex(8)  # knows our own write again, if its answer is lost
        body = self._encoded(inventory, mark)
        try:
            # Force: what `read` accepted is ours as a whole, whoever touched an annotation of it.
            answer = self._objects.write(_CONFIG_MAPS, self._id, body, expected, force=True)
        except ApiError as error:
            if error.misses_namespace or not error.is_stale:
                raise
            live = self._objects.read(_CONFIG_MAPS, self._id)
            if error.repeated and live is not None and _mark(live) == mark:
                return version_of(live)
            raise Stale from None
        return version_of(answer.body)

    def _encoded(self, inventory: Inventory, mark: str) -> Body:
        ids = inventory.ids
        namespaces = {id.namespace for id in ids} - {"", self._id.namespace}
        kinds = {f"{id.kind}.{id.group}" if id.group else id.kind for id in ids}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self._id.name,
                "namespace": self._id.namespace,
                "labels": {f"{_SET}/id": set_id(self._id)},
                "annotations": {
                    f"{_SET}/tooling": f"{TOOL}/{__version__}",
                    f"{_SET}/contains-group-kinds": ",".join(sorted(kinds)),
                    f"{_SET}/additional-namespaces": ",".join(sorted(namespaces)),
                    f"{_OURS}/repository": self._owner.repository,
                    f"{_OURS}/environment": self._owner.environment,
                    f"{_OURS}/revision": inventory.stamp.revision if inventory.stamp else "",
                },
            },
            "binaryData": {_KEY: packed(inventory, mark)},
        }


# -- what lies in binaryData -----------------------------------------------------------------------


def packed(inventory: Inventory, mark: str) -> str:
    """The inventory as binaryData holds it. *mark* knows one write from another alike."""
    claim = inventory.claim
    fields = {
        "format": FORMAT,
        "mark": mark,
        "owner": [inventory.owner.repository, inventory.owner.environment],
        "stamp": _stamp_row(inventory.stamp) if inventory.stamp else None,
        "claim": [_stamp_row(claim.stamp), [_id_row(id) for id in claim.ids]] if claim else None,
        "history": [_stamp_row(stamp) for stamp in inventory.history],
        "members": [[*_id_row(member.id), member.receipt] for member in inventory.members],
    }
    small = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)
    return base64.b64encode(small).decode()


def _stamp_row(stamp: Stamp) -> list[str | int]:
    return [stamp.revision, stamp.sequence, stamp.run_url]


def _id_row(id: ObjectId) -> list[str]:
    return [id.group, id.kind, id.namespace, id.name]


def _unpacked(live: Body) -> Body:
    small = base64.b64decode(text(live, "binaryData", _KEY), validate=True)
    fields: Json = json.loads(zlib.decompress(small))
    if at(fields, "format") != FORMAT:
        raise ValueError("format")
    return mapping(fields)


def _mark(live: Body) -> str:
    return text(_unpacked(live), "mark")


def _inventory(fields: Body) -> Inventory:
    repository, environment = _strings(fields["owner"])
    claim = fields["claim"]
    return Inventory(
        owner=Owner(repository=repository, environment=environment),
        stamp=_stamp(fields["stamp"]) if fields["stamp"] is not None else None,
        members=tuple(_member(row) for row in _rows(fields["members"])),
        history=tuple(_stamp(row) for row in _rows(fields["history"])),
        claim=_claim(*_rows(claim)) if claim is not None else None,
    )


def _member(row: Json) -> Member:
    *named, receipt = _strings(row)
    return Member(id=ObjectId(*named), receipt=Receipt(receipt))


def _claim(stamp: Json, ids: Json) -> Claim:
    return Claim(stamp=_stamp(stamp), ids=tuple(ObjectId(*_strings(row)) for row in _rows(ids)))


def _stamp(row: Json) -> Stamp:
    revision, sequence, run_url = _rows(row)
    if not isinstance(sequence, int):
        raise TypeError("sequence")
    revision, run_url = _strings([revision, run_url])
    return Stamp(revision=revision, sequence=sequence, run_url=run_url)


def _rows(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _strings(value: Json) -> list[str]:
    found = [item for item in _rows(value) if isinstance(item, str)]
    if len(found) != len(_rows(value)):
        raise TypeError("not all strings")
    return found
