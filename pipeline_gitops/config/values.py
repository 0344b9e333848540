"""The values that a configuration comes down to."""

from dataclasses import field
from enum import StrEnum

from pipeline_gitops.documents import Json
from pipeline_gitops.ids import Place
from pipeline_gitops.values import dataclass

FILE = ".pipeline-gitops.yaml"
TOOLS = ("argocd", "flux", "helm", "kapp", "kluctl")  # whose objects may be adopted, if allowed


class Rollback(StrEnum):
    """Whether a deploy goes back by itself."""

    OFF = "off"
    ON_FAILURE = "on-failure"


class Binding(StrEnum):
    """What a deploy makes of changes that its merge request did not show."""

    OFF = "off"  # nothing: nobody is asked
    WARN = "warn"
    REQUIRE = "require"


class Engine(StrEnum):
    """What renders an overlay."""

    KUSTOMIZE = "kustomize"
    DIRECTORY = "directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """One root to render. *path* is relative to the repository root, "." for the root itself."""

    path: str
    engine: Engine | None = None  # None: by what lies there


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A Kubernetes cluster, by kubeconfig context or from inside; "" = the current context."""

    context: str = ""
    kubeconfig: str = ""
    namespace: str = "default"
    inventory_name: str = ""
    inventory_namespace: str = ""

    def __str__(self) -> str:
        return f"cluster {self.context}" if self.context else "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySpec:
    """A directory of rendered manifests inside the repository, relative to its root."""

    path: str

    def __str__(self) -> str:
        return f"directory {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSpec:
    """A path on a branch of rendered manifests."""

    name: str
    path: str = "."

    def __str__(self) -> str:
        return f"branch {self.name}" + (f" {self.path}" if self.path != "." else "")


TargetSpec = ClusterSpec | DirectorySpec | BranchSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletes:
    """`policy.maxDeletes`: a number, or a percentage of the inventory (rounded up, 3 at least)."""

    number: int | None = None
    percent: int = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """`policy.fieldOwners`: what to do about fields that *manager* owns.

    *manager* and *fields* are patterns with `*`; *kind* is "Kind" or "Kind.group", "" = every one.
    """

    manager: str
    decision: str  # "take" or "leave"
    fields: tuple[str, ...] = ("*",)
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`policy.scope`: where an environment may write. None: no limit.

    *namespaces* are patterns with `*`; *cluster_kinds* are "Kind" or "Kind.group" of kinds without
    namespaces.
    """

    namespaces: tuple[str, ...] | None = None
    cluster_kinds: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an environment's owner allows, and how long a deploy may take."""

    prune: bool = True
    max_deletes: Deletes = Deletes()
    timeout_s: float = 600.0
    object_timeout_s: float | None = None  # how long one object may take to run; None: the whole
    retry_s: float = 60.0  # how long one request is repeated while the server is busy or away
    wait: bool = True
    rollback: Rollback = Rollback.OFF
    binding: Binding = Binding.WARN
    binding_identity: tuple[str, ...] = ()  # logins whose review counts; () = our own
    replace: bool = False  # immutable fields may be changed by deleting and creating anew
    adopt_from: tuple[str, ...] = ()  # tools whose objects may be taken over: "argocd", "helm" ...
    field_owners: tuple[FieldRule, ...] = ()
    scope: Scope = Scope()
    stability_s: float = 5.0  # how long what was changed has to stay well before it counts
    patience_restarts: int = 2  # how often a container may restart
    patience_s: float = 60.0  # how long trouble that may heal is waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is deployed where. *target* None: only rendered and validated."""

    name: str
    overlay: Overlay
    target: TargetSpec | None = None
    policy: Policy = Policy()
    branch: str = ""  # pushes to it deploy; "" = the repository's default branch
    protected: bool = False
    promote_from: str = ""
    rule: str = ""  # by which rule it was found: "config", or the discovery rule
    place: Place = Place("")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """Which kustomize renders: a path to `kustomize` or `kubectl`; "" = the bundled one."""

    kustomize: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A parsed configuration. *places* says where each setting stands
    ("/environments/prod/path")."""

    environments: tuple[Environment, ...] = ()
    kubernetes_version: str = ""
    engine: EngineSpec = EngineSpec()
    health: Json = field(default=(), repr=False)  # rules for custom resources, as they are written
    places: tuple[tuple[str, Place], ...] = field(default=(), repr=False)
    source: str = ""  # the file, or "" for discovery

    def environment(self, name: str) -> Environment | None:
        """The environment of that name."""
        return next((env for env in self.environments if env.name == name), None)
