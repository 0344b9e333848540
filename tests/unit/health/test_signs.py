"""What holds for every custom resource, whatever its operator says."""

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops.health import custom
from pipeline_gitops.health.custom import Rules
from pipeline_gitops.health.forms import ours
from pipeline_gitops.health.signs import Rule, judge
from pipeline_gitops.ids import Place
from pipeline_gitops.views import Health
from tests.campaigns import examples
from tests.golden import health_cases


def rule(**written: Any) -> Rule:
    full = {"group": "example.com", "kind": "Shop", "current": {"condition": "Ready"}, **written}
    return ours.parse([full], lambda pointer: Place("c.yaml"))[0]


def shop(status: Any, *, generation: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Shop",
        "metadata": {"generation": generation},
        "status": status,
        **more,
    }


READY = {"type": "Ready", "status": "True", "message": "all is well"}


def test_what_is_being_deleted_is_terminating() -> None:
    """Even while it still says that it is ready."""
    body = shop({"conditions": [READY]})
    body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert judge(body, rule())[0] is Health.TERMINATING


@pytest.mark.parametrize("seen", [1, "1", "1-0f2c"])
def test_a_stale_generation_is_not_current(seen: int | str) -> None:
    """The controller speaks of what was there before."""
    status = {"observedGeneration": seen, "conditions": [READY]}

    assert judge(shop(status, generation=2), rule())[0] is Health.IN_PROGRESS
    assert judge(shop(status, generation=1), rule())[0] is Health.CURRENT


def test_a_stale_failure_is_not_failed() -> None:
    """It may be what the new version cures."""
    failing = rule(failed={"condition": "Broken"})
    status = {"observedGeneration": 1, "conditions": [{"type": "Broken", "status": "True"}]}

    assert judge(shop(status, generation=2), failing)[0] is Health.IN_PROGRESS
    assert judge(shop(status, generation=1), failing)[0] is Health.FAILED


def test_a_condition_of_an_older_generation_does_not_count() -> None:
    """Also where the status as a whole names no generation."""
    status = {"conditions": [{**READY, "observedGeneration": 1}]}

    assert judge(shop(status, generation=2), rule())[0] is Health.IN_PROGRESS
    assert judge(shop(status, generation=1), rule())[0] is Health.CURRENT


def test_an_old_answer_is_not_taken_for_none() -> None:
    """Where no sign at all is current enough, as of kinds that need no status."""
    lenient = rule(failed={"condition": "Valid=False"}, otherwise="Current")
    status = {"conditions": [{"type": "Valid", "status": "False", "observedGeneration": 1}]}

    assert judge(shop({}), lenient)[0] is Health.CURRENT
    assert judge(shop(status, generation=2), lenient)[0] is Health.IN_PROGRESS


@pytest.mark.parametrize("status", [None, {}, {"conditions": []}, {"phase": "Strange"}])
def test_without_a_sign_it_is_in_progress(status: Any) -> None:
    """A status that is not there yet, or says something new, is no reason to be green."""
    assert judge(shop(status), rule())[0] is Health.IN_PROGRESS


def test_what_its_user_suspended_is_current_and_says_so() -> None:
    """Its controller looks at no newer generation either: waiting would never end."""
    paused = rule(suspended={"path": "spec.paused", "is": True})
    body = shop({"observedGeneration": 1}, generation=2, spec={"paused": True})

    word, sentence = judge(body, paused)

    assert word is Health.CURRENT
    assert "suspended" in sentence


def test_signs_are_asked_from_bad_to_good() -> None:
    """Failed before in progress before current."""
    asked = rule(failed="status.a == 1", inProgress="status.b == 1", current="status.c == 1")

    assert judge(shop({"a": 1, "b": 1, "c": 1}), asked)[0] is Health.FAILED
    assert judge(shop({"b": 1, "c": 1}), asked)[0] is Health.IN_PROGRESS
    assert judge(shop({"c": 1}), asked)[0] is Health.CURRENT


@pytest.mark.parametrize(
    ("sign", "status", "shown"),
    [
        ({"condition": "A=False"}, {"conditions": [{"type": "A", "status": "False"}]}, True),
        ({"condition": "A"}, {"conditions": [{"type": "A", "status": True}]}, True),
        ({"condition": ["A", "B"]}, {"conditions": [{"type": "A", "status": "True"}]}, False),
        ({"path": "status.a", "is": ["x", "y"]}, {"a": "y"}, True),
        ({"path": "status.a", "is": True}, {"a": 1}, False),
        ({"path": "status.a", "not": ["x"]}, {"a": "y"}, True),
        ({"path": "status.a", "not": ["x"]}, {}, False),
        ({"path": "status.a"}, {"a": ""}, False),
        ({"path": "status.a", "reaches": "status.b"}, {"a": 2, "b": 2}, True),
        ({"path": "status.a", "reaches": "status.b"}, {"b": 1}, False),
        ({"path": "status.a", "reaches": "status.b"}, {"a": 2}, False),
        ({"path": "status.a", "reaches": 1}, {"a": True}, False),
        ({"path": "status.a", "differs": "status.b"}, {"a": 1, "b": 2}, True),
        ({"path": "status.a", "differs": "status.b"}, {"a": 1}, False),
        ({"path": "status.l[0]['x.y/z']", "is": 1}, {"l": [{"x.y/z": 1}]}, True),
        ({"observed": "status.seen"}, {"seen": 1}, True),
        ({"observed": "status.seen"}, {}, False),
        ({"all": [{"path": "status.a"}, {"path": "status.b"}]}, {"a": 1, "b": 1}, True),
        ({"all": [{"path": "status.a"}, {"path": "status.b"}]}, {"a": 1}, False),
        ({"path": "status.a", "cel": "status.b == 1"}, {"a": 1, "b": 2}, False),
    ],
)
def test_all_of_a_sign_has_to_be_seen(sign: Any, status: Any, *, shown: bool) -> None:
    """docs/health.md lists what a sign can ask."""
    judged = judge(shop(status), rule(current=sign))

    assert (judged[0] is Health.CURRENT) is shown


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({"conditions": [READY]}, "all is well"),
        ({"conditions": [{**READY, "status": "False"}]}, "Ready is False: all is well"),
        ({}, "it has no status yet"),
        ({"x": 1}, "its controller has not said yet that it is ready"),
    ],
)
def test_the_sentence_is_the_operators(status: Any, sentence: str) -> None:
    """As far as it says one."""
    assert judge(shop(status), rule())[1] == sentence


