"""When a request is repeated, and which answers count."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.targets.cluster.api import credentials
from pipeline_gitops.targets.cluster.api import transport as transports
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.api.transport import GRACE_S, Transport
from tests.fakes.apiserver import ADMIN, FakeApiServer, Fault
from tests.fakes.world import FakeClock

DEFAULT = "/api/v1/namespaces/default"
CONFIG_MAP = f"{DEFAULT}/configmaps/settings"
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
APPLY_TYPE = "application/apply-patch+yaml"
APPLY = {"fieldManager": "pipeline-gitops", "force": "false"}


def status(code: int, message: str, **fields: Any) -> bytes:
    body = {"kind": "Status", "apiVersion": "v1", "message": message, "code": code, **fields}
    return json.dumps(body).encode()


def test_too_many_requests(transport: Transport, server: FakeApiServer, clock: FakeClock) -> None:
    """A server that asks for patience gets it: the request is repeated after Retry-After."""
    server.faults = [Fault(status=429, headers={"Retry-After": "3"}, body=status(429, "slow down"))]

    answer = transport.request("GET", DEFAULT)

    assert answer.status == 200
    assert 3 <= clock.elapsed() <= 4


@pytest.mark.parametrize("given", ["3600", "999999999999999999999"])
def test_absurd_retry_after(
    transport: Transport, server: FakeApiServer, clock: FakeClock, given: str
) -> None:
    """A Retry-After of an hour is not waited for."""
    server.faults = [Fault(status=503, headers={"Retry-After": given}, body=status(503, "no"))]

    transport.request("GET", DEFAULT)

    assert clock.elapsed() <= 31


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "Fri, 02 Jan 2026 03:04:10 GMT"},
        {
            "Retry-After": "Thu, 01 Jan 2026 00:00:09 GMT",
            "Date": "Thu, 01 Jan 2026 00:00:04 GMT",
        },
    ],
    ids=["by our clock", "by the server's clock"],
)
def test_retry_after_a_date(
    transport: Transport, server: FakeApiServer, clock: FakeClock, headers: dict[str, str]
) -> None:
    """A date counts from the server's own time where it tells it, else from ours."""
    server.faults = [Fault(status=503, headers=headers, body=status(503, "no"))]

    transport.request("GET", DEFAULT)

    assert 5 <= clock.elapsed() <= 6


def test_retry_after_a_date_that_is_past(
    transport: Transport, server: FakeApiServer, clock: FakeClock
) -> None:
    """It is waited for no longer."""
    headers = {"Retry-After": "Wed, 21 Oct 2020 07:28:00 GMT"}
    server.faults = [Fault(status=503, headers=headers, body=status(503, "no"))]

    transport.request("GET", DEFAULT)

    assert clock.elapsed() <= 1


@pytest.mark.parametrize("given", ["-1", "soon", "\u0663", "32 Oct 2026", ""])
def test_unreadable_retry_after(
    transport: Transport, server: FakeApiServer, clock: FakeClock, given: str
) -> None:
    """A Retry-After that is neither seconds nor a date does not count."""
    server.faults = [Fault(status=503, headers={"Retry-After": given}, body=status(503, "no"))]

    transport.request("GET", DEFAULT)

    assert clock.elapsed() < 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=502, content_type="text/html", body=b"<h1>Bad gateway</h1>"),
        Fault(status=503, body=status(503, "unavailable")),
        Fault(status=504, body=status(504, "timeout")),
        Fault(status=500, body=status(500, "etcdserver: leader changed")),
        Fault(reset=True),
        Fault(status=200, body=b'{"kind": "Namesp'),
    ],
    ids=["502", "503", "504", "500", "reset", "truncated"],
)
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_passing_fault(
    transport: Transport, server: FakeApiServer, fault: Fault, method: str
) -> None:
    """What passes by itself is repeated, writes included; the answer tells that it was."""
    transport.request("PATCH", CONFIG_MAP, query=APPLY, body=BODY, content_type=APPLY_TYPE)
    server.faults = [fault, fault]

    answer = send(transport, method)

    assert (answer.status, answer.repeated) == (200, True)


def send(transport: Transport, method: str) -> Any:
    if method == "PATCH":
        return transport.request(
            "PATCH", CONFIG_MAP, query=APPLY, body=BODY, content_type=APPLY_TYPE
        )
    return transport.request(method, CONFIG_MAP)


def test_first_answer_is_not_repeated(transport: Transport) -> None:
    """An answer to the first try says so: a conflict then is nobody's own success."""
    assert not transport.request("GET", DEFAULT).repeated


