"""The cluster as the campaigns see it past the proxy: what is there, and how it is put back."""

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import urllib3

from pipeline_gitops.manifests import EPOCH, FENCE
from tests.campaigns.scenarios import THEIRS, Body, Meddling
from tests.cluster.controlplane import ControlPlane

PREFIXES = {
    "ConfigMap": "api/v1/namespaces/{}/configmaps",
    "Service": "api/v1/namespaces/{}/services",
    "ServiceAccount": "api/v1/namespaces/{}/serviceaccounts",
    "Deployment": "apis/apps/v1/namespaces/{}/deployments",
    "CustomResourceDefinition": "apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}
INVENTORY = "pipeline-gitops-acme-shop-"
WATCH_S = 30.0
GONE = frozenset({404, 409})

# Of the server and of controllers, whose time is their own: different in two equal deploys.
_OWN = frozenset({"uid", "resourceVersion", "creationTimestamp", "generation", "selfLink"})
_ADDRESSES = frozenset({"clusterIP", "clusterIPs", "ipFamilies"})
_CONTROLLERS = "kube-controller-manager"
_FENCES = "pipeline-gitops-fence"
# Which claim an object was written or fenced under: a second run makes it another.
_NOISE = frozenset({"deployment.kubernetes.io/revision", EPOCH, FENCE})


class Admin:
    """Asks the API server over connections that are kept."""

    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        self._token = plane.admin_token
        self._pool = urllib3.PoolManager(ca_certs=str(plane.ca_file), retries=False)

    def close(self) -> None:
        """Hangs up."""
        self._pool.clear()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        type_: str = "application/json",
        or_: Iterable[int] = (),
    ) -> Any:
        """The JSON answer. Fails on a refusal whose status is not one of *or_*."""
        answer = self._pool.request(
            method,
            f"{self._url}/{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": type_},
        )
        assert answer.status < 300 or answer.status in or_, (path, answer.status, answer.data[:300])
        return answer.json() if answer.status < 300 else {}

    def watched(self, path: str) -> Iterator[Any]:
        """Events as the server sends them, until the caller has enough."""
        answer = self._pool.request(
            "GET",
            f"{self._url}/{path}",
            headers={"Authorization": f"Bearer {self._token}"},
            preload_content=False,
            timeout=WATCH_S,
        )
        try:
            assert answer.status == 200, answer.status
            pending = b""
            for piece in answer.stream(decode_content=True):
                *lines, pending = (pending + piece).split(b"\n")
                yield from map(json.loads, lines)
        finally:
            answer.close()


