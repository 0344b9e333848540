"""What one call of the program works with: repository, CI job, configuration, journal, clock."""

import json
import os
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cache
from typing import Any

from pipeline_gitops import ci, kinds, overlays
from pipeline_gitops import config as configs
from pipeline_gitops.ci import CIContext
from pipeline_gitops.cli import endings, options, resources
from pipeline_gitops.cli.clocks import SystemClock
from pipeline_gitops.cli.options import Flags
from pipeline_gitops.config import (
    FILE,
    Binding,
    ClusterSpec,
    Config,
    DirectorySpec,
    Environment,
    Policy,
    Rollback,
)
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.git import Git
from pipeline_gitops.health import Rules
from pipeline_gitops.health.forms import ours
from pipeline_gitops.ids import Place
from pipeline_gitops.inventories import Owner
from pipeline_gitops.journal import Console
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.pipeline.reviews import Workshop
from pipeline_gitops.validation import Catalog, validate
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything that a command needs of the world, found out once."""

    flags: Flags
    environ: Mapping[str, str] = field(repr=False)
    context: CIContext
    console: Console
    clock: SystemClock
    started: float

    def deadline(self, environment: Environment) -> float:
        """When this command must have ended, on the clock's elapsed seconds."""
        return self.started + (self.flags.timeout_s() or environment.policy.timeout_s)


def start(flags: Flags, environ: Mapping[str, str]) -> Session:
    """A session. Raises UsageFault when the CI job's variables do not add up."""
    context = ci.detect(environ, _read_text)
    console = Console(context.vendor, live=_is_watched(context, flags, environ))
    console.hide(tuple(ci.secrets(environ)))
    ending = endings.current()
    if ending:
        ending.use(console)
    clock = SystemClock()
    clock.listen()
    return Session(
        flags=flags,
        environ=environ,
        context=context,
        console=console,
        clock=clock,
        started=clock.elapsed(),
    )


def _is_watched(context: CIContext, flags: Flags, environ: Mapping[str, str]) -> bool:
    """Whether a person sees stderr change: a terminal outside CI that can, and may, be drawn on."""
    if context.vendor is not ci.Vendor.NONE or environ.get("TERM", "dumb") == "dumb":
        return False
    wanted = not environ.get("NO_COLOR") if flags.color is None else flags.color
    return wanted and os.isatty(2)


def _read_text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def repository(session: Session) -> Git:
    """The repository that the session stands in. Raises UsageFault outside of one."""
    return Git.discover(session.flags.repository, session.environ)


@cache
def config_schema() -> Mapping[str, Any]:
    """schemas/config.schema.json."""
    schema: Mapping[str, Any] = json.loads(
        (resources.schemas() / "config.schema.json").read_bytes()
    )
    return schema


def load(session: Session, root: str) -> Config:
    """The configuration below *root*, or what discovery finds, with the flags laid over it."""
    named = session.flags.config
    path = os.path.join(root, named or FILE)
    if os.path.isfile(path):
        with open(path, "rb") as file:
            config = configs.parse(file.read(), named or FILE, config_schema())
    elif named:
        raise UsageFault(
            f"{named}: no such file", "correct --config, or run `pipeline-gitops init`"
        )
    else:
        config = Config()
    if not config.environments:
        config = replace(config, environments=overlays.discover(root))
    return overlaid(config, session.flags)


def overlaid(config: Config, flags: Flags) -> Config:
    """*config* with what the flags say instead."""
    environments = tuple(
        replace(
            environment,
            target=_target(environment, flags),
            policy=_policy(environment.policy, flags),
        )
        for environment in config.environments
    )
    version = flags.kubernetes_version or config.kubernetes_version
    return replace(config, environments=environments, kubernetes_version=version)


def _policy(policy: Policy, flags: Flags) -> Policy:
    return replace(
        policy,
        adopt_from=tuple(dict.fromkeys((*policy.adopt_from, *flags.adopt_from))),
        rollback=Rollback(flags.rollback or policy.rollback),
        binding=Binding(flags.binding or policy.binding),
    )


def _target(environment: Environment, flags: Flags) -> configs.TargetSpec | None:
    target = environment.target
    if flags.target:
        target = options.target_spec(flags.target)
        if isinstance(target, DirectorySpec):
            configs.inside(target.path, Place("--target"))
    elif flags.context and target is None:
        target = ClusterSpec()
    if isinstance(target, ClusterSpec):
        target = replace(
            target,
            context=flags.context or target.context,
            namespace=flags.namespace or target.namespace,
        )
    elif flags.context:
        raise UsageFault(
            f"--context does not fit {environment.name}, whose target is a {target}",
            "leave it out, or name the target with --target cluster",
        )
    return target


def chosen(session: Session, config: Config) -> tuple[Environment, ...]:
    """The environments that the call names, or all. Raises UsageFault."""
    if not config.environments:
        raise UsageFault(
            "no environment: no kustomization and no Kubernetes manifests were found",
            "add manifests, or name their folders in .pipeline-gitops.yaml",
        )
    names = session.flags.environments
    known = [environment.name for environment in config.environments]
    for name in names:
        if name not in known:
            meant = configs.nearest(name, known)
            raise UsageFault(
                f"environment '{name}' is not known",
                f"did you mean '{meant}'?" if meant else "known: " + ", ".join(known),
            )
    found = tuple(env for env in config.environments if not names or env.name in names)
    if session.flags.target and len(found) > 1:
        raise UsageFault(
            "--target names one target, but there are several environments: " + ", ".join(known),
            "choose one with --environment",
        )
    return found


@cache
def packed_kinds() -> Kinds:
    """schemas/kubernetes/kinds.json."""
    return kinds.parse((resources.schemas() / "kubernetes" / "kinds.json").read_bytes())


@cache
def catalog() -> Catalog:
    """The packed Kubernetes schemas."""
    packed = resources.schemas() / "kubernetes"
    return Catalog.parse(next(packed.glob("schemas.json.*")).read_bytes())


def workshop(session: Session, config: Config) -> Workshop:
    """What prepares environments."""

    def check(set_: ManifestSet) -> tuple[Finding, ...]:
        return validate(set_.manifests, catalog(), version=config.kubernetes_version)

    return Workshop(
        render=overlays.Renderer(config.engine, session.environ),
        validate=check,
        kinds=packed_kinds(),
        journal=session.console,
        rules=health_rules(config),
    )


def health_rules(config: Config) -> Rules:
    """The rules of `health:` in the configuration. Raises UsageFault for the first mistake."""
    places = dict(config.places)

    def locate(pointer: str) -> Place:
        return places.get(f"/health{pointer}", Place(config.source))

    return Rules(ours.parse(config.health, locate))


def owner(session: Session, git: Git, environment: Environment) -> Owner:
    """Whose objects an environment's inventory lists."""
    slug = session.context.project or git.slug()
    return Owner(repository=slug, environment=environment.name)
