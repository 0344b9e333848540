"""Which cluster is meant, and what is said when it cannot be told."""

import json
import logging
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.errors import Fault, UnreachableFault, UsageFault
from pipeline_gitops.targets.cluster.api import credentials
from pipeline_gitops.targets.cluster.api.credentials import Connection
from tests.contract import hooks

CANARY = "c4n4ry-token"


def kubeconfig(
    path: Path,
    *contexts: str,
    current: str = "",
    user: Mapping[str, Any] | None = None,
    server: str = "https://127.0.0.1:6443",
) -> str:
    """A kubeconfig whose contexts all mean one cluster and one user."""
    given = user if user is not None else {"token": CANARY}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": given}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts],
        "current-context": current,
    }
    path.write_text(json.dumps(config))
    return str(path)


def connect(spec: ClusterSpec, **environ: str) -> Connection:
    return credentials.connect(spec, environ=environ)


def fault_of(spec: ClusterSpec, **environ: str) -> Fault:
    with pytest.raises(Fault) as fault:
        connect(spec, **environ)
    assert CANARY not in f"{fault.value.what} {fault.value.cure}"
    assert fault.value.__context__ is None or fault.value.__suppress_context__
    return fault.value


def test_current_context(tmp_path: Path) -> None:
    """Without a name the current context is meant."""
    path = kubeconfig(tmp_path / "k", "staging", "prod", current="prod")

    connection = connect(ClusterSpec(kubeconfig=path))

    assert (connection.context, connection.where) == ("prod", "127.0.0.1:6443")
    assert connection.authorization.headers() == {"Authorization": f"Bearer {CANARY}"}


def test_named_context(tmp_path: Path) -> None:
    """A named context goes before the current one."""
    path = kubeconfig(tmp_path / "k", "staging", "prod", current="prod")

    assert connect(ClusterSpec(kubeconfig=path, context="staging")).context == "staging"


def test_only_context(tmp_path: Path) -> None:
    """A single context needs no name."""
    path = kubeconfig(tmp_path / "k", "staging")

    assert connect(ClusterSpec(kubeconfig=path)).context == "staging"


def test_no_context_among_several(tmp_path: Path) -> None:
    """Which of several clusters is meant is never guessed."""
    path = kubeconfig(tmp_path / "k", "staging", "prod")

    fault = fault_of(ClusterSpec(kubeconfig=path))

    assert isinstance(fault, UsageFault)
    assert fault.what.endswith("its contexts: prod, staging")
    assert "--context" in fault.cure


def test_unknown_context(tmp_path: Path) -> None:
    """A misspelt context brings the nearest names."""
    path = kubeconfig(tmp_path / "k", "staging", "prod", current="prod")

    fault = fault_of(ClusterSpec(kubeconfig=path, context="stagin"))

    assert (isinstance(fault, UsageFault), fault.cure) == (True, "did you mean staging?")


def test_stale_current_context(tmp_path: Path) -> None:
    """A current context that is not in the file is an error, not the first of the list."""
    path = kubeconfig(tmp_path / "k", "staging", "prod", current="gone")

    assert isinstance(fault_of(ClusterSpec(kubeconfig=path)), UsageFault)


def test_order_of_places(tmp_path: Path) -> None:
    """The configuration goes before KUBECONFIG, and that before ~/.kube/config."""
    (tmp_path / ".kube").mkdir()
    kubeconfig(tmp_path / ".kube" / "config", "home")
    variable = kubeconfig(tmp_path / "variable", "variable")
    named = kubeconfig(tmp_path / "named", "named")
    home = str(tmp_path)

    found = [
        connect(ClusterSpec(), HOME=home).context,
        connect(ClusterSpec(), HOME=home, KUBECONFIG=variable).context,
        connect(ClusterSpec(kubeconfig=named), HOME=home, KUBECONFIG=variable).context,
    ]

    assert found == ["home", "variable", "named"]


def test_several_files(tmp_path: Path) -> None:
    """KUBECONFIG may name several files; the contexts of all count."""
    one, other = kubeconfig(tmp_path / "a", "one"), kubeconfig(tmp_path / "b", "other")

    connection = connect(ClusterSpec(context="other"), KUBECONFIG=f"{one}:{other}")

    assert connection.context == "other"


