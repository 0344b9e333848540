"""A stranger's report, whatever it holds: refused with a sentence, or text about what is known."""

import copy
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import masks, reports
from pipeline_gitops.reports import foreign, notes
from pipeline_gitops.reports.notes import Stamp
from pipeline_gitops.views import Action, Report
from tests.campaigns import examples
from tests.unit.reports.samples import change, nasty, report, reviewed

KNOWN = frozenset({"prod", "staging"})
LIMIT = 65_536
TRUE: dict[str, Any] = json.loads(
    reports.to_json(report(reviewed(change(), change(Action.DELETE)), merge_request=7))
)

_scalars = st.one_of(
    nasty,
    st.sampled_from(
        ["\ud800", "x" * 10_001, "prod", "ok", "refused", "rollout-failed", "2" * 5_000]
    ),
    st.sampled_from([None, True, False, -1, 0, 7, 2**53, 10**400, 0.5, 1e308, -0.0]),
)
_nodes = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty, inner, max_size=3),
    max_leaves=5,
)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every position in a document."""
    yield path
    if isinstance(node, dict | list):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _places(inner, (*path, key))


PLACES = sorted({path for path in _places(TRUE) if path}, key=repr)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real report in which a stranger has changed something: a value, a key, or the text."""
    node = copy.deepcopy(TRUE)
    for *folders, key in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        inner: Any = node
        try:
            for folder in folders:
                inner = inner[folder]
            _change(draw, inner, key)
        except (LookupError, TypeError):  # gone with an earlier change
            continue
    text = json.dumps(node)
    at = draw(st.integers(0, len(text)))
    return draw(
        st.sampled_from(
            [text, text, text, text, text[:at], f"{text[:at]}NaN{text[at:]}", f"{text}{text}"]
        )
    )


def _change(draw: st.DrawFn, inner: Any, key: Any) -> None:
    if isinstance(inner, MutableMapping) and draw(st.booleans()) and draw(st.booleans()):
        inner[draw(nasty)] = inner.pop(key)
    else:
        same = inner[key]
        inner[key] = draw(nasty if isinstance(same, str) and draw(st.booleans()) else _nodes)


@given(mutated())
@settings(max_examples=examples(400))
def test_nothing_of_it_is_believed_and_nothing_of_it_breaks(text: str) -> None:
    """No exception but the one that refuses it; no plan, no address, no deploy in what is left."""
    try:
        made = foreign.taken_over(reports.from_json(text), KNOWN, "stranger/deploy")
    except ValueError:
        return

    sealed = masks.seal(made, ())
    sections = notes.sections_of(sealed, Stamp(run=1), limit=LIMIT, environments=2)
    note = notes.compose(notes.union(sections), limit=LIMIT)

    read = notes.sections(note)
    assert {one.key for one in read} <= KNOWN
    assert len(note) <= LIMIT
    assert note.splitlines().count("<!-- pipeline-gitops:note v1 -->") == 1
    for state in filter(None, (one.state for one in read)):
        assert (state.plan, state.changes, state.run_url, state.files_url) == ("", (), "", "")
        assert not state.acted
    for kind in reports.KINDS.values():
        kind(sealed).encode("utf-8")


def test_the_true_one_is_taken_over() -> None:
    """So that the test above is not one of refusals alone."""
    made: Report = foreign.taken_over(reports.from_json(json.dumps(TRUE)), KNOWN, "stranger/deploy")

    assert [one.environment for one in made.results] == ["prod"]
    assert made.results[0].plans[0].changes
