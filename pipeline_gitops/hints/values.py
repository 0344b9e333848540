"""What people say about one object, whichever tool's annotations they say it with."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline_gitops.ids import ObjectId


class HookPhase(StrEnum):
    """When a hook runs, seen from the rest of the set."""

    BEFORE = "before"  # Argo CD PreSync, Helm pre-install and pre-upgrade
    WITH = "with"  # Argo CD Sync: with its wave, again each deploy
    AFTER = "after"  # Argo CD PostSync, Helm post-install and post-upgrade
    FAILED = "failed"  # Argo CD SyncFail
    NEVER = "never"  # Argo CD Skip, and hooks of occasions that a deploy does not have


class HookDelete(StrEnum):
    """When a hook's object is deleted."""

    BEFORE = "before"  # before it is created again: the default of Argo CD and Helm
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Hook:
    """An object that runs at each deploy instead of being kept."""

    phase: HookPhase
    delete: frozenset[HookDelete] = frozenset({HookDelete.BEFORE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """All that annotations say; the defaults are those of an object without any."""

    wave: int = 0  # lower first, before the order of kinds
    hook: Hook | None = None
    after: tuple[ObjectId, ...] = ()  # objects that must run before this one is sent
    keep: bool = False  # never deleted
    replace: bool = False  # may be deleted and created anew for an immutable field
    prune_first: bool = False  # deleted before anything is written: it holds a port or a volume
    timeout_s: float | None = None  # how long it may take to run
    unwatched: bool = False  # its health does not count
