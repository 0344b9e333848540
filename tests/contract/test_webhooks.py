"""Admission webhooks that are not ready yet, and those that deny, on a real control plane."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.errors import UnreachableFault
from pipeline_gitops.plans import State
from tests.contract.clusters import (
    Cluster,
    config_map,
    deploy,
    execute,
    planned,
    preview,
    rules,
    until,
    wanted,
)
from tests.contract.hooks import Hook

pytestmark = pytest.mark.cluster

A_LOOK_S = 1.0  # between two tries of a write that waits for a webhook
WEBHOOKS = "apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Hook]:
    made = Hook(tmp_path)
    yield made
    made.close()


@pytest.fixture
def configuration(cluster: Cluster, hook: Hook) -> Iterator[dict[str, Any]]:
    """The webhook's registration, not there yet; it is deleted at the end."""
    name = f"hook-{cluster.namespace[-8:]}"
    yield hook.configuration(name, cluster.namespace)
    cluster.send("DELETE", f"{WEBHOOKS}/{name}")


def hooked(color: str, **annotations: str) -> dict[str, Any]:
    """A ConfigMap that the webhook is asked about."""
    body = config_map("settings", color=color)
    body["metadata"] |= {"labels": {"hooked": "true"}, "annotations": annotations}
    return body


def until_called(cluster: Cluster, name: str) -> None:
    """The server needs a moment until it calls a new webhook."""
    path = f"{cluster.path('ConfigMap')}?dryRun=All"
    body = {**hooked("x"), "metadata": {"name": f"try-{name}", "labels": {"hooked": "true"}}}

    def is_called() -> bool:
        try:
            cluster.send("POST", path, body)
        except AssertionError:
            return True
        return False

    until(is_called, "the webhook to be called")


class Patience(SystemClock):
    """Real time in which something happens, once, as soon as a write waits for a webhook."""

    def __init__(self) -> None:
        super().__init__()
        self.then: list[Callable[[], object]] = []

    def sleep(self, seconds: float) -> None:
        if seconds == A_LOOK_S and self.then:
            self.then.pop()()
        super().sleep(seconds)


def test_webhook_of_the_same_set_is_waited_for(
    cluster: Cluster, hook: Hook, configuration: dict[str, Any]
) -> None:
    """Objects that a webhook stands in front of are predicted, and sent again until it is up."""
    deploy(cluster, configuration)
    until_called(cluster, "a")
    clock = Patience()
    target = cluster.target(clock=clock)
    desired = wanted(target, cluster.namespace, configuration, hooked("blue"))
    survey, plan = planned(target, desired)

    with ExitStack() as stack:
        clock.then.append(lambda: stack.enter_context(hook.up()))
        (outcome,) = execute(target, survey, plan)

    name = configuration["webhooks"][0]["name"]
    expected = f"webhook {name} is not ready, and comes with the same deploy"
    assert [change.sight.predicted for change in plan.changes] == [expected]
    assert outcome.state is State.DONE
    assert outcome.message.endswith(f"for webhook {name}")
    assert cluster.get("ConfigMap", "settings")["data"] == {"color": "blue"}


def test_webhook_of_others_is_not_waited_for(
    cluster: Cluster, hook: Hook, configuration: dict[str, Any]
) -> None:
    """A webhook that nobody brings may stay away for ever: the run ends, and says which."""
    cluster.send("POST", WEBHOOKS, configuration)
    until_called(cluster, "b")

    with pytest.raises(UnreachableFault, match=configuration["webhooks"][0]["name"]):
        preview(cluster, hooked("blue"))


def test_denial_is_not_repeated(
    cluster: Cluster, hook: Hook, configuration: dict[str, Any]
) -> None:
    """A denial is an answer, even of a webhook that comes with the same deploy."""
    hook.status = {"code": 403, "message": "not today"}
    deploy(cluster, configuration)
    until_called(cluster, "c")

    with hook.up():
        plan = preview(cluster, configuration, hooked("blue"))

    assert rules(plan) == ["server-refused"]
    assert hook.asked.count("settings") == 1


def test_denial_of_a_write_is_not_repeated(
    cluster: Cluster, hook: Hook, configuration: dict[str, Any]
) -> None:
    """Nor where the plan foresaw that the webhook would have to be waited for."""
    hook.status = {"code": 403, "message": "not today"}
    deploy(cluster, configuration)
    until_called(cluster, "e")
    target = cluster.target()
    desired = wanted(target, cluster.namespace, configuration, hooked("blue"))
    survey, plan = planned(target, desired)

    with hook.up():
        (outcome,) = execute(target, survey, plan)

    assert [change.sight.predicted for change in plan.changes] != [""]
    assert (outcome.state, "not today" in outcome.message) == (State.REFUSED, True)
    assert hook.asked.count("settings") == 1


def test_denial_is_no_fixed_field(
    cluster: Cluster, hook: Hook, configuration: dict[str, Any]
) -> None:
    """A webhook may say whatever the server itself says of a fixed field: nothing is deleted."""
    cause = {
        "reason": "FieldValueForbidden",
        "field": "data",
        "message": "field is immutable when `immutable` is set",
    }
    details = {"kind": "ConfigMap", "name": "settings", "causes": [cause]}
    hook.status = {
        "code": 422,
        "reason": "Invalid",
        "message": 'ConfigMap "settings" is invalid: data: field is immutable',
        "details": details,
    }
    permission = {"pipeline-gitops.dev/replace": "true"}
    deploy(cluster, hooked("blue", **permission))
    cluster.send("POST", WEBHOOKS, configuration)
    until_called(cluster, "d")

    with hook.up():
        plan = preview(cluster, hooked("red", **permission))

    assert rules(plan) == ["server-refused"]
