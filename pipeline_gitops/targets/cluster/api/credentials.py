"""How to reach a cluster, and as whom: kubeconfig, in-cluster account, credential plugins.

What a kubeconfig writes down is read by `kubeconfigs`; the `kubernetes` package runs plugins,
renews tokens and knows the account of a pod. It does nothing else for us: requests go through
`transport`. Its errors quote the kubeconfig, so none of their texts is shown or chained.
"""

import base64
import ipaddress
import logging
import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from urllib3 import PoolManager, ProxyManager
from urllib3.util.ssl_ import create_urllib3_context

from pipeline_gitops.config import ClusterSpec
from pipeline_gitops.errors import UnreachableFault, UsageFault
from pipeline_gitops.targets.cluster.api import kubeconfigs
from pipeline_gitops.targets.cluster.api.kubeconfigs import Entry
from pipeline_gitops.values import dataclass

_T = TypeVar("_T")
Hide = Callable[[Sequence[str]], None]

MOST_CONNECTIONS = 32  # where more than a server works on are on their way there and back
FRESH_S = 60.0
PLUGIN_S = 30.0  # a plugin asks an identity provider, or nobody will ever answer it
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
IN_CLUSTER = "in-cluster"

# The package puts keys into files, and keeps them until the program ends. Ours go as soon as they
# are read; as it gives the same file to whoever has the same key, one at a time has them.
_PACKAGE = threading.Lock()
_RENEW = "renew the credentials, and see that they are for this cluster"


def unhidden(_: Sequence[str]) -> None:
    """For whoever shows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the API server is, and what proves who we are. *context* is how people call it."""

    context: str
    server: str
    pool: PoolManager = field(repr=False)
    authorization: "Authorization" = field(repr=False)

    @property
    def where(self) -> str:
        """Host and port, without a path or a login."""
        return host_and_port(self.server)


def connect(
    spec: ClusterSpec,
    *,
    environ: Mapping[str, str],
    service_account: str = SERVICE_ACCOUNT,
    hide: Hide = unhidden,
) -> Connection:
    """A connection by kubeconfig, or as the pod that we run in. Asks the server nothing yet.

    What proves who we are is given to *hide* before it is used: a server may repeat it. Raises
    UsageFault for a context or a file that is not there, UnreachableFault for a credential plugin
    that gives nothing.
    """
    kubeconfig = _kubeconfig(spec, environ)
    if kubeconfig:
        return _by_kubeconfig(kubeconfig, spec.context, hide)
    if spec.context:
        raise UsageFault(
            f"context '{spec.context}' cannot be found: there is no kubeconfig",
            "set KUBECONFIG to a kubeconfig file that has it",
        )
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(environ, service_account, hide)
    raise UsageFault(
        "there is no way to a cluster: no kubeconfig, and this is no pod",
        "set KUBECONFIG to a kubeconfig file, or target.cluster.kubeconfig",
    )


