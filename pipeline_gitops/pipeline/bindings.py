"""Whether what a deploy is about to do was shown on the merge request that brought its commit.

A review leaves two things there: a commit status, whose description ends in the digest of the plan,
and a note, whose markers list the digests of the plan's changes. The digest follows from the list,
so the status proves the list; the note alone proves nothing, whoever wrote it. What counts is who
set the status.

    evidence = gather(...)                        asks the forge, 4 requests
    found = reviewed(evidence, ...)               what it proves of one environment
    bound = bind(plan, environment, ...)          what a deploy makes of that, by policy.binding
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipeline_gitops import plans
from pipeline_gitops.config import Binding, Environment
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.pipeline import milestones, origins
from pipeline_gitops.plans import Plan, Unshown
from pipeline_gitops.ports import Clock, CommitStatus, Forge, MergeRequest, Note
from pipeline_gitops.reports import notes
from pipeline_gitops.reports.notes import Section
from pipeline_gitops.reports.states import EnvironmentState
from pipeline_gitops.views import Refusal, Result

_REVIEW = 0  # the phase of a stamp
LONGEST_S = 30.0  # a forge that takes longer is not asked any further
LONGEST_PAUSE_S = 5.0  # what it may ask us to wait before it answers
MOST_NOTICES = 10


# -- what the forge knows --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a forge knows of the review of a commit. *unknown*: why it could not be asked."""

    commit: str = ""
    merge_request: MergeRequest | None = None
    me: str = ""  # whom our own token speaks for
    notes: tuple[Note, ...] = ()
    statuses: tuple[CommitStatus, ...] = ()  # of the reviewed commits, newest first
    unknown: str = ""


