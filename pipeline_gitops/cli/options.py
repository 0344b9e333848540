"""Flags that several commands share, and the values they come down to.

Every flag has an environment variable; an empty one counts as unset (a CI cannot leave one out).
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from pipeline_gitops.cli import completions
from pipeline_gitops.config import (
    TOOLS,
    Binding,
    BranchSpec,
    ClusterSpec,
    DirectorySpec,
    Rollback,
    TargetSpec,
    duration,
    nearest,
)
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.values import dataclass

Command = TypeVar("Command", bound=Callable[..., Any])

PREFIX = "PIPELINE_GITOPS_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What was said on the command line or in its environment variables; "" and () where
    nothing."""

    repository: str = "."
    config: str = ""
    environments: tuple[str, ...] = ()
    target: str = ""
    context: str = ""
    namespace: str = ""
    kubernetes_version: str = ""
    timeout: str = ""
    reports: tuple[str, ...] = ()
    color: bool | None = None
    adopt_from: tuple[str, ...] = ()
    thorough: bool = False
    rollback: str = ""
    binding: str = ""

    def timeout_s(self) -> float | None:
        """Seconds of --timeout, or None. Raises UsageFault."""
        if not self.timeout:
            return None
        try:
            return duration(self.timeout)
        except ValueError as error:
            raise UsageFault(
                f"--timeout {self.timeout}: {error}", "write 8s, 10m or 1h30m"
            ) from None


def _variable(name: str) -> str:
    return PREFIX + name.upper().replace("-", "_")


def _option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    flag = next(name for name in names if name.startswith("--")).strip("-")
    return click.option(*names, envvar=_variable(flag), show_envvar=True, **settings)


repository = _option(
    "--repository", "-C", default=".", metavar="DIR", help="The repository. Default: where you are."
)
config = _option(
    "--config",
    default="",
    metavar="FILE",
    help="The configuration. Default: .pipeline-gitops.yaml.",
)
environment = _option(
    "--environment",
    "-e",
    default="",
    metavar="NAME[,NAME]",
    help="Environments. Default: all.",
    shell_complete=completions.environments,
)
target = _option(
    "--target",
    default="",
    metavar="KIND[=WHERE]",
    help="Target for this call: cluster, directory=PATH or branch=NAME[:PATH].",
)
context = _option("--context", default="", metavar="NAME", help="Context of the kubeconfig.")
namespace = _option(
    "--namespace", default="", metavar="NAME", help="Namespace for what names none."
)
kubernetes_version = _option(
    "--kubernetes-version", default="", metavar="1.N", help="Version to validate against."
)
timeout = _option("--timeout", default="", metavar="DURATION", help="Bound of the whole command.")
adopt_from = _option(
    "--adopt-from",
    default="",
    metavar="TOOL[,TOOL]",
    help=f"Take over objects of other tools: {', '.join(TOOLS)}.",
)
thorough = click.option(
    "--thorough",
    is_flag=True,
    envvar=_variable("thorough"),
    show_envvar=True,
    help="Trust no record of earlier deploys: compare everything, look for what was forgotten.",
)
rollback = _option(
    "--rollback",
    type=click.Choice([Rollback.ON_FAILURE.value, Rollback.OFF.value]),
    help="Go back to the last good revision where it does not run. Default: policy.rollback.",
)
binding = _option(
    "--binding",
    type=click.Choice([one.value for one in Binding]),
    help="What to make of changes that the merge request did not show. Default: policy.binding.",
)
source = click.option(
    "--from",
    "source",
    multiple=True,
    envvar=_variable("from"),
    show_envvar=True,
    metavar="FILE",
    help="A report of a job that ran somebody else's code. May be given several times.",
)
commit = _option(
    "--commit",
    default="",
    metavar="SHA",
    help="With --from: the head that was reviewed. Default: that of the workflow_run event.",
)
merge_request = _option(
    "--merge-request",
    type=click.IntRange(min=0),
    default=0,
    metavar="NUMBER",
    help="With --from: the merge request, where the event does not tell whose run it was.",
)
report = click.option(
    "--report",
    "reports",
    multiple=True,
    envvar=_variable("report"),
    show_envvar=True,
    metavar="KIND=PATH",
    help="Also write the report: html, json, markdown, text, junit, sarif, codequality or "
    "terraform. May be given several times.",
)
color = click.option(
    "--color/--no-color", "color", default=None, help="Colour the output. Default: on a terminal."
)

_BASIC = (repository, config, environment, kubernetes_version, report, color)
_TARGET = (target, context, namespace, timeout, adopt_from, thorough)
_INQUIRY = (repository, config, environment, report, color, target, context, namespace, timeout)


def basic(command: Command) -> Command:
    """Flags of every command that looks at environments."""
    for decorate in reversed(_BASIC):
        command = decorate(command)
    return command


def inquiring(command: Command) -> Command:
    """Flags of every command that looks at a target and renders nothing."""
    for decorate in reversed(_INQUIRY):
        command = decorate(command)
    return command


def targeted(command: Command) -> Command:
    """Flags of every command that may look at a target, too."""
    for decorate in reversed((*_BASIC, *_TARGET)):
        command = decorate(command)
    return command


def flags(values: dict[str, Any]) -> Flags:
    """The shared flags among a command's parameters, which are taken out of *values*."""
    names = tuple(part.strip() for part in values.pop("environment", "").split(",") if part.strip())
    known = ("repository", "config", "target", "context", "namespace", "kubernetes_version")
    rest = {name: values.pop(name, "") for name in (*known, "timeout")}
    rest["repository"] = rest["repository"] or "."
    made = Flags(
        environments=names,
        reports=tuple(values.pop("reports", ())),
        color=values.pop("color", None),
        adopt_from=_tools(values.pop("adopt_from", "")),
        thorough=bool(values.pop("thorough", False)),
        rollback=values.pop("rollback", None) or "",
        binding=values.pop("binding", None) or "",
        **rest,
    )
    made.timeout_s()  # a mistake in it is told before any work
    return made


def _tools(written: str) -> tuple[str, ...]:
    named = tuple(part.strip() for part in written.split(",") if part.strip())
    for name in named:
        if name not in TOOLS:
            meant = nearest(name, TOOLS)
            raise UsageFault(
                f"--adopt-from {name}: not a tool that is known",
                f"did you mean '{meant}'?" if meant else f"known: {', '.join(TOOLS)}",
            )
    return named


def target_spec(written: str) -> TargetSpec:
    """The target that --target names. Raises UsageFault."""
    kind, _, where = written.partition("=")
    match kind:
        case "cluster":
            return ClusterSpec(context=where)
        case "directory" if where:
            return DirectorySpec(path=where)
        case "branch" if where:
            name, _, path = where.partition(":")
            return BranchSpec(name=name, path=path or ".")
        case _:
            raise UsageFault(
                f"--target {written}: not a target",
                "write cluster, cluster=CONTEXT, directory=PATH or branch=NAME[:PATH]",
            )
