"""GitHub Actions: what the variables and the event file say about a job."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline_gitops import ci
from pipeline_gitops.ci import CIContext, ForgeKind, ReportedRun, Trigger, Vendor
from pipeline_gitops.errors import UsageFault

HEAD = "a" * 40
BASE = "b" * 40
TEST_MERGE = "c" * 40

JOB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_API_URL": "https://forge.example/api/v3",
    "GITHUB_SERVER_URL": "https://forge.example",
    "GITHUB_REPOSITORY": "shop/deploy",
    "GITHUB_SHA": TEST_MERGE,
    "GITHUB_RUN_ID": "1700",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_ACTOR": "ann",
    "GITHUB_EVENT_PATH": "event.json",
    "GITHUB_TOKEN": "ghs_secret",
}

PULL_REQUEST: dict[str, Any] = {
    "action": "synchronize",
    "repository": {"default_branch": "main"},
    "pull_request": {
        "number": 42,
        "labels": [{"name": "pipeline-gitops/confirm-deletes"}],
        "head": {"sha": HEAD, "ref": "feature", "repo": {"full_name": "shop/deploy"}},
        "base": {"sha": BASE, "ref": "main", "repo": {"full_name": "shop/deploy"}},
    },
}
PUSH: dict[str, Any] = {"repository": {"default_branch": "main"}}
MERGE_GROUP: dict[str, Any] = {
    "action": "checks_requested",
    "merge_group": {
        "head_sha": HEAD,
        "head_ref": f"refs/heads/gh-readonly-queue/main/pr-42-{BASE}",
        "base_sha": BASE,
        "base_ref": "refs/heads/main",
    },
}


def holding(event: object) -> Callable[[str], str]:
    """A reader of an event file with that event."""
    return lambda path: json.dumps(event) if path == "event.json" else ""


def detect(name: str, event: object, **more: str) -> CIContext:
    return ci.detect({**JOB, "GITHUB_EVENT_NAME": name, **more}, holding(event))


def without(event: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A pull request event whose request differs in these fields."""
    return {**event, "pull_request": {**event["pull_request"], **more}}


def test_a_pull_request_is_known_by_its_head() -> None:
    """GITHUB_SHA is a test merge: what people see is the head's commit."""
    context = detect("pull_request", PULL_REQUEST)

    assert context == CIContext(
        vendor=Vendor.GITHUB,
        trigger=Trigger.MERGE_REQUEST,
        forge=ForgeKind.GITHUB,
        api_url="https://forge.example/api/v3",
        server_url="https://forge.example",
        project="shop/deploy",
        sha=HEAD,
        checked_out=TEST_MERGE,
        base_sha=BASE,
        branch="feature",
        base_branch="main",
        default_branch="main",
        merge_request=42,
        labels=("pipeline-gitops/confirm-deletes",),
        run_url="https://forge.example/shop/deploy/actions/runs/1700/attempts/2",
        run_number=1700,
        attempt=2,
        actor="ann",
        token="ghs_secret",
        token_name="GITHUB_TOKEN",
    )


@pytest.mark.parametrize("name", ["GITEA_ACTIONS", "FORGEJO_ACTIONS"])
def test_runners_of_gitea_and_forgejo_speak_of_their_own_forge(name: str) -> None:
    """They set the variables of GitHub Actions, and one more that tells them apart."""
    context = detect("push", PUSH, **{name: "true"})

    assert (context.vendor, context.forge) == (Vendor.GITHUB, ForgeKind.GITEA)
    assert context.files_url("abc") == "https://forge.example/shop/deploy/src/commit/abc"


@pytest.mark.parametrize("action", ["opened", "synchronize", "reopened", "labeled"])
def test_a_changed_pull_request_is_reviewed(action: str) -> None:
    """A label can confirm a danger, so it counts as a change."""
    context = detect("pull_request", {**PULL_REQUEST, "action": action})

    assert context.trigger is Trigger.MERGE_REQUEST


def test_a_closed_pull_request_is_not_reviewed() -> None:
    """There is nothing left to answer."""
    assert detect("pull_request", {**PULL_REQUEST, "action": "closed"}).trigger is Trigger.CLOSED


@pytest.mark.parametrize("repo", [{"full_name": "stranger/deploy"}, None])
def test_a_fork_is_known(repo: object) -> None:
    """Also where it was deleted meanwhile: not ours is what counts."""
    head = {**PULL_REQUEST["pull_request"]["head"], "repo": repo}

    assert detect("pull_request", without(PULL_REQUEST, head=head)).fork


