"""Why something does not run is told apart, in one sentence, from what a cluster reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops.health import causes
from pipeline_gitops.health.causes import Cause, Happening
from pipeline_gitops.ids import ObjectId
from tests.campaigns import examples

_FOLDER = Path(__file__).with_name("causes")


def _cases(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((_FOLDER / name).read_text()))


def _wanted(case: dict[str, Any]) -> dict[ObjectId, dict[str, Any]]:
    return {
        ObjectId("", one["kind"], one["namespace"], one["name"]): one
        for one in case.get("wanted", ())
    }


def _pod(case: dict[str, Any], name: str = "web-1") -> dict[str, Any]:
    status = {
        "phase": case.get("phase", "Running"),
        "conditions": case.get("conditions", []),
        "containerStatuses": case.get("states", []),
        "initContainerStatuses": case.get("inits", []),
    }
    status |= {key: case[key] for key in ("reason", "message") if key in case}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": case["containers"], "initContainers": case.get("init", [])},
        "status": status,
    }


def _happenings(case: dict[str, Any], name: str = "web-1") -> list[Happening]:
    return [Happening(kind="Pod", name=name, **one) for one in case.get("happenings", ())]


_DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
_SET = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "metadata": {"name": "web-1", "namespace": "shop"},
}


def _check(found: Cause | None, case: dict[str, Any]) -> None:
    if not case["rule"]:
        assert found is None
        return
    assert found is not None
    assert (found.rule, found.final) == (case["rule"], case.get("final", False))
    assert case["says"] in found.sentence
    assert found.restarts == case.get("restarts", found.restarts)


@pytest.mark.parametrize("case", _cases("containers.yaml"), ids=lambda case: case["case"])
def test_a_pod_tells_its_cause(case: dict[str, Any]) -> None:
    """From its conditions, its containers' states and its events."""
    found = causes.find(_DEPLOYMENT, [_pod(case)], _happenings(case), _wanted(case))

    _check(found, case)


@pytest.mark.parametrize("case", _cases("creation.yaml"), ids=lambda case: case["case"])
def test_pods_that_are_not_created_tell_their_cause(case: dict[str, Any]) -> None:
    """From the event of the ReplicaSet that may not create them."""
    event = Happening(
        reason="FailedCreate", message=case["message"], kind="ReplicaSet", name="web-1"
    )

    found = causes.find(_DEPLOYMENT, [_SET], [event], _wanted(case))

    _check(found, case)


def test_the_same_cause_of_twenty_pods_is_one() -> None:
    """With their number."""
    case = next(case for case in _cases("containers.yaml") if case["case"] == "a crash loop")
    pods = [_pod(case, f"web-{number}") for number in range(20)]

    found = causes.find(_DEPLOYMENT, pods, [])

    assert found is not None
    assert found.pods == 20


def test_events_of_other_objects_do_not_count() -> None:
    """A probe of another pod says nothing about this one."""
    case = next(
        case for case in _cases("containers.yaml") if case["case"] == "a readiness probe that fails"
    )

    found = causes.find(_DEPLOYMENT, [_pod(case)], _happenings(case, "other-1"))

    assert found is not None
    assert "503" not in found.sentence


def test_what_cannot_heal_comes_first() -> None:
    """One pod with a wrong command says more than many that are not ready."""
    cases = {case["case"]: case for case in _cases("containers.yaml")}
    unready = cases["a probe that has not said anything yet"]
    broken = cases["a command that is not executable"]
    pods = [_pod(unready, "a"), _pod(unready, "b"), _pod(broken, "c")]

    found = causes.find(_DEPLOYMENT, pods, [])

    assert found is not None
    assert found.final


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
_KEYS = ("state", "lastState", "ready", "restartCount", "name")


@given(
    statuses=st.lists(st.dictionaries(st.sampled_from(_KEYS), _JSON), max_size=3),
    conditions=_JSON,
    message=st.text(max_size=60),
)
@settings(max_examples=examples(200))
def test_any_status_is_read(
    statuses: Sequence[dict[str, Any]], conditions: Any, message: str
) -> None:
    """No answer of a server, however odd, ends in an exception."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "status": {"containerStatuses": statuses, "conditions": conditions},
    }
    event = Happening(reason="FailedCreate", message=message, kind="ReplicaSet", name="web-1")

    causes.find(pod, [_SET], [event])
