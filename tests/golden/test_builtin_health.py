"""Every built-in kind is judged as its controller means it: one case for each rule, in YAML."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import health
from pipeline_gitops.views import Health
from tests.campaigns import examples

_CASES = [
    case
    for file in sorted(Path(__file__).with_name("builtin-health").glob("*.yaml"))
    for case in yaml.safe_load(file.read_text())
]


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case["case"])
def test_case(case: dict[str, Any]) -> None:
    """The word, and what the sentence has to say."""
    word, sentence = health.assess(case["object"])

    assert word is Health(case["word"])
    assert case["says"] in sentence


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"apiVersion": "a.example/v1", "kind": "Thing"}, "it has no status, so nothing tells"),
        (
            {"apiVersion": "a.example/v1", "kind": "Thing", "status": {"phase": "Odd"}},
            "no rule reads its status, so nothing tells",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap"}, ""),
        ({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}, ""),
    ],
)
def test_what_nothing_tells_about_says_so(body: dict[str, Any], says: str) -> None:
    """It is current, as kstatus has it; whoever reads the sentence knows what that is worth."""
    word, sentence = health.assess(body)

    assert word is Health.CURRENT
    assert says in sentence
    assert bool(sentence) is bool(says)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
_OBJECTS = [case["object"] for case in _CASES if case["object"]]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    return [path, *(found for key, item in inner for found in _paths(item, (*path, key)))]


def _with(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    copied = value.copy()
    copied[path[0]] = _with(value[path[0]], path[1:], put)
    return copied


@given(data=st.data())
@settings(max_examples=examples(300))
def test_any_json_has_a_word(data: st.DataObject) -> None:
    """Whatever a server answers in whatever field, there is a word for it and no exception."""
    body = data.draw(st.sampled_from(_OBJECTS))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(_paths(body)[1:] or [()]))
        if path:
            body = _with(body, path, data.draw(_JSON))

    word, sentence = health.assess(body)

    assert isinstance(word, Health)
    assert isinstance(sentence, str)


@given(body=st.sampled_from(_OBJECTS), generation=st.integers(1, 9), behind=st.integers(1, 5))
@settings(max_examples=examples(100))
def test_a_stale_status_is_never_current(
    body: dict[str, Any], generation: int, behind: int
) -> None:
    """A controller that has not seen the newest generation says nothing about it."""
    stale = {
        **body,
        "metadata": {**body.get("metadata", {}), "generation": generation + behind},
        "status": {**body.get("status", {}), "observedGeneration": generation},
    }

    assert health.assess(stale)[0] is not Health.CURRENT
