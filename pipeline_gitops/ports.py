"""Every side effect of the program, as protocols. Only `pipeline` calls them.

A `ReadTarget` has no method that writes: a command that gets one cannot change anything, and the
type checker proves it. Text leaves only as `Shown`, which only `reports` makes, out of a `Sealed`
report, which only `masks` makes.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pipeline_gitops.config import Overlay
from pipeline_gitops.documents import Body, Document
from pipeline_gitops.errors import LackingFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Inventory, Relation
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.plans import Change, Outcome, Survey
from pipeline_gitops.reports import Shown
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding, Severity, StandingView

Snapshot = Mapping[ObjectId, Body | None]  # live objects; None = not found


class Stale(Exception):
    """The target moved since it was read: survey it again."""


# -- rendering and Git ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tree:
    """Files of one commit, or of the work tree, in a directory. *revision* "" = the work tree."""

    root: str
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What an engine made of an overlay. *engine*: name and version, "" when none was needed."""

    documents: tuple[Document, ...] = ()
    findings: tuple[Finding, ...] = ()
    engine: str = ""


class Render(Protocol):
    """Renders overlays of a tree, each on its own: one that fails is findings, not an exception."""

    def __call__(self, overlays: Sequence[Overlay], tree: Tree, /) -> Sequence[Rendered]:
        """What the engine makes of each."""
        ...

    def trace(
        self, overlay: Overlay, tree: Tree, findings: Sequence[Finding]
    ) -> tuple[Finding, ...]:
        """Findings about rendered objects, with places in the source files."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit's name, first line and trailers (lower-case keys)."""

    sha: str
    subject: str = ""
    trailers: tuple[tuple[str, str], ...] = ()


class Repository(Protocol):
    """Git, read from its objects."""

    def tree(self, revision: str) -> AbstractContextManager[Tree]:
        """The files of a commit, in a directory that goes away at the end."""
        ...

    def commit(self, revision: str) -> Commit:
        """A commit by any name of it."""
        ...

    def merge_base(self, one: str, other: str) -> str | None:
        """Where two histories parted; None when a shallow clone does not hold it."""
        ...

    def is_ancestor(self, older: str, newer: str) -> bool | None:
        """Whether *older* is a proper ancestor of *newer*; None when Git cannot tell here."""
        ...

    def uncommitted(self) -> tuple[str, ...]:
        """Tracked files with uncommitted changes. Ignored and untracked files never count."""
        ...


# -- targets ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A Kubernetes event, de-duplicated. *kind* and *name* are of the object that it is about."""

    reason: str
    message: str
    kind: str = ""
    name: str = ""
    count: int = 1
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What can be known about an object that does not get well: what controllers made out of it,
    what is not well first, and the events about all of them."""

    owned: tuple[tuple[ObjectId, Body], ...] = field(default=(), repr=False)
    events: tuple[Event, ...] = field(default=(), repr=False)


class Watch(Protocol):
    """Live objects as they change."""

    def read(self) -> Snapshot:
        """As they are stored now."""
        ...

    def next(self, wait_s: float) -> Snapshot:
        """As far as they are known, after *wait_s* seconds or as soon as one changed."""
        ...


class Runtime(Protocol):
    """What runs."""

    def watching(self, ids: frozenset[ObjectId]) -> AbstractContextManager[Watch]:
        """Follows the live objects while the context is open."""
        ...

    def watch(self, ids: frozenset[ObjectId], wait_s: float) -> Snapshot:
        """The live objects, after *wait_s* seconds or as soon as one changed."""
        ...

    def secrets(self, ids: frozenset[ObjectId]) -> Sequence[Body]:
        """Those of *ids* that are Secrets, values and all: what runs may say them."""
        ...

    def evidence(
        self, live: Mapping[ObjectId, Body], since: datetime
    ) -> Mapping[ObjectId, Evidence]:
        """Owned objects of each live object, and events since then. What cannot be read is left
        out."""
        ...

    def log(self, pod: ObjectId, container: str, *, previous: bool) -> tuple[str, ...]:
        """The last lines of a container, or of its run before; none where they cannot be read."""
        ...


class ReadTarget(Protocol):
    """What is stored in a target, and how it differs from what is wanted."""

    @property
    def name(self) -> str:
        """How people know it: "cluster staging", "directory rendered/prod"."""
        ...

    @property
    def runtime(self) -> Runtime | None:
        """None where nothing runs: a directory, a branch."""
        ...

    def kinds(self) -> Kinds:
        """Kinds that the target serves."""
        ...

    def inventory(self) -> Inventory:
        """What the environment owns there."""
        ...

    def survey(self, desired: ManifestSet, inventory: Inventory) -> Survey:
        """What is there against what is wanted, as the target itself would decide. Writes
        nothing."""
        ...


class Writing(Protocol):
    """A target under a claim."""

    def apply(self, changes: Sequence[Change]) -> Generator[Outcome, None, None]:
        """Outcomes as they come, in any order. Closing the generator starts no more writes."""
        ...

    def settle(self, inventory: Inventory) -> None:
        """Records the finished deploy. Raises Stale."""
        ...

    def retire(self) -> None:
        """Deletes the inventory, once nothing is left of what it lists. Raises Stale."""
        ...


class Target(ReadTarget, Protocol):
    """A target that can be written, under a claim only."""

    def claim(self, inventory: Inventory) -> AbstractContextManager[Writing]:
        """Writes the claimed (superset) inventory by compare-and-swap. Raises Stale."""
        ...


# -- forges ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a forge takes, in characters."""

    note: int
    description: int = 140
    context: int = 255
    url: int = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """A merge (pull) request as the forge knows it."""

    number: int
    state: str = "open"  # open, merged, closed
    head_sha: str = ""
    head_repository: str = ""  # group/name of a fork or of the repository itself; "" = not told
    merge_sha: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A comment of ours on a merge request. Times are the server's, RFC 3339."""

    id: str
    author: str
    body: str = field(repr=False)
    created_at: str = ""
    updated_at: str = ""


