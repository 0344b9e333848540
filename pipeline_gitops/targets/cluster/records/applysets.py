"""The inventory in the cluster: a ConfigMap that is also an ApplySet parent.

`kubectl` can read which objects belong to it (https://kep.k8s.io/3659); our own records (stamp,
receipts, claim, history) lie compressed in `binaryData`, where a thousand members take 45 kB. It is
written by compare-and-swap only.

The mark `tooling` says whose the set is. With ours on it, `kubectl apply --prune --applyset` will
not touch it; handed over, it is kubectl's, and we will not.
"""

import base64
import binascii
import hashlib
import json
import re
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline_gitops import __version__
from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.documents import Body, Json, at, mapping, text
from pipeline_gitops.errors import RefusedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Claim, Inventory, Member, Owner, Receipt, Stamp, Version
from pipeline_gitops.kinds import Kind
from pipeline_gitops.manifests import EPOCH
from pipeline_gitops.ports import Stale
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import Objects, version_of
from pipeline_gitops.targets.cluster.api.statuses import ApiError

FORMAT = 2
READABLE = (1, FORMAT)
TOOL = "pipeline-gitops"
KUBECTL = "kubectl"
LONGEST_NAME = 63

_SET = "applyset.kubernetes.io"
_TOOLING = f"{_SET}/tooling"
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


def parent_label(set_id: str) -> str:
    """By which label an ApplySet's parent is found."""
    return f"{_SET}/id={set_id}"


def said_owner(parent: Body) -> str:
    """Whose inventory a parent says it is; "" for another tool's that does not say so."""
    annotations = mapping(parent, "metadata", "annotations")
    environment = text(annotations, f"{_OURS}/environment")
    if environment:
        return f"environment {environment} of {text(annotations, f'{_OURS}/repository')}"
    tooling = text(annotations, f"{_SET}/tooling")
    return f"managed by {tooling}" if tooling else ""


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
        self._check_tooling(live)
        return self._ours(live)

    def epoch(self) -> int:
        """How many claims the inventory has seen; 0 where it is gone. Takes no member apart."""
        live = self._objects.read(_CONFIG_MAPS, self._id)
        return _epoch(live) if live is not None else 0

    def _check_tooling(self, live: Body) -> None:
        tooling = _tooling(live)
        if tooling == TOOL:
            return
        if tooling == KUBECTL and text(live, "binaryData", _KEY):
            raise RefusedFault(
                f"{self._id} was handed over: kubectl manages the set",
                f"take it back: pipeline-gitops handover --back --environment "
                f"{self._owner.environment}",
            )
        raise RefusedFault(
            f"{self._id} is there, but is no inventory of ours"
            + (f": {tooling} manages it" if tooling else ""),
            "name another one: target.cluster.inventory.name",
        )

    def _ours(self, live: Body) -> Inventory:
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
        except (binascii.Error, zlib.error, ValueError, TypeError, LookupError, RecursionError):
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

    def delete(self, expected: Version) -> None:
        """Deletes the inventory where *expected* still stands; it may be gone already.

        It is, where its namespace was one of the objects that it listed. Raises Stale.
        """
        try:
            self._objects.delete(_CONFIG_MAPS, self._id, expected)
        except ApiError as error:
            if error.status == 404:
                return
            if not error.is_stale:
                raise
            if self._objects.read(_CONFIG_MAPS, self._id) is not None:
                raise Stale from None

    def _encoded(self, inventory: Inventory, mark: str) -> Body:
        ids = inventory.ids | (inventory.claim.all if inventory.claim else frozenset())
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
                    _TOOLING: f"{TOOL}/{__version__}",
                    f"{_SET}/contains-group-kinds": ",".join(sorted(kinds)),
                    f"{_SET}/additional-namespaces": ",".join(sorted(namespaces)),
                    f"{_OURS}/repository": self._owner.repository,
                    f"{_OURS}/environment": self._owner.environment,
                    f"{_OURS}/revision": inventory.stamp.revision if inventory.stamp else "",
                    EPOCH: str(inventory.epoch),
                },
            },
            "binaryData": {_KEY: packed(inventory, mark)},
        }

    # -- between kubectl and us --------------------------------------------------------------------

    def hand_over(self) -> None:
        """Gives the set to kubectl. Raises RefusedFault where a deploy is not finished.

        Giving twice is fine.
        """
        live = self._there()
        if _tooling(live) == KUBECTL and text(live, "binaryData", _KEY):
            return
        self._check_tooling(live)
        if self._ours(live).claim:
            raise RefusedFault(
                f"{self._id} has a deploy that is not finished: the cluster may hold half of it",
                "deploy first, then hand over",
            )
        self._set_tooling(live, f"{KUBECTL}/handed-over")

    def take_back(self) -> None:
        """Takes the set back from kubectl. Taking twice is fine."""
        live = self._there()
        if _tooling(live) == TOOL:
            return
        if _tooling(live) != KUBECTL or not text(live, "binaryData", _KEY):
            self._check_tooling(live)
        self._ours(live)
        self._set_tooling(live, f"{TOOL}/{__version__}")

    def _there(self) -> Body:
        live = self._objects.read(_CONFIG_MAPS, self._id)
        if live is None:
            raise RefusedFault(f"{self._id} is not there", "deploy once, which writes it")
        return live

    def _set_tooling(self, live: Body, tooling: str) -> None:
        """Sets the mark, and leaves all else as it stands."""
        metadata = {key: at(live, "metadata", key) for key in ("name", "namespace", "labels")}
        ours = {
            key: value
            for key, value in mapping(live, "metadata", "annotations").items()
            if key.startswith((f"{_SET}/", f"{_OURS}/"))
        }
        body: Body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {**metadata, "annotations": {**ours, _TOOLING: tooling}},
            "binaryData": at(live, "binaryData"),
        }
        try:
            self._objects.write(_CONFIG_MAPS, self._id, body, version_of(live), force=True)
        except ApiError as error:
            if not error.is_stale:
                raise
            raise RefusedFault(
                f"{self._id} changed meanwhile", "let no deploy run, then do this again"
            ) from None


