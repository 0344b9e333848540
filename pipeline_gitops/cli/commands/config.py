"""`config show`: the settings in force, and where each comes from."""

import os
from collections.abc import Iterator
from typing import Any

import click

from pipeline_gitops import reports
from pipeline_gitops.cli import options
from pipeline_gitops.cli import session as sessions
from pipeline_gitops.cli.session import Session
from pipeline_gitops.config import Config, Environment, Policy


@click.group("config")
def command() -> None:
    """Shows the configuration and where each value comes from."""


@command.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@options.rollback
@options.binding
@options.targeted
@click.pass_context
def show(ctx: click.Context, /, origin: bool, **values: Any) -> int:
    """Shows the settings in force.

    A flag wins over its environment variable, that over what the CI says, that over the file, and
    that over the default.

    \b
    Examples:
      pipeline-gitops config show --origin
    """
    sources = {name: _source(ctx, name) for name in ctx.params}
    session = sessions.start(options.flags(values), os.environ)
    git = sessions.repository(session)
    config = sessions.load(session, git.root)
    rows = [("SETTING", "VALUE", "ORIGIN")]
    rows += [*_general(session, config, sources)]
    for environment in sessions.chosen(session, config):
        rows += _environment(environment, config, sources)
    shown = rows if origin else [row[:2] for row in rows]
    session.console.show(reports.table(shown))
    return 0


def _source(ctx: click.Context, name: str) -> str:
    match ctx.get_parameter_source(name):
        case click.core.ParameterSource.COMMANDLINE:
            return f"flag --{name.replace('_', '-')}"
        case click.core.ParameterSource.ENVIRONMENT:
            return f"environment {options.PREFIX}{name.upper()}"
        case _:
            return ""


def _general(
    session: Session, config: Config, sources: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    context = session.context
    ci = f"CI {context.vendor.value}"
    yield "configuration", config.source or "none", "file" if config.source else "discovery"
    version = config.kubernetes_version
    yield (
        "kubernetesVersion",
        version or sessions.catalog().versions[-1],
        sources["kubernetes_version"] or _place(config, "/kubernetesVersion") or "default",
    )
    yield (
        "render.kustomize",
        config.engine.kustomize or "bundled",
        (_place(config, "/render/kustomize") or "default"),
    )
    yield "ci.vendor", context.vendor.value, "environment"
    yield "ci.trigger", context.trigger.value, ci
    if context.project:
        yield "ci.project", context.project, ci
    if context.merge_request:
        yield "ci.mergeRequest", str(context.merge_request), ci
    if context.token_name:
        yield "token", "set", f"environment {context.token_name}"


def _environment(
    environment: Environment, config: Config, sources: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    name, base = environment.name, f"/environments/{environment.name}"

    def origin(pointer: str, *flags: str) -> str:
        given = next((sources[flag] for flag in flags if sources.get(flag)), "")
        return given or _place(config, base + pointer) or "default"

    yield (
        f"{name}.path",
        environment.overlay.path,
        (origin("/path") if config.source and environment.rule == "config" else environment.rule),
    )
    yield f"{name}.engine", environment.overlay.engine or "what the files say", origin("/engine")
    target = str(environment.target) if environment.target else "none"
    yield f"{name}.target", target, origin("/target", "target", "context", "namespace")
    policy = environment.policy
    yield f"{name}.policy.prune", str(policy.prune).lower(), origin("/policy/prune")
    deletes = policy.max_deletes
    limit = f"{deletes.percent}%" if deletes.number is None else str(deletes.number)
    yield f"{name}.policy.maxDeletes", limit, origin("/policy/maxDeletes")
    seconds = f"{policy.timeout_s:g}s"
    yield f"{name}.policy.timeout", seconds, origin("/policy/timeout", "timeout")
    yield f"{name}.policy.wait", str(policy.wait).lower(), origin("/policy/wait")
    for key, value, *flags in _limits(policy):
        pointer = f"/policy/{key}".replace(".", "/")
        yield f"{name}.policy.{key}", value, origin(pointer, *flags)
    branch = environment.branch or "the default branch"
    yield f"{name}.branch", branch, origin("/branch")
    yield f"{name}.protected", str(environment.protected).lower(), origin("/protected")
    yield f"{name}.promoteFrom", environment.promote_from or "none", origin("/promoteFrom")


def _limits(policy: Policy) -> Iterator[tuple[str, ...]]:
    """What else a policy says, and the flag that may have said it."""
    yield "retry", f"{policy.retry_s:g}s"
    object_timeout_s = policy.object_timeout_s
    yield (
        "objectTimeout",
        f"{object_timeout_s:g}s" if object_timeout_s is not None else "the whole timeout",
    )
    yield "rollback", policy.rollback.value, "rollback"
    yield "binding", policy.binding.value, "binding"
    identity = ", ".join(policy.binding_identity) or "this token's own"
    yield "bindingIdentity", identity
    yield "stability", f"{policy.stability_s:g}s"
    yield "patience.restarts", str(policy.patience_restarts)
    yield "patience.seconds", f"{policy.patience_s:g}"
    yield "replace", str(policy.replace).lower()
    yield "adoptFrom", ", ".join(policy.adopt_from) or "none", "adopt_from"
    rules = (
        f"{rule.decision} {', '.join(rule.fields)} of {rule.manager}"
        for rule in policy.field_owners
    )
    yield "fieldOwners", "; ".join(rules) or "the table alone"
    scope = policy.scope
    for key, allowed in (
        ("scope.namespaces", scope.namespaces),
        ("scope.clusterKinds", scope.cluster_kinds),
    ):
        yield key, "every one" if allowed is None else ", ".join(allowed) or "none"


def _place(config: Config, pointer: str) -> str:
    """Place of a setting in the file, or of the first one below it."""
    for known, place in config.places:
        if known == pointer or known.startswith(pointer + "/"):
            return str(place)
    return ""
