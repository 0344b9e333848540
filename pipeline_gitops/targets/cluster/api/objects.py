"""Single objects in the cluster: read, tried out, written and deleted, each in one request.

Every write carries what must still hold. A `Version` is "uid/resourceVersion"; "" stands for an
object that is not there, and server-side apply with resourceVersion "1" then only ever creates.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipeline_gitops.documents import Body, Json, bodies, mapping, text
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.api.transport import JSON, Answer, Stream, Transport

FIELD_MANAGER = "pipeline-gitops"
PAGE = 500
SLACK_S = 5.0

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Objects:
    """The objects behind one API server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def at_once(self) -> int:
        """How many requests are worth sending at a time."""
        return self._transport.at_once

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
        self,
        resource: Resource,
        id: ObjectId,
        body: Body,
        version: Version,
        *,
        force: bool,
        manager: str = FIELD_MANAGER,
    ) -> Answer:
        """Applies the object if *version* still holds."""
        conditioned = _conditioned(body, version)
        answer = self._apply(resource, id, conditioned, _query(force=force, manager=manager))
        _about(id, answer.body)
        return answer

    def patch(
        self,
        resource: Resource,
        id: ObjectId,
        operations: Sequence[Body],
        *,
        dry_run: bool,
        manager: str = FIELD_MANAGER,
    ) -> Body:
        """The object after a JSON patch (RFC 6902)."""
        query = {"fieldManager": manager, **({"dryRun": "All"} if dry_run else {})}
        answer = self._transport.request(
            "PATCH", resource.path(id), query=query, body=operations, content_type=_JSON_PATCH
        )
        return _about(id, answer.body)

    def _apply(
        self, resource: Resource, id: ObjectId, body: Body, query: Mapping[str, str]
    ) -> Answer:
        return self._transport.request(
            "PATCH", resource.path(id), query=query, body=body, content_type=_APPLY
        )

    def delete(
        self,
        resource: Resource,
        id: ObjectId,
        version: Version,
        *,
        dry_run: bool = False,
        orphan: bool = False,
    ) -> None:
        """Deletes the object if *version* still holds; what it owns follows in the background.

        *dry_run*: nothing is deleted, and only the uid has to hold: controllers write a status at
        any time, and what is asked is whether a deletion would be allowed. *orphan*: what it owns
        stays.
        """
        body = _deletion(version, orphan=orphan)
        query: Mapping[str, str] = {}
        if dry_run:
            # With a body, the server takes options from there alone; the query is for whoever reads
            # a log of requests.
            uid = version.partition("/")[0]
            body = {**body, "preconditions": {"uid": uid}, "dryRun": ["All"]}
            query = {"dryRun": "All"}
        answer = self._transport.request("DELETE", resource.path(id), query=query, body=body)
        _about_deletion(id, answer.body)

    def listed(
        self,
        resource: Resource,
        namespace: str,
        *,
        name: str = "",
        labels: str = "",
        metadata_only: bool = False,
    ) -> Sequence[Body]:
        """All live objects of a kind in a namespace, or the one called *name*, or of *labels*."""
        query = {"limit": str(PAGE), **_named(name)}
        if labels:
            query["labelSelector"] = labels
        path = resource.collection(namespace)
        accept = _METADATA if metadata_only else JSON
        try:
            pages = list(self._pages(resource, path, query, accept))
        except ApiError as error:
            if error.status != 410:  # the continuation is too old: the list starts anew
                raise
            pages = list(self._pages(resource, path, query, accept))
        return [item for page in pages for item in _items(resource, page)]

    def _pages(
        self, resource: Resource, path: str, query: Mapping[str, str], accept: str
    ) -> Iterator[Body]:
        proceed = ""
        while True:
            more = {"continue": proceed} if proceed else {}
            body = self._transport.request("GET", path, query={**query, **more}, accept=accept).body
            if not _lists(resource, body):
                raise _other(f"all {resource.kind.plural}")
            yield body
            proceed = text(body, "metadata", "continue")
            if not proceed:
                return

    def listing(
        self, resource: Resource, namespace: str, *, name: str = ""
    ) -> tuple[Sequence[Body], str]:
        """All live objects of a kind in a namespace, or the one called *name*; and the version of
        that list, to watch from there."""
        query = {"limit": str(PAGE), **_named(name)}
        pages = list(self._pages(resource, resource.collection(namespace), query, JSON))
        version = text(pages[0], "metadata", "resourceVersion")
        return [item for page in pages for item in _items(resource, page)], version

    def watched(
        self, resource: Resource, namespace: str, version: str, *, name: str = "", seconds: int
    ) -> Stream:
        """Events after a list's *version*, for that many seconds."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
            **_named(name),
        }
        path = resource.collection(namespace)
        # The server ends it; a connection that has died without a word is given a little more.
        return self._transport.stream(path, query, seconds=seconds + SLACK_S)

    def log(self, namespace: str, pod: str, query: Mapping[str, str]) -> str:
        """Lines of a container's log."""
        return self._transport.text(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query)


def _named(name: str) -> Mapping[str, str]:
    return {"fieldSelector": f"metadata.name={name}"} if name else {}


def _items(resource: Resource, page: Body) -> Iterator[Body]:
    # Items of a list do not say what they are.
    named = {"apiVersion": resource.api_version, "kind": resource.kind.kind}
    for item in bodies(page, "items"):
        yield {**item, **named}


def version_of(live: Body) -> Version:
    """What must still hold for an object to be the one that was read."""
    uid, resource_version = text(live, "metadata", "uid"), text(live, "metadata", "resourceVersion")
    return Version(f"{uid}/{resource_version}")


def is_terminating(live: Body) -> bool:
    """Whether the object is on its way out."""
    return bool(text(live, "metadata", "deletionTimestamp"))


def _query(*, force: bool, manager: str = FIELD_MANAGER) -> Mapping[str, str]:
    return {
        "fieldManager": manager,
        "fieldValidation": "Strict",
        "force": "true" if force else "false",
    }


def _deletion(version: Version, *, orphan: bool) -> Body:
    uid, _, resource_version = version.partition("/")
    return {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid, "resourceVersion": resource_version},
        "propagationPolicy": "Orphan" if orphan else "Background",
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
    raise _other(str(id))


def _about_deletion(id: ObjectId, body: Body) -> None:
    """A deletion is answered with its own success, or with the object that is on its way out."""
    if text(body, "kind") != "Status":
        _about(id, body)
    elif (text(body, "status"), text(body, "details", "name")) != ("Success", id.name):
        raise _other(f"the deletion of {id}")


def _lists(resource: Resource, body: Body) -> bool:
    """Whether a body is a list of that kind: an empty one would mean that nothing is there."""
    if text(body, "kind") in (f"{resource.kind.kind}List", "PartialObjectMetadataList"):
        return True
    # A definition may give its lists another name.
    named = text(body, "apiVersion") == resource.api_version and "." in resource.kind.group
    return named and "items" in body


def _other(asked: str) -> UnreachableFault:
    return UnreachableFault(
        f"the API server was asked about {asked} and answered about something else",
        "see whether a proxy stands between, and whether it is the right cluster",
    )