def files(spec: ClusterSpec, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The kubeconfig files that a connection would be read from."""
    return tuple(filter(None, _kubeconfig(spec, environ).split(os.pathsep)))


def _kubeconfig(spec: ClusterSpec, environ: Mapping[str, str]) -> str:
    """The paths to read, joined as in KUBECONFIG; "" for none."""
    named = spec.kubeconfig or environ.get("KUBECONFIG", "")
    home = environ.get("HOME", "")
    if not named:
        usual = os.path.join(home, ".kube", "config")
        return usual if home and os.path.isfile(usual) else ""
    paths = [_expanded(path, home) for path in named.split(os.pathsep) if path]
    if not any(os.path.isfile(path) for path in paths):
        raise UsageFault(
            f"kubeconfig {named}: no such file",
            "correct KUBECONFIG, or target.cluster.kubeconfig",
        )
    return os.pathsep.join(paths)


def _expanded(path: str, home: str) -> str:
    return os.path.join(home, path[2:]) if home and path.startswith("~/") else path


# -- kubeconfig ------------------------------------------------------------------------------------


def _by_kubeconfig(path: str, wanted: str, hide: Hide) -> Connection:
    kubeconfig = kubeconfigs.read(path)
    context = kubeconfig.context(wanted)
    user, cluster = kubeconfig.user(context), kubeconfig.cluster(context)
    hide(tuple(kubeconfigs.secrets(cluster, user)))
    if "exec" in user.fields or "auth-provider" in user.fields:
        return _by_package(path, context.name, user, hide)
    with kubeconfigs.readable(path):
        server = cluster.fields["server"].rstrip("/")
        way = _Way(
            context=context.name,
            server=server,
            verified=not cluster.fields.get("insecure-skip-tls-verify"),
            options=_options(cluster, user),
            proxy=_proxy(cluster, server),
        )
        read = partial(str, kubeconfigs.authorization(user))
    return _connection(way, _token_file(user), read, hide)


def _options(cluster: Entry, user: Entry) -> dict[str, Any]:
    """How a pool verifies the server, and what it proves to it."""
    options: dict[str, Any] = {"ssl_context": kubeconfigs.verification(cluster, user)}
    if name := cluster.fields.get("tls-server-name"):
        options["server_hostname"] = str(name)
    return options


def _proxy(cluster: Entry, server: str) -> str:
    if "proxy-url" in cluster.fields:
        return str(cluster.fields["proxy-url"] or "")
    proxies = _proxies(server)
    return proxies.get(urlsplit(server).scheme) or proxies.get("all") or ""


def _proxies(server: str) -> Mapping[str, str]:
    """The proxies of the environment, by scheme; "no" is what is not proxied."""
    if is_loopback(server):  # as every Go client: loopback is never proxied
        return {}
    from urllib.request import getproxies  # 6 ms that loopback need not pay for

    return getproxies()


def _by_package(path: str, context: str, user: Entry, hide: Hide) -> Connection:
    import kubernetes.config
    from kubernetes.client import Configuration

    load_kube_config: Any = kubernetes.config.load_kube_config  # Any: the package has no types
    configuration = Configuration()

    def load(folder: str) -> None:
        with kubeconfigs.readable(path), _unheard():
            load_kube_config(
                config_file=path,
                context=context,
                client_configuration=configuration,
                persist_config=False,
                temp_file_path=folder,
            )

    plugin = _plugin(user)
    with _PACKAGE, tempfile.TemporaryDirectory() as folder:
        _in_time(partial(load, folder), plugin, context)
        if plugin and not (configuration.api_key or configuration.cert_file):
            # The package swallows a plugin's failure, and would go on as nobody.
            raise UnreachableFault(
                f"context {context}: the credential plugin {plugin} gave no credentials",
                "run it by hand to see why, and log in with it; it must be on the PATH of the job",
            )
        hide(tuple(_given(configuration)))
        with kubeconfigs.readable(path):
            way = _packaged_way(configuration, context)
    read = partial(_in_time, partial(_packaged, configuration), plugin, context)
    return _connection(way, _token_file(user), read, hide)


def _given(configuration: Any) -> Iterator[str]:
    """The certificate and the key that a plugin gave: the package has put them into files."""
    for path in filter(None, (configuration.cert_file, configuration.key_file)):
        with suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
            yield from kubeconfigs.lines(file.read())


@contextmanager
def _unheard() -> Iterator[None]:
    """Silences the root logger, into which a failing plugin's output would go."""
    root, silent, level = logging.getLogger(), logging.NullHandler(), logging.root.manager.disable
    root.addHandler(silent)  # without one, logging.error() would install a handler for good
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)
        root.removeHandler(silent)


def _plugin(user: Entry) -> str:
    """The command of the user's credential plugin; "" where there is none."""
    plugin = user.fields.get("exec")
    if not plugin:
        return ""
    return str(plugin.get("command") or "?") if isinstance(plugin, Mapping) else "?"


def _in_time(work: Callable[[], _T], plugin: str, context: str) -> _T:
    """What *work* gives. Raises UnreachableFault when a plugin that it runs does not answer.

    The package starts plugins without a bound, and one that asks for a password waits for ever.
    """
    if not plugin:
        return work()
    done: list[_T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)  # left behind, it does not keep us here
    thread.start()
    thread.join(PLUGIN_S)
    if raised:
        raise raised[0]
    if not done:
        raise UnreachableFault(
            f"context {context}: the credential plugin {plugin} did not answer in {PLUGIN_S:g} s",
            "run it by hand to see what it waits for; in a job it must not ask anything",
        )
    return done[0]


def _token_file(user: Entry) -> str:
    """The file that holds the user's token, or "": it may be rotated while we run."""
    path = user.fields.get("tokenFile")
    if not path or user.fields.get("token"):
        return ""
    return os.path.join(user.folder, str(path))


# -- in the cluster --------------------------------------------------------------------------------


def _in_cluster(environ: Mapping[str, str], service_account: str, hide: Hide) -> Connection:
    from kubernetes.client import Configuration
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import InClusterConfigLoader

    token = os.path.join(service_account, "token")
    configuration = Configuration()
    try:
        loader: Any = InClusterConfigLoader  # Any: the package has no types
        loader(
            token_filename=token,
            cert_filename=os.path.join(service_account, "ca.crt"),
            environ=environ,
        ).load_and_set(configuration)
        way = _packaged_way(configuration, IN_CLUSTER)
    except (ConfigException, OSError):
        raise UsageFault(
            f"this pod has no service account below {service_account}",
            "set automountServiceAccountToken, or KUBECONFIG to a kubeconfig file",
        ) from None
    return _connection(way, token, partial(_packaged, configuration), hide)


# -- both ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """What leads to a server. *options*: of the pool, for TLS."""

    context: str
    server: str
    verified: bool
    options: Mapping[str, Any] = field(repr=False)
    proxy: str = field(default="", repr=False)