def test_missing_file() -> None:
    """A kubeconfig that is not there is a usage error that names it."""
    fault = fault_of(ClusterSpec(kubeconfig="nowhere/kubeconfig"))

    assert (isinstance(fault, UsageFault), "nowhere/kubeconfig" in fault.what) == (True, True)


@pytest.mark.parametrize(
    "content",
    [
        f"token: [{CANARY}",
        f"- {CANARY}",
        CANARY,
        "",
        json.dumps({"contexts": [CANARY], "clusters": [], "users": []}),
        json.dumps({"contexts": [{"name": "a", "context": CANARY}]}),
        json.dumps(
            {
                "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1"}}],
                "users": [{"name": "u", "user": {"client-certificate": f"/{CANARY}"}}],
            }
        ),
    ],
)
def test_damaged_file(tmp_path: Path, content: str) -> None:
    """Nothing of a kubeconfig that cannot be used is shown or chained."""
    path = tmp_path / "kubeconfig"
    path.write_text(content)

    assert isinstance(fault_of(ClusterSpec(kubeconfig=str(path))), UsageFault)


def plugin(tmp_path: Path, script: str) -> str:
    """A kubeconfig whose credentials come from a shell script."""
    command = tmp_path / "plugin"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(command)}
    return kubeconfig(tmp_path / "k", "staging", user={"exec": exec_})


def test_plugin(tmp_path: Path) -> None:
    """A credential plugin's token is used."""
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": CANARY},
    }
    path = plugin(tmp_path, f"echo '{json.dumps(answer)}'")

    connection = connect(ClusterSpec(kubeconfig=path))

    assert connection.authorization.headers() == {"Authorization": f"Bearer {CANARY}"}


def test_key_of_a_plugin_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read once, from a file that is gone before the first request."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    file, _ = hooks.certificate(tmp_path)
    both = file.read_text()
    status = {"clientCertificateData": both, "clientKeyData": both}
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    (tmp_path / "answer").write_text(json.dumps(answer))
    path = plugin(tmp_path, f"cat {tmp_path}/answer")

    connections = [connect(ClusterSpec(kubeconfig=path)) for _ in range(2)]

    assert list(folder.rglob("*")) == []
    assert [len(one.authorization.headers()) for one in connections] == [0, 0]


def test_certificate_of_a_plugin_that_is_none(tmp_path: Path) -> None:
    """It is said before anything is asked, and nothing of it is shown."""
    status = {"clientCertificateData": CANARY, "clientKeyData": CANARY}
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": status,
    }
    path = plugin(tmp_path, f"echo '{json.dumps(answer)}'")

    assert isinstance(fault_of(ClusterSpec(kubeconfig=path)), UsageFault)


