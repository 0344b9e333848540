"""How a real Kubernetes control plane is started for the tests, and ended with them.

etcd, the API server, the controllers and the scheduler are the real ones. Only the kubelet is
played, by kwok: it follows the stages in `stages/`, so that pods become ready, complete or fail
without a container ever running. Everything listens on the loopback interface alone.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.cluster import storage
from tests.cluster.api import Api, ApiError
from tests.cluster.build import PROGRAMS
from tests.parts.errors import PartError, tail
from tests.parts.processes import PortLostError, Process, free_ports

NODE = "test-node"
ADMIN = "admin"  # in the group system:masters: may do everything
VIEWER = "viewer"  # known to the server, but bound to no role: may do nothing

CURRENT_LOG = ("listening on :8080", "GET /healthz 200", "ready")
PREVIOUS_LOG = ("starting", "panic: cannot reach the database", "exit status 1")

START_S = 90.0  # two busy cores need some ten seconds
START_TRIES = 3
POLL_S = 0.05

_STAGES = Path(__file__).resolve().parent / "stages"


class ControlPlane:
    """A control plane with one node, from `start()` to `stop()`, or as a context manager.

    Start it in the main thread: the programs end with the thread that started them.
    """

    url: str
    ca_file: Path
    admin_token: str
    viewer_token: str
    folder: Path

    def __init__(self, programs: Path | None = None) -> None:
        """*programs* is a folder with other binaries than those that are built from here."""
        self._programs = programs
        self._processes: dict[str, Process] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each program, by name."""
        return {name: process.pid for name, process in self._processes.items()}

    @property
    def admin(self) -> Api:
        return self.api(self.admin_token)

    def api(self, token: str) -> Api:
        """The API server as the owner of *token* sees it."""
        return Api(self.url, ca_file=self.ca_file, token=token)

    def start(self) -> None:
        """Return once the API answers, the controllers work and the node takes pods.

        Builds the programs when this was not done yet. Raises PartError with the end of the
        log of the program to blame; the logs are then kept.
        """
        programs = self._programs or PROGRAMS.folder()
        for attempt in range(1, START_TRIES + 1):
            try:
                self._start(programs)
            except PortLostError:
                self._kill()
                if attempt == START_TRIES:
                    raise
                shutil.rmtree(self.folder)
            except (PartError, OSError, subprocess.SubprocessError):
                self._kill()
                raise
            except BaseException:
                self.stop()
                raise
            else:
                return

    def stop(self) -> None:
        """End every program and forget all that they stored."""
        self._kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def check(self) -> None:
        """Raise PartError when a program has ended."""
        for process in self._processes.values():
            process.check()

    def kubeconfig(
        self,
        path: Path,
        *,
        token: str | None = None,
        context: str = "test",
        namespace: str = "default",
    ) -> Path:
        """Write a kubeconfig of one context, for the admin unless a token is given."""
        ca = base64.b64encode(self.ca_file.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": ca}
        names = {"cluster": context, "user": context, "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": context, "user": {"token": token or self.admin_token}}],
            "contexts": [{"name": context, "context": names}],
            "current-context": context,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2) + "\n")  # JSON is YAML
        return path

    # Starting, in this order.

    def _start(self, programs: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pipeline-gitops-cluster-"))
        etcd, peer, api, kubelet = free_ports(4)
        self.url = f"https://127.0.0.1:{api}"
        self.ca_file = self.folder / "certificates" / "apiserver.crt"

        self._start_etcd(programs, client_port=etcd, peer_port=peer)
        self._start_api_server(programs, port=api, etcd_port=etcd)
        self._wait("kube-apiserver", self._api_is_ready, "the API server to be ready")

        self.admin.post("/api/v1/nodes", _node())
        for path, body in storage.objects():
            self.admin.post(path, body)
        self._start_controllers(programs)
        self._start_kubelet(programs, port=kubelet)
        self._wait("kwok", self._node_is_ready, "the node to be ready")
        self._wait("kube-controller-manager", self._accounts_are_made, "service accounts")

    def _start_etcd(self, programs: Path, *, client_port: int, peer_port: int) -> None:
        client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
        self._run(
            "etcd",
            programs / "controlplane",
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )

    def _start_api_server(self, programs: Path, *, port: int, etcd_port: int) -> None:
        key = self.folder / "signing.key"
        subprocess.run([programs / "controlplane", "signing-key", key], check=True, env={})
        self.admin_token, self.viewer_token = secrets.token_hex(16), secrets.token_hex(16)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(
            f'{self.admin_token},{ADMIN},{ADMIN},"system:masters"\n'
            f"{self.viewer_token},{VIEWER},{VIEWER}\n"
        )
        self._run(
            "kube-apiserver",
            programs / "controlplane",
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd_port}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",  # a loopback address is not a valid endpoint
            f"--cert-dir={self.ca_file.parent}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged",
        )

    def _start_controllers(self, programs: Path) -> None:
        kubeconfig = self.kubeconfig(self.folder / "admin.kubeconfig")
        self._run(
            "kube-controller-manager",
            programs / "controlplane",
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
            f"--service-account-private-key-file={self.folder / 'signing.key'}",
            f"--root-ca-file={self.ca_file}",
            "--node-monitor-grace-period=24h",  # a busy machine is no reason to evict
            # At the usual 20 requests a second, 200 Deployments take half a minute to be seen.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )
        self._run(
            "kube-scheduler",
            programs / "controlplane",
            "kube-scheduler",
            f"--kubeconfig={kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
        )

    def _start_kubelet(self, programs: Path, *, port: int) -> None:
        settings = self.folder / "kwok.json"
        settings.write_text(json.dumps(_container_logs(self.folder)))
        self._run(
            "kwok",
            programs / "kwok",
            f"--kubeconfig={self.folder / 'admin.kubeconfig'}",
            *(f"--config={path}" for path in (settings, *sorted(_STAGES.glob("*.yaml")))),
            "--manage-all-nodes=true",
            "--cidr=10.64.0.0/12",
            "--node-ip=127.0.0.1",
            f"--node-port={port}",
            f"--server-address=127.0.0.1:{port}",
            f"--tls-cert-file={self.ca_file}",
            f"--tls-private-key-file={self.ca_file.with_suffix('.key')}",
        )

    def _run(self, name: str, *command: str | Path) -> None:
        # A bare environment: no proxy, no kubeconfig and no settings of the user's.
        env = {"HOME": str(self.folder), "TMPDIR": str(self.folder), "PATH": "/usr/bin:/bin"}
        self._processes[name] = Process(
            name, command, folder=self.folder, env=env, whole=PROGRAMS.title
        )

    def _kill(self) -> None:
        for process in self._processes.values():
            process.kill()
        self._processes.clear()

    # What "started" means.

    def _wait(self, name: str, condition: Callable[[], bool], what: str) -> None:
        """Wait for *condition*; *name* is the program to blame if it does not come."""
        deadline = time.monotonic() + START_S
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                log = self._processes[name].log
                raise PartError(f"waited {START_S:.0f} s in vain for {what}\n{tail(log)}")
            time.sleep(POLL_S)

    def _api_is_ready(self) -> bool:
        if not self.ca_file.exists():
            return False
        try:
            return self.admin.text("/readyz") == "ok"
        except (ApiError, OSError):
            return False

    def _node_is_ready(self) -> bool:
        node = self.admin.get(f"/api/v1/nodes/{NODE}")
        conditions = node["status"].get("conditions", [])
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        return ready and not node["spec"].get("taints")

    def _accounts_are_made(self) -> bool:
        accounts = self.admin.get("/api/v1/namespaces/default/serviceaccounts")
        return any(each["metadata"]["name"] == "default" for each in accounts["items"])


def _node() -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": labels}}


def _container_logs(folder: Path) -> dict[str, Any]:
    """kwok's settings that make every container's logs CURRENT_LOG and PREVIOUS_LOG."""
    files = {}
    for name, lines in (("logsFile", CURRENT_LOG), ("previousLogsFile", PREVIOUS_LOG)):
        file = folder / f"{name}.log"
        # The format of the container runtime interface.
        file.write_text("".join(f"2026-01-01T00:00:00Z stdout F {line}\n" for line in lines))
        files[name] = str(file)
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "logs"},
        "spec": {"logs": [files]},
    }
