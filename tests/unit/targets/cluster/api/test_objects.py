"""An answer counts only when it is about what was asked."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline_gitops.documents import Body
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.kinds import Kind
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.statuses import ApiError
from pipeline_gitops.targets.cluster.api.transport import Transport
from tests.fakes.apiserver import FakeApiServer, Fault

ID = ObjectId("", "ConfigMap", "default", "settings")
BODY: Body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
CONFIG_MAPS = Resource(
    Kind(group="", kind="ConfigMap", plural="configmaps", namespaced=True, versions=("v1",)), "v1"
)
WIDGETS = Resource(
    Kind(group="example.com", kind="Widget", plural="widgets", namespaced=True, versions=("v1",)),
    "v1",
)

ASKED: dict[str, Callable[[Objects], Any]] = {
    "read": lambda objects: objects.read(CONFIG_MAPS, ID),
    "dry run": lambda objects: objects.preview(CONFIG_MAPS, ID, BODY, force=False),
    "write": lambda objects: objects.write(CONFIG_MAPS, ID, BODY, Version(""), force=False),
    "delete": lambda objects: objects.delete(CONFIG_MAPS, ID, Version("u/1")),
    "list": lambda objects: objects.listed(CONFIG_MAPS, "default"),
    "metadata": lambda objects: objects.listed(CONFIG_MAPS, "default", metadata_only=True),
}
OTHER: dict[str, Any] = {
    "nothing": {},
    "status": {"kind": "Status", "apiVersion": "v1", "metadata": {}},
    "failure": {"kind": "Status", "status": "Failure", "details": {"name": "settings"}},
    "success of another": {"kind": "Status", "status": "Success", "details": {"name": "other"}},
    "other kind": {"kind": "Foo", "metadata": {"name": "settings", "namespace": "default"}},
    "other object": {"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}},
    "other namespace": {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "x"}},
    "other list": {"kind": "SecretList", "apiVersion": "v1", "items": []},
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("answer", OTHER)
def test_answer_about_something_else(
    transport: Transport, server: FakeApiServer, asked: str, answer: str
) -> None:
    """JSON with status 200 is no success, no object and no empty list by itself."""
    server.faults = [Fault(status=200, body=json.dumps(OTHER[answer]).encode())]

    with pytest.raises(UnreachableFault, match="answered about something else"):
        ASKED[asked](Objects(transport))


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "Status", "status": "Success", "details": {"name": "settings"}},
        {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}},
    ],
    ids=["gone", "on its way out"],
)
def test_answer_to_a_deletion(
    transport: Transport, server: FakeApiServer, answer: dict[str, Any]
) -> None:
    """Its own success, or the object that a finalizer still holds."""
    server.faults = [Fault(status=200, body=json.dumps(answer).encode())]

    Objects(transport).delete(CONFIG_MAPS, ID, Version("u/1"))


def test_list_of_a_name_of_its_own(transport: Transport, server: FakeApiServer) -> None:
    """A definition may call its lists as it likes; group, version and items tell what they are."""
    answer = {"kind": "WidgetBox", "apiVersion": "example.com/v1", "items": []}
    server.faults = [Fault(status=200, body=json.dumps(answer).encode())]

    assert Objects(transport).listed(WIDGETS, "default") == []


def test_list_that_went_stale_starts_anew(transport: Transport, server: FakeApiServer) -> None:
    """A continuation that is too old is no reason to give up, once."""
    expired = json.dumps({"kind": "Status", "reason": "Expired", "code": 410}).encode()
    server.faults = [Fault(status=410, body=expired)]

    assert Objects(transport).listed(CONFIG_MAPS, "default") == []

    server.faults = [Fault(status=410, body=expired)] * 2
    with pytest.raises(ApiError):
        Objects(transport).listed(CONFIG_MAPS, "default")
