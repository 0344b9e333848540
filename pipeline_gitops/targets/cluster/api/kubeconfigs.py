"""What kubeconfig files say: several merged into one, their contexts, and plain credentials.

Read here, as the `kubernetes` package takes longer to load than a small deploy takes: it is kept
for what it alone can do, which is to run credential plugins and to renew tokens. As with kubectl,
the first file that says something counts, and a path is relative to the file that names it
(https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/). Whatever
is raised may hold a token: `readable` lets none of it out.
"""

import base64
import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import yaml
from urllib3.util import make_headers
from urllib3.util.ssl_ import create_urllib3_context

from pipeline_gitops import encodings
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.values import dataclass

_SECTIONS = ("clusters", "contexts", "users")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A named cluster, context or user. *folder*: what its paths are relative to."""

    name: str
    fields: Mapping[str, Any] = field(repr=False)
    folder: str = ""

    def path(self, key: str) -> str:
        """The file that a field names, or "". Raises OSError where it is not there."""
        named = self.fields.get(key)
        if not named:
            return ""
        path = os.path.normpath(os.path.join(self.folder, str(named)))
        if not os.path.isfile(path):
            raise FileNotFoundError(path)
        return path

    def content(self, key: str) -> bytes:
        """What a field's `-data` holds, or the file that the field names; b"" for neither."""
        data = self.fields.get(f"{key}-data")
        if data:
            # Strictly, as in Go: of damaged data nothing might be left, and the certificates of the
            # system would count instead.
            return base64.b64decode("".join(str(data).split()), validate=True)
        path = self.path(key)
        if not path:
            return b""
        with open(path, "rb") as file:
            return file.read()


