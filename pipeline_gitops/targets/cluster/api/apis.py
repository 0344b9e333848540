"""What an API server serves: its kinds, and the path of each object.

Aggregated discovery tells all in two requests
(https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery). It is kept in
memory for one run: a cache on disk could be poisoned, and would be stale after every new CRD.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from pipeline_gitops.documents import Body, bodies, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kind, Kinds
from pipeline_gitops.targets.cluster.api.transport import Transport
from pipeline_gitops.values import dataclass

_ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Resource(NamedTuple):
    """One kind in one version, as a part of the API's paths.

    A tuple, as every object of a survey is looked up by it several times.
    """

    kind: Kind
    version: str

    @property
    def api_version(self) -> str:
        """Group and version as an object writes them."""
        return f"{self.kind.group}/{self.version}" if self.kind.group else self.version

    def collection(self, namespace: str) -> str:
        """The path of all objects, of one namespace where the kind has namespaces."""
        root = "/apis" if self.kind.group else "/api"
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        return f"{root}/{self.api_version}{scope}/{self.kind.plural}"

    def path(self, id: ObjectId) -> str:
        """The path of one object."""
        return f"{self.collection(id.namespace)}/{quote(id.name, safe='')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Apis:
    """The kinds that a server serves. *stale*: groups whose own server did not answer it."""

    kinds: Kinds
    groups: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()

    def resource(self, group: str, kind: str, version: str = "") -> Resource | None:
        """A kind, in the server's preferred version unless one is named; None: not served."""
        known = self.kinds.get(group, kind)
        if known is None or not known.versions:
            return None
        if version and version not in known.versions:
            return None
        return Resource(known, version or known.versions[0])

    def over(self, kinds: Kinds) -> "Apis":
        """These APIs, and *kinds* where they say nothing."""
        return Apis(kinds=self.kinds.over(kinds), groups=self.groups, stale=self.stale)


def discover(transport: Transport) -> Apis:
    """What the server serves now."""
    groups = [
        group
        for path in ("/api", "/apis")
        for group in _groups(transport.request("GET", path, accept=_ACCEPT).body, path)
    ]
    return Apis(
        kinds=Kinds.of(kind for group in groups for kind in _kinds(group)),
        groups=frozenset(text(group, "metadata", "name") for group in groups),
        stale=frozenset(text(group, "metadata", "name") for group in groups if _is_stale(group)),
    )


def _groups(body: Body, path: str) -> Sequence[Body]:
    # Servers before 1.27 ignore the header, and answer with a list of groups without kinds.
    if text(body, "kind") != "APIGroupDiscoveryList":
        raise UnreachableFault(
            f"the API server does not answer {path} with aggregated discovery",
            "use a cluster of Kubernetes 1.27 or newer",
        )
    return list(bodies(body, "items"))


def _is_stale(group: Body) -> bool:
    versions = bodies(group, "versions")
    return any(text(version, "freshness") == "Stale" for version in versions)


def _kinds(group: Body) -> Iterator[Kind]:
    name = text(group, "metadata", "name")
    found: dict[str, tuple[Body, list[str]]] = {}
    for version in bodies(group, "versions"):
        for resource in bodies(version, "resources"):
            kind = text(resource, "responseKind", "kind")
            if kind:
                _, versions = found.setdefault(kind, (resource, []))
                versions.append(text(version, "version"))
    for kind, (resource, versions) in found.items():
        yield Kind(
            group=name,
            kind=kind,
            plural=text(resource, "resource"),
            namespaced=text(resource, "scope") == "Namespaced",
            versions=tuple(dict.fromkeys(versions)),
        )