def test_a_sentence_is_one_line_of_bounded_length() -> None:
    """Some operators put a stack trace there."""
    said = judge(shop({"conditions": [{**READY, "message": "a\nb " * 9_000}]}), rule())[1]

    assert "\n" not in said
    assert len(said) <= 400


def test_a_rule_of_the_run_goes_before_a_packed_one() -> None:
    """Who writes one knows the operator that runs there."""
    own = rule(group="cert-manager.io", kind="Certificate", current={"path": "status.mine"})
    body = {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "status": {"mine": True}}

    assert custom.assess(body, Rules((own,))) == (Health.CURRENT, "")


# Parts of statuses that rules look at, so that random ones come near to what they mean.
_WORDS = sorted(
    {
        str(value)
        for known in health_cases.kinds()
        for signs in (known.failed, known.in_progress, known.current)
        for sign in signs
        for value in (*sign.values, *(name for name, _ in sign.conditions))
    }
)
_KEYS = sorted(
    {
        str(step)
        for known in health_cases.kinds()
        for signs in (known.failed, known.in_progress, known.current, known.suspended)
        for sign in signs
        for step in sign.path
    }
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5)
    | st.sampled_from(_WORDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)
_CONDITION = st.fixed_dictionaries(
    {"type": st.sampled_from([*_WORDS, "Ready"])},
    optional={
        "status": st.sampled_from(["True", "False", "Unknown", True]) | _JSON,
        "reason": _JSON,
        "message": _JSON,
        "observedGeneration": st.integers(0, 5) | _JSON,
    },
)
_STATUS = st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=6).flatmap(
    lambda status: st.fixed_dictionaries(
        {}, optional={"conditions": st.lists(_CONDITION | _JSON, max_size=4)}
    ).map(lambda more: {**status, **more})
)
_KINDS = st.sampled_from(health_cases.kinds())


def _body(known: Rule, **fields: Any) -> dict[str, Any]:
    group = known.group.replace("*.", "x.")
    return {"apiVersion": f"{group}/v1", "kind": known.kind.replace("*", "X"), **fields}


@settings(max_examples=examples(150), deadline=None)
@given(_KINDS, _JSON, _JSON, _JSON)
def test_any_json_is_judged(known: Rule, metadata: Any, spec: Any, status: Any) -> None:
    """Nothing that a server answers ends the run."""
    body = _body(known, metadata=metadata, spec=spec, status=status)

    judged = judge(body, known)

    assert judged[0] in Health
    assert len(judged[1]) <= 400


@settings(max_examples=examples(150), deadline=None)
@given(_KINDS, _STATUS, _JSON, st.integers(1, 4))
def test_a_stale_generation_is_never_current(
    known: Rule, status: Any, spec: Any, generation: int
) -> None:
    """Unless its user suspended it, which stops its controller from looking."""
    status = {**status}
    path = known.observed
    assert path == ("status", "observedGeneration")
    status["observedGeneration"] = generation
    body = _body(known, metadata={"generation": generation + 1}, spec=spec, status=status)

    word, sentence = judge(body, known)

    assert word is Health.IN_PROGRESS or "suspended" in sentence


@settings(max_examples=examples(150), deadline=None)
@given(st.sampled_from(tuple(health_cases.cases())), st.data())
def test_a_case_that_goes_stale_is_not_current(case: Any, data: Any) -> None:
    """A real status, of which only the generations are older."""
    status = case.body.get("status") or {}
    aged = {**status, "observedGeneration": data.draw(st.integers(-1, 4))}
    body = {**case.body, "metadata": {**case.body["metadata"], "generation": 5}, "status": aged}

    judged = custom.assess(body)

    assert judged is not None
    assert judged[0] is not Health.CURRENT or "suspended" in judged[1]


def test_the_deepest_status_is_judged() -> None:
    """Deeper than any recursion goes."""
    deep: Any = "x"
    for _ in range(sys.getrecursionlimit() * 2):
        deep = {"a": deep}

    for known in health_cases.kinds():
        judge(_body(known, status={"byPod": [deep], "instances": [deep]}, spec=deep), known)