Look = Callable[[], Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Whose review is looked for. *wait_s*: how long the forge may take to index the merge."""

    commit: str
    subject: str = ""  # its first line
    identities: Collection[str] = ()  # that may have reviewed, beside our own
    ask_me: bool = True  # whether our own counts anywhere
    wait_s: float = 0.0


def gather(inquiry: Inquiry, forge: Forge, clock: Clock) -> Evidence:
    """Asks the forge. Raises nothing: a forge that does not answer knows nothing."""
    until = clock.elapsed() + LONGEST_S
    evidence = Evidence(commit=inquiry.commit)
    try:
        for step in (_origin, _author, _notes, _statuses):
            if clock.elapsed() > until:
                raise ReportFault(f"it took more than {LONGEST_S:.0f} s to answer")
            evidence = step(evidence, inquiry, forge, clock)
            if evidence.merge_request is None:
                break
    except ReportFault as fault:
        return replace(evidence, unknown=fault.what)
    return evidence


def _origin(evidence: Evidence, inquiry: Inquiry, forge: Forge, clock: Clock) -> Evidence:
    found = origins.origin(inquiry.commit, inquiry.subject, forge, clock, inquiry.wait_s)
    return replace(evidence, merge_request=found)


def _author(evidence: Evidence, inquiry: Inquiry, forge: Forge, _clock: Clock) -> Evidence:
    return replace(evidence, me=forge.me()) if inquiry.ask_me else evidence


def _notes(evidence: Evidence, inquiry: Inquiry, forge: Forge, _clock: Clock) -> Evidence:
    if evidence.merge_request is None:
        return evidence
    authors = _logins((evidence.me, *inquiry.identities))
    ours = tuple(
        note
        for note in forge.notes(evidence.merge_request)
        if note.author.casefold() in authors and notes.is_marked(note.body)
    )
    return replace(evidence, notes=ours)


def _statuses(evidence: Evidence, _inquiry: Inquiry, forge: Forge, _clock: Clock) -> Evidence:
    request = evidence.merge_request
    if request is None:
        return evidence
    for commit in _reviewed_commits(evidence, request):
        evidence = replace(evidence, statuses=(*evidence.statuses, *forge.status_history(commit)))
        if any(_is_proven(evidence, state) for state in _states(evidence)):
            break
    return evidence


def _reviewed_commits(evidence: Evidence, request: MergeRequest) -> tuple[str, ...]:
    """Where the status may be, the likely commit first.

    A merge queue reviews the very commit that it merges, everybody else the request's head. Once it
    was deployed, the note does not tell one from the other.
    """
    commit, head = evidence.commit, request.head_sha
    about = [one for one in _sections(evidence) if one.state and one.state.head == commit]
    if any(one.stamp.phase == _REVIEW for one in about):
        return tuple(dict.fromkeys((commit, head)))
    return tuple(dict.fromkeys((head, commit))) if about else (head,)


def _is_proven(evidence: Evidence, state: EnvironmentState) -> bool:
    """Whether any status, whoever set it, has the digest of a state's list: it is the right one."""
    context = _context(state.environment)
    return any(
        plans.summed(state.changes, plans.salt(state.environment, status.sha))
        == milestones.plan_in(status.description)
        for status in evidence.statuses
        if status.context == context
    )


def _sections(evidence: Evidence) -> Iterator[Section]:
    return (section for note in evidence.notes for section in notes.sections(note.body))


def _states(evidence: Evidence) -> Iterator[EnvironmentState]:
    return (section.state for section in _sections(evidence) if section.state is not None)


def _context(environment: str) -> str:
    return f"{milestones.CONTEXT}/{environment}"


def _logins(names: Iterable[str]) -> frozenset[str]:
    """Forges take no account of case in them."""
    return frozenset(name.casefold() for name in names if name)


# -- what it proves --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The plan that was shown. *changes* None: only its digest is known, and *lacking* says why."""

    number: int
    salt: str
    plan: str
    changes: tuple[str, ...] | None = field(default=None, repr=False)
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Unproven:
    """Why nothing counts as shown, and what would help."""

    why: str
    cure: str


def reviewed(
    evidence: Evidence, environment: str, identity: Collection[str]
) -> Reviewed | Unproven:
    """What was shown of an environment. *identity*: logins whose status counts; () = our own."""
    if evidence.unknown:
        cure = "run the deploy again once the forge answers"
        return Unproven(f"the forge could not say what was reviewed ({evidence.unknown})", cure)
    request = evidence.merge_request
    if request is None:
        why = "no merge request brought this commit, so nobody was shown what it changes"
        return Unproven(why, "bring changes by a merge request")
    named = _proofs(evidence, request, environment, identity or (evidence.me,))
    if isinstance(named, Unproven):
        return named
    told = [one for one in _states(evidence) if one.environment == environment]
    found = [_held(status, told, request, environment) for status in named]
    return next((one for one in found if one.changes is not None), found[0])


def _held(
    status: CommitStatus,
    told: Sequence[EnvironmentState],
    request: MergeRequest,
    environment: str,
) -> Reviewed:
    """What one status proves of the lists in the note."""
    salt = plans.salt(environment, status.sha)
    plan = milestones.plan_in(status.description)
    known = Reviewed(number=request.number, salt=salt, plan=plan)
    # A review without any change may have left no note.
    for changes in ((), *(state.changes for state in told)):
        if plans.summed(changes, salt) == plan:
            return replace(known, changes=changes)
    return replace(known, lacking=_lacking(told, plan))


def _proofs(
    evidence: Evidence, request: MergeRequest, environment: str, accepted: Iterable[str]
) -> Sequence[CommitStatus] | Unproven:
    """The newest status of each commit that names a plan, of those whose word counts."""
    context = _context(environment)
    told = [status for status in evidence.statuses if status.context == context]
    named = [status for status in told if milestones.plan_in(status.description)]
    logins = _logins(accepted)
    ours = [status for status in named if status.creator.casefold() in logins]
    if ours:
        newest = {status.sha: status for status in reversed(ours)}
        return [status for status in ours if newest[status.sha] is status]
    where = f"merge request {request.number}"
    if named:
        by, wanted = named[0].creator or "an unknown account", ", ".join(sorted(logins))
        return Unproven(
            f"the review of {where} was reported by {by}, and only {wanted} counts",
            "let the job of that account review, or name the account in policy.bindingIdentity",
        )
    if told:
        return Unproven(
            f"the review of {where} did not compare with the target",
            "give the job of the merge request credentials that may read the target",
        )
    return Unproven(
        f"{where} has no review of {environment}: its head {request.head_sha[:7]} has no status "
        f"{context}",
        "run pipeline-gitops on merge requests, with a token that may set statuses",
    )


def _lacking(told: Sequence[EnvironmentState], plan: str) -> str:
    if not told:
        return "the note that listed its changes is gone"
    if any(state.plan == plan and not state.changes for state in told):
        return "the note had no room for the list of its changes"
    return "the list of changes in the note is not the one that was reviewed"


# -- what follows ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a deploy has to say and to refuse, and the plan that it is bound to, if any."""

    refusals: tuple[Refusal, ...] = ()
    notices: tuple[str, ...] = ()
    reviewed: Reviewed | None = None


def bind(plan: Plan, environment: Environment, look: Look | None) -> Bound:
    """Holds a plan to what was shown. Asks only where there is something to hold.

    *look* None: this deploy is not bound, a rollback for example.
    """
    policy = environment.policy
    if look is None or policy.binding is Binding.OFF or not plan.changes:
        return Bound()
    found = reviewed(look(), environment.name, policy.binding_identity)
    return decide(plan, found, required=policy.binding is Binding.REQUIRE)


def decide(plan: Plan, found: Reviewed | Unproven, *, required: bool) -> Bound:
    """What *plan* may do, after what was found."""
    if isinstance(found, Unproven):
        return _unproven(found, required=required)
    if found.changes is None:
        if plans.digest(plan, found.salt) == found.plan:
            return Bound(reviewed=found)
        why = f"this is not the whole plan of merge request {found.number}, and {found.lacking}"
        return _unproven(Unproven(why, _CURE), required=required)
    left = plans.unshown(plan, found.changes, found.salt)
    if required:
        return Bound(refusals=tuple(_refusal(one, found) for one in left), reviewed=found)
    return Bound(notices=tuple(_notices(left, found)), reviewed=found)


_CURE = (
    "have it reviewed again (a merge request shows the plan as it is now), "
    "or deploy once with --binding warn"
)


def _unproven(found: Unproven, *, required: bool) -> Bound:
    if required:
        cure = f"{found.cure}; or deploy once with --binding warn"
        cure = found.cure if found.cure is _CURE else cure
        return Bound(refusals=(Refusal(rule="not-reviewed", message=found.why, cure=cure),))
    return Bound(notices=(f"not held to a review: {found.why}",))


def _refusal(one: Unshown, found: Reviewed) -> Refusal:
    said = f"{one.id} would be {one.action.value}d, which {_shown(one, found)}"
    return Refusal(rule="not-as-reviewed", message=said, cure=_CURE, id=one.id)


def _notices(left: tuple[Unshown, ...], found: Reviewed) -> Iterator[str]:
    for one in left[:MOST_NOTICES]:
        yield f"not as reviewed: {one.id} is {one.action.value}d, which {_shown(one, found)}"
    if len(left) > MOST_NOTICES:
        yield f"not as reviewed: {len(left) - MOST_NOTICES} more objects"


def _shown(one: Unshown, found: Reviewed) -> str:
    if one.otherwise:
        return f"merge request {found.number} showed otherwise"
    return f"merge request {found.number} did not show"


def bound(result: Result, held: Bound) -> Result:
    """The result with what its binding says.

    It names the plan that was reviewed and not its own: the note keeps the list for a run after it.
    """
    result = replace(result, notices=(*result.notices, *held.notices))
    found = held.reviewed
    if found is None:
        return result
    named = (
        replace(plan, digest=found.plan, change_digests=found.changes or ())
        for plan in result.plans
    )
    return replace(result, plans=tuple(named))
