"""What is repeated of a server's refusal, and what is not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_gitops.targets.cluster.api import statuses
from pipeline_gitops.targets.cluster.api.statuses import ApiError

CANARY = "c4n4ry-value"


def status(message: str = "", *causes: tuple[str, str], **fields: Any) -> Any:
    listed = [{"reason": "FieldValueInvalid", "field": f, "message": m} for f, m in causes]
    return {"message": message, "details": {"causes": listed}, **fields}


def shown(answer: Any, *, secret: bool = False, code: int = 422) -> str:
    return statuses.shown(code, answer, secret=secret)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f'Invalid value: "{CANARY}": must be shorter', "invalid value: must be shorter"),
        (f'Invalid value: "a: \\"{CANARY}": must be shorter', "invalid value: must be shorter"),
        (f'Invalid value: {{"env":"{CANARY}: x"}}: must not', "invalid value: must not"),
        ("Invalid value: 70000: must be below 65536", "invalid value: must be below 65536"),
        (f'Invalid value: "{CANARY}"', "invalid value"),
        (f'Invalid value: "{CANARY}: x', "invalid value"),
        (f'Invalid value: core.PodSpec{{Env: "{CANARY}"}}: anything', "invalid value"),
        (
            f'Invalid value: v1.Spec{{A: "{CANARY}: b"}}: field is immutable',
            "invalid value: field is immutable",
        ),
        (f"Invalid value: 1.2.{CANARY}: anything", "invalid value"),
        (f'Duplicate value: {{"name":"{CANARY}"}}', "duplicate value"),
        (
            f'Unsupported value: "{CANARY}": supported values: "TCP", "UDP"',
            'unsupported value: supported values: "TCP", "UDP"',
        ),
        ("Required value: name is required", "Required value: name is required"),
        (
            f"Forbidden: pod updates may not change fields other than `image`\n{CANARY}",
            "Forbidden: pod updates may not change fields other than `image` ...",
        ),
    ],
)
def test_values_in_causes(message: str, expected: str) -> None:
    """A cause is told by field and rule; the value that it quotes is left out."""
    assert shown(status("", ("spec.x", message))) == f"spec.x: {expected}"


def test_message_without_causes() -> None:
    """A policy's own words have no causes, and are shown."""
    said = "ValidatingAdmissionPolicy 'p' denied request: replicas must be below 5"

    assert shown(status(said)) == said


def test_summary_of_several_causes() -> None:
    """A summary that quotes values ends before the first."""
    message = f'X is invalid: [a: Invalid value: 1: low, b: Invalid value: "{CANARY}": high]'

    assert shown(status(message)) == "X is invalid: [a: invalid value"


def test_wrong_type() -> None:
    """The value that has the wrong type is left out."""
    message = f".data.x: expected string, got &value.valueUnstructured{{Value:{CANARY}}}"

    assert shown(status(message), code=500) == ".data.x: expected string"


def test_long_message() -> None:
    """A webhook may say anything; it does not fill the screen."""
    assert len(shown(status("no " * 10_000))) < 350


def test_many_causes() -> None:
    """Of many causes a few are shown, each once."""
    causes = [(f"spec.{i % 9}", "Required value") for i in range(40)]

    assert shown(status("", *causes)).count("Required value") == statuses.MOST_CAUSES
    assert shown(status("", *causes)).endswith("and 4 more")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            status("", ("data.password", f'Invalid value: "{CANARY}": too weak'), reason="Invalid"),
            "Invalid: data.password",
        ),
        (
            status(
                "failed to create typed patch object (a/b; /v1, Kind=Secret): "
                f".stringData.password: expected string, got {CANARY}"
            ),
            "HTTP 422: .stringData.password is not known, or of the wrong type",
        ),
        (
            status(f"... illegal base64 data at input byte 9 in {CANARY}"),
            "HTTP 422: data: a value is not base64",
        ),
        (
            status(f'admission webhook "w.example.com" denied the request: {CANARY}'),
            'admission webhook "w.example.com" denied the request',
        ),
        (status(CANARY, reason="Forbidden"), "Forbidden"),
    ],
)
def test_about_a_secret(answer: Any, expected: str) -> None:
    """About a Secret no text of others is shown: only a reason and fields."""
    assert shown(answer, secret=True) == expected