def _packaged_way(configuration: Any, context: str) -> _Way:
    server = str(configuration.host).rstrip("/")
    secure = urlsplit(server).scheme == "https"
    options: dict[str, Any] = {"ssl_context": _verification(configuration) if secure else None}
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    return _Way(
        context=context,
        server=server,
        # The package also stops verifying where it renews an OIDC token without a
        # certificate-authority.
        verified=configuration.verify_ssl,
        options=options,
        proxy=configuration.proxy or "",
    )


def _verification(configuration: Any) -> ssl.SSLContext:
    """How the server is verified, and our certificate. Raises OSError for files of no use."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    if configuration.ssl_ca_cert:
        context.load_verify_locations(configuration.ssl_ca_cert)
    else:
        context.load_default_certs()
    if configuration.cert_file:
        # Never asks for a password.
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password="")
    return context


def _connection(way: _Way, token_file: str, written: Callable[[], str], hide: Hide) -> Connection:
    _check_scheme(way.server, way.context)
    _check_verified(way)
    read = partial(_token, token_file) if token_file else written
    return Connection(
        context=way.context,
        server=way.server,
        pool=_pool(way),
        authorization=Authorization(read, way.context, hide),
    )


def _check_scheme(server: str, context: str) -> None:
    scheme = urlsplit(server).scheme
    if scheme == "https" or (scheme == "http" and is_loopback(server)):
        return
    raise UsageFault(
        f"context {context}: the server {host_and_port(server)} is not spoken to over TLS",
        "use an https:// address; http:// is for loopback only",
    )


def _check_verified(way: _Way) -> None:
    """Whoever answers an unverified connection gets the token, and every Secret that is sent."""
    if not way.verified:
        raise UsageFault(
            f"context {way.context}: the kubeconfig says not to verify the server "
            "(insecure-skip-tls-verify)",
            "put the cluster's CA into certificate-authority-data instead; where the certificate "
            "has another name than the address, set tls-server-name",
        )


def _pool(way: _Way) -> PoolManager:
    options: dict[str, Any] = {
        "maxsize": MOST_CONNECTIONS,
        "cert_reqs": "CERT_REQUIRED",
        **way.options,
    }
    if not way.proxy or is_loopback(way.server) or _bypasses_proxies(way.server):
        return PoolManager(**options)
    if not way.proxy.startswith(("http://", "https://")):
        raise UsageFault(
            f"context {way.context}: its proxy is neither http:// nor https://",
            "correct proxy-url in the kubeconfig, or HTTPS_PROXY",
        )
    return ProxyManager(way.proxy, **options)


def _bypasses_proxies(server: str) -> bool:
    from kubernetes.client.rest import should_bypass_proxies

    return bool(should_bypass_proxies(server, _proxies(server).get("no") or ""))


class Authorization:
    """The header that says who we are, read again every minute: tokens are rotated while we run."""

    def __init__(self, read: Callable[[], str], context: str, hide: Hide = unhidden) -> None:
        self._read = read
        self._context = context
        self._lock = threading.Lock()  # plugins run one at a time, and log nowhere meanwhile
        self._value = ""
        self._until = 0.0
        self._hide = hide

    def headers(self, *, renew: bool = False) -> Mapping[str, str]:
        """The headers to send. *renew*: the server refused those that were sent."""
        with self._lock:
            if renew or time.monotonic() >= self._until:
                self._value = self._checked(self._read())
                self._until = time.monotonic() + FRESH_S
                self._hide(tuple(_credentials(self._value)))
            return {"Authorization": self._value} if self._value else {}

    def _checked(self, value: str) -> str:
        # An HTTP library that rejects a header quotes it, token and all.
        if value.isascii() and value.isprintable():
            return value
        raise UsageFault(
            f"context {self._context}: the token holds characters that no header can", _RENEW
        )


def _credentials(header: str) -> Iterator[str]:
    """What must not be shown of a header: the token, or a login with its password."""
    scheme, _, credential = header.partition(" ")
    yield credential
    if scheme == "Basic":
        yield base64.b64decode(credential).decode("utf-8", "replace").partition(":")[2]


def _token(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return f"Bearer {file.read().strip()}"
    except (OSError, UnicodeDecodeError):
        raise UnreachableFault(f"the token file {path} cannot be read", _RENEW) from None


def _packaged(configuration: Any) -> str:
    with _unheard():
        settings = configuration.auth_settings()
    return str(settings.get("BearerToken", {}).get("value") or "").strip()


def host_and_port(server: str) -> str:
    """The part of a server's address that may be shown."""
    parts = urlsplit(server)
    try:
        port = parts.port
    except ValueError:
        port = None
    return f"{parts.hostname or '?'}:{port or (80 if parts.scheme == 'http' else 443)}"


def is_loopback(server: str) -> bool:
    """Whether an address never leaves this machine."""
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