def test_refusal_after_a_lost_answer(transport: Transport, server: FakeApiServer) -> None:
    """A refusal of a repeated request says that it was repeated."""
    once = {**BODY, "metadata": {"name": "settings", "resourceVersion": "1"}}
    server.faults = [Fault(reset=True, after_effect=True)]

    with pytest.raises(ApiError) as error:
        transport.request("PATCH", CONFIG_MAP, query=APPLY, body=once, content_type=APPLY_TYPE)

    assert (error.value.status, error.value.is_stale, error.value.repeated) == (409, True, True)


def test_a_restarted_server_is_waited_for(
    transport: Transport, server: FakeApiServer, clock: FakeClock
) -> None:
    """One that has answered before comes back, and has a minute for it."""
    transport.request("GET", DEFAULT)
    server.faults = [Fault(reset=True)] * 12

    answer = transport.request("GET", DEFAULT)

    assert answer.repeated
    assert 20 < clock.elapsed() < 60


def test_patience_ends(transport: Transport, server: FakeApiServer, clock: FakeClock) -> None:
    """However well it was known before."""
    transport.request("GET", DEFAULT)
    server.faults = [Fault(status=503, body=status(503, "etcd is away"))] * 99

    with pytest.raises(UnreachableFault, match="503: etcd is away"):
        transport.request("GET", DEFAULT)

    assert 50 < clock.elapsed() < 70


def test_an_unknown_server_is_given_up_soon(
    transport: Transport, server: FakeApiServer, clock: FakeClock
) -> None:
    """One that never answered may be a mistyped address: nobody waits a minute for that."""
    server.faults = [Fault(reset=True)] * 20

    with pytest.raises(UnreachableFault, match="cannot be reached: the connection broke"):
        transport.request("GET", DEFAULT)

    assert len(server.requests) == 5
    assert clock.elapsed() < 10


def test_refusal_that_stays(transport: Transport, server: FakeApiServer) -> None:
    """What the server still says after the last try is what is reported."""
    server.faults = [Fault(status=503, body=status(503, "etcd is away"))] * 20

    with pytest.raises(UnreachableFault, match="503: etcd is away"):
        transport.request("GET", DEFAULT)


@pytest.mark.parametrize(
    "message",
    [
        "failed to create typed patch object (a/b; v1, Kind=X): .x: field not declared in schema",
        "failed to convert new object (a/b; v1, Kind=X) to proper version",
        "etcdserver: request is too large",
    ],
)
def test_final_500(transport: Transport, server: FakeApiServer, message: str) -> None:
    """A 500 about what was sent is not repeated."""
    server.faults = [Fault(status=500, body=status(500, message))]

    with pytest.raises(ApiError) as error:
        transport.request("GET", DEFAULT)

    assert error.value.rejects
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirect(transport: Transport, server: FakeApiServer, code: int) -> None:
    """A redirect is followed nowhere: our credentials would go along."""
    headers = {"Location": f"{server.url}/api/v1/namespaces/kube-system"}
    server.faults = [Fault(status=code, headers=headers)]

    with pytest.raises(UnreachableFault, match="redirect"):
        transport.request("GET", DEFAULT)

    assert len(server.requests) == 1


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_captive_portal(transport: Transport, server: FakeApiServer, method: str) -> None:
    """A login page with status 200 is no answer."""
    server.faults = [Fault(status=200, content_type="text/html", body=b"<h1>Log in</h1>")]

    with pytest.raises(UnreachableFault, match="text/html, as a proxy or a login page does"):
        send(transport, method)

    assert len(server.requests) == 1


def test_json_that_is_no_object(transport: Transport, server: FakeApiServer) -> None:
    """JSON alone is no answer either."""
    server.faults = [Fault(status=200, body=b"[]")]

    with pytest.raises(UnreachableFault, match="no object"):
        transport.request("GET", DEFAULT)


def test_patience_is_a_parameter(server: FakeApiServer, clock: FakeClock, tmp_path: Path) -> None:
    """Whoever has less time gives up earlier, whatever the server asks for."""
    kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
    connection = credentials.connect(ClusterSpec(kubeconfig=str(kubeconfig)), environ={})
    server.faults = [Fault(status=503, headers={"Retry-After": "9"}, body=status(503, "no"))] * 9

    with pytest.raises(UnreachableFault, match="503"):
        Transport(connection, clock, deadline=600, patience_s=8).request("GET", DEFAULT)

    assert (len(server.requests), clock.elapsed()) == (1, 0)


def test_refused_credentials_are_read_again_once(
    transport: Transport, server: FakeApiServer
) -> None:
    """A server that goes on refusing is not asked again and again."""
    server.faults = [Fault(status=401, body=status(401, "Unauthorized"))] * 9

    with pytest.raises(UnreachableFault, match="does not accept the credentials"):
        transport.request("GET", DEFAULT)

    assert len(server.requests) <= 2


