"""A small API server over real HTTP: as much as the cluster target uses, and faults on demand.

It keeps objects, owners of fields and resourceVersions. Lists are atomic to it, nothing is
defaulted, and no controller runs. What it does is checked against a real control plane by the
contract tests, which run on both.
"""

from __future__ import annotations

import base64
import copy
import json
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes import fields
from tests.fakes.served import KINDS, Served, discovery

ADMIN, VIEWER = "admin-token", "viewer-token"


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of, or after, its effect."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = "application/json"
    reset: bool = False
    slow_s: float = 0.0
    after_effect: bool = False
    only: str = ""  # a method; "" = any
    path: str = ""  # the end of a path; "" = any
    query: str = ""  # a part of the query; "" = any


class Refused(Exception):
    """A Status."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        }


class FakeApiServer:
    """Runs between `with` and its end."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str, str], dict[str, Any]] = {}
        self.owners: dict[tuple[str, str, str, str], dict[str, set[fields.Path]]] = {}
        self.kinds: list[Served] = list(KINDS)
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.logs: dict[str, str] = {}
        self.stale: set[str] = set()
        self.unlisted: set[str] = set()  # groups that are served, but not in discovery yet
        self.lock = threading.RLock()
        self._version = 100
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self})
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        for name in ("default", "kube-system"):
            self.store(self.kind("", "Namespace"), "", name, {"status": {"phase": "Active"}})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, path: Path, *, token: str = ADMIN, context: str = "test") -> Path:
        """A kubeconfig of one context."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": {"server": self.url}}],
            "users": [{"name": context, "user": {"token": token}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
            "current-context": context,
        }
        path.write_text(json.dumps(config))
        return path

    def kind(self, group: str, kind: str) -> Served:
        """A kind that is served."""
        return next(k for k in self.kinds if (k.group, k.kind) == (group, kind))

    def store(self, kind: Served, namespace: str, name: str, body: dict[str, Any]) -> None:
        """Puts an object there, whoever owns its fields."""
        new = self._new(kind, namespace, name)
        metadata = {**new["metadata"], "resourceVersion": self.next_version()}
        self.objects[kind.group, kind.kind, namespace, name] = {
            **new,
            **body,
            "metadata": {**metadata, **body.get("metadata", {})},
        }

    def next_version(self) -> str:
        self._version += 1
        return str(self._version)

    # -- requests ----------------------------------------------------------------------------------

    def answer(
        self, method: str, path: str, query: dict[str, str], accept: str, type_: str, body: Any
    ) -> tuple[int, str, Any]:
        """Status, content type and body of an answer."""
        if path in ("/api", "/apis"):
            listed = [kind for kind in self.kinds if kind.group not in self.unlisted]
            return 200, accept, discovery(listed, self.stale, core=path == "/api")
        if path.endswith("/log"):
            return 200, "text/plain", self.logs.get(path.split("/")[-2], "")
        kind, namespace, name, subresource = self._parsed(path)
        if subresource == "scale":
            return 200, "application/json", self._scale(kind, namespace, name, body, query)
        if method == "GET" and not name:
            return 200, "application/json", self._list(kind, namespace, query, accept)
        if method == "GET":
            return 200, "application/json", self._found(kind, namespace, name)
        if method == "DELETE":
            return 200, "application/json", self._delete(kind, namespace, name, body or {})
        if method == "PATCH" and type_ == "application/apply-patch+yaml":
            return self._apply(kind, namespace, name, body, query)
        if type_ == "application/json-patch+json":
            return self._json_patch(kind, namespace, name, body, query)
        return self._update(kind, namespace, name or body["metadata"]["name"], body, query)

    def _parsed(self, path: str) -> tuple[Served, str, str, str]:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name, subresource = (*rest, "", "")[:3]
        for kind in self.kinds:
            if (kind.group, kind.plural) == (group, plural):
                return kind, namespace, name, subresource
        raise LookupError

    def _found(self, kind: Served, namespace: str, name: str) -> dict[str, Any]:
        found = self.objects.get((kind.group, kind.kind, namespace, name))
        if found is None:
            raise Refused(
                404, "NotFound", f'{kind.plural} "{name}" not found', name=name, kind=kind.plural
            )
        return copy.deepcopy(found)

    def _list(self, kind: Served, namespace: str, query: dict[str, str], accept: str) -> Any:
        name = query.get("fieldSelector", "").removeprefix("metadata.name=")
        label, _, value = query.get("labelSelector", "").partition("=")
        found = [
            copy.deepcopy(body)
            for (group, kind_, space, called), body in sorted(self.objects.items())
            if (group, kind_) == (kind.group, kind.kind)
            and (not namespace or space == namespace)
            and (not name or called == name)
            and (not label or body["metadata"].get("labels", {}).get(label) == value)
        ]
        start = int(query.get("continue", "0"))
        page = found[start : start + int(query.get("limit", "500"))]
        if "PartialObjectMetadata" in accept:
            page = [{"metadata": item["metadata"]} for item in page]
        for item in page:
            item.pop("kind", None)
            item.pop("apiVersion", None)
        more = str(start + len(page)) if start + len(page) < len(found) else ""
        return {"kind": f"{kind.kind}List", "metadata": {"continue": more}, "items": page or None}

    # -- writes ------------------------------------------------------------------------------------

    def _apply(
        self, kind: Served, namespace: str, name: str, body: Any, query: dict[str, str]
    ) -> tuple[int, str, Any]:
        self._check_fields(kind, namespace, name, body)
        self._check_namespace(kind, namespace)
        key = (kind.group, kind.kind, namespace, name)
        live = self.objects.get(key)
        manager = query["fieldManager"]
        wanted = fields.leaves(body)
        owners = copy.deepcopy(self.owners.get(key, {})) if live else {}
        if live and query.get("force") != "true":
            causes = fields.conflicts(live, wanted, owners, f"{manager}/Apply")
            if causes:
                raise Refused(409, "Conflict", "Apply failed with conflicts", causes=causes)
        _check_preconditions(kind, name, live, body["metadata"])
        merged = copy.deepcopy(live) if live else self._new(kind, namespace, name)
        for path, value in wanted.items():
            for other, owned in owners.items():
                if other != f"{manager}/Apply" and fields.value(merged, path) != value:
                    owned.discard(path)
            fields.put(merged, path, value)
        mine = owners.get(f"{manager}/Apply", set())
        others = {
            p for other, owned in owners.items() if other != f"{manager}/Apply" for p in owned
        }
        for path in mine - wanted.keys() - others:
            fields.remove(merged, path)
        owners[f"{manager}/Apply"] = set(wanted)
        return self._stored(kind, key, live, merged, owners, query)

    def _update(
        self, kind: Served, namespace: str, name: str, body: Any, query: dict[str, str]
    ) -> tuple[int, str, Any]:
        """POST, PUT or a merge patch, by which the manager owns all that it changes."""
        self._check_namespace(kind, namespace)
        key = (kind.group, kind.kind, namespace, name)
        live = self.objects.get(key)
        manager = query.get("fieldManager", "unknown")
        merged = copy.deepcopy(live) if live else self._new(kind, namespace, name)
        owners = copy.deepcopy(self.owners.get(key, {}))
        for path, value in fields.leaves(body).items():
            if fields.value(merged, path) != value:
                for owned in owners.values():
                    owned.discard(path)
                owners.setdefault(f"{manager}/Update", set()).add(path)
            fields.put(merged, path, value)
        for finalizer in ("finalizers", "ownerReferences"):
            if finalizer in body.get("metadata", {}):
                merged["metadata"][finalizer] = body["metadata"][finalizer]
        return self._stored(kind, key, live, merged, owners, query)

    def _json_patch(
        self, kind: Served, namespace: str, name: str, operations: Any, query: dict[str, str]
    ) -> tuple[int, str, Any]:
        """Whole fields are replaced or removed; their owners only as `managedFields` says."""
        live = self._found(kind, namespace, name)
        merged = copy.deepcopy(live)
        for one in operations:
            path = tuple(
                key.replace("~1", "/").replace("~0", "~") for key in one["path"][1:].split("/")
            )
            fields.remove(merged, path)
            if one["op"] != "remove":
                fields.put(merged, path, one["value"])
        _check_preconditions(kind, name, live, merged["metadata"])
        owners = {
            fields.owner(entry): fields.owned(entry)
            for entry in merged["metadata"]["managedFields"]
        }
        key = (kind.group, kind.kind, namespace, name)
        return self._stored(kind, key, live, merged, owners, query)

    def _scale(
        self, kind: Served, namespace: str, name: str, body: Any, query: dict[str, str]
    ) -> Any:
        key = (kind.group, kind.kind, namespace, name)
        path = ("spec", "replicas")
        for owned in self.owners[key].values():
            owned.discard(path)
        self.owners[key].setdefault(f"{query['fieldManager']}/Update/scale", set()).add(path)
        live = self.objects[key]
        live["spec"]["replicas"] = body["spec"]["replicas"]
        live["metadata"]["generation"] += 1
        live["metadata"]["managedFields"] = fields.managed_fields(self.owners[key])
        live["metadata"]["resourceVersion"] = self.next_version()
        return {"kind": "Scale", "metadata": live["metadata"]}

    def _new(self, kind: Served, namespace: str, name: str) -> dict[str, Any]:
        metadata = {"name": name, "uid": str(uuid.uuid4())}
        if namespace:
            metadata["namespace"] = namespace
        return {
            "apiVersion": f"{kind.group}/{kind.version}".lstrip("/"),
            "kind": kind.kind,
            "metadata": metadata,
        }

    def _stored(
        self,
        kind: Served,
        key: tuple[str, str, str, str],
        live: dict[str, Any] | None,
        merged: dict[str, Any],
        owners: dict[str, set[fields.Path]],
        query: dict[str, str],
    ) -> tuple[int, str, Any]:
        if "stringData" in merged:
            merged["data"] = {**merged.get("data", {}), **_encoded(merged.pop("stringData"))}
        moved = live is None or live.get("spec") != merged.get("spec")
        if moved and (kind.group or kind.kind == "Pod"):  # most kinds of the core count nothing
            merged["metadata"]["generation"] = merged["metadata"].get("generation", 0) + 1
        merged["metadata"]["managedFields"] = fields.managed_fields(owners)
        status = 200 if live else 201
        if query.get("dryRun") == "All":
            return status, "application/json", merged
        if live is None or merged != live:
            merged["metadata"]["resourceVersion"] = self.next_version()
        self._settle(kind, merged)
        self.objects[key], self.owners[key] = merged, owners
        return status, "application/json", copy.deepcopy(merged)

    def _settle(self, kind: Served, body: dict[str, Any]) -> None:
        """What controllers do at once."""
        if kind.kind == "Namespace":
            body["status"] = {"phase": "Active"}
        if kind.kind == "CustomResourceDefinition":
            spec = body["spec"]
            body["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
            for version in spec["versions"]:
                served = Served(
                    spec["group"],
                    version["name"],
                    spec["names"]["kind"],
                    spec["names"]["plural"],
                    namespaced=spec["scope"] == "Namespaced",
                )
                if served not in self.kinds:
                    self.kinds.append(served)

    def _delete(self, kind: Served, namespace: str, name: str, options: Any) -> Any:
        live = self._found(kind, namespace, name)
        for key, value in options.get("preconditions", {}).items():
            if value != live["metadata"][key]:
                raise Refused(
                    409, "Conflict", f"the {key} in the precondition", name=name, kind=kind.kind
                )
        key = (kind.group, kind.kind, namespace, name)
        if options.get("dryRun"):
            return live
        if live["metadata"].get("finalizers"):
            self.objects[key]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            self.objects[key]["metadata"]["resourceVersion"] = self.next_version()
            return self.objects[key]
        del self.objects[key]
        self.owners.pop(key, None)
        return {"kind": "Status", "status": "Success", "details": {"name": name}}

    # -- checks ------------------------------------------------------------------------------------

    def _check_namespace(self, kind: Served, namespace: str) -> None:
        if kind.namespaced and ("", "Namespace", "", namespace) not in self.objects:
            message = f'namespaces "{namespace}" not found'
            raise Refused(404, "NotFound", message, name=namespace, kind="namespaces")

    def _check_fields(self, kind: Served, namespace: str, name: str, body: Any) -> None:
        about = f"({namespace}/{name}; {kind.group}/{kind.version}, Kind={kind.kind})"
        start = f"failed to create typed patch object {about}: "
        known = kind.fields | {"apiVersion", "kind", "metadata", "status"}
        for key in body.keys() - known:
            raise Refused(500, "", f"{start}.{key}: field not declared in schema")
        for section in ("data", "stringData"):
            for key, value in body.get(section, {}).items():
                if kind.group == "" and not isinstance(value, str):
                    got = f"&value.valueUnstructured{{Value:{value}}}"
                    raise Refused(500, "", f"{start}.{section}.{key}: expected string, got {got}")
        for index, port in enumerate(body.get("spec", {}).get("ports", [])):
            if not 0 < port.get("port", 1) < 65536:
                field_ = f"spec.ports[{index}].port"
                text = f"Invalid value: {port['port']}: must be between 1 and 65535, inclusive"
                cause = {"reason": "FieldValueInvalid", "message": text, "field": field_}
                raise Refused(422, "Invalid", f"{field_}: {text}", name=name, causes=[cause])


def _check_preconditions(kind: Served, name: str, live: Any, metadata: Mapping[str, Any]) -> None:
    wanted, uid = metadata.get("resourceVersion"), metadata.get("uid")
    if live is None:
        if uid:  # a resourceVersion alone does not keep an apply from creating
            raise Refused(409, "Conflict", "uid mismatch", name=name, kind=kind.plural)
        return
    if wanted not in (None, "", "0", live["metadata"]["resourceVersion"]):
        message = "the object has been modified"
        raise Refused(409, "Conflict", message, name=name, kind=kind.plural)
    if uid and uid != live["metadata"]["uid"]:
        text = f'Invalid value: "{uid}": field is immutable'
        cause = {"reason": "FieldValueInvalid", "message": text, "field": "metadata.uid"}
        raise Refused(422, "Invalid", f"metadata.uid: {text}", causes=[cause])


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


# -- HTTP ------------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    api: FakeApiServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: two would wait 40 ms for each other

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        with self.api.lock:
            self.api.requests.append((self.command, self.path))
            fault = self._fault(parts.path, parts.query)
            spared = fault is None or fault.after_effect
            query = dict(parse_qsl(parts.query))
            answer = self._answer(parts.path, query, body) if spared else None
        if fault:
            self._fail(fault)
        elif answer:
            self._send(*answer)

    def _fault(self, path: str, query: str) -> Fault | None:
        for fault in self.api.faults:
            named = path.endswith(fault.path) and fault.query in query
            if named and fault.only in ("", self.command):
                self.api.faults.remove(fault)
                return fault
        return None

    def _fail(self, fault: Fault) -> None:
        time.sleep(fault.slow_s)
        if fault.reset:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(fault.status, fault.content_type, fault.body, fault.headers)

    def _answer(self, path: str, query: dict[str, str], body: Any) -> tuple[int, str, Any]:
        type_ = "application/json"
        try:
            self._check_account()
            return self.api.answer(
                self.command,
                path,
                query,
                self.headers.get("Accept", ""),
                self.headers.get("Content-Type", ""),
                body,
            )
        except Refused as refused:
            return refused.code, type_, refused.body
        except LookupError:
            return 404, "text/plain; charset=utf-8", "404 page not found\n"

    def _check_account(self) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == VIEWER and self.path not in ("/api", "/apis"):
            where = '"configmaps" in API group "" in the namespace "x"'
            message = f'forbidden: User "viewer" cannot get resource {where}'
            raise Refused(403, "Forbidden", message)
        if token not in (ADMIN, VIEWER):
            raise Refused(401, "Unauthorized", "Unauthorized")

    def _send(
        self, status: int, type_: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> None:
        content = body if isinstance(body, bytes) else None
        if content is None:
            content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response_only(status)  # without a Date: a fault brings its own
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(content)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = _serve
