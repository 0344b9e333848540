"""What is in the cluster against what is wanted, as the API server itself would decide.

Every wanted object is read, and applied in a dry run: the server defaults, mutates and validates it
as it will at the deploy. What is equal then is unchanged, whatever its manifest leaves out. Several
objects of a kind and a namespace are read by one list.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from pipeline_gitops import diffs
from pipeline_gitops.documents import Body, at, mapping, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import Manifest, ManifestSet, defined_kinds
from pipeline_gitops.plans import FieldOwner, Sight, Survey
from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster import foresight, marks, owners, refusals, threads
from pipeline_gitops.targets.cluster.apis import Apis, Resource
from pipeline_gitops.targets.cluster.objects import Objects, is_terminating, version_of
from pipeline_gitops.targets.cluster.refusals import PART_OF
from pipeline_gitops.targets.cluster.statuses import ApiError, ForbiddenFault
from pipeline_gitops.views import Refusal

LISTED_FROM = 4  # objects of one kind and namespace; below, a list could hold much that is not ours

DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
_AUTOSCALER = ("autoscaling", "HorizontalPodAutoscaler")

# Only a server fills these in; a manifest that was exported from a cluster may hold them.
_SERVER_FIELDS = frozenset(
    {
        "creationTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


class Surveyor:
    """Surveys one environment once. *apply_set*: the value of the label that marks its members."""

    def __init__(
        self, objects: Objects, apis: Apis, clock: Clock, *, apply_set: str, target: str
    ) -> None:
        self._objects = objects
        self._apis = apis
        self._clock = clock
        self._apply_set = apply_set
        self._target = target
        self._autoscalers: dict[str, tuple[Body, ...]] = {}
        self._listed: dict[tuple[Resource, str], dict[str, Body]] = {}
        self._lock = Lock()
        self._desired = ManifestSet()
        self._members: frozenset[ObjectId] = frozenset()
        self._defined = Kinds()  # by CustomResourceDefinitions of the set
        self._changing = Kinds()  # by CustomResourceDefinitions that the same deploy changes

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        """What differs. Raises UnreachableFault where the cluster does not say."""
        self._desired, self._members = desired, inventory.ids
        self._defined = defined_kinds(manifest.document for manifest in desired.manifests)
        self._list(desired.manifests)
        first = [m for m in desired.manifests if m.id.group_kind == DEFINITION]
        rest = [m for m in desired.manifests if m.id.group_kind != DEFINITION]
        sights = self._wanted(first)
        changing = [m.document for m in first if m.id in {sight.id for sight in sights}]
        self._changing = defined_kinds(changing)
        sights += self._wanted(rest)
        changed = {sight.id for sight in sights}
        orphans = inventory.ids - desired.ids
        blind = self._blind(orphans)
        visible = sorted(id for id in orphans if id.group not in blind)
        found = threads.each(self._orphan, visible, self._clock)
        pruned = [sight for sight in found if sight is not None]
        return Survey(
            inventory=inventory,
            unchanged=frozenset(desired.ids - changed),
            sights=tuple(sorted([*sights, *pruned], key=lambda sight: sight.id)),
            blind=tuple(sorted(blind)),
            gone=frozenset(visible) - {sight.id for sight in pruned},
        )

    # -- what is wanted ----------------------------------------------------------------------------

    def _wanted(self, manifests: Sequence[Manifest]) -> list[Sight]:
        found = threads.each(self._sight, manifests, self._clock)
        return [sight for sight in found if sight is not None]

    def _sight(self, manifest: Manifest) -> Sight | None:
        """How an object differs; None when it does not."""
        id = manifest.id
        if at(manifest.body, "metadata", "labels", PART_OF) is not None:
            return _refused(manifest, None, refusals.reserved_label(manifest))
        resource = self._resource(manifest)
        send = replace(manifest, body=self._sendable(manifest.body))
        if resource is None:
            return self._unserved(send)
        if resource.kind.namespaced != bool(id.namespace):
            return _refused(send, None, refusals.wrong_scope(id, resource, self._target))
        try:
            live = self._live(resource, id)
        except ApiError as error:
            if not error.is_unserved:
                raise
            return self._unserved(send)
        refusal = self._blocked(send, live)
        if refusal:
            return _refused(send, live, refusal)
        return self._compared(send, resource, live)

    def _list(self, manifests: Sequence[Manifest]) -> None:
        """Reads what stands together in one request; where that is not allowed, one by one later.

        Only in namespaces: all definitions or roles of a cluster would be far more than is wanted.
        """
        wanted = Counter(
            (resource, manifest.id.namespace)
            for manifest in manifests
            if manifest.id.namespace
            and (resource := self._resource(manifest)) is not None
            and resource.kind.namespaced
        )
        places = [place for place, count in wanted.items() if count >= LISTED_FROM]
        found = threads.each(self._list_one, places, self._clock)
        self._listed = {
            place: live for place, live in zip(places, found, strict=True) if live is not None
        }

    def _list_one(self, place: tuple[Resource, str]) -> dict[str, Body] | None:
        try:
            return {text(b, "metadata", "name"): b for b in self._objects.listed(*place)}
        except (ApiError, ForbiddenFault):
            return None  # reading one by one says what is wrong, with the object's name

    def _live(self, resource: Resource, id: ObjectId) -> Body | None:
        listed = self._listed.get((resource, id.namespace))
        return self._objects.read(resource, id) if listed is None else listed.get(id.name)

    def _resource(self, manifest: Manifest) -> Resource | None:
        """Where an object is found: as the server says, else as the set itself defines its kind.

        Discovery lags seconds behind a new definition while its objects are served already; taking
        them for absent would plan to create what is there.
        """
        id, version = manifest.id, manifest.api_version.rpartition("/")[2]
        kind = self._defined.get(*id.group_kind)
        if kind and version in kind.versions and id.group not in self._apis.stale:
            return self._apis.resource(id.group, id.kind, version) or Resource(kind, version)
        return self._apis.resource(id.group, id.kind, version)

    def _sendable(self, body: Body) -> Body:
        """What is applied: the manifest with our mark, without what only the server may say."""
        metadata = {
            key: value
            for key, value in mapping(body, "metadata").items()
            if key not in _SERVER_FIELDS
        }
        labels = {**mapping(metadata, "labels"), PART_OF: self._apply_set}
        kept = {key: value for key, value in body.items() if key != "status"}
        return {**kept, "metadata": {**metadata, "labels": labels}}

    def _compared(self, send: Manifest, resource: Resource, live: Body | None) -> Sight | None:
        id = send.id
        decided: tuple[FieldOwner, ...] = ()
        try:
            after = self._objects.preview(resource, id, send.body, force=False)
        except ApiError as error:
            if live is None or not error.conflicts:
                return self._not_previewed(send, live, error)
            decided = owners.decide(error.conflicts, live, lambda: self._is_scaled(id))
            refusal = owners.refusal(id, decided)
            if refusal:
                return _refused(send, live, refusal, decided)
            send = replace(send, body=owners.without_left(send.body, decided))
            force = owners.is_taking(decided)
            try:
                after = self._objects.preview(resource, id, send.body, force=force)
            except ApiError as again:
                return self._not_previewed(send, live, again)
        if live is None:
            return Sight(id=id, after=foresight.created(send.body, after), send=send)
        # A member that only the cluster knows of must get into the inventory: that is a change.
        if id in self._members and diffs.same(live, after):
            return None
        return Sight(
            id=id,
            before=live,
            after=foresight.updated(live, after, send.body),
            send=send,
            version=version_of(live),
            owners=decided,
        )

    def _blocked(self, send: Manifest, live: Body | None) -> Refusal | None:
        id = send.id
        if live is None:
            return None
        if is_terminating(live):
            return refusals.terminating(id, self._target)
        mark = text(live, "metadata", "labels", PART_OF)
        if mark and mark != self._apply_set:
            return refusals.owned_elsewhere(id, self._target, mark)
        # What we own already we keep: a mark that came later is drift.
        keeper = None if id in self._members else marks.keeper(live, send.body)
        return refusals.kept_by(id, self._target, keeper) if keeper else None

    def _is_scaled(self, id: ObjectId) -> bool:
        """Whether an autoscaler targets a workload, in the cluster or in the same set."""
        wanted = [m.body for m in self._desired.manifests if m.id.group_kind == _AUTOSCALER]
        there = self._live_autoscalers(id.namespace)
        return any(owners.targets(autoscaler, id) for autoscaler in (*wanted, *there))

    def _live_autoscalers(self, namespace: str) -> tuple[Body, ...]:
        with self._lock:
            if namespace not in self._autoscalers:
                resource = self._apis.resource(*_AUTOSCALER)
                there = self._objects.listed(resource, namespace) if resource else ()
                self._autoscalers[namespace] = tuple(there)
            return self._autoscalers[namespace]

    # -- what the server could not preview ---------------------------------------------------------

    def _not_previewed(self, send: Manifest, live: Body | None, error: ApiError) -> Sight:
        """A prediction where the same deploy brings what is missing; else a refusal."""
        id = send.id
        if error.misses_namespace:
            namespace = ObjectId("", "Namespace", "", id.namespace)
            if namespace in self._desired.ids:
                return _predicted(send, live, f"{namespace} is created by the same deploy")
            return _refused(send, live, refusals.missing_namespace(id, self._target))
        if error.is_unserved:
            return self._unserved(send)
        if self._changing.get(*id.group_kind):
            return _predicted(send, live, "its definition changes in the same deploy")
        named = [other for other in sorted(self._desired.ids) if other.name == error.name]
        if error.status == 404 and named and live is None:
            return _predicted(send, live, f"{named[0]} is created by the same deploy")
        if error.rejects or error.status in (404, 409):
            return _refused(send, live, refusals.server_refused(send, error))
        raise error

    def _unserved(self, send: Manifest) -> Sight:
        id = send.id
        group, _, version = send.api_version.rpartition("/")
        if group in self._apis.stale:
            raise UnreachableFault(
                f"{self._target} does not know for now what API group {group} serves",
                "see whether the API service of that group is available: kubectl get apiservices",
            )
        kind = self._defined.get(*id.group_kind)
        if kind and version in kind.versions:
            return _predicted(send, None, f"{id.kind}.{id.group} is defined by the same deploy")
        served = self._apis.kinds.get(*id.group_kind)
        return _refused(send, None, refusals.unknown_kind(send, served, self._target))

    # -- what is not wanted any more ---------------------------------------------------------------

    def _blind(self, orphans: frozenset[ObjectId]) -> frozenset[str]:
        """API groups of members of which nobody can say now whether they are there."""
        groups = {id.group for id in orphans}
        return frozenset(group for group in groups if self._is_blind(group))

    def _is_blind(self, group: str) -> bool:
        if group in self._apis.stale:
            return True
        if group in self._apis.groups:
            return False
        # Not served at all: gone with its definitions, or not served yet after a restart.
        resource = self._apis.resource(*DEFINITION)
        if resource is None:
            return True
        try:
            definitions = self._objects.listed(resource, "", metadata_only=True)
        except ForbiddenFault:
            return True
        return any(text(d, "metadata", "name").endswith(f".{group}") for d in definitions)

    def _orphan(self, id: ObjectId) -> Sight | None:
        """The deletion of a member; None when it is gone, or not ours any more."""
        resource = self._apis.resource(id.group, id.kind)
        live = self._objects.read(resource, id) if resource else None
        if live is None or is_terminating(live):
            return None
        if text(live, "metadata", "labels", PART_OF) != self._apply_set:
            return None
        return Sight(id=id, before=live, version=version_of(live))


def _predicted(send: Manifest, live: Body | None, why: str) -> Sight:
    if live is None:
        return Sight(id=send.id, after=send.body, send=send, predicted=why)
    return Sight(
        id=send.id,
        before=live,
        after=foresight.overlaid(live, send.body),
        send=send,
        version=version_of(live),
        predicted=why,
    )


def _refused(
    send: Manifest, live: Body | None, refusal: Refusal, decided: tuple[FieldOwner, ...] = ()
) -> Sight:
    after = send.body if live is None else foresight.overlaid(live, send.body)
    return Sight(id=send.id, before=live, after=after, send=send, owners=decided, refusal=refusal)
