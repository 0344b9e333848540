"""One wanted object against the live one, as the API server itself would decide.

The object is applied in a dry run: the server defaults, mutates and validates it as it will at the
deploy. What is equal then is unchanged, whatever its manifest leaves out.
"""

from dataclasses import replace
from threading import Lock

from pipeline_gitops import diffs
from pipeline_gitops.documents import Body, mapping, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.plans import FieldOwner, Sight
from pipeline_gitops.targets.cluster import foresight, marks, owners, refusals
from pipeline_gitops.targets.cluster.apis import Resource
from pipeline_gitops.targets.cluster.objects import is_terminating, version_of
from pipeline_gitops.targets.cluster.refusals import PART_OF
from pipeline_gitops.targets.cluster.settings import Setting
from pipeline_gitops.targets.cluster.statuses import ApiError
from pipeline_gitops.views import Refusal

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


class Comparison:
    """Compares the objects of one survey. *changing*: kinds whose definitions change with it."""

    def __init__(self, setting: Setting, changing: Kinds) -> None:
        self._setting = setting
        self._objects = setting.objects
        self._apis = setting.apis
        self._apply_set = setting.apply_set
        self._target = setting.target
        self._desired = setting.desired
        self._members = setting.inventory.ids
        self._defined = setting.defined
        self._changing = changing
        self._autoscalers: dict[str, tuple[Body, ...]] = {}
        self._lock = Lock()

    def sight(self, manifest: Manifest, resource: Resource, live: Body | None) -> Sight | None:
        """How an object differs from the live one; None when it does not."""
        send = replace(manifest, body=sendable(manifest.body, self._apply_set))
        refusal = self._blocked(send, live)
        if refusal:
            return refused(send, live, refusal)
        return self._compared(send, resource, live)

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
                return refused(send, live, refusal, decided)
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
            return refused(send, live, refusals.missing_namespace(id, self._target))
        if error.is_unserved:
            return self.unserved(send)
        if self._changing.get(*id.group_kind):
            return _predicted(send, live, "its definition changes in the same deploy")
        named = [other for other in sorted(self._desired.ids) if other.name == error.name]
        if error.status == 404 and named and live is None:
            return _predicted(send, live, f"{named[0]} is created by the same deploy")
        if error.rejects or error.status in (404, 409):
            return refused(send, live, refusals.server_refused(send, error))
        raise error

    def unserved(self, manifest: Manifest) -> Sight:
        """An object of a kind that the server does not serve, or not yet."""
        send = replace(manifest, body=sendable(manifest.body, self._apply_set))
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
        return refused(send, None, refusals.unknown_kind(send, served, self._target))


def sendable(body: Body, apply_set: str) -> Body:
    """What is applied: the manifest with our mark, without what only the server may say."""
    metadata = {
        key: value for key, value in mapping(body, "metadata").items() if key not in _SERVER_FIELDS
    }
    labels = {**mapping(metadata, "labels"), PART_OF: apply_set}
    kept = {key: value for key, value in body.items() if key != "status"}
    return {**kept, "metadata": {**metadata, "labels": labels}}


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


def refused(
    send: Manifest, live: Body | None, refusal: Refusal, decided: tuple[FieldOwner, ...] = ()
) -> Sight:
    """An object that will not be written, shown as it was wanted."""
    after = send.body if live is None else foresight.overlaid(live, send.body)
    return Sight(id=send.id, before=live, after=after, send=send, owners=decided, refusal=refusal)
