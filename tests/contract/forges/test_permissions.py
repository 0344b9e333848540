"""Who we are at a forge, and what we may do."""

from collections.abc import Callable

import pytest

from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.errors import LackingFault
from pipeline_gitops.ports import Check, Deployment, Note, StatusState, Surface
from pipeline_gitops.reports import Shown
from tests.contract.forges.worlds import (
    MERGE_REQUEST,
    SHA,
    World,
    status,
)


@pytest.mark.parametrize("act", ["create", "edit", "drop", "status"])
def test_reader_is_told_what_it_lacks(world: World, act: str) -> None:
    """A token that may not write gets a fault with the permission that is missing."""
    id = world.server.add_note("bot", "hello")
    forge = world.connect("readonly")
    note = Note(id=id, author="bot", body="hello")
    acts: dict[str, Callable[[], object]] = {
        "create": lambda: forge.create_note(MERGE_REQUEST, Shown("hello")),
        "edit": lambda: forge.edit_note(MERGE_REQUEST, note, Shown("hello")),
        "drop": lambda: forge.drop_note(MERGE_REQUEST, note),
        "status": lambda: forge.set_status(status()),
    }

    with pytest.raises(LackingFault) as caught:
        acts[act]()

    lacks = {
        ForgeKind.GITHUB: "permissions: statuses: write"
        if act == "status"
        else "permissions: pull-requests: write",
        ForgeKind.GITLAB: "scope api, role Developer",
        ForgeKind.GITEA: "write:repository" if act == "status" else "write:issue",
    }
    assert "403" in caught.value.what
    assert lacks[world.kind] in caught.value.cure


def test_login_is_asked_for_once(world: World) -> None:
    """A login does not change within a run."""
    forge = world.connect()

    first, second = forge.me(), forge.me()

    assert first == second != ""
    assert len(world.server.seen) == 1


@pytest.mark.parametrize("surface", list(Surface))
def test_what_a_forge_has_not_is_known_without_asking(world: World, surface: Surface) -> None:
    """It is no permission, so there is nothing to do about it."""
    none = {
        ForgeKind.GITHUB: (),
        ForgeKind.GITLAB: (Surface.CHECK,),
        ForgeKind.GITEA: (Surface.CHECK, Surface.DEPLOYMENT),
    }

    forge = world.connect()

    lack = forge.lacks(surface)

    assert world.server.seen == []
    assert (lack is not None) == (surface in none[world.kind])
    assert lack is None or (lack.what.startswith(type(forge).__name__), lack.cure) == (True, "")


def test_what_a_forge_has_not_is_never_sent(world: World) -> None:
    """Whoever asks all the same gets the same answer."""
    forge = world.connect()
    acts: dict[Surface, Callable[[], object]] = {
        Surface.CHECK: lambda: forge.set_check(
            Check(sha=SHA, name="findings", title="none", summary="none")
        ),
        Surface.DEPLOYMENT: lambda: forge.set_deployment(
            Deployment(sha=SHA, environment="prod", state=StatusState.RUNNING)
        ),
    }

    for surface, act in acts.items():
        lack = forge.lacks(surface)
        if lack:
            with pytest.raises(LackingFault, match=lack.what):
                act()

    assert world.kind is ForgeKind.GITHUB or not world.server.writes()
