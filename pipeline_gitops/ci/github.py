"""GitHub Actions: variables and event file in; workflow commands, annotations and outputs out.

https://docs.github.com/actions/reference/workflows-and-actions/variables and .../workflow-commands
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipeline_gitops.ci import variables
from pipeline_gitops.ci.values import CIContext, ForgeKind, ReportedRun, Trigger, Vendor
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.patterns import pattern
from pipeline_gitops.views import Finding, Severity

_TOKENS = ("PIPELINE_GITOPS_TOKEN", "GITHUB_TOKEN")

# The runner shows ten of each kind per step and drops the rest without a word.
MOST_ANNOTATIONS = 10

_QUEUED = pattern(r"/pr-(\d{1,18})-[0-9a-f]+$")

Event = Mapping[str, Any]


def detect(environ: Mapping[str, str], read_text: Callable[[str], str]) -> CIContext | None:
    """The job, or None outside GitHub Actions. Raises UsageFault where its event cannot be used."""
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    event = _event(environ, read_text)
    token, token_name = variables.token(environ, _TOKENS)
    return CIContext(
        vendor=Vendor.GITHUB,
        # Gitea's and Forgejo's own runners speak GitHub's language, and say who they are.
        forge=ForgeKind.GITEA if _is_gitea(environ) else ForgeKind.GITHUB,
        api_url=environ.get("GITHUB_API_URL", ""),
        server_url=environ.get("GITHUB_SERVER_URL", ""),
        project=environ.get("GITHUB_REPOSITORY", ""),
        checked_out=environ.get("GITHUB_SHA", ""),
        default_branch=_text(event, "repository", "default_branch"),
        run_url=_run_url(environ),
        # The number of a run starts anew when its workflow is renamed; the id only ever grows.
        run_number=variables.number(environ, "GITHUB_RUN_ID"),
        attempt=variables.number(environ, "GITHUB_RUN_ATTEMPT") or 1,
        actor=variables.first(environ, "GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),
        token=token,
        token_name=token_name,
        ca_file=environ.get("REQUESTS_CA_BUNDLE", ""),
        summary_file=environ.get("GITHUB_STEP_SUMMARY", ""),
        output_file=environ.get("GITHUB_OUTPUT", ""),
        **_by_event(environ, event),
    )


def _is_gitea(environ: Mapping[str, str]) -> bool:
    """https://docs.gitea.com/usage/actions/actions-variables, https://forgejo.org/docs/latest/user/actions/reference/#env"""
    return "true" in (environ.get("GITEA_ACTIONS"), environ.get("FORGEJO_ACTIONS"))