class Surface(StrEnum):
    """Where a forge shows what a run does."""

    STATUS = "commit status"
    DEPLOYMENT = "deployment"
    NOTE = "note"
    CHECK = "check run"


class StatusState(StrEnum):
    """How far something is: what commit statuses and deployments say."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    FAILURE = "failure"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """A commit status under its context ("pipeline-gitops/staging")."""

    sha: str
    context: str
    state: StatusState
    description: str = ""
    url: str = ""
    creator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a run deploys where. The forge's record of it is begun once and then advanced."""

    sha: str
    environment: str
    state: StatusState
    description: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A finding beside a line of a source file. Plain text: a forge shows it as it is."""

    path: str
    line: int
    severity: Severity
    title: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Annotations of a commit under one name. It gates nothing: that is what statuses are for."""

    sha: str
    name: str
    title: str
    summary: str
    url: str = ""
    annotations: tuple[Annotation, ...] = ()


class Forge(Protocol):
    """Plain create, read and update at a forge; the one-note protocol is `pipeline.notes`.

    Every method raises ReportFault with a cure, and LackingFault where the token may not do it;
    none of them ever re-sends a create.
    """

    @property
    def limits(self) -> Limits:
        """What the forge takes."""
        ...

    def lacks(self, surface: Surface) -> LackingFault | None:
        """Why nothing can be told there, where that is known without asking: the forge has none (no
        cure), or our kind of token may never do it."""
        ...

    def me(self) -> str:
        """The login that our token speaks for."""
        ...

    def merge_request(self, number: int) -> MergeRequest:
        """One merge request."""
        ...

    def merge_requests_of(self, sha: str) -> tuple[MergeRequest, ...]:
        """Merge requests that brought this commit, merged ones first."""
        ...

    def notes(self, merge_request: MergeRequest) -> tuple[Note, ...]:
        """Notes on it, oldest first, all pages; system notes left out."""
        ...

    def create_note(self, merge_request: MergeRequest, body: Shown) -> Note:
        """Posts a note, once."""
        ...

    def edit_note(self, merge_request: MergeRequest, note: Note, body: Shown) -> Note:
        """Replaces a note's text."""
        ...

    def drop_note(self, merge_request: MergeRequest, note: Note) -> None:
        """Deletes a note; one that is gone already is fine."""
        ...

    def status_history(self, sha: str) -> tuple[CommitStatus, ...]:
        """Every status that was set on a commit, newest first."""
        ...

    def set_status(self, status: CommitStatus) -> None:
        """Sets a commit status; an equal one that stands already is fine."""
        ...

    def set_deployment(self, deployment: Deployment) -> None:
        """Begins this run's record of a deployment, or advances it.

        One that the CI job has at this forge for the same environment and commit is used, not
        doubled.
        """
        ...

    def set_check(self, check: Check) -> None:
        """Puts annotations beside the lines of a commit."""
        ...

    def compare(self, base: str, head: str) -> Relation:
        """How commit *head* relates to commit *base*; unknown where the forge lacks one of them."""
        ...


# -- the rest of the world -------------------------------------------------------------------------


class Clock(Protocol):
    """Time. Tests bring their own."""

    def now(self) -> datetime:
        """The time of day, with its zone; for display only."""
        ...

    def elapsed(self) -> float:
        """Seconds on a clock that never goes back; for waiting and deadlines."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits. Raises InterruptedFault when asked to stop."""
        ...


class Journal(Protocol):
    """The way to the terminal: progress on stderr, masked."""

    def say(self, text: str, severity: Severity = Severity.NOTICE) -> None:
        """One line of progress."""
        ...

    def picture(self, standings: Callable[[], Sequence[StandingView]]) -> None:
        """How things stand now, drawn over what was drawn before; nothing takes it away.

        For a terminal alone: nobody is asked where none looks.
        """
        ...

    def hide(self, secrets: Sequence[str]) -> None:
        """Values that must not be shown from now on."""
        ...

    def secrets(self) -> tuple[str, ...]:
        """All values hidden so far, to seal a report with."""
        ...
