"""Single objects in the cluster: read, tried out, written and deleted, each in one request.

Every write carries what must still hold. A `Version` is "uid/resourceVersion"; "" stands for an
object that is not there, and server-side apply with resourceVersion "1" then only ever creates.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipeline_gitops.documents import Body, Json, bodies, mapping, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.targets.cluster.apis import Resource
from pipeline_gitops.targets.cluster.statuses import ApiError
from pipeline_gitops.targets.cluster.transport import JSON, Answer, Transport

FIELD_MANAGER = "pipeline-gitops"
PAGE = 500

_APPLY = "application/apply-patch+yaml"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Objects:
    """The objects behind one API server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, resource: Resource, id: ObjectId) -> Body | None:
        """The live object; None when it is not there."""
        try:
            answer = self._transport.request("GET", resource.path(id))
        except ApiError as error:
            if error.status == 404 and error.name == id.name:
                return None
            raise
        return _about(id, answer.body)

    def preview(self, resource: Resource, id: ObjectId, body: Body, *, force: bool) -> Body:
        """What the object would be after an apply. Nothing is written."""
        query = {**_query(force=force), "dryRun": "All"}
        return _about(id, self._apply(resource, id, body, query).body)

    def write(
        self, resource: Resource, id: ObjectId, body: Body, version: Version, *, force: bool
    ) -> Answer:
        """Applies the object if *version* still holds."""
        conditioned = _conditioned(body, version)
        answer = self._apply(resource, id, conditioned, _query(force=force))
        _about(id, answer.body)
        return answer

    def _apply(
        self, resource: Resource, id: ObjectId, body: Body, query: Mapping[str, str]
    ) -> Answer:
        return self._transport.request(
            "PATCH", resource.path(id), query=query, body=body, content_type=_APPLY
        )

    def delete(self, resource: Resource, id: ObjectId, version: Version) -> None:
        """Deletes the object if *version* still holds; what it owns follows in the background."""
        uid, _, resource_version = version.partition("/")
        body: Body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": "Background",
        }
        self._transport.request("DELETE", resource.path(id), body=body)

    def listed(
        self, resource: Resource, namespace: str, *, name: str = "", metadata_only: bool = False
    ) -> Sequence[Body]:
        """All live objects of a kind in a namespace, or the one called *name*."""
        query = {"limit": str(PAGE)}
        if name:
            query["fieldSelector"] = f"metadata.name={name}"
        path = resource.collection(namespace)
        accept = _METADATA if metadata_only else JSON
        try:
            return list(self._pages(resource, path, query, accept))
        except ApiError as error:
            if error.status != 410:  # the continuation is too old: the list starts anew
                raise
        return list(self._pages(resource, path, query, accept))

    def _pages(
        self, resource: Resource, path: str, query: Mapping[str, str], accept: str
    ) -> Iterator[Body]:
        proceed = ""
        while True:
            more = {"continue": proceed} if proceed else {}
            body = self._transport.request("GET", path, query={**query, **more}, accept=accept).body
            # Items of a list do not say what they are.
            named = {"apiVersion": resource.api_version, "kind": resource.kind.kind}
            for item in bodies(body, "items"):
                yield {**item, **named}
            proceed = text(body, "metadata", "continue")
            if not proceed:
                return

    def log(self, namespace: str, pod: str, query: Mapping[str, str]) -> str:
        """Lines of a container's log."""
        return self._transport.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query)


def version_of(live: Body) -> Version:
    """What must still hold for an object to be the one that was read."""
    uid, resource_version = text(live, "metadata", "uid"), text(live, "metadata", "resourceVersion")
    return Version(f"{uid}/{resource_version}")


def is_terminating(live: Body) -> bool:
    """Whether the object is on its way out."""
    return bool(text(live, "metadata", "deletionTimestamp"))


def _query(*, force: bool) -> Mapping[str, str]:
    return {
        "fieldManager": FIELD_MANAGER,
        "fieldValidation": "Strict",
        "force": "true" if force else "false",
    }


def _conditioned(body: Body, version: Version) -> Body:
    uid, _, resource_version = version.partition("/")
    condition: dict[str, Json] = {"resourceVersion": resource_version or "1"}
    if uid:
        condition["uid"] = uid
    return {**body, "metadata": {**mapping(body, "metadata"), **condition}}


def _about(id: ObjectId, body: Body) -> Body:
    """The body, if it is that object: a proxy or a wrong cluster may answer anything."""
    namespace = text(body, "metadata", "namespace")
    if (text(body, "kind"), text(body, "metadata", "name"), namespace) == (
        id.kind,
        id.name,
        id.namespace,
    ):
        return body
    raise UnreachableFault(
        f"the API server was asked about {id} and answered about something else",
        "see whether a proxy stands between, and whether it is the right cluster",
    )