def test_slow_server(transport: Transport, server: FakeApiServer, clock: FakeClock) -> None:
    """An answer that takes too long is given up, and asked for again."""
    clock.seconds = 600 + GRACE_S - 1.5  # leaves a second for the answer, not thirty
    server.faults = [Fault(status=200, body=b"{}", slow_s=60)]
    started = time.monotonic()

    answer = transport.request("GET", DEFAULT)

    assert (answer.repeated, answer.body["kind"]) == (True, "Namespace")
    assert time.monotonic() - started < 60


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """The address of a server that sends *head*, and then a space now and then for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        client, _ = listener.accept()
        with client, suppress(OSError):
            client.recv(65_536)
            client.sendall(head or b"HTTP/1.1 200 OK\r\nX: ")
            while not ended.wait(0.05):
                client.sendall(b" ")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    ended.set()
    thread.join()
    listener.close()


@pytest.mark.parametrize("part", ["headers", "body"])
def test_dripping_answer(
    clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """An answer that comes byte by byte is given up when its time is over, not never."""
    monkeypatch.setattr(transports, "READ_S", 0.3)
    monkeypatch.setattr(transports, "TRIES", 1)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 600\r\n\r\n"
    started = time.monotonic()

    with dripping(b"" if part == "headers" else head) as url:
        kubeconfig = tmp_path / "kubeconfig"
        cluster = {"name": "a", "cluster": {"server": url}}
        context = {"name": "a", "context": {"cluster": "a"}}
        kubeconfig.write_text(json.dumps({"clusters": [cluster], "contexts": [context]}))
        connection = credentials.connect(ClusterSpec(kubeconfig=str(kubeconfig)), environ={})
        with pytest.raises(UnreachableFault, match="no answer in time"):
            Transport(connection, clock, deadline=600).request("GET", DEFAULT)

    assert time.monotonic() - started < 15  # it would go on for half a minute, or for ever


def test_deadline(server: FakeApiServer, clock: FakeClock, tmp_path: Path) -> None:
    """Once the time is over, and what explains it was read, nothing more is asked."""
    kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
    connection = credentials.connect(ClusterSpec(kubeconfig=str(kubeconfig)), environ={})
    late = Transport(connection, clock, deadline=5)
    clock.seconds = 5 + GRACE_S

    with pytest.raises(UnreachableFault, match="the time is over"):
        late.request("GET", DEFAULT)

    assert server.requests == []


def test_interrupted_while_waiting(
    transport: Transport, server: FakeApiServer, clock: FakeClock
) -> None:
    """Who is asked to stop does not wait for a server."""
    server.faults = [Fault(reset=True)] * 20
    clock.interrupt_at = 0.1

    with pytest.raises(InterruptedFault):
        transport.request("GET", DEFAULT)

    assert len(server.requests) == 1


def test_renewed_token(server: FakeApiServer, clock: FakeClock, tmp_path: Path) -> None:
    """A token that was rotated is read again when the server refuses the old one."""
    token = tmp_path / "token"
    token.write_text("old")
    kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
    config = json.loads(kubeconfig.read_text())
    config["users"][0]["user"] = {"tokenFile": "token"}
    kubeconfig.write_text(json.dumps(config))
    connection = credentials.connect(ClusterSpec(kubeconfig=str(kubeconfig)), environ={})
    connection.authorization.headers()
    token.write_text(f"{ADMIN}\n")

    answer = Transport(connection, clock, deadline=600).request("GET", DEFAULT)

    assert answer.status == 200


def test_anonymous_404(transport: Transport) -> None:
    """A path that nothing serves is told from an object that is not there."""
    with pytest.raises(ApiError) as unserved:
        transport.request("GET", "/apis/nowhere.example.com/v1/things")
    with pytest.raises(ApiError) as absent:
        transport.request("GET", CONFIG_MAP)

    assert (unserved.value.is_unserved, absent.value.is_unserved) == (True, False)


def test_log_is_text(transport: Transport, server: FakeApiServer) -> None:
    """Logs are no JSON, and are taken as they come."""
    server.logs["web"] = "starting\nready\n"

    assert transport.text(f"{DEFAULT}/pods/web/log", {}) == "starting\nready\n"


def test_address_is_not_shown_whole(clock: FakeClock, tmp_path: Path) -> None:
    """A fault names host and port, not the path or the login of the address."""
    kubeconfig = tmp_path / "kubeconfig"
    address = "http://ada:hunter2@127.0.0.1:1/k8s/clusters/c-secret"
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "a", "cluster": {"server": address}}],
                "contexts": [{"name": "a", "context": {"cluster": "a"}}],
                "users": [],
            }
        )
    )
    connection = credentials.connect(ClusterSpec(kubeconfig=str(kubeconfig)), environ={})

    with pytest.raises(UnreachableFault) as fault:
        Transport(connection, clock, deadline=600).request("GET", DEFAULT)

    assert "127.0.0.1:1" in fault.value.what
    assert "hunter2" not in fault.value.what
    assert "c-secret" not in fault.value.what
