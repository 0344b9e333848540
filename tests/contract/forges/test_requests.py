"""When a forge is asked again, and what no fault tells."""

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline_gitops import forges
from pipeline_gitops.ci import ForgeKind
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.reports import Shown
from tests.contract.forges.worlds import (
    CANARY,
    CLIENTS,
    MERGE_REQUEST,
    SECRET,
    World,
    post,
    section,
)
from tests.fakes.servers import Stranger

# -- limits of requests -------------------------------------------------------------------------


def test_short_limit_is_waited_for(world: World) -> None:
    """A read waits for as long as the forge asks."""
    world.server.fail("GET", world.note_path(), status=429, headers={"Retry-After": "7"})

    found = world.connect().notes(MERGE_REQUEST)

    assert found == ()
    assert world.pauses == [7.0]


def test_long_limit_is_a_fault_at_once(world: World) -> None:
    """A job does not sit out an hour."""
    world.server.fail("GET", world.note_path(), status=429, headers={"Retry-After": "3600"})

    with pytest.raises(ReportFault) as caught:
        world.connect().notes(MERGE_REQUEST)

    assert "throttles" in caught.value.cure
    assert world.pauses == []


@pytest.mark.parametrize("code", [429, 500, 503])
def test_write_is_sent_once(world: World, code: int) -> None:
    """Whatever a write is answered, the client does not send it again."""
    world.server.fail("POST", world.note_path(), status=code, headers={"Retry-After": "1"})

    with pytest.raises(ReportFault):
        world.connect().create_note(MERGE_REQUEST, Shown("hello"))

    assert len(world.server.writes()) == 1
    assert world.pauses == []


def test_hanging_server_is_left(world: World) -> None:
    """A server that takes a request and says nothing costs one timeout, not four."""
    world.server.fail("GET", world.note_path(), hang=True)
    forge = world.connect(timeout_s=1)

    with pytest.raises(ReportFault, match="does not answer within 1 s"):
        forge.notes(MERGE_REQUEST)

    assert [one.status for one in world.server.seen] == [0]


def test_no_server_is_a_fault(world: World) -> None:
    """A refused connection is told as such."""
    forge = world.connect()
    world.server.close()

    with pytest.raises(ReportFault, match="no connection"):
        forge.notes(MERGE_REQUEST)


# -- tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_to_another_host_is_refused(
    world: World, stranger: Stranger, method: str, code: int
) -> None:
    """No request reaches the other host: neither the token nor the text."""
    to = {"Location": f"{stranger.origin}/api/v4/projects/elsewhere/notes"}
    for _ in range(9):
        world.server.fail(method, status=code, headers=to)
    forge = world.connect()

    with pytest.raises(ReportFault) as caught:
        if method == "GET":
            forge.notes(MERGE_REQUEST)
        else:
            forge.create_note(MERGE_REQUEST, Shown("hello"))

    assert stranger.seen == []
    assert stranger.origin not in caught.value.what + caught.value.cure


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_redirect_on_the_same_host_is_refused(world: World, code: int) -> None:
    """A renamed project: the job is told, instead of pages and texts that get lost on the way."""
    to = {"Location": f"{world.server.api_url}/repositories/17/notes"}
    world.server.fail("GET", world.note_path(), status=code, headers=to)

    with pytest.raises(ReportFault) as caught:
        world.connect().notes(MERGE_REQUEST)

    assert "redirects to" in caught.value.cure
    assert len(world.server.seen) == 1


def test_redirect_is_no_empty_list(world: World, stranger: Stranger) -> None:
    """Taken for "no notes", a redirect would make a second one."""
    post(world.connect(), section())
    to = {"Location": stranger.origin}
    world.server.fail("GET", world.note_path(), status=302, headers=to, text="[]")

    with pytest.raises(ReportFault):
        post(world.connect(), section("4 changes", run=2))

    assert len(world.server.bodies()) == 1