def _event(environ: Mapping[str, str], read_text: Callable[[str], str]) -> Event:
    try:
        event = json.loads(read_text(environ.get("GITHUB_EVENT_PATH", "")))
    except (OSError, ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise UsageFault(
            "the event file of GitHub Actions (GITHUB_EVENT_PATH) cannot be read",
            "run inside a workflow step, and in a container action mount the runner's folder",
        )
    return event


def _run_url(environ: Mapping[str, str]) -> str:
    server, project = environ.get("GITHUB_SERVER_URL"), environ.get("GITHUB_REPOSITORY")
    run = environ.get("GITHUB_RUN_ID")
    if not (server and project and run):
        return ""
    attempt = environ.get("GITHUB_RUN_ATTEMPT")  # older servers do not set it
    return f"{server}/{project}/actions/runs/{run}" + (f"/attempts/{attempt}" if attempt else "")


def _by_event(environ: Mapping[str, str], event: Event) -> dict[str, Any]:
    """What depends on the event: trigger, commits, branches, merge request."""
    sha = environ.get("GITHUB_SHA", "")
    match environ.get("GITHUB_EVENT_NAME", ""):
        case "pull_request":
            return _pull_request(event)
        case "pull_request_target":
            raise UsageFault(
                "the event pull_request_target gives a stranger's code this repository's secrets",
                "use the event pull_request; a fork's report can be posted by a workflow_run job",
            )
        case "merge_group":
            return _merge_group(event)
        case "push":
            message = _text(event, "head_commit", "message")
            return {
                "trigger": Trigger.PUSH,
                "sha": sha,
                "subject": message.partition("\n")[0],
                "branch": _branch(environ),
            }
        case "schedule":
            return {"trigger": Trigger.SCHEDULE, "sha": sha, "branch": _branch(environ)}
        case name:
            reported = _workflow_run(event) if name == "workflow_run" else None
            branch = _branch(environ)
            return {"trigger": Trigger.MANUAL, "sha": sha, "branch": branch, "reported": reported}


def _branch(environ: Mapping[str, str]) -> str:
    """The branch of the event; "" for a tag."""
    prefix, ref = "refs/heads/", environ.get("GITHUB_REF", "")
    return ref.removeprefix(prefix) if ref.startswith(prefix) else ""


def _pull_request(event: Event) -> dict[str, Any]:
    request = _mapping(event, "pull_request")
    number = request.get("number")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise UsageFault(
            "the event pull_request has no number of a pull request",
            "leave GITHUB_EVENT_NAME and GITHUB_EVENT_PATH as the runner sets them",
        )
    head, base = (
        _text(request, "head", "repo", "full_name"),
        _text(request, "base", "repo", "full_name"),
    )
    labels = request.get("labels")
    return {
        "trigger": Trigger.CLOSED if event.get("action") == "closed" else Trigger.MERGE_REQUEST,
        # GITHUB_SHA is a test merge: a status on it is accepted and shown nowhere.
        "sha": _text(request, "head", "sha"),
        "base_sha": _text(request, "base", "sha"),
        "branch": _text(request, "head", "ref"),
        "base_branch": _text(request, "base", "ref"),
        "merge_request": number,
        "labels": tuple(
            name
            for label in (labels if isinstance(labels, list) else ())
            if isinstance(label, dict) and (name := _text(label, "name"))
        ),
        "fork": head != base,  # a deleted fork has no name: still not ours
    }


def _merge_group(event: Event) -> dict[str, Any]:
    """A merge queue is a review: what the base allows holds, and nothing is deployed yet."""
    group = _mapping(event, "merge_group")
    queued = _QUEUED.search(_text(group, "head_ref"))
    return {
        "trigger": Trigger.MERGE_REQUEST,
        "sha": _text(group, "head_sha"),
        "base_sha": _text(group, "base_sha"),
        "branch": _text(group, "head_ref").removeprefix("refs/heads/"),
        "base_branch": _text(group, "base_ref").removeprefix("refs/heads/"),
        "merge_request": int(queued[1]) if queued else 0,
    }


def _workflow_run(event: Event) -> ReportedRun:
    """https://docs.github.com/webhooks/webhook-events-and-payloads#workflow_run"""
    run = _mapping(event, "workflow_run")
    number, attempt = (
        value if isinstance(value, int) else 0 for value in (run.get("id"), run.get("run_attempt"))
    )
    return ReportedRun(
        event=_text(run, "event"),
        sha=_text(run, "head_sha"),
        repository=_text(run, "head_repository", "full_name"),
        number=number,
        attempt=attempt or 1,
        url=_text(run, "html_url"),
    )


def _mapping(node: Event, name: str) -> Event:
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def _text(node: Event, *path: str) -> str:
    *folders, name = path
    for folder in folders:
        node = _mapping(node, folder)
    value = node.get(name)
    return value if isinstance(value, str) else ""


# -- log language --------------------------------------------------------------------------------

_SGR = r"\x1b\[[0-9;]*m"
# Colours may stand anywhere in between: whoever takes them out of a log must not make a command.
_COMMAND = pattern(rf"(?m)^((?:[^\S\n]|\u200b|{_SGR})*):(?=(?:{_SGR})*:)")
_OLD_COMMAND = pattern(rf"(#(?:{_SGR})*#(?:{_SGR})*)\[")


def neutral(text: str) -> str:
    """*text* with nothing in it that the runner would obey.

    The runner trims Unicode blanks and looks for `::` at a line's start, and for `##[` anywhere
    (https://github.com/actions/runner, ActionCommand.cs).
    """
    return _COMMAND.sub(r"\1: ", _OLD_COMMAND.sub(r"\1 [", text))


_KINDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTICE: "notice"}


def annotations(findings: Sequence[Finding]) -> Iterator[str]:
    """A workflow command per finding, where the runner would drop some a last one that says so."""
    for severity, kind in _KINDS.items():
        found = [finding for finding in findings if finding.severity is severity]
        shown = found if len(found) <= MOST_ANNOTATIONS else found[: MOST_ANNOTATIONS - 1]
        yield from (_annotation(finding, kind) for finding in shown)
        if len(shown) < len(found):
            yield f"::{kind}::{len(found) - len(shown)} more are in the job's summary"


def _annotation(finding: Finding, kind: str) -> str:
    place = finding.place
    properties = {
        "file": place.file,
        "line": str(place.line) if place.line else "",
        "col": str(place.column) if place.column else "",
        "title": finding.rule,
    }
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{kind} {written}::{_data(told(finding))}"


def told(finding: Finding) -> str:
    """A finding in words, without its place."""
    subject = f"{finding.id}: " if finding.id else ""
    pointer = f"{finding.pointer}: " if finding.pointer else ""
    cure = f"\n{finding.cure}" if finding.cure else ""
    return subject + pointer + finding.message + cure


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
