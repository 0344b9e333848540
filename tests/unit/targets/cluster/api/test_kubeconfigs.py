"""What kubeconfig files say together, and that reading them loads no more than is needed."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.targets.cluster.api import credentials, kubeconfigs

CANARY = "c4n4ry-token"
ROOT = Path(__file__).resolve().parents[5]


def write(path: Path, current: str = "", **sections: dict[str, Any]) -> str:
    """A kubeconfig of named clusters, contexts and users."""
    content: dict[str, Any] = {"current-context": current} if current else {}
    for section, entries in sections.items():
        key = section.removesuffix("s")
        content[section] = [{"name": name, key: fields} for name, fields in entries.items()]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return str(path)


def one(path: Path, *, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    """A kubeconfig of one context."""
    return write(
        path,
        current="a",
        clusters={"c": {"server": "https://127.0.0.1:6443", **cluster}},
        contexts={"a": {"cluster": "c", "user": "u"}},
        users={"u": user},
    )


def test_first_file_counts(tmp_path: Path) -> None:
    """Of several files the first that says something counts, as with kubectl."""
    first = write(tmp_path / "a", clusters={"c": {"server": "https://first"}})
    second = write(
        tmp_path / "b",
        current="second",
        clusters={"c": {"server": "https://second"}, "d": {"server": "https://third"}},
    )
    third = write(tmp_path / "c", current="third")

    found = kubeconfigs.read(f"{first}:{second}:{third}")

    servers = {entry.name: entry.fields["server"] for entry in found.clusters}
    assert servers == {"c": "https://first", "d": "https://third"}
    assert found.current == "second"


def test_parts_of_one_context_in_several_files(tmp_path: Path) -> None:
    """Context, cluster and user may stand in different files; paths are relative to their own."""
    write(tmp_path / "users" / "config", users={"u": {"tokenFile": "token"}})
    (tmp_path / "users" / "token").write_text(CANARY)
    write(tmp_path / "a", current="x", contexts={"x": {"cluster": "c", "user": "u"}})
    write(tmp_path / "b", clusters={"c": {"server": "http://127.0.0.1:1"}})
    paths = ":".join(str(tmp_path / name) for name in ("a", "missing", "b", "users/config"))

    connection = credentials.connect(ClusterSpec(), environ={"KUBECONFIG": paths})

    assert connection.server == "http://127.0.0.1:1"
    assert connection.authorization.headers() == {"Authorization": f"Bearer {CANARY}"}


def test_name_and_password(tmp_path: Path) -> None:
    """A user's name and password are sent as they are for HTTP."""
    path = one(tmp_path / "k", cluster={}, user={"username": "u", "password": CANARY})

    headers = credentials.connect(ClusterSpec(kubeconfig=path), environ={}).authorization.headers()

    sent = base64.b64encode(f"u:{CANARY}".encode()).decode()
    assert headers == {"Authorization": f"Basic {sent}"}


def test_nobody(tmp_path: Path) -> None:
    """A context without a user sends no credentials."""
    path = write(
        tmp_path / "k",
        clusters={"c": {"server": "http://127.0.0.1:1"}},
        contexts={"a": {"cluster": "c"}},
    )

    connection = credentials.connect(ClusterSpec(kubeconfig=path), environ={})

    assert connection.authorization.headers() == {}


@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"certificate-authority": CANARY}, {}),
        ({"certificate-authority-data": "?"}, {}),
        ({"certificate-authority-data": base64.b64encode(CANARY.encode()).decode()}, {}),
        ({}, {"client-certificate-data": base64.b64encode(CANARY.encode()).decode()}),
        ({}, {"client-key": CANARY, "client-certificate": CANARY}),
        ({}, {"tokenFile": CANARY}),
        ({}, {"username": 1, "password": 2}),
        ({"server": None}, {}),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any]) -> None:
    """Damaged certificates and missing files end the run before anything is asked."""
    path = one(tmp_path / "k", cluster=cluster, user=user)

    with pytest.raises(UsageFault) as fault:
        credentials.connect(ClusterSpec(kubeconfig=path), environ={})

    assert CANARY not in f"{fault.value.what} {fault.value.cure}"
    assert fault.value.__suppress_context__