@pytest.mark.parametrize(
    ("ref", "branch"), [("refs/heads/release/1", "release/1"), ("refs/tags/v1", "")]
)
def test_a_push_names_its_branch(ref: str, branch: str) -> None:
    """A tag is no branch, even under a branch's name."""
    context = detect("push", PUSH, GITHUB_REF=ref)

    assert (context.trigger, context.branch, context.sha) == (Trigger.PUSH, branch, TEST_MERGE)


def test_a_merge_queue_is_a_review() -> None:
    """The base's settings hold, the note is the last request's, nothing is deployed."""
    context = detect("merge_group", MERGE_GROUP)

    facts = (context.trigger, context.merge_request, context.sha, context.base_branch)
    assert facts == (Trigger.MERGE_REQUEST, 42, HEAD, "main")


@pytest.mark.parametrize(
    ("name", "trigger"),
    [
        ("schedule", Trigger.SCHEDULE),
        ("workflow_dispatch", Trigger.MANUAL),
        ("workflow_run", Trigger.MANUAL),
        ("issue_comment", Trigger.MANUAL),
    ],
)
def test_other_events_deploy_nothing(name: str, trigger: Trigger) -> None:
    """Only a push deploys; what is unknown is at most a comparison."""
    assert detect(name, {}).trigger is trigger


def test_the_run_that_started_this_one_is_known_by_the_forge() -> None:
    """Its head, where that comes from, and which run it was; not what its job left behind."""
    run = {
        "id": 17,
        "run_attempt": 2,
        "event": "pull_request",
        "head_sha": HEAD,
        "head_repository": {"full_name": "stranger/deploy"},
        "html_url": "https://forge.example/shop/deploy/actions/runs/17",
    }

    reported = detect("workflow_run", {"workflow_run": run}).reported

    assert reported == ReportedRun(
        event="pull_request",
        sha=HEAD,
        repository="stranger/deploy",
        number=17,
        attempt=2,
        url="https://forge.example/shop/deploy/actions/runs/17",
    )


def test_a_fork_that_is_gone_has_no_name() -> None:
    """The forge says null."""
    reported = detect("workflow_run", {"workflow_run": {"head_repository": None}}).reported

    assert reported is not None
    assert reported.repository == ""


def test_pull_request_target_is_refused() -> None:
    """It runs strangers' code with the repository's secrets."""
    with pytest.raises(UsageFault) as caught:
        detect("pull_request_target", PULL_REQUEST)

    assert "use the event pull_request" in caught.value.cure


def _missing(path: str) -> str:
    raise FileNotFoundError(path)


@pytest.mark.parametrize(
    "read_text", [_missing, lambda _: "not json", lambda _: "[]", lambda _: "[" * 100_000]
)
def test_an_unusable_event_file_is_misconfigured(read_text: Callable[[str], str]) -> None:
    """Guessing the event could deploy what was to be reviewed."""
    with pytest.raises(UsageFault) as caught:
        ci.detect({**JOB, "GITHUB_EVENT_NAME": "pull_request"}, read_text)

    assert "GITHUB_EVENT_PATH" in caught.value.what


@pytest.mark.parametrize("number", [None, "42", 0, -1, True, 4.2])
def test_a_pull_request_without_a_number_is_misconfigured(number: object) -> None:
    """The report would go nowhere, or elsewhere."""
    with pytest.raises(UsageFault):
        detect("pull_request", without(PULL_REQUEST, number=number))


def test_our_own_token_goes_first() -> None:
    """PIPELINE_GITOPS_TOKEN is set on purpose, GITHUB_TOKEN is always there."""
    context = detect("push", PUSH, PIPELINE_GITOPS_TOKEN="ours")

    assert (context.token, context.token_name) == ("ours", "PIPELINE_GITOPS_TOKEN")


def test_a_token_is_not_in_the_representation() -> None:
    """A context that ends up in a message does not take the token along."""
    assert "ghs_secret" not in repr(detect("push", PUSH))


def test_an_address_without_an_attempt() -> None:
    """Older servers do not say which attempt this is."""
    context = detect("push", PUSH, GITHUB_RUN_ATTEMPT="")

    assert (context.run_url, context.attempt) == (
        "https://forge.example/shop/deploy/actions/runs/1700",
        1,
    )


def test_files_are_linked_at_a_commit() -> None:
    """A permalink stays right when the branch moves on."""
    url = detect("pull_request", PULL_REQUEST).files_url(HEAD)

    assert url == f"https://forge.example/shop/deploy/blob/{HEAD}"


def test_a_push_brings_its_first_line() -> None:
    """It may name the pull request that the forge does not know of."""
    event = {**PUSH, "head_commit": {"message": "Add a cache (#12)\n\nIt was slow."}}

    assert detect("push", event).subject == "Add a cache (#12)"