@given(st.text(min_size=1), st.sampled_from(["Invalid value", "Duplicate value", "Not found"]))
def test_any_value_is_left_out(value: str, what: str) -> None:
    """However a quoted value looks, none of it gets through."""
    import json

    marked = f"{CANARY}{value}{CANARY}"

    for quoted in (json.dumps(marked), f"Spec{{A: {marked}}}", f"`{marked}`", marked):
        assert CANARY not in shown(status("", ("spec", f"{what}: {quoted}: must be valid")))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'configmaps is forbidden: User "viewer" cannot list resource "configmaps" in API group '
            '"" in the namespace "shop"',
            "list configmaps in namespace shop",
        ),
        (
            'deployments.apps "web" is forbidden: User "a\\"b" cannot patch resource "deployments" '
            'in API group "apps" in the namespace "shop": some reason',
            "patch deployments.apps in namespace shop",
        ),
        ('forbidden: User "system:anonymous" cannot get path "/apis"', "get /apis"),
        (
            'namespaces is forbidden: User "x" cannot list resource "namespaces" in API group "" '
            "at the cluster scope",
            "list namespaces",
        ),
        ('pods "web" is forbidden: exceeded quota: small', None),
    ],
)
def test_denied(message: str, expected: str | None) -> None:
    """What an account may not do is told from what a policy does not take."""
    assert statuses.denied({"message": message}) == expected


def test_kinds_of_conflict() -> None:
    """An owner of a field and an outdated version are both 409, and not the same."""
    cause = {"reason": "FieldManagerConflict", "field": ".spec.x", "message": 'conflict with "a"'}
    owned = ApiError(409, {"details": {"causes": [cause]}}, asked="PATCH", secret=False)
    moved = ApiError(409, {"reason": "Conflict"}, asked="PATCH", secret=False)
    other = ApiError(422, status("", ("metadata.uid", "x")), asked="PATCH", secret=False)

    assert [bool(error.conflicts) for error in (owned, moved, other)] == [True, False, False]
    assert [error.is_stale for error in (owned, moved, other)] == [False, True, True]


# -- what kind of refusal it is --------------------------------------------------------------------

CALL = 'failed calling webhook "w.example.com": failed to call webhook: Post '


@pytest.mark.parametrize(
    ("said", "name", "service"),
    [
        (
            f'{CALL}"https://hook.shop.svc:443/x?timeout=2s": no endpoints available for service '
            '"hook"',
            "w.example.com",
            "hook",
        ),
        (
            f'{CALL}"https://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused',
            "w.example.com",
            "",
        ),
        (
            f'{CALL}"https://127.0.0.1:1/x": tls: failed to verify certificate: x509: certificate '
            "signed by unknown authority",
            "w.example.com",
            "",
        ),
        (f'{CALL}"https://a.b.svc:443/x": service "a" not found', "w.example.com", "a"),
        (f'{CALL}"https://a.b.svc:443/x": context deadline exceeded', "w.example.com", "a"),
        (
            "conversion webhook for example.com/v1, Kind=Widget failed: Post "
            '"https://a.b.svc:443/convert?timeout=30s": no endpoints available for service "a"',
            "of example.com/v1, Kind=Widget",
            "a",
        ),
    ],
)
def test_webhook_that_is_not_ready(said: str, name: str, service: str) -> None:
    """The server's words for a webhook that may answer in a moment."""
    webhook = statuses.unready(500, {"message": f"Internal error occurred: {said}"})

    assert webhook is not None
    assert (webhook.name, webhook.service) == (name, service)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (403, f'{CALL}"https://a.b.svc:443/x": connect: connection refused'),
        (500, f"{CALL}forbidden: nobody may post"),
        (500, 'admission webhook "w.example.com" denied the request: connection refused'),
        (500, "etcdserver: request timed out"),
    ],
)
def test_webhook_that_will_not_get_ready(code: int, said: str) -> None:
    """Denials, and failures of another class, are no reason to wait."""
    assert statuses.unready(code, {"message": said}) is None


@pytest.mark.parametrize(
    ("said", "full"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', True),
        ('pods "x" is forbidden: violates PodSecurity', False),
        ('admission webhook "w.x" denied the request: exceeded quota: mine', False),
    ],
)
def test_quota_that_is_full(said: str, full: bool) -> None:
    """Only the server's own quota counts as one."""
    refusal = ApiError(403, {"message": said}, asked="PATCH /x", secret=False)

    assert refusal.exceeds_quota is full


def test_quota_against_a_secret() -> None:
    """It is known without being shown."""
    said = f'secrets "x" is forbidden: exceeded quota: q, requested: {CANARY}'
    refusal = ApiError(403, {"message": said}, asked="PATCH /x", secret=True)

    assert refusal.exceeds_quota
    assert CANARY not in refusal.message