def _tooling(live: Body) -> str:
    return text(live, "metadata", "annotations", _TOOLING).partition("/")[0]


def _epoch(live: Body) -> int:
    written = text(live, "metadata", "annotations", EPOCH)
    return int(written) if written.isdecimal() else 0


# -- what lies in binaryData -----------------------------------------------------------------------


def packed(inventory: Inventory, mark: str) -> str:
    """The inventory as binaryData holds it. *mark* knows one write from another alike."""
    claim = inventory.claim
    places = {member.id: place for place, member in enumerate(inventory.members)}
    fields = {
        "format": FORMAT,
        "mark": mark,
        "owner": [inventory.owner.repository, inventory.owner.environment],
        "stamp": _stamp_row(inventory.stamp) if inventory.stamp else None,
        "claim": _claim_row(claim, places) if claim else None,
        "epoch": inventory.epoch,
        "held": inventory.held,
        **_since_good(inventory, places),
        "history": [_stamp_row(stamp) for stamp in inventory.history],
        "members": [_id_row(member.id) for member in inventory.members],
        "receipts": _columns([member.receipt for member in inventory.members]),
    }
    finished = [place for place, member in enumerate(inventory.members) if member.finished]
    if finished:  # whoever does not know the key takes what is gone for missing
        fields["finished"] = finished
    small = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 6)
    return base64.b64encode(small).decode()


def _stamp_row(stamp: Stamp) -> list[str | int]:
    return [stamp.revision, stamp.sequence, stamp.run_url]


def _id_row(id: ObjectId) -> list[str]:
    return [id.group, id.kind, id.namespace, id.name]


def _columns(receipts: Sequence[str]) -> Sequence[str]:
    """Receipts word by word, all first words first: like next to like packs a quarter smaller.

    As they are, behind an empty string, where they do not fall into the same number of words.
    """
    rows = [receipt.split(" ") for receipt in receipts]
    counts = {len(row) for row, receipt in zip(rows, receipts, strict=True) if receipt}
    plain = len(counts) > 1 or any(
        "\n" in receipt or (receipt and "" in row)
        for row, receipt in zip(rows, receipts, strict=True)
    )
    if plain:
        return ["", *receipts]
    width = max(counts, default=0)
    filled = [row if len(row) == width else [""] * width for row in rows]
    return ["\n".join(column) for column in zip(*filled, strict=True)]


def _claim_row(claim: Claim, places: Mapping[ObjectId, int]) -> list[object]:
    return [
        _stamp_row(claim.stamp),
        list(_refs(claim.ids, places)),
        list(_refs(claim.inherited, places)),
    ]


