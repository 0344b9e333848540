"""What the real server says of objects whose namespace does not exist yet, and what that costs."""

import secrets
from typing import Any

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from pipeline_gitops.plans import Plan
from pipeline_gitops.targets.cluster.api.credentials import MOST_CONNECTIONS
from tests.contract.clusters import (
    Cluster,
    config_map,
    namespace_object,
    planned,
    rules,
    service,
    wanted,
)

pytestmark = pytest.mark.cluster

MANY = 2 * MOST_CONNECTIONS


def surveyed(cluster: Cluster, *bodies: Any) -> Plan:
    """The plan for objects in a namespace that comes with them."""
    new = f"new-{secrets.token_hex(4)}"
    target = cluster.target(namespace=new)
    return planned(target, wanted(target, new, namespace_object(new), *bodies))[1]


def two_ports(name: str, second: int) -> dict[str, Any]:
    body = service(name, 1)
    body["spec"]["ports"] = [{"name": "a", "port": 1}, {"name": "b", "port": second}]
    return body


def test_alike_objects_are_tried_once(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server waits for the namespace at each dry run: those that would say nothing new are left
    out, and all are predicted."""
    sent: list[str] = []
    plain = HTTPConnectionPool.urlopen

    def urlopen(self: Any, method: str, url: str, **named: Any) -> Any:
        sent.append(url)
        return plain(self, method, url, **named)

    monkeypatch.setattr(HTTPConnectionPool, "urlopen", urlopen)
    bodies = [config_map(f"settings-{number}", color=str(number)) for number in range(MANY)]

    plan = surveyed(cluster, *bodies)

    predicted = [change.sight.predicted for change in plan.changes if change.id.kind != "Namespace"]
    assert all("is created by the same deploy" in why for why in predicted)
    assert len(predicted) == MANY
    # As many as are under way when the first answer comes.
    tried = [url for url in sent if "/configmaps/" in url and "dryRun" in url]
    assert len(tried) <= MOST_CONNECTIONS


def test_unknown_field_in_a_new_namespace(cluster: Cluster) -> None:
    """One object with a field that the server does not know is refused among many alike."""
    bodies = [config_map(f"settings-{number}", color="blue") for number in range(MANY)]
    bodies[-1]["colour"] = "blue"

    plan = surveyed(cluster, *bodies)

    refused = [refusal.id.name for refusal in plan.refusals if refusal.id]
    assert (rules(plan), refused) == (["server-refused"], [f"settings-{MANY - 1}"])


def test_wrong_type_in_a_new_namespace(cluster: Cluster) -> None:
    """One object with a value of a type that the server does not take is refused among many."""
    bodies = [service(f"web-{number}") for number in range(MANY)]
    bodies[-1]["spec"]["selector"] = {"app": {"name": "web"}}

    assert rules(surveyed(cluster, *bodies)) == ["server-refused"]


def test_item_twice_in_a_new_namespace(cluster: Cluster) -> None:
    """One object that has an item of a list twice is refused among many with the same fields."""
    bodies = [two_ports(f"web-{number}", 2) for number in range(MANY)]
    bodies[-1] = two_ports(f"web-{MANY - 1}", 1)

    assert rules(surveyed(cluster, *bodies)) == ["server-refused"]
