"""One wanted object against the live one, as the API server itself would decide.

The object is applied in a dry run: the server defaults, mutates and validates it as it will at the
deploy. What is equal then is unchanged, whatever its manifest leaves out.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from pipeline_gitops import diffs
from pipeline_gitops.documents import Body, mapping, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import SERVER_FIELDS, Manifest, id_of, is_secret
from pipeline_gitops.plans import FieldOwner, Sight
from pipeline_gitops.targets.cluster.api import readiness
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER, is_terminating, version_of
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.fields import (
    fieldsets,
    foresight,
    handovers,
    migrations,
    owners,
    shapes,
)
from pipeline_gitops.targets.cluster.fields.owners import Dispute
from pipeline_gitops.targets.cluster.fields.shapes import Shape
from pipeline_gitops.targets.cluster.records.parents import Parents
from pipeline_gitops.targets.cluster.survey import marks, refusals, replacements
from pipeline_gitops.targets.cluster.survey.refusals import PART_OF
from pipeline_gitops.targets.cluster.survey.settings import Setting
from pipeline_gitops.views import Refusal

# Some tools that restore or copy objects do that. Nothing tells what of it came from us.
_FORGOTTEN = (
    "nothing says any more who set its fields (metadata.managedFields): that is written anew; "
    "what has left its manifest meanwhile stays"
)


class Comparison:
    """Compares the objects of one survey. *changing*: kinds whose definitions change with it.

    *learn* is told of every object that a dry run would leave as it is: manifest, live, after.
    """

    def __init__(
        self, setting: Setting, changing: Kinds, learn: Callable[[Manifest, Body, Body], None]
    ) -> None:
        self._setting = setting
        self._objects = setting.objects
        self._apis = setting.apis
        self._apply_set = setting.apply_set
        self._target = setting.target
        self._desired = setting.desired
        self._wanted = setting.desired.ids  # made once: it is asked for each object
        self._members = setting.inventory.ids
        self._defined = setting.defined
        self._changing = changing
        self._learn = learn
        self._parents = Parents(setting.objects, setting.apis)
        self._autoscalers: dict[str, tuple[Body, ...]] = {}
        self._absent: set[str] = set()  # namespaces that this deploy creates
        self._passed: set[Shape] = set()  # shapes that the server's schema takes
        self._lock = Lock()

    def sight(self, manifest: Manifest, resource: Resource, live: Body | None) -> Sight | None:
        """How an object differs from the live one; None when it does not."""
        send = replace(manifest, body=sendable(manifest.body, self._apply_set))
        refusal = self._blocked(send, live)
        if refusal:
            return refused(send, live, refusal)
        return self._compared(send, resource, live)

    def creation(self, manifest: Manifest, resource: Resource, live: Body | None) -> Sight:
        """How a hook is created anew. What is there is deleted first, if it is ours."""
        send = replace(manifest, body=sendable(manifest.body, self._apply_set))
        refusal = self._blocked(send, live)
        if live is not None and not refusal and not text(live, "metadata", "labels", PART_OF):
            refusal = refusals.hook_in_the_way(send.id, self._target)
        if refusal:
            return refused(send, live, refusal)
        if live is None:
            sight = self._compared(send, resource, None)
            # Shown alike whether or not something is left of the last run.
            return replace(sight, after=send.body) if sight else Sight(id=send.id, send=send)
        why = "what is left of its last run is deleted first"
        return replace(_predicted(send, live, why), after=send.body)

    def _compared(self, send: Manifest, resource: Resource, live: Body | None) -> Sight | None:
        id = send.id
        decided: tuple[FieldOwner, ...] = ()
        if live is None and self._is_foreseen(send):
            return _predicted(send, live, _created_with(_namespace(id)))
        try:
            after = self._objects.preview(resource, id, send.body, force=False)
        except ApiError as error:
            if live is None or not error.conflicts:
                return self._not_previewed(send, resource, live, error)
            decided = owners.decide(error.conflicts, self._dispute(send, live))
            refusal = owners.refusal(id, decided)
            if refusal:
                return refused(send, live, refusal, decided)
            send = replace(send, body=owners.without_left(send.body, decided, live))
            force = owners.is_taking(decided)
            try:
                after = self._objects.preview(resource, id, send.body, force=force)
            except ApiError as again:
                return self._not_previewed(send, resource, live, again)
        if live is None:
            return Sight(id=id, after=foresight.created(send.body, after), send=send)
        try:
            after, handed, notes = self._transferred(send, resource, live, after)
        except ApiError as error:
            return self._not_previewed(send, resource, live, error)
        retired = self._retired(send, live)
        # A member that only the cluster knows of must get into the inventory: that is a change.
        # Only our own apply sets our label.
        is_marked = text(live, "metadata", "labels", PART_OF) == self._apply_set
        forgotten = is_marked and not fieldsets.owned(live, FIELD_MANAGER)
        if id in self._members and not forgotten and diffs.same(live, after):
            # What is left to others depends on more than this object, and so does what has yet to
            # become ours.
            if not (decided or handed or migrations.moved(live, retired)):
                self._learn(send, live, after)
            return None
        return Sight(
            id=id,
            before=live,
            after=foresight.updated(live, after, send.body),
            send=send,
            version=version_of(live),
            owners=(*decided, *handed),
            retired=retired,
            adopts=id not in self._members and not text(live, "metadata", "labels", PART_OF),
            notes=(*notes, _FORGOTTEN) if forgotten else notes,
        )

    def _transferred(
        self, send: Manifest, resource: Resource, live: Body, after: Body
    ) -> tuple[Body, tuple[FieldOwner, ...], tuple[str, ...]]:
        """What the dry run cannot know: fields that change hands before the apply, and what goes
        with them. What follows from that, defaults above all, the server tells."""
        retired = self._retired(send, live)
        released = migrations.released(live, after, retired)
        handed = handovers.handed(released, self._dispute(send, live))
        foreseen = migrations.foreseen(live, after, handed, retired)
        if foreseen is not after:
            operations = foresight.replacing(live, foreseen)
            after = self._objects.patch(resource, send.id, operations, dry_run=True)
        notes = (*migrations.notes(live, retired), *handovers.notes(released - handed, after))
        return after, handovers.described(handed, live), notes

    def _blocked(self, send: Manifest, live: Body | None) -> Refusal | None:
        id = send.id
        if live is None:
            return None
        if is_terminating(live):
            return refusals.terminating(id, self._target)
        mark = text(live, "metadata", "labels", PART_OF)
        if mark and mark != self._apply_set:
            parent = self._parents.name(mark, id.namespace)
            return refusals.owned_elsewhere(id, self._target, mark, parent)
        # What we own already we keep: a mark that came later is drift.
        allowed = self._setting.policy.adopt_from
        keeper = None if id in self._members else marks.keeper(live, send.body, allowed)
        return refusals.kept_by(id, self._target, keeper) if keeper else None

    def _dispute(self, send: Manifest, live: Body) -> Dispute:
        return Dispute(
            id=send.id,
            sent=send.body,
            live=live,
            rules=self._setting.policy.field_owners,
            retired=self._retired(send, live),
            is_scaled=lambda: self._is_scaled(send.id),
        )

    def _retired(self, send: Manifest, live: Body) -> frozenset[str]:
        return marks.retired(live, send.body, self._setting.policy.adopt_from)

    def _is_scaled(self, id: ObjectId) -> bool:
        """Whether an autoscaler targets a workload, in the cluster or in the same set."""
        wanted = [m.body for m in self._desired.manifests if m.id.group_kind in owners.AUTOSCALERS]
        there = filter(self._stays, self._live_autoscalers(id.namespace))
        return any(owners.targets(autoscaler, id) for autoscaler in (*wanted, *there))

    def _stays(self, autoscaler: Body) -> bool:
        """Whether an autoscaler is still there after this deploy."""
        orphans = self._members - self._wanted if self._setting.policy.prune else frozenset()
        return id_of(autoscaler, namespaced=True, namespace="") not in orphans

    def _live_autoscalers(self, namespace: str) -> tuple[Body, ...]:
        with self._lock:
            if namespace not in self._autoscalers:
                found: list[Body] = []
                for group_kind in owners.AUTOSCALERS:
                    resource = self._apis.resource(*group_kind)
                    found += self._objects.listed(resource, namespace) if resource else ()
                self._autoscalers[namespace] = tuple(found)
            return self._autoscalers[namespace]

    # -- what the server could not preview ---------------------------------------------------------

    def _not_previewed(
        self, send: Manifest, resource: Resource, live: Body | None, error: ApiError
    ) -> Sight:
        """A prediction where the same deploy brings what is missing; else a refusal."""
        id = send.id
        if error.misses_namespace:
            namespace = _namespace(id)
            if namespace in self._wanted:
                with self._lock:
                    self._absent.add(id.namespace)
                    self._passed.add(shapes.of(send.body))
                return _predicted(send, live, _created_with(namespace))
            return refused(send, live, refusals.missing_namespace(id, self._target))
        if error.is_unserved:
            return self.unserved(send)
        if error.lacks_method:
            return refused(send, live, refusals.not_applicable(send, self._target))
        if self._changing.get(*id.group_kind):
            return _predicted(send, live, "its definition changes in the same deploy")
        awaited = readiness.foreseen(error, send.body, self._desired)
        if awaited:
            return _predicted(send, live, awaited)
        replaced = replacements.foreseen(self._setting, send, resource, live, error)
        if replaced is not None:
            return replaced if isinstance(replaced, Sight) else refused(send, live, replaced)
        named = [other for other in sorted(self._wanted) if other.name == error.name]
        if error.status == 404 and named and live is None:
            return _predicted(send, live, _created_with(named[0]))
        if error.rejects or error.status in (404, 409):
            return refused(send, live, refusals.server_refused(send, error))
        raise error

    def _is_foreseen(self, send: Manifest) -> bool:
        """Whether a dry run would say no more than that the namespace is not there yet.

        The server compares an object with its schema, and then waits 50 ms for the namespace: dry
        runs of a first install would take longer than the install itself
        (missingNamespaceWait, https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/
        k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go).
        """
        with self._lock:
            if send.id.namespace not in self._absent:
                return False
            return shapes.of(send.body) in self._passed

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
        if served and version in served.versions:
            return refused(send, None, refusals.not_applicable(send, self._target))
        return refused(send, None, refusals.unknown_kind(send, served, self._target))


def sendable(body: Body, apply_set: str) -> Body:
    """What is applied: the manifest with our mark, without what only the server may say."""
    metadata = {
        key: value for key, value in mapping(body, "metadata").items() if key not in SERVER_FIELDS
    }
    labels = {**mapping(metadata, "labels"), PART_OF: apply_set}
    kept = {key: value for key, value in _stored(body).items() if key != "status"}
    return {**kept, "metadata": {**metadata, "labels": labels}}


def _stored(body: Body) -> Body:
    """A Secret with `data` alone: what is applied as `stringData` has no owner afterwards, and
    would stay when it leaves the manifest
    (https://kubernetes.io/docs/tasks/configmap-secret/managing-secret-using-config-file/)."""
    plain = mapping(body, "stringData")
    values = {key: value for key, value in plain.items() if isinstance(value, str)}
    if not is_secret(body) or len(values) != len(plain):  # the server says what is wrong
        return body
    encoded = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    kept = {key: value for key, value in body.items() if key != "stringData"}
    return {**kept, "data": {**mapping(body, "data"), **encoded}} if plain else kept


def _namespace(id: ObjectId) -> ObjectId:
    return ObjectId("", "Namespace", "", id.namespace)


def _created_with(id: ObjectId) -> str:
    return f"{id} is created by the same deploy"


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
