"""How the wanted objects are read, in as few requests as there are kinds and namespaces.

What we own already carries our label, so a list by it holds nothing of anybody else's. Of kinds
that have no status, metadata is read first; of Secrets everything, as values are compared.
"""

from collections.abc import Callable, Iterable

from pipeline_gitops import threads
from pipeline_gitops.documents import Body, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.manifests import Manifest, is_secret
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.live.watches import STILL
from pipeline_gitops.targets.cluster.survey.refusals import PART_OF
from pipeline_gitops.targets.cluster.survey.settings import Setting
from pipeline_gitops.values import dataclass

LISTED_FROM = 4  # objects not ours yet; below, the list could hold much that nobody asked for
OWN_LISTED_FROM = 2  # objects of ours: a list of these holds no others
WHOLE_FROM = 4  # objects to read in full of those whose metadata is known

_Place = tuple[Resource, str]  # and the namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """One list. *ours*: by our label only."""

    place: _Place
    ours: bool
    metadata_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """What a list held, by name. *whole*: full objects. *all*: what is not in it is not there."""

    found: dict[str, Body]
    whole: bool
    all: bool


class Readings:
    """The wanted objects of one survey as they are in the cluster."""

    def __init__(self, setting: Setting, resource: Callable[[Manifest], Resource | None]) -> None:
        self._setting = setting
        self._objects = setting.objects
        self._resource = resource
        self._listed: dict[_Place, _Listed] = {}
        self._read: dict[ObjectId, Body | None] = {}

    def look(self, manifests: Iterable[Manifest]) -> None:
        """Lists what stands together. Where that is not allowed, it is read one by one later."""
        self._carry_out(self._orders(manifests))

    def _orders(self, manifests: Iterable[Manifest]) -> list[_Order]:
        receipts = {member.id: member.receipt for member in self._setting.inventory.members}
        places: dict[_Place, list[Manifest]] = {}
        for manifest in manifests:
            place = self._place(manifest)
            if place:
                places.setdefault(place, []).append(manifest)
        orders = []
        for place, wanted in places.items():
            own = sum(manifest.id in receipts for manifest in wanted)
            open_ = sum(receipts.get(manifest.id) == "" for manifest in wanted)
            still = wanted[0].id.group_kind in STILL
            # All roles of a cluster would be far more than is wanted.
            if place[1] and len(wanted) - own >= LISTED_FROM:
                orders.append(_Order(place=place, ours=False, metadata_only=still and not own))
            elif own >= OWN_LISTED_FROM:
                brief = still and open_ < WHOLE_FROM and not is_secret(wanted[0].body)
                orders.append(_Order(place=place, ours=True, metadata_only=brief))
        return orders

    def complete(self, manifests: Iterable[Manifest]) -> None:
        """Lists in full where many of *manifests* are known by their metadata alone."""
        lacking: dict[tuple[_Place, bool], int] = {}
        for manifest in manifests:
            place = self._place(manifest)
            listed = self._listed.get(place) if place else None
            if place and listed and not listed.whole and manifest.id.name in listed.found:
                key = place, not listed.all
                lacking[key] = lacking.get(key, 0) + 1
        self._carry_out(
            [
                _Order(place=place, ours=ours, metadata_only=False)
                for (place, ours), count in lacking.items()
                if count >= WHOLE_FROM
            ]
        )

    def _carry_out(self, orders: list[_Order]) -> None:
        found = threads.each(self._list_one, orders, self._setting.clock)
        for order, listed in zip(orders, found, strict=True):
            if listed is not None:
                self._listed[order.place] = listed

    def _list_one(self, order: _Order) -> _Listed | None:
        labels = f"{PART_OF}={self._setting.apply_set}" if order.ours else ""
        try:
            bodies = self._objects.listed(
                *order.place, labels=labels, metadata_only=order.metadata_only
            )
        except (ApiError, ForbiddenFault):
            return None  # reading one by one says what is wrong, with the object's name
        return _Listed(
            found={text(body, "metadata", "name"): body for body in bodies},
            whole=not order.metadata_only,
            all=not order.ours,
        )

    def _place(self, manifest: Manifest) -> _Place | None:
        resource = self._resource(manifest)
        if resource is None or resource.kind.namespaced != bool(manifest.id.namespace):
            return None
        return resource, manifest.id.namespace

    def glimpse(self, manifest: Manifest) -> Body | None:
        """What a list said about an object, its metadata at least; None when no list did."""
        place = self._place(manifest)
        listed = self._listed.get(place) if place else None
        return listed.found.get(manifest.id.name) if listed else None

    def whole(self, resource: Resource, id: ObjectId) -> Body | None:
        """The live object; None when it is not there."""
        listed = self._listed.get((resource, id.namespace))
        if listed and (listed.whole if id.name in listed.found else listed.all):
            return listed.found.get(id.name)
        self._read[id] = self._objects.read(resource, id)
        return self._read[id]

    def seen(self, manifests: Iterable[Manifest]) -> dict[ObjectId, Body | None]:
        """What has been read, of each object no more than its health needs."""
        seen = dict(self._read)
        for manifest in manifests:
            place = self._place(manifest)
            listed = self._listed.get(place) if place else None
            if listed is None or manifest.id in seen:
                continue
            enough = listed.whole or manifest.id.group_kind in STILL
            if enough and (listed.all or manifest.id.name in listed.found):
                seen[manifest.id] = listed.found.get(manifest.id.name)
        return {id: _brief(body) if id.group_kind in STILL else body for id, body in seen.items()}


def _brief(body: Body | None) -> Body | None:
    """An object without its content."""
    keys = ("apiVersion", "kind", "metadata")
    return None if body is None else {key: body[key] for key in keys if key in body}