_NOBODY = Entry(name="", fields={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """Some files, merged. *path*: as in KUBECONFIG."""

    path: str
    current: str
    clusters: tuple[Entry, ...]
    contexts: tuple[Entry, ...]
    users: tuple[Entry, ...]

    def context(self, wanted: str) -> Entry:
        """The context that is *wanted*, else the current one, else the only one.

        Raises UsageFault with the names there are.
        """
        names = [entry.name for entry in self.contexts]
        chosen = wanted or self.current or (names[0] if len(names) == 1 else "")
        if chosen in names:
            return self.contexts[names.index(chosen)]
        known = ", ".join(sorted(names)) or "none"
        if not chosen:
            raise UsageFault(
                f"kubeconfig {self.path} has no current context; its contexts: {known}",
                "name one: target.cluster.context, or --context",
            )
        near = get_close_matches(chosen, names, n=3)
        raise UsageFault(
            f"context '{chosen}' is not in kubeconfig {self.path}",
            f"did you mean {' or '.join(near)}?" if near else f"its contexts: {known}",
        )

    def user(self, context: Entry) -> Entry:
        """Who a context speaks as; without fields where it is anonymous."""
        return _named(context.fields.get("user"), self.users) or _NOBODY

    def cluster(self, context: Entry) -> Entry:
        """Where a context leads."""
        with readable(self.path):
            cluster = _named(context.fields.get("cluster"), self.clusters)
            if cluster is None:
                raise ValueError("kubeconfig")
            return cluster


def _named(name: object, entries: Iterable[Entry]) -> Entry | None:
    return next((entry for entry in entries if name and entry.name == name), None)


def read(path: str) -> Kubeconfig:
    """The files of *path*, merged. Raises UsageFault where one is damaged."""
    found: dict[str, dict[str, Entry]] = {section: {} for section in _SECTIONS}
    current = ""
    with readable(path):
        for file in filter(os.path.exists, map(os.path.expanduser, path.split(os.pathsep))):
            content = _content(file)
            current = current or str(content.get("current-context") or "")
            for section in _SECTIONS:
                for entry in _entries(content, section, file):
                    found[section].setdefault(entry.name, entry)
    entries = {section: tuple(named.values()) for section, named in found.items()}
    return Kubeconfig(path=path, current=current, **entries)


def _content(file: str) -> Mapping[str, Any]:
    with open(file, encoding="utf-8") as stream:
        content = yaml.load(stream, Loader=yaml.CSafeLoader)
    if not isinstance(content, Mapping):
        raise ValueError("kubeconfig")
    return content


def _entries(content: Mapping[str, Any], section: str, file: str) -> Iterator[Entry]:
    key = section.removesuffix("s")
    for entry in content.get(section) or ():
        fields = entry.get(key) or {}
        if not isinstance(fields, Mapping):
            raise ValueError("kubeconfig")
        folder = os.path.dirname(os.path.abspath(file))
        yield Entry(name=str(entry["name"]), fields=fields, folder=folder)


@contextlib.contextmanager
def readable(path: str) -> Iterator[None]:
    """Turns whatever a kubeconfig's reader raises into a fault without its text."""
    try:
        yield
    # ConfigException, yaml.YAMLError, KeyError, TypeError ...: whatever is wrong in there, the text
    # of the exception may hold a token.
    except Exception:
        raise UsageFault(
            f"kubeconfig {path} cannot be used: it is damaged, or names a file that is not there",
            "check it with `kubectl config view` and `kubectl get namespaces`",
        ) from None


# -- credentials -----------------------------------------------------------------------------------


def authorization(user: Entry) -> str:
    """The header that says who a user is, where that is written down; "" for a certificate."""
    token = user.fields.get("token")
    if not token and (path := user.path("tokenFile")):
        with open(path, encoding="utf-8") as file:
            token = file.read()
    if token:
        return f"Bearer {token}".strip()
    fields = user.fields
    if "username" in fields and "password" in fields:
        headers = make_headers(basic_auth=fields["username"] + ":" + fields["password"])
        return headers.get("authorization", "")
    return ""


def secrets(cluster: Entry, user: Entry) -> Iterator[str]:
    """What must not be shown of an account, as it is written down and as it is meant.

    Its token is not among them: that is known when it is sent.
    """
    fields = user.fields
    yield str(fields.get("password") or "")
    for key in ("client-certificate", "client-key"):
        try:
            yield from lines(user.content(key).decode())
        except (OSError, ValueError):  # whoever uses it says what is wrong
            yield str(fields.get(f"{key}-data") or "")
    provider = fields.get("auth-provider")
    if isinstance(provider, Mapping) and isinstance(provider.get("config"), Mapping):
        yield from (f"{key}={value}" for key, value in provider["config"].items())
    plugin = fields.get("exec")
    variables = plugin.get("env") if isinstance(plugin, Mapping) else None
    for one in variables if isinstance(variables, list) else ():
        if isinstance(one, Mapping):
            yield f"{one.get('name')}={one.get('value')}"
    for key in ("server", "proxy-url"):
        yield encodings.password(str(cluster.fields.get(key) or ""))


def lines(content: str) -> Iterator[str]:
    """The lines of a key or a certificate.

    Whoever repeats all of it, in whatever encoding, repeats these; and they are looked for in less
    time than the whole.
    """
    return (line for line in content.splitlines() if not line.startswith("-----"))


def verification(cluster: Entry, user: Entry) -> ssl.SSLContext | None:
    """How the server is verified, and our certificate; None where it does not speak TLS."""
    if urlsplit(cluster.fields["server"]).scheme != "https":
        return None
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    authority = cluster.content("certificate-authority")
    if authority:
        context.load_verify_locations(cadata=authority.decode("ascii"))
    else:
        context.load_default_certs()
    certificate = user.content("client-certificate")
    if certificate:
        _present(context, certificate, user.content("client-key"))
    return context


def _present(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL takes a file only; ours is gone before the first request.
    with tempfile.NamedTemporaryFile() as file:  # only its owner can read it
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name, password="")  # never asks for one