def test_missing_cluster(tmp_path: Path) -> None:
    """A context whose cluster is nowhere leads to no other."""
    path = write(
        tmp_path / "k",
        clusters={"other": {"server": "http://127.0.0.1:1"}},
        contexts={"a": {"cluster": "c", "user": "u"}},
    )

    with pytest.raises(UsageFault, match="cannot be used"):
        credentials.connect(ClusterSpec(kubeconfig=path), environ={})


def test_a_plain_kubeconfig_loads_no_client(tmp_path: Path) -> None:
    """The `kubernetes` package takes 0.2 s to load: only what needs it pays for it."""
    path = one(tmp_path / "k", cluster={}, user={"token": CANARY})
    program = (
        "import sys\n"
        "from pipeline_gitops.config import ClusterSpec\n"
        "from pipeline_gitops.targets.cluster.api import credentials\n"
        f"credentials.connect(ClusterSpec(kubeconfig={path!r}), environ={{}})\n"
        "print('kubernetes' in sys.modules, 'requests' in sys.modules)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert said.stdout == "False False\n"


@pytest.mark.parametrize("host", ["api.example.com", "10.0.0.1"])
def test_proxies(tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster's own proxy goes before that of the environment; what is exempt has none."""
    monkeypatch.setenv("HTTPS_PROXY", "http://env.example.com:3128")
    plain = one(tmp_path / "p", cluster={"server": f"https://{host}"}, user={})
    own = {"server": f"https://{host}", "proxy-url": "http://own.example.com:3128"}
    owned = one(tmp_path / "o", cluster=own, user={})

    def proxy(path: str) -> str:
        pool = credentials.connect(ClusterSpec(kubeconfig=path), environ={}).pool
        return str(pool.proxy and pool.proxy.host)

    found = [proxy(plain), proxy(owned)]
    monkeypatch.setenv("NO_PROXY", host)

    assert [*found, proxy(owned)] == ["env.example.com", "own.example.com", "None"]


# -- what must not be shown ------------------------------------------------------------------------

ARMOURED = "-----BEGIN PRIVATE KEY-----\nfirst-line\nlast-line\n-----END PRIVATE KEY-----\n"


def written(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("user", "hidden"),
    [
        ({"client-key-data": written(ARMOURED)}, {"first-line", "last-line"}),
        ({"client-certificate-data": written(ARMOURED)}, {"first-line", "last-line"}),
        ({"client-key": "key.pem"}, {"first-line", "last-line"}),
        ({"client-key-data": "no base64!"}, {"no base64!"}),
        ({"username": "bot", "password": CANARY}, {CANARY}),
        ({"auth-provider": {"config": {"id-token": CANARY}}}, {f"id-token={CANARY}"}),
        ({"exec": {"env": [{"name": "TOKEN", "value": CANARY}]}}, {f"TOKEN={CANARY}"}),
    ],
)
def test_what_proves_who_we_are_must_not_be_shown(
    tmp_path: Path, user: dict[str, Any], hidden: set[str]
) -> None:
    """Keys and certificates by their lines, wherever they are written; passwords; variables."""
    (tmp_path / "key.pem").write_text(ARMOURED)
    path = one(tmp_path / "config", cluster={}, user=user)
    found = kubeconfigs.read(path)
    context = found.context("")

    secrets = set(kubeconfigs.secrets(found.cluster(context), found.user(context)))

    assert secrets - {""} == hidden


def test_passwords_in_addresses_must_not_be_shown(tmp_path: Path) -> None:
    """Of a proxy that wants one, for example."""
    proxy = {"proxy-url": f"http://bot:{CANARY}@proxy:3128"}
    found = kubeconfigs.read(one(tmp_path / "config", cluster=proxy, user={}))
    context = found.context("")

    assert CANARY in kubeconfigs.secrets(found.cluster(context), found.user(context))