def test_next_page_on_another_host_is_not_called(world: World, stranger: Stranger) -> None:
    """The address of a page comes from an answer; the token does not follow it out."""
    elsewhere = {"Link": f'<{stranger.origin}/page?page=2>; rel="next"'}
    world.server.fail("GET", world.note_path(), status=200, text="[]", headers=elsewhere)

    try:
        found = world.connect().notes(MERGE_REQUEST)
    except ReportFault:
        found = ()

    assert found == ()
    assert stranger.seen == []


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (200, "<html>Log in</html>"),
        (200, ""),
        (200, "{}"),
        (200, "null"),
        (200, '{"message": "hello"}'),
        (200, '[{"id": 1}]'),
        (200, "[null]"),
        (200, "[" * 100_000),
        (204, ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_login_page_is_no_empty_list(world: World, code: int, text: str) -> None:
    """A success that is not the forge's is a fault: nothing is concluded from it."""
    world.server.fail("GET", world.note_path(), status=code, text=text)

    with pytest.raises(ReportFault, match="the answer is not one of"):
        world.connect().notes(MERGE_REQUEST)


@pytest.mark.parametrize(
    ("key", "value"),
    [("id", 1e999), ("id", "x"), ("id", None), ("body", ["x"]), ("body", {}), ("created_at", 7)],
)
def test_note_of_wrong_types_is_no_note(world: World, key: str, value: object) -> None:
    """What a forge answers is checked where it comes in: no surprise waits further on."""
    note = {"id": 1, "body": "x", "created_at": "", "updated_at": "", "system": False}
    authors = {"user": {"login": "alice"}, "author": {"username": "alice"}}
    text = json.dumps([{**note, **authors, key: value}])
    world.server.fail("GET", world.note_path(), status=200, text=text)

    with pytest.raises(ReportFault, match="the answer is not one of"):
        world.connect().notes(MERGE_REQUEST)


@pytest.mark.parametrize("code", [0, 302, 400, 401, 403, 404, 409, 418, 422, 429, 500])
def test_no_fault_holds_a_token_or_a_body(world: World, code: int) -> None:
    """Neither what we sent nor what came back is in a message, or in a printed traceback."""
    text = f'{{"message": "{SECRET}", "token": "{CANARY}"}}'
    for method in ("GET", "GET", "GET", "GET", "POST"):
        world.server.fail(method, status=code, text=text, headers={"Location": f"/{CANARY}"})
    forge = world.connect()

    said = [
        _said(lambda: forge.notes(MERGE_REQUEST)),
        _said(lambda: forge.create_note(MERGE_REQUEST, Shown(f"body {SECRET}"))),
    ]

    assert "Fault" in said[1]
    assert not any(CANARY in text or SECRET in text for text in said)


def _said(act: Callable[[], object]) -> str:
    """All that a fault can say; "" where there is none."""
    try:
        act()
    except ReportFault as fault:
        return "".join([fault.what, fault.cure, repr(fault), *traceback.format_exception(fault)])
    return ""


def test_client_does_not_show_its_token(world: World) -> None:
    """A client in a log line or a traceback is only its name."""
    forge = world.connect()

    assert CANARY not in repr(forge)
    assert CANARY not in repr(world.context())


def test_token_goes_to_the_forge_only_in_a_header(world: World) -> None:
    """Addresses end up in logs of proxies."""
    world.connect().notes(MERGE_REQUEST)

    (seen,) = world.server.seen

    assert seen.token == f"writer-{CANARY}"
    assert CANARY not in seen.path + str(seen.query)


def test_netrc_speaks_for_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's credentials for the same host are of another account: notes would be under its name."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))

    world.connect().notes(MERGE_REQUEST)

    (seen,) = world.server.seen
    assert seen.token == f"writer-{CANARY}"


def test_missing_file_of_authorities_is_a_fault(world: World) -> None:
    """Its cure names the CA: the file of REQUESTS_CA_BUNDLE is in another container, say."""
    url = world.server.api_url.replace("http:", "https:")
    forge = world.connect(api_url=url, ca_file="/nowhere/ca.pem")

    with pytest.raises(ReportFault) as caught:
        forge.notes(MERGE_REQUEST)

    assert "CA" in caught.value.cure


# -- connecting ---------------------------------------------------------------------------------


def test_connect_gives_the_forge_of_the_context(world: World) -> None:
    """The CI job names its forge; nothing is sent for that."""
    forge = forges.connect(world.context())

    world.clients.append(forge)
    assert type(forge) is CLIENTS[world.kind]
    assert world.server.seen == []


def test_address_of_the_server_is_enough(world: World) -> None:
    """A job of another CI vendor may not know the address of the API."""
    forge = world.connect(api_url="", server_url=f"{world.server.origin}/")

    assert forge.merge_request(7).number == 7


@pytest.mark.parametrize("address", ["", "git.example.com"])
def test_token_is_not_tried_out_on_the_public_forge(world: World, address: str) -> None:
    """Without an address both client libraries would take the public one."""
    with pytest.raises(ReportFault, match="not the address"):
        forges.connect(world.context(api_url=address))


@pytest.mark.parametrize("token", ["tök€n", "a b", "a\r\nX-Injected: b", "a\x00b"])
def test_what_no_header_can_carry_is_no_token(world: World, token: str) -> None:
    """The variable is named, and not what it holds."""
    with pytest.raises(ReportFault, match="PIPELINE_GITOPS_TOKEN is not a token") as caught:
        forges.connect(world.context(token=token, token_name="PIPELINE_GITOPS_TOKEN"))

    assert token not in caught.value.what + caught.value.cure


@pytest.mark.parametrize("lacks", [{"token": ""}, {"project": ""}, {"forge": ForgeKind.NONE}])
def test_no_forge_without_token_project_or_name(world: World, lacks: dict[str, Any]) -> None:
    """A job that cannot speak to a forge reports without one."""
    assert forges.connect(world.context(**lacks)) is None
