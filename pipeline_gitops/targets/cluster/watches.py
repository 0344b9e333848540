"""What runs: the live objects as they change, and what explains one that does not get well."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.errors import Fault, InterruptedFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Clock, Event, Evidence, Snapshot
from pipeline_gitops.targets.cluster import threads
from pipeline_gitops.targets.cluster.apis import Apis
from pipeline_gitops.targets.cluster.objects import Objects
from pipeline_gitops.targets.cluster.statuses import ApiError

POLL_S = 1.0
FRESH_S = 5.0  # for how long what a survey read tells about health
SKEW = timedelta(minutes=1)  # between the clock of this machine and the cluster's
MOST_OWNED = 10
MOST_EVENTS = 10
LOG_LINES = 20
LOG_BYTES = 65_536
LONGEST_LINE = 500

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
# What controllers make out of workloads, from the top down.
_MADE = (("apps", "ReplicaSet"), ("batch", "Job"), ("", "Pod"))

_Group = tuple[str, str, str]  # API group, kind, namespace


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

    def _snapshot(self, ids: frozenset[ObjectId], known: Snapshot) -> Snapshot:
        grouped: dict[_Group, list[ObjectId]] = {}
        for id in sorted(ids):
            grouped.setdefault((id.group, id.kind, id.namespace), []).append(id)

        def live(group: _Group) -> Mapping[str, Body | None]:
            wanted = grouped[group]
            if all(id in known for id in wanted):
                return {id.name: known[id] for id in wanted}
            return self._live(group, wanted[0].name if len(wanted) == 1 else "")

        found = dict(zip(grouped, threads.each(live, grouped, self._clock), strict=True))
        return {id: found[group].get(id.name) for group, wanted in grouped.items() for id in wanted}

    def _live(self, group: _Group, name: str) -> Mapping[str, Body]:
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

    # -- evidence ----------------------------------------------------------------------------------

    def evidence(self, id: ObjectId, since: datetime) -> Evidence:
        """What can be read about an object. What cannot be read is left out."""
        body = self._snapshot(frozenset({id}), {})[id]
        if body is None:
            return Evidence()
        owned = self._owned(id, body)
        uids = {text(one, "metadata", "uid") for one in (body, *(made for _, made in owned))}
        return Evidence(
            owned=owned,
            events=self._events(id.namespace, uids, since - SKEW),
            log=self._log(pod for made, pod in [(id, body), *owned] if made.kind == "Pod"),
        )

    def _owned(self, id: ObjectId, body: Body) -> tuple[tuple[ObjectId, Body], ...]:
        """What controllers made out of the object, what is not well first."""
        if not id.namespace:
            return ()
        owners = {text(body, "metadata", "uid")}
        found: list[tuple[ObjectId, Body]] = []
        for group, kind in _MADE:
            for made in self._readable(group, kind, id.namespace):
                uid = text(made, "metadata", "uid")
                if _owner_uids(made) & owners and not _is_retired(made):
                    owners.add(uid)
                    name = text(made, "metadata", "name")
                    found.append((ObjectId(group, kind, id.namespace, name), made))
        found.sort(key=lambda pair: (pair[0].kind == "Pod", _is_ready(pair[1]), pair[0]))
        return tuple(found[:MOST_OWNED])

    def _readable(self, group: str, kind: str, namespace: str) -> Iterable[Body]:
        resource = self._apis().resource(group, kind)
        if resource is None:
            return ()
        try:
            return self._objects.listed(resource, namespace)
        except InterruptedFault:
            raise
        except Fault:
            return ()  # evidence is a service; the verdict stands without it

    def _events(self, namespace: str, uids: set[str], since: datetime) -> tuple[Event, ...]:
        merged: dict[tuple[str, str], Event] = {}
        for event in self._readable("", "Event", namespace or "default"):
            last = _last_seen(event)
            if text(event, "involvedObject", "uid") not in uids or not _is_after(last, since):
                continue
            if text(event, "type") == "Normal":
                continue
            reason, message = text(event, "reason"), text(event, "message")[:LONGEST_LINE]
            count = at(event, "count")
            old = merged.get((reason, message))
            merged[reason, message] = Event(
                reason=reason,
                message=message,
                count=(old.count if old else 0) + (count if isinstance(count, int) else 1),
                last=max(last, old.last if old else ""),
            )
        return tuple(sorted(merged.values(), key=lambda event: event.last)[-MOST_EVENTS:])

    def _log(self, pods: Iterable[Body]) -> tuple[str, ...]:
        """The last lines of the first container that failed."""
        for pod in pods:
            for container, crashed in _failing(pod):
                lines = self._lines(pod, container, previous=crashed) or self._lines(
                    pod, container, previous=False
                )
                if lines:
                    return lines
        return ()

    def _lines(self, pod: Body, container: str, *, previous: bool) -> tuple[str, ...]:
        query = {
            "container": container,
            "tailLines": str(LOG_LINES),
            "limitBytes": str(LOG_BYTES),
            "previous": "true" if previous else "false",
        }
        namespace, name = text(pod, "metadata", "namespace"), text(pod, "metadata", "name")
        try:
            log = self._objects.log(namespace, name, query)
        except InterruptedFault:
            raise
        except Fault:
            return ()  # a node that is gone, a container that never ran
        return tuple(line[:LONGEST_LINE] for line in log.splitlines()[-LOG_LINES:])


def _version(body: Body | None) -> str:
    return text(body, "metadata", "resourceVersion") if body else ""


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


def _failing(pod: Body) -> list[tuple[str, bool]]:
    """Containers that ended badly or keep restarting, and whether the log is of an earlier run."""
    found = []
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in bodies(pod, "status", key):
            ended = at(status, "state", "terminated", "exitCode")
            restarted = at(status, "lastState", "terminated", "exitCode")
            if ended or restarted:
                found.append((text(status, "name"), not ended and bool(restarted)))
    return found