class Place:
    """One scenario's part of a namespace."""

    def __init__(self, admin: Admin, namespace: str, scenario: str) -> None:
        self.admin = admin
        self.namespace = namespace
        self.scenario = scenario

    def meddle(self, meddling: Meddling) -> None:
        """Somebody edits an object, as `kubectl edit` does."""
        path = f"{self._collection(meddling.kind)}/{meddling.name}?fieldManager={THEIRS}"
        self.admin.send("PATCH", path, meddling.change, type_="application/merge-patch+json")

    def clear(self, bodies: Iterable[Body]) -> None:
        """Takes away these objects and the inventory."""
        for body in reversed(list(bodies)):
            self._delete(self._path(body))
        self._delete(f"{self._collection('ConfigMap')}/{INVENTORY}{self.scenario}")

    def _delete(self, path: str) -> None:
        self.admin.send("DELETE", path, or_=GONE)

    def _path(self, body: Body) -> str:
        return f"{self._collection(body['kind'], body['apiVersion'])}/{body['metadata']['name']}"

    def _collection(self, kind: str, version: str = "") -> str:
        custom = f"apis/{version}/namespaces/{{}}/{kind.lower()}s"
        return PREFIXES.get(kind, custom).format(self.namespace)

    def unlike(self, wanted: Iterable[Body], states: Iterable[Iterable[Body]]) -> list[str]:
        """What is not as it is wanted, or there though only another of *states* wants it.

        By nothing but the manifests: what a deploy leaves is no measure of itself.
        """
        known = {self._path(body): None for state in states for body in state}
        known |= {self._path(body): body for body in wanted}
        return [
            path
            for path, body in known.items()
            if not _covers(self.admin.send("GET", path, or_=GONE) or None, body)
        ]

    def dump(self, states: Iterable[Iterable[Body]], told: Mapping[str, str]) -> str:
        """All that there is of the scenario, kinds of *states* read whole, as comparable text.

        Whatever is called by the scenario's name counts, marked as ours or not: a left-over is one.
        *told*: words for what is another in each run.
        """
        bodies = [body for state in states for body in state]
        kinds = {self._collection(body["kind"], body["apiVersion"]): body for body in bodies}
        kinds.setdefault(
            self._collection("ConfigMap"), {"kind": "ConfigMap", "metadata": {"name": ""}}
        )
        found = []
        for path, body in sorted(kinds.items()):
            name = body["metadata"]["name"]
            if body["kind"] == "CustomResourceDefinition":
                items = [self.admin.send("GET", f"{path}/{name}", or_=GONE)]
            else:
                items = self.admin.send("GET", path, or_=GONE).get("items") or []
            found += [
                {"path": path, **normalised(item)} for item in items if self._is_ours(item, body)
            ]
        found.sort(key=lambda item: (item["path"], item["metadata"]["name"]))
        text = json.dumps(found, indent=1, sort_keys=True)
        for value, word in {self.namespace: "NAMESPACE", **told}.items():
            text = text.replace(value, word)
        return text

    def _is_ours(self, item: Body, wanted: Body) -> bool:
        name: str = item["metadata"].get("name", "")
        if wanted["kind"] == "CustomResourceDefinition":
            return bool(name)
        return name.startswith(f"{self.scenario}-") or name == f"{INVENTORY}{self.scenario}"


def _covers(live: Any, wanted: Any) -> bool:
    """Whether every field of *wanted* is so; what is not wanted at all is not there."""
    if isinstance(wanted, dict) and isinstance(live or {}, dict):  # empty ones are not stored
        return all(_covers((live or {}).get(key), value) for key, value in wanted.items())
    if isinstance(live, list) and isinstance(wanted, list):
        return len(live) == len(wanted) and all(map(_covers, live, wanted))
    return bool(live == wanted)


def normalised(live: Body) -> Body:
    """An object without what two equal deploys differ in."""
    metadata = {k: v for k, v in live["metadata"].items() if k not in _OWN}
    annotations = {k: v for k, v in metadata.get("annotations", {}).items() if k not in _NOISE}
    metadata["annotations"] = annotations
    metadata["managedFields"] = sorted(
        (
            {k: v for k, v in entry.items() if k != "time"}
            for entry in metadata.get("managedFields", ())
            if entry["manager"] not in (_CONTROLLERS, _FENCES)
            and entry.get("subresource") != "status"
        ),
        key=json.dumps,
    )
    body = {k: v for k, v in live.items() if k not in ("metadata", "status", "binaryData")}
    if live.get("kind") == "Service" or "clusterIP" in live.get("spec", {}):
        body["spec"] = {k: v for k, v in live["spec"].items() if k not in _ADDRESSES}
    if "binaryData" in live:
        body["inventory"] = recorded(live)
    return {"metadata": metadata, **body}


def recorded(live: Body) -> Mapping[str, Any]:
    """What an inventory says, without what knows one write from another."""
    fields = unpacked(live)
    return {
        "owner": fields["owner"],
        "revision": fields["stamp"] and fields["stamp"][0],
        "claimed": fields["claim"] is not None,
        "held": fields["held"],
        "last": bool(fields["history"]) and fields["history"][0] == fields["stamp"],
        "members": sorted(row[:4] for row in fields["members"]),
    }


def unpacked(live: Body) -> dict[str, Any]:
    """The fields of an inventory as it is stored."""
    packed = base64.b64decode(live["binaryData"]["inventory"])
    fields: dict[str, Any] = json.loads(zlib.decompress(packed))
    return fields


def kubeconfig(folder: Path, url: str, token: str, name: str = "kubeconfig") -> str:
    """A kubeconfig of one context, in that folder."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path = folder / name
    path.write_text(json.dumps(config))
    return str(path)
