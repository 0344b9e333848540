"""Whatever a forge's server answers: a value of the right types, or a fault with a cure."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_gitops.errors import ReportFault
from pipeline_gitops.ports import Deployment, Forge, StatusState
from pipeline_gitops.reports import Shown
from tests.campaigns import examples
from tests.contract.forges.worlds import MERGE_REQUEST, SHA, World, status
from tests.fakes.servers import Reply, Request

ASKED: dict[str, Callable[[Forge], object]] = {
    "me": lambda forge: forge.me(),
    "merge request": lambda forge: forge.merge_request(7),
    "merge requests of a commit": lambda forge: forge.merge_requests_of(SHA),
    "notes": lambda forge: forge.notes(MERGE_REQUEST),
    "new note": lambda forge: forge.create_note(MERGE_REQUEST, Shown("hello")),
    "statuses": lambda forge: forge.status_history(SHA),
    "new status": lambda forge: forge.set_status(status("again", state=StatusState.FAILURE)),
    "deployment": lambda forge: forge.set_deployment(
        Deployment(sha=SHA, environment="prod", state=StatusState.RUNNING)
    ),
    "relation": lambda forge: forge.compare("cd" * 20, SHA),
}
WRONG = st.recursive(
    st.sampled_from([None, True, -1, 0, 2**70, 0.5, 1e999, "", "x", "\ud800", "merged", "opened"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("id"), inner),
    max_leaves=3,
)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every position in an answer."""
    yield path
    if isinstance(node, dict | list):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _places(inner, (*path, key))


def _warped(body: Any, at: int, wrong: Any) -> Any:
    """The answer with something else at one position."""
    places = [*_places(body)]
    place = places[at % len(places)]
    if not place:
        return wrong
    *folders, key = place
    made = inner = copy.deepcopy(body)
    for folder in folders:
        inner = inner[folder]
    inner[key] = wrong
    return made


def _is_as_declared(value: object) -> bool:
    """Whether a value of the port, or a tuple of such, holds what it says."""
    if isinstance(value, tuple):
        return all(map(_is_as_declared, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value is None or isinstance(value, str)
    hints = get_type_hints(type(value))
    return all(type(getattr(value, one.name)) is hints[one.name] for one in fields(value))


@pytest.mark.parametrize("question", list(ASKED))
@given(at=st.integers(0, 10_000), wrong=WRONG)
@settings(
    max_examples=examples(20),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
def test_no_answer_surprises(world: World, question: str, at: int, wrong: Any) -> None:
    """Another type at any position, an HTML page, null: nothing is raised but a ReportFault."""
    forge = world.connect()
    if not world.server.seen:
        world.server.merged(12, SHA)
        forge.create_note(MERGE_REQUEST, Shown("before"))
        forge.set_status(status())
    honest = type(world.server).answer

    def warped(request: Request) -> Reply:
        reply = honest(world.server, request)
        return Reply(reply.status, _warped(reply.body, at, wrong), reply.headers)

    world.server.answer = warped
    try:
        found = ASKED[question](world.connect())
    except ReportFault:
        found = None
    finally:
        world.server.answer = lambda request: honest(world.server, request)

    assert _is_as_declared(found), found
