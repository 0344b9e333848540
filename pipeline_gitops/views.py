"""All that may be said of a run. No manifest body can be in here: only ids, places and prepared
lines.

Every report format is a function of one `Report`; the types below are its parts. They live under
the manifests in the layers, so a format cannot even import a body.
"""

from enum import StrEnum

from pipeline_gitops.errors import Verdict, worst
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.values import dataclass


class Severity(StrEnum):
    """How much a finding weighs: only an error rejects the manifests."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


class Action(StrEnum):
    """What a change does to an object."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"


class Health(StrEnum):
    """The six words of kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus)."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong, or worth knowing, in the input."""

    rule: str  # stable, kebab-case: "yaml-duplicate-key", "schema"
    message: str
    cure: str = ""
    severity: Severity = Severity.ERROR
    place: Place = Place("")
    pointer: str = ""  # JSON pointer into the object (RFC 6901)
    id: ObjectId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConflict:
    """A field that somebody else sets. *since* "": the server does not tell; values in short."""

    field: str
    owner: str
    since: str = ""
    ours: str = ""
    theirs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something we will not do, and what would make us do it."""

    rule: str  # "max-deletes", "secret-in-clear", "field-conflict" ...
    message: str
    cure: str = ""
    id: ObjectId | None = None
    conflicts: tuple[FieldConflict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """One change as people see it: masked diff lines with their leading sign."""

    id: ObjectId
    action: Action
    lines: tuple[str, ...] = ()
    predicted: str = ""  # why the target could not confirm it; "" = it did
    note: str = ""  # "replicas left to the HorizontalPodAutoscaler" and the like
    place: Place = Place("")
    paths: tuple[str, ...] = ()  # JSON pointers of the first fields that change


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveView:
    """Changes sent together. *phase*: "" for the set itself; hooks and deletions say so."""

    phase: str = ""
    ids: tuple[ObjectId, ...] = ()
    needs: tuple[ObjectId, ...] = ()  # what has to run before any of it is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeView:
    """*user* is sent after *needed*; where it *waits*, only once that runs."""

    user: ObjectId
    needed: ObjectId
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """In which order a plan is carried out."""

    waves: tuple[WaveView, ...] = ()
    edges: tuple[EdgeView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan as people see it. *compared* names what the changes were computed against.

    *digest* and *change_digests* name what a review has shown of a target on a commit, so that a
    deploy can be held to it; of everything else "" and ().
    """

    compared: str  # "cluster staging", "directory rendered/", "merge base 1a2b3c4"
    changes: tuple[ChangeView, ...] = ()
    unchanged: int = 0
    digest: str = ""
    change_digests: tuple[str, ...] = ()
    order: OrderView | None = None  # None: whoever applies it chooses the order

    def count(self, action: Action) -> int:
        """Number of changes of one action."""
        return sum(change.action is action for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenView:
    """What came of one write."""

    id: ObjectId
    action: Action
    state: str  # done, refused, stale, unknown, skipped
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """The health of one live object, in one word and one sentence.

    *rule*: the kind of cause, where one made it failed. *started*: seconds after the first wait.
    """

    id: ObjectId
    health: Health
    sentence: str = ""
    rule: str = ""
    started: float = 0.0
    seconds: float = 0.0  # until it was well, or given up, or the waiting ended


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingView:
    """How one object stands while somebody waits, for a table that changes as it does.

    *ready*: "2/3" of its pods, "" where it has none. *seconds*: for how long it has had that word.
    """

    id: ObjectId
    health: Health
    ready: str = ""
    seconds: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """How the written objects are doing. None in a result = the target cannot observe."""

    objects: tuple[HealthView, ...] = ()
    timed_out: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """Why one object failed: cause, chain of owners, events, last log lines, what to do."""

    id: ObjectId
    cause: str
    rule: str = ""  # the kind of cause, for programs: "image-not-found"; "" = not recognised
    chain: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    cure: str = ""
    place: Place = Place("")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultView:
    """What broke."""

    message: str
    cure: str = ""
    verdict: Verdict = Verdict.INTERNAL


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployView:
    """One deploy that a target remembers."""

    revision: str
    sequence: int = 0
    run_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryView:
    """What a target records of an environment. *claimed*: the deploy that is not finished."""

    deployed: DeployView | None = None
    claimed: DeployView | None = None
    claimed_objects: int = 0
    held: str = ""  # the revision that a rollback holds back
    good: DeployView | None = None  # the last one after which everything ran
    history: tuple[DeployView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftView:
    """A change that a rollback of its own accord did not make, and why."""

    id: ObjectId
    action: Action
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackView:
    """What became of the way back after a failed deploy. *revision* "": there is nothing to go to.

    *held*: the revision that is not deployed again by itself from now on.
    """

    revision: str
    result: "Result"
    held: str = ""
    left: tuple[LeftView, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What happened with one environment."""

    environment: str
    target: str = ""  # "cluster staging", "directory rendered/staging", "branch rendered/prod"
    engine: str = ""  # "kustomize 5.8.1 (kubectl 1.37.1)", "plain directory"
    objects: int = 0
    findings: tuple[Finding, ...] = ()
    plans: tuple[PlanView, ...] = ()  # against the target, against the merge base, or both
    refusals: tuple[Refusal, ...] = ()
    dangers: tuple[str, ...] = ()  # what would hurt, one sentence each; shown first
    notices: tuple[str, ...] = ()
    written: tuple[WrittenView, ...] = ()
    rollout: RolloutView | None = None
    cards: tuple[CardView, ...] = ()
    inventory: InventoryView | None = None  # only where somebody asked for it
    previous: str = ""  # of a deploy: the revision that the target held before; "" = none
    rollback: RollbackView | None = None  # of a deploy that failed and has gone back, or tried to
    fault: FaultView | None = None
    verdict: Verdict = Verdict.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one command did, over one or several environments."""

    command: str
    revision: str = ""
    started_at: str = ""  # RFC 3339, UTC
    seconds: float = 0.0
    version: str = ""
    repository: str = ""
    merge_request: int = 0  # 0 = none
    run_url: str = ""
    files_url: str = ""  # what a file's path is appended to for its permalink; "" = no links
    results: tuple[Result, ...] = ()
    notices: tuple[str, ...] = ()
    fault: FaultView | None = None

    @property
    def verdict(self) -> Verdict:
        """The worst of all results and of the fault, if any."""
        verdicts = [result.verdict for result in self.results]
        if self.fault:
            verdicts.append(self.fault.verdict)
        return worst(verdicts)
