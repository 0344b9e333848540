"""What runs: the live objects as they change, and what explains one that does not get well."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from pipeline_gitops import threads
from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.errors import Fault, InterruptedFault
from pipeline_gitops.health.causes import SCALING_UP
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Clock, Event, Evidence, Snapshot
from pipeline_gitops.targets.cluster.api.apis import Apis
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.live.streams import ClusterWatch, Group
from pipeline_gitops.targets.cluster.records.receipts import is_custom_group

POLL_S = 1.0
FRESH_S = 5.0  # for how long what a survey read tells about health
SKEW = timedelta(minutes=1)  # between the clock of this machine and the cluster's
LOG_LINES = 25
LOG_BYTES = 65_536

# Kinds without a status: that they are there is all that can be told, so only metadata is read.
STILL = frozenset(
    {
        ("", "ConfigMap"),
        ("", "Secret"),
        ("", "ServiceAccount"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
    }
)
FEW = 4  # Secrets of a namespace that are read one by one

_EVENT = ("", "Event")
_SECRET = ("", "Secret")
_POD = ("", "Pod")
# What the controllers of built-in kinds make out of them.
_BELOW = {
    ("", "Pod"): (),
    ("", "ReplicationController"): (_POD,),
    ("apps", "DaemonSet"): (_POD,),
    ("apps", "Deployment"): (("apps", "ReplicaSet"), _POD),
    ("apps", "ReplicaSet"): (_POD,),
    ("apps", "StatefulSet"): (_POD,),
    ("batch", "CronJob"): (("batch", "Job"), _POD),
    ("batch", "Job"): (_POD,),
}
# What operators make out of custom resources, as far as it tells something.
_MADE = (
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("batch", "Job"),
    _POD,
)


class ClusterRuntime:
    """Implements `ports.Runtime` by reading: lists, a second apart.

    *apis* says which kinds there are, those that a deploy brings included.
    """

    def __init__(self, objects: Objects, apis: Callable[[], Apis], clock: Clock) -> None:
        self._objects = objects
        self._apis = apis
        self._clock = clock
        self._seen: Mapping[ObjectId, str] | None = None
        self._known: Snapshot = {}
        self._known_s = 0.0

    def remember(self, known: Snapshot, since_s: float) -> None:
        """Lets the next look begin with what was read since then, on the clock's elapsed seconds.

        Whoever writes has to `forget` it before.
        """
        self._known, self._known_s = known, since_s

    def forget(self) -> None:
        """Makes the next look read everything."""
        self._known = {}

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        """The live objects; None for one that is not there."""
        left = wait_s
        known = self._known if self._clock.elapsed() - self._known_s <= FRESH_S else {}
        self.forget()
        while True:
            pause = min(POLL_S, left)
            if pause > 0:
                self._clock.sleep(pause)
                left -= pause
                known = {}
            snapshot = self._snapshot(ids, known)
            versions = {id: _version(body) for id, body in snapshot.items()}
            changed, self._seen = versions != self._seen, versions
            if changed or left <= 0:
                return snapshot

    @contextmanager
    def watching(self, ids: frozenset[ObjectId]) -> Iterator[ClusterWatch]:
        """Follows the live objects while the context is open."""
        watch = ClusterWatch(
            _grouped(ids),
            objects=self._objects,
            resource=lambda group, kind: self._apis().resource(group, kind),
            read=lambda: self.watch(ids, 0.0),
            live=self._live,
            still=lambda group: group[:2] in STILL,
            clock=self._clock,
        )
        try:
            yield watch
        finally:
            watch.close()

    def _snapshot(self, ids: frozenset[ObjectId], known: Snapshot) -> Snapshot:
        grouped = _grouped(ids)

        def live(group: Group) -> Mapping[str, Body | None]:
            wanted = grouped[group]
            if all(id in known for id in wanted):
                return {id.name: known[id] for id in wanted}
            return self._live(group, wanted[0].name if len(wanted) == 1 else "")

        found = dict(zip(grouped, threads.each(live, grouped, self._clock), strict=True))
        return {id: found[group].get(id.name) for group, wanted in grouped.items() for id in wanted}

    def _live(self, group: Group, name: str) -> Mapping[str, Body]:
        """Live objects of one kind in one namespace by name; only the one called *name*, if any."""
        resource = self._apis().resource(*group[:2])
        if resource is None:
            return {}
        still = group[:2] in STILL
        try:
            listed = self._objects.listed(resource, group[2], name=name, metadata_only=still)
        except ApiError as error:
            if not error.is_unserved:  # a kind that was defined a moment ago
                raise
            return {}
        return {text(body, "metadata", "name"): body for body in listed}

    def secrets(self, ids: frozenset[ObjectId]) -> Sequence[Body]:
        """Those of *ids* that are Secrets, with what they hold. Needs no more than `list`."""
        resource = self._apis().resource(*_SECRET)
        if resource is None:
            return ()
        grouped = _grouped(id for id in ids if id.group_kind == _SECRET)
        # A namespace may hold many large ones that are not ours: releases of Helm, for example.
        asked = [
            (namespace, name)
            for (_, _, namespace), wanted in grouped.items()
            for name in ([id.name for id in wanted] if len(wanted) <= FEW else [""])
        ]
        found = threads.each(
            lambda place: self._objects.listed(resource, place[0], name=place[1]),
            asked,
            self._clock,
        )
        return [body for listed in found for body in listed]

    # -- evidence ----------------------------------------------------------------------------------

    def evidence(
        self, live: Mapping[ObjectId, Body], since: datetime
    ) -> Mapping[ObjectId, Evidence]:
        """What can be read about live objects, in one list for each kind and namespace."""
        asked = sorted({(id.namespace, kind) for id in live for kind in _kinds_below(id)})
        answers = threads.each(self._readable, asked, self._clock)
        found = dict(zip(asked, answers, strict=True))
        made = _by_owner(found)
        events = _by_object(found, since - SKEW)
        return {id: _evidence(id, body, made, events) for id, body in live.items()}

    def _readable(self, asked: tuple[str, tuple[str, str]]) -> Sequence[Body]:
        namespace, kind = asked
        resource = self._apis().resource(*kind)
        if resource is None:
            return ()
        try:
            return self._objects.listed(resource, namespace or "default")
        except InterruptedFault:
            raise
        except Fault:
            return ()  # evidence is a service; the verdict stands without it

    def log(self, pod: ObjectId, container: str, *, previous: bool) -> tuple[str, ...]:
        """The last lines of a container, whole: what is cut could no longer be masked."""
        query = {
            "container": container,
            "tailLines": str(LOG_LINES),
            "limitBytes": str(LOG_BYTES),
            "previous": "true" if previous else "false",
        }
        try:
            log = self._objects.log(pod.namespace, pod.name, query)
        except InterruptedFault:
            raise
        except Fault:
            return ()  # a node that is gone, a container that never ran
        lines = log.splitlines()
        if len(log.encode()) >= LOG_BYTES:
            lines = lines[:-1]  # the limit cut it
        return tuple(lines[-LOG_LINES:])


def _grouped(ids: Iterable[ObjectId]) -> Mapping[Group, Sequence[ObjectId]]:
    grouped: dict[Group, list[ObjectId]] = {}
    for id in sorted(ids):
        grouped.setdefault((id.group, id.kind, id.namespace), []).append(id)
    return grouped


def _version(body: Body | None) -> str:
    return text(body, "metadata", "resourceVersion") if body else ""


def _kinds_below(id: ObjectId) -> Iterable[tuple[str, str]]:
    """The kinds to look through for what explains an object: events, and what is made out of it."""
    yield _EVENT
    if not id.namespace:
        return
    if is_custom_group(id.group):
        yield from _MADE
    else:
        yield from _BELOW.get(id.group_kind, ())


def _by_owner(
    found: Mapping[tuple[str, tuple[str, str]], Sequence[Body]],
) -> Mapping[str, Sequence[tuple[ObjectId, Body]]]:
    """What was made, by the uids of its owners; without what is kept for history only."""
    owned: dict[str, list[tuple[ObjectId, Body]]] = {}
    for (namespace, (group, kind)), listed in found.items():
        if (group, kind) == _EVENT:
            continue
        for body in listed:
            if not _is_retired(body):
                id = ObjectId(group, kind, namespace, text(body, "metadata", "name"))
                for uid in _owner_uids(body):
                    owned.setdefault(uid, []).append((id, body))
    return owned


def _by_object(
    found: Mapping[tuple[str, tuple[str, str]], Sequence[Body]], since: datetime
) -> Mapping[str, Sequence[Event]]:
    """Events by the uid of what they are about: warnings, and those that announce a node."""
    merged: dict[tuple[str, ...], Event] = {}
    for (_, kind), listed in found.items():
        for event in listed if kind == _EVENT else ():
            reason, message = text(event, "reason"), text(event, "message")
            last = _last_seen(event)
            if text(event, "type") == "Normal" and reason not in SCALING_UP:
                continue
            if not _is_after(last, since):
                continue
            key = (text(event, "involvedObject", "uid"), reason, message)
            old = merged.get(key)
            count = at(event, "count")
            merged[key] = Event(
                reason=reason,
                message=message,
                kind=text(event, "involvedObject", "kind"),
                name=text(event, "involvedObject", "name"),
                count=(old.count if old else 0) + (count if isinstance(count, int) else 1),
                last=max(last, old.last if old else ""),
            )
    by_uid: dict[str, list[Event]] = {}
    for (uid, *_), told in merged.items():
        by_uid.setdefault(uid, []).append(told)
    return by_uid


def _evidence(
    id: ObjectId,
    body: Body,
    made: Mapping[str, Sequence[tuple[ObjectId, Body]]],
    events: Mapping[str, Sequence[Event]],
) -> Evidence:
    uids = [text(body, "metadata", "uid")]
    owned: dict[ObjectId, Body] = {}
    for uid in uids:  # grows while it is gone through
        for below, child in made.get(uid, ()):
            if below not in owned and below != id:
                owned[below] = child
                uids.append(text(child, "metadata", "uid"))
    told = [event for uid in dict.fromkeys(uids) for event in events.get(uid, ())]
    return Evidence(
        owned=tuple(
            sorted(
                owned.items(), key=lambda pair: (pair[0].kind == "Pod", _is_ready(pair[1]), pair[0])
            )
        ),
        events=tuple(sorted(told, key=lambda event: event.last)),
    )


def _owner_uids(body: Body) -> set[str]:
    return {text(owner, "uid") for owner in bodies(body, "metadata", "ownerReferences")}


def _is_retired(body: Body) -> bool:
    """Whether it is a ReplicaSet of an earlier revision, kept for history only."""
    return text(body, "kind") == "ReplicaSet" and at(body, "spec", "replicas") == 0


def _is_ready(body: Body) -> bool:
    return any(
        text(condition, "type") == "Ready" and text(condition, "status") == "True"
        for condition in bodies(body, "status", "conditions")
    )


def _last_seen(event: Body) -> str:
    for path in (("series", "lastObservedTime"), ("lastTimestamp",), ("eventTime",)):
        time = text(event, *path)
        if time:
            return time
    return text(event, "metadata", "creationTimestamp")


def _is_after(time: str, since: datetime) -> bool:
    try:
        return datetime.fromisoformat(time) >= since
    except ValueError:
        return True  # a time that cannot be read hides nothing
