"""What a watch reads, and what is found to explain an object that does not get well."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.ports import Evidence
from pipeline_gitops.targets.cluster.api.apis import Apis, discover
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.transport import Transport
from pipeline_gitops.targets.cluster.live.watches import FEW, LOG_BYTES, ClusterRuntime
from tests.fakes.apiserver import FakeApiServer, Fault
from tests.fakes.world import FakeClock

WEB = ObjectId("apps", "Deployment", "default", "web")
SETTINGS = ObjectId("", "ConfigMap", "default", "settings")
SINCE = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def runtime(transport: Transport, clock: FakeClock) -> ClusterRuntime:
    apis: Apis = discover(transport)
    return ClusterRuntime(Objects(transport), lambda: apis, clock)


def put(
    server: FakeApiServer, group: str, kind: str, name: str, owner: str = "", **body: Any
) -> Any:
    """An object in the namespace `default`, owned by the object with that uid."""
    metadata: dict[str, Any] = {"uid": f"uid-{name}"}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner}]
    server.store(server.kind(group, kind), "default", name, {**body, "metadata": metadata})


def requested(server: FakeApiServer) -> list[str]:
    """The paths of what was read, without the discovery."""
    return sorted(path.partition("?")[0] for _, path in server.requests if path.count("/") > 2)


# -- watch -----------------------------------------------------------------------------------------


def test_first_look(runtime: ClusterRuntime, server: FakeApiServer, clock: FakeClock) -> None:
    """The first look waits for nothing when it need not."""
    put(server, "apps", "Deployment", "web")

    snapshot = runtime.watch(frozenset({WEB, SETTINGS}), 0)

    web: Any = snapshot[WEB]
    assert (web["kind"], web["apiVersion"]) == ("Deployment", "apps/v1")
    assert snapshot[SETTINGS] is None
    assert clock.elapsed() == 0


def test_one_list_for_many(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """Objects of one kind and namespace are read at once."""
    names = [f"c{n:03}" for n in range(100)]
    for name in names:
        put(server, "", "ConfigMap", name)
    ids = frozenset(ObjectId("", "ConfigMap", "default", name) for name in names)

    snapshot = runtime.watch(ids, 0)

    assert all(body is not None for body in snapshot.values())
    assert requested(server) == ["/api/v1/namespaces/default/configmaps"]


def test_pages(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """A long list is read to its end."""
    for number in range(1_101):
        put(server, "", "ConfigMap", f"c{number:04}")
    ids = frozenset({ObjectId("", "ConfigMap", "default", f"c{n:04}") for n in (0, 600, 1_100)})

    snapshot = runtime.watch(ids, 0)

    assert all(body is not None for body in snapshot.values())
    assert len(requested(server)) == 3


def test_continuation_that_is_too_old(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """A list that the server forgot in the middle is read anew."""
    for number in range(600):
        put(server, "", "ConfigMap", f"c{number:04}")
    ids = frozenset({ObjectId("", "ConfigMap", "default", f"c{n:04}") for n in (0, 599)})
    expired = b'{"kind": "Status", "code": 410, "reason": "Expired"}'
    server.faults = [Fault(status=410, body=expired, query="continue")]

    snapshot = runtime.watch(ids, 0)

    assert all(body is not None for body in snapshot.values())


def test_secrets_are_not_read(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """To see that a Secret is there, its values are not needed."""
    put(server, "", "Secret", "login", data={"password": "aHVudGVyMg=="})
    login = ObjectId("", "Secret", "default", "login")

    snapshot = runtime.watch(frozenset({login}), 0)

    found: Any = snapshot[login]
    assert (found["kind"], "data" in found) == ("Secret", False)


def test_waits_for_a_change(
    runtime: ClusterRuntime, server: FakeApiServer, clock: FakeClock
) -> None:
    """A look at what stays as it is takes the time that was given."""
    put(server, "apps", "Deployment", "web")
    runtime.watch(frozenset({WEB}), 0)

    runtime.watch(frozenset({WEB}), 4.5)

    assert clock.elapsed() == 4.5


def test_returns_early(runtime: ClusterRuntime, server: FakeApiServer, clock: FakeClock) -> None:
    """A look ends as soon as something changed."""
    put(server, "apps", "Deployment", "web")
    runtime.watch(frozenset({WEB}), 0)
    put(server, "apps", "Deployment", "web")

    runtime.watch(frozenset({WEB}), 60)

    assert clock.elapsed() == 1


def test_interruption(runtime: ClusterRuntime, server: FakeApiServer, clock: FakeClock) -> None:
    """Who is asked to stop does not wait for a rollout."""
    put(server, "apps", "Deployment", "web")
    runtime.watch(frozenset({WEB}), 0)
    clock.interrupt_at = 3

    with pytest.raises(InterruptedFault):
        runtime.watch(frozenset({WEB}), 60)


def test_unknown_kind(runtime: ClusterRuntime) -> None:
    """An object of a kind that is not served is not there."""
    widget = ObjectId("example.com", "Widget", "default", "w")

    assert runtime.watch(frozenset({widget}), 0) == {widget: None}


# -- secrets ---------------------------------------------------------------------------------------


def secret(name: str) -> ObjectId:
    return ObjectId("", "Secret", "default", name)


def test_secrets_are_read_with_their_values(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """By lists of one: whoever may look at what was deployed may do no more."""
    for name in ("ours", "other"):
        put(server, "", "Secret", name, data={"k": "dmFsdWU="})

    found: Any = runtime.secrets(frozenset({WEB, secret("ours"), secret("gone")}))

    assert [(body["metadata"]["name"], body["data"]) for body in found] == [
        ("ours", {"k": "dmFsdWU="})
    ]
    assert {method for method, _ in server.requests} == {"GET"}
    assert set(requested(server)) == {"/api/v1/namespaces/default/secrets"}


def test_many_secrets_are_one_list(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """Beyond a few, requests cost more than what else lies there."""
    runtime.secrets(frozenset(secret(f"s{number}") for number in range(FEW + 1)))

    assert requested(server) == ["/api/v1/namespaces/default/secrets"]


def test_secrets_that_cannot_be_read_are_a_fault(
    runtime: ClusterRuntime, server: FakeApiServer
) -> None:
    """Texts would be shown without anybody knowing what to hide in them."""
    server.faults.append(Fault(status=403, body=b'{"kind": "Status", "code": 403}'))

    with pytest.raises(UnreachableFault):
        runtime.secrets(frozenset({secret("ours")}))


# -- evidence --------------------------------------------------------------------------------------

CRASHED = {
    "containerStatuses": [
        {"name": "side", "state": {"running": {}}},
        {
            "name": "web",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1}},
        },
    ]
}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def rollout(server: FakeApiServer) -> None:
    """A Deployment with an old and a new ReplicaSet, a crashing and a ready pod."""
    put(server, "apps", "Deployment", "web")
    put(server, "apps", "ReplicaSet", "web-old", "uid-web", spec={"replicas": 0})
    put(server, "apps", "ReplicaSet", "web-new", "uid-web", spec={"replicas": 2})
    put(server, "", "Pod", "web-new-a", "uid-web-new", status=READY)
    put(server, "", "Pod", "web-new-b", "uid-web-new", status=CRASHED)
    put(server, "", "Pod", "stranger", "uid-stranger", status=CRASHED)
    server.logs = {"web-new-b": "\n".join(f"line {n}" for n in range(100)), "stranger": "no"}


def event(server: FakeApiServer, name: str, about: str, message: str, **fields: Any) -> None:
    body = {
        "type": "Warning",
        "reason": "BackOff",
        "message": message,
        "lastTimestamp": "2026-01-01T12:05:00Z",
        "involvedObject": {"uid": f"uid-{about}", "kind": "Pod", "name": about},
        **fields,
    }
    put(server, "", "Event", name, **body)


def evidence(runtime: ClusterRuntime, *ids: ObjectId) -> Evidence:
    """What is found about the first of the objects, when it is asked about all of them."""
    live = runtime.watch(frozenset(ids), 0)
    found = runtime.evidence({id: body for id, body in live.items() if body is not None}, SINCE)
    return found[ids[0]]


def test_owned(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """What controllers made is found by its owners, what is not ready first, history left out."""
    rollout(server)

    owned = evidence(runtime, WEB).owned

    assert [id.name for id, _ in owned] == ["web-new", "web-new-b", "web-new-a"]


def test_one_list_of_evidence_for_many(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """However many workloads of a namespace do not get well: a list of each kind, and no more."""
    rollout(server)
    many = [ObjectId("apps", "Deployment", "default", f"w{n}") for n in range(50)]
    for id in many:
        put(server, "apps", "Deployment", id.name)
    server.requests.clear()

    evidence(runtime, WEB, *many)

    assert [path.rpartition("/")[2] for path in requested(server)] == [
        "events",
        "pods",
        "deployments",
        "replicasets",
    ]


def test_log(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """The last lines of the container that is asked for, of the run that is asked for."""
    rollout(server)

    log = runtime.log(ObjectId("", "Pod", "default", "web-new-b"), "web", previous=True)

    asked = [path for _, path in server.requests if "/log" in path]
    assert (len(log), log[-1]) == (25, "line 99")
    assert all(part in asked[0] for part in ("/web-new-b/", "container=web", "previous=true"))


def test_a_line_that_the_limit_cut_is_left_out(
    runtime: ClusterRuntime, server: FakeApiServer
) -> None:
    """Half a secret would not be recognised any more."""
    server.logs = {"web": "whole\n" + "x" * LOG_BYTES}

    log = runtime.log(ObjectId("", "Pod", "default", "web"), "web", previous=False)

    assert log == ("whole",)


def test_log_that_cannot_be_read(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """Logs are a service: that they cannot be read ends nothing."""
    rollout(server)
    server.faults = [Fault(status=403, body=b'{"kind": "Status"}', path="/log")] * 9

    assert runtime.log(ObjectId("", "Pod", "default", "web-new-b"), "web", previous=True) == ()


def test_events(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """Warnings about the object and what it owns, each once, since the deploy."""
    rollout(server)
    event(server, "e1", "web-new-b", "restarting", count=2)
    event(server, "e2", "web-new-b", "restarting", count=3)
    event(server, "e3", "web", "too slow", lastTimestamp="2026-01-01T12:01:00Z")
    event(server, "e4", "web", "long ago", lastTimestamp="2026-01-01T11:00:00Z")
    event(server, "e5", "stranger", "of somebody else")
    event(server, "e6", "web", "all is well", type="Normal")

    events = evidence(runtime, WEB).events

    assert [(e.name, e.message, e.count) for e in events] == [
        ("web", "too slow", 1),
        ("web-new-b", "restarting", 5),
    ]


def test_a_node_on_its_way_is_told(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """The autoscaler's event is no warning, and says why an unschedulable pod is no failure."""
    rollout(server)
    event(server, "e1", "web-new-b", "up 1", type="Normal", reason="TriggeredScaleUp")

    assert [e.reason for e in evidence(runtime, WEB).events] == ["TriggeredScaleUp"]


def test_events_that_cannot_be_read(runtime: ClusterRuntime, server: FakeApiServer) -> None:
    """An account that may not read events still gets the rest."""
    rollout(server)
    server.faults = [Fault(status=403, body=b'{"kind": "Status"}', path="/events")]

    found = evidence(runtime, WEB)

    assert (found.events, len(found.owned)) == ((), 3)
