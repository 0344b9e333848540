"""What people say about one object, whichever tool's annotations they say it with."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from pipeline_gitops.documents import Body, mapping
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass


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
    """An object that runs at each deploy instead of being kept.

    *anew*: it runs to an end, so each deploy creates it again. Others (a ConfigMap, a
    ServiceAccount for such a Job) are only written in the hook's phase.
    """

    phase: HookPhase
    delete: frozenset[HookDelete] = frozenset({HookDelete.BEFORE})
    anew: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An annotation that does not say what it should. *key* is the annotation's name."""

    key: str
    message: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """All that annotations say; the defaults are those of an object without any."""

    wave: int = 0  # lower first, before the order of kinds
    hook: Hook | None = None
    after: tuple[ObjectId, ...] = ()  # objects that must run before this one is sent
    groups: tuple[str, ...] = ()  # that others may come after or before
    after_groups: tuple[str, ...] = ()
    before_groups: tuple[str, ...] = ()
    keep: bool = False  # never deleted
    replace: bool = False  # may be deleted and created anew for an immutable field
    prune_first: bool = False  # deleted before anything is written: it holds a port or a volume
    timeout_s: float | None = None  # how long it may take to run
    patience_s: float | None = None  # how long trouble that may heal is waited for
    unwatched: bool = False  # its health does not count


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one tool's annotations say; None where they say nothing."""

    wave: int | None = None
    hook: Hook | None = None
    after: tuple[ObjectId, ...] = ()
    groups: tuple[str, ...] = ()
    after_groups: tuple[str, ...] = ()
    before_groups: tuple[str, ...] = ()
    keep: bool | None = None
    replace: bool | None = None
    prune_first: bool | None = None
    timeout_s: float | None = None
    patience_s: float | None = None
    unwatched: bool | None = None
    problems: tuple[Problem, ...] = ()


# -- how values are read ---------------------------------------------------------------------------

SHORTEST_S, LONGEST_S = 1, 24 * 3600

_TRUTHS = {"true": True, "false": False}
# 90s, 5m, 1h30m, and ISO 8601 (PT5M).
_DURATION = pattern(r"(?:PT?)?(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?", re.IGNORECASE)


def annotations(body: Body) -> Mapping[str, str]:
    """The annotations that are text, as all of them have to be."""
    return {
        key: value
        for key, value in mapping(body, "metadata", "annotations").items()
        if isinstance(value, str)
    }


def words(written: str) -> tuple[str, ...]:
    """The items of a comma-separated list."""
    return tuple(word for item in written.split(",") if (word := item.strip()))


class Reader:
    """Reads one object's annotations and keeps what was wrong with them."""

    def __init__(self, body: Body, prefix: str) -> None:
        self._prefix = prefix
        self._given = annotations(body)
        self.problems: list[Problem] = []

    def given(self) -> Mapping[str, str]:
        """Annotations under the prefix, by what follows it."""
        start = f"{self._prefix}/"
        return {
            key.removeprefix(start): value
            for key, value in self._given.items()
            if key.startswith(start)
        }

    def text(self, key: str) -> str:
        """The annotation's value; "" when it is not there."""
        return self._given.get(f"{self._prefix}/{key}", "").strip()

    def words(self, key: str) -> tuple[str, ...]:
        """The items of a comma-separated annotation."""
        return words(self.text(key))

    def wrong(self, key: str, cure: str) -> None:
        """Remembers that an annotation does not say what it should."""
        name = f"{self._prefix}/{key}"
        value = self._given.get(name, "")[:80]
        self.problems.append(Problem(key=name, message=f"{name}: {value!r} is no such", cure=cure))

    def number(self, key: str) -> int | None:
        """An integer; None when it is not there."""
        written = self.text(key)
        if not written:
            return None
        # No more digits than an int32 has: int() refuses absurdly long numbers with an exception.
        if re.fullmatch(r"[+-]?[0-9]{1,10}", written):
            return int(written)
        self.wrong(key, 'write a whole number in quotes, such as "-1"')
        return None

    def truth(self, key: str) -> bool | None:
        """ "true" or "false"; None when it is not there."""
        written = self.text(key)
        if written and written not in _TRUTHS:
            self.wrong(key, 'write "true" or "false", in quotes')
        return _TRUTHS.get(written)

    def seconds(self, key: str) -> float | None:
        """A duration between a second and a day; None when it is not there."""
        written = self.text(key)
        if not written:
            return None
        match = _DURATION.fullmatch(written)
        hours, minutes, seconds = (
            (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
        )
        total = hours * 3600 + minutes * 60 + seconds
        if SHORTEST_S <= total <= LONGEST_S:
            return float(total)
        self.wrong(key, "write a duration between 1s and 24h, such as 90s, 5m or 1h30m")
        return None

    def hook(
        self,
        key: str,
        phases: Mapping[str, HookPhase],
        delete_key: str,
        policies: Mapping[str, HookDelete],
    ) -> Hook | None:
        """The hook of a tool that calls its phases and policies so; None when it is none."""
        found = self._phases(self.words(key), key, phases)
        delete = frozenset(self._policies(delete_key, policies))
        if not found:
            return None
        # An occasion that a deploy does not have counts only when there is no other.
        wanted = found - {HookPhase.NEVER} or found
        if len(wanted) > 1:
            self.wrong(key, "let a hook run in one phase; write two objects for two phases")
        return Hook(min(wanted), delete or frozenset({HookDelete.BEFORE}))

    def _phases(
        self, written: Iterable[str], key: str, phases: Mapping[str, HookPhase]
    ) -> frozenset[HookPhase]:
        written = tuple(written)
        if not all(word in phases for word in written):
            self.wrong(key, f"write one of {', '.join(phases)}")
        return frozenset(phases[word] for word in written if word in phases)

    def _policies(self, key: str, policies: Mapping[str, HookDelete]) -> Iterable[HookDelete]:
        written = self.words(key)
        if not all(word in policies for word in written):
            self.wrong(key, f"write one of {', '.join(policies)}")
        return (policies[word] for word in written if word in policies)