@pytest.mark.parametrize(
    "script", [f"echo {CANARY} >&2; exit 1", f"echo {CANARY}", "echo '{}'", "exit 0"]
)
def test_failing_plugin(
    tmp_path: Path,
    script: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A plugin that gives nothing ends the run, by its name; we never go on as nobody."""
    handlers = list(logging.getLogger().handlers)
    path = plugin(tmp_path, script)

    fault = fault_of(ClusterSpec(kubeconfig=path))

    assert isinstance(fault, UnreachableFault)
    assert f"{tmp_path}/plugin gave no credentials" in fault.what
    assert CANARY not in "".join(capfd.readouterr())
    assert caplog.records == []
    assert logging.getLogger().handlers == handlers


def test_plugin_that_waits_for_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that does not answer ends the run in bounded time, by its name."""
    monkeypatch.setattr(credentials, "PLUGIN_S", 0.2)
    path = plugin(tmp_path, "exec sleep 2")

    fault = fault_of(ClusterSpec(kubeconfig=path))

    assert isinstance(fault, UnreachableFault)
    assert f"{tmp_path}/plugin did not answer in 0.2 s" in fault.what


def test_missing_plugin(tmp_path: Path) -> None:
    """A plugin that is not installed is named."""
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cloud-login"}
    path = kubeconfig(tmp_path / "k", "staging", user={"exec": exec_})

    fault = fault_of(ClusterSpec(kubeconfig=path))

    assert "the credential plugin cloud-login gave no credentials" in fault.what


@pytest.mark.parametrize("ending", ["\n", "\r\n", " "])
def test_token_with_an_ending(tmp_path: Path, ending: str) -> None:
    """A token that was written with a newline is sent without it."""
    path = kubeconfig(tmp_path / "k", "staging", user={"token": f"{CANARY}{ending}"})

    headers = connect(ClusterSpec(kubeconfig=path)).authorization.headers()

    assert headers == {"Authorization": f"Bearer {CANARY}"}


def test_token_that_is_none(tmp_path: Path) -> None:
    """A token that no header can hold is not shown in the error."""
    path = kubeconfig(tmp_path / "k", "staging", user={"token": f"{CANARY}\nx"})
    connection = connect(ClusterSpec(kubeconfig=path))

    with pytest.raises(UsageFault) as fault:
        connection.authorization.headers()

    assert CANARY not in f"{fault.value.what}{fault.value.cure}"


def test_token_file_is_read_again(tmp_path: Path) -> None:
    """A rotated token counts as soon as it is asked for anew."""
    (tmp_path / "token").write_text("one\n")
    path = kubeconfig(tmp_path / "k", "staging", user={"tokenFile": "token"})
    authorization = connect(ClusterSpec(kubeconfig=path)).authorization
    first = authorization.headers()
    (tmp_path / "token").write_text("two\n")

    again, renewed = authorization.headers(), authorization.headers(renew=True)

    assert (first, again) == ({"Authorization": "Bearer one"},) * 2
    assert renewed == {"Authorization": "Bearer two"}


@pytest.mark.parametrize(
    ("server", "allowed"),
    [
        ("http://127.0.0.1:8001", True),
        ("http://localhost:8001", True),
        ("http://[::1]:8001", True),
        ("http://10.0.0.1:8001", False),
        ("http://127.0.0.1.example.com", False),
        ("ftp://127.0.0.1", False),
    ],
)
def test_plain_http(tmp_path: Path, server: str, allowed: bool) -> None:
    """Only loopback is spoken to without TLS."""
    path = kubeconfig(tmp_path / "k", "staging", server=server)

    if allowed:
        assert connect(ClusterSpec(kubeconfig=path)).server == server
    else:
        assert isinstance(fault_of(ClusterSpec(kubeconfig=path)), UsageFault)


def test_nothing_to_go_by(tmp_path: Path) -> None:
    """Without a kubeconfig, and outside of a cluster, the cure is said."""
    fault = fault_of(ClusterSpec(), HOME=str(tmp_path))

    assert (isinstance(fault, UsageFault), "KUBECONFIG" in fault.cure) == (True, True)


def test_named_context_without_kubeconfig(tmp_path: Path) -> None:
    """A named context is never replaced by the cluster that the job happens to run in."""
    fault = fault_of(ClusterSpec(context="prod"), KUBERNETES_SERVICE_HOST="10.0.0.1")

    assert "context 'prod'" in fault.what


def test_in_cluster(tmp_path: Path) -> None:
    """In a pod the service account's token is used, and read again when it is rotated."""
    (tmp_path / "token").write_text("one\n")
    file, _ = hooks.certificate(tmp_path)
    file.rename(tmp_path / "ca.crt")
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}

    connection = credentials.connect(ClusterSpec(), environ=environ, service_account=str(tmp_path))

    assert (connection.context, connection.server) == ("in-cluster", "https://[fd00::1]:443")
    assert connection.authorization.headers() == {"Authorization": "Bearer one"}


def test_pod_without_account(tmp_path: Path) -> None:
    """A pod without a service account is told so."""
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    with pytest.raises(UsageFault, match="no service account"):
        credentials.connect(ClusterSpec(), environ=environ, service_account=str(tmp_path))


def test_credentials_are_not_in_the_repr(tmp_path: Path) -> None:
    """A connection can be printed."""
    path = kubeconfig(tmp_path / "k", "staging")
    connection = connect(ClusterSpec(kubeconfig=path))
    connection.authorization.headers()

    assert CANARY not in repr(connection)


def test_server_that_is_not_verified(tmp_path: Path) -> None:
    """insecure-skip-tls-verify would hand the token to whoever answers; there is no flag for it."""
    path = kubeconfig(tmp_path / "config", "a", current="a")
    content = json.loads((tmp_path / "config").read_text())
    content["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = True
    (tmp_path / "config").write_text(json.dumps(content))

    fault = fault_of(ClusterSpec(kubeconfig=path))

    assert isinstance(fault, UsageFault)
    assert "certificate-authority-data" in fault.cure