def _since_good(inventory: Inventory, places: Mapping[ObjectId, int]) -> dict[str, object]:
    """Keys of their own, which programs of before do not look at."""
    fields: dict[str, object] = {}
    if inventory.good:
        fields["good"] = _stamp_row(inventory.good)
    for name, ids in (("changed", inventory.changed), ("created", inventory.created)):
        if ids:
            fields[name] = list(_refs(ids, places))
    if inventory.claim and inventory.claim.automatic:
        fields["automatic"] = True
    return fields


def _refs(ids: Sequence[ObjectId], places: Mapping[ObjectId, int]) -> Iterator[int | list[str]]:
    """Members as steps from one to the next, all others in full.

    A claim that names every member a second time would double the size.
    """
    before = 0
    for id in ids:
        place = places.get(id)
        if place is None:
            yield _id_row(id)
        else:
            yield place - before
            before = place


def _unpacked(live: Body) -> Body:
    small = base64.b64decode(text(live, "binaryData", _KEY), validate=True)
    fields: Json = json.loads(zlib.decompress(small))
    if at(fields, "format") not in READABLE:
        raise ValueError("format")
    return mapping(fields)


def _mark(live: Body) -> str:
    return text(_unpacked(live), "mark")


def _inventory(fields: Body) -> Inventory:
    repository, environment = _strings(fields["owner"])
    members = _members(fields)
    ids = [member.id for member in members]
    claim = _rows(fields["claim"] or [])
    return Inventory(
        owner=Owner(repository=repository, environment=environment),
        stamp=_stamp(fields["stamp"]) if fields["stamp"] is not None else None,
        members=members,
        history=tuple(_stamp(row) for row in _rows(fields["history"])),
        claim=_claim(claim, ids, automatic=fields.get("automatic") is True) if claim else None,
        epoch=_number(fields.get("epoch", 0)),
        held=text(fields, "held"),
        good=_stamp(fields["good"]) if fields.get("good") else None,
        changed=tuple(_referred(fields.get("changed", []), ids)),
        created=tuple(_referred(fields.get("created", []), ids)),
    )


def _members(fields: Body) -> tuple[Member, ...]:
    rows = [_strings(row) for row in _rows(fields["members"])]
    if fields["format"] == 1:  # the receipt stands behind the name
        return tuple(Member(id=ObjectId(*row[:4]), receipt=Receipt(row[4])) for row in rows)
    receipts = _receipts(_strings(fields["receipts"]), len(rows))
    finished = {_number(place) for place in _rows(fields.get("finished", []))}
    return tuple(
        Member(id=ObjectId(*row), receipt=Receipt(receipt), finished=place in finished)
        for place, (row, receipt) in enumerate(zip(rows, receipts, strict=True))
    )


def _receipts(columns: Sequence[str], count: int) -> Sequence[str]:
    if not columns:
        return [""] * count
    if not columns[0]:
        return columns[1:]
    words = zip(*(column.split("\n") for column in columns), strict=True)
    return [" ".join(row) if row[0] else "" for row in words]


def _claim(row: Sequence[Json], members: Sequence[ObjectId], *, automatic: bool) -> Claim:
    if len(row) == 2:  # as format 1 wrote it
        stamp, rows = row
        return Claim(stamp=_stamp(stamp), ids=tuple(ObjectId(*_strings(id)) for id in _rows(rows)))
    stamp, ids, inherited = row
    return Claim(
        stamp=_stamp(stamp),
        ids=tuple(_referred(ids, members)),
        inherited=tuple(_referred(inherited, members)),
        automatic=automatic,
    )


def _referred(refs: Json, members: Sequence[ObjectId]) -> Iterator[ObjectId]:
    place = 0
    for ref in _rows(refs):
        if isinstance(ref, int):
            place += ref
            yield members[place]
        else:
            yield ObjectId(*_strings(ref))


def _stamp(row: Json) -> Stamp:
    revision, sequence, run_url = _rows(row)
    revision, run_url = _strings([revision, run_url])
    return Stamp(revision=revision, sequence=_number(sequence), run_url=run_url)


def _number(value: Json) -> int:
    if not isinstance(value, int):
        raise TypeError("not a number")
    return value


def _rows(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _strings(value: Json) -> list[str]:
    found = [item for item in _rows(value) if isinstance(item, str)]
    if len(found) != len(_rows(value)):
        raise TypeError("not all strings")
    return found
