"""Whether what a deploy is about to do was shown on the merge requests that it carries.

A review leaves two things there: a commit status, whose description ends in the digest of the plan,
and a note, whose markers list the digests of the plan's changes. The digest follows from the list,
so the status proves the list; the note alone proves nothing, whoever wrote it. What counts is who
set the status.

    evidence = look.own()                         what the forge knows, see `inquiries`
    found = reviewed(evidence, ...)               what it proves of one environment
    bound = bind(plan, environment, ...)          what a deploy makes of that, by policy.binding

Of several merge requests each may have shown a part. One is enough for a change, whichever it is:
all of them were merged, none is deployed yet, and what the newest commit says is what is planned. A
change that two of them make together was shown by neither.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import field, replace

from pipeline_gitops import plans
from pipeline_gitops.config import Binding, Environment
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.pipeline.merge_requests import inquiries, milestones
from pipeline_gitops.pipeline.merge_requests.inquiries import Evidence, Look, Unproven
from pipeline_gitops.plans import Plan, Unshown
from pipeline_gitops.ports import CommitStatus, MergeRequest
from pipeline_gitops.reports.states import EnvironmentState
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, Refusal, Result

MOST_NOTICES = 10


# -- what it proves --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The plan that was shown. *changes* None: only its digest is known, and *lacking* says why."""

    number: int
    salt: str
    plan: str
    changes: tuple[str, ...] | None = field(default=None, repr=False)
    lacking: str = ""


def reviewed(
    evidence: Evidence, environment: str, identity: Collection[str]
) -> Reviewed | Unproven:
    """What was shown of an environment. *identity*: logins whose status counts; () = our own."""
    if evidence.unknown:
        return evidence.unknown
    request = evidence.merge_request
    if request is None:
        why = "no merge request brought this commit, so nobody was shown what it changes"
        return Unproven(why, "bring changes by a merge request")
    named = _proofs(evidence, request, environment, identity or (evidence.me,))
    if isinstance(named, Unproven):
        return named
    told = [one for one in evidence.states if one.environment == environment]
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
    context = milestones.context(environment)
    told = [status for status in evidence.statuses if status.context == context]
    named = [status for status in told if milestones.plan_in(status.description)]
    logins = inquiries.logins(accepted)
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
    """What a deploy has to refuse, or to say."""

    refusals: tuple[Refusal, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether everything was shown."""
        return not self.refusals and not self.notices


def bind(plan: Plan, environment: Environment, look: Look | None, since: str) -> Bound:
    """Holds a plan to what was shown. Asks only where, and as long as, there is something to hold.

    *look* None: this deploy is not bound, a rollback for example. *since*: what is deployed now.
    """
    policy = environment.policy
    if look is None or policy.binding is Binding.OFF or not plan.changes:
        return Bound()
    required = policy.binding is Binding.REQUIRE
    own = look.own()
    found = [reviewed(own, environment.name, policy.binding_identity)]
    bound = decide(plan, found, required=required)
    if bound.is_clean or own.unknown:
        return bound
    for evidence in look.carried(since):
        found.append(reviewed(evidence, environment.name, policy.binding_identity))
        bound = decide(plan, found, required=required)
        if bound.is_clean:
            break
    return bound


def decide(plan: Plan, found: Sequence[Reviewed | Unproven], *, required: bool) -> Bound:
    """What *plan* may do, after what was found: first of the merge request that brought the commit,
    then of those that came with it, newest first."""
    known = [one for one in found if isinstance(one, Reviewed)]
    left = _left(plan, known)
    if not left:
        return Bound()
    gaps = [gap for one in found if (gap := one if isinstance(one, Unproven) else _gap(one))]
    if all(one.changes is None for one in known):
        left = ()  # of no object there is more to say
    if required:
        return Bound(refusals=(*map(_unproven, gaps), *map(_refusal, left)))
    said = (f"not held to a review: {gap.why}" for gap in gaps)
    return Bound(notices=(*said, *_notices(left)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """A change that nobody showed. *otherwise*: who showed something else of the object."""

    id: ObjectId
    action: Action
    asked: tuple[int, ...]
    otherwise: tuple[int, ...]


def _left(plan: Plan, known: Sequence[Reviewed]) -> tuple[_Left, ...]:
    """What none of the merge requests showed."""
    unshown = {one.number: {two.id: two for two in _unshown(plan, one)} for one in known}
    asked = tuple(one.number for one in known if one.changes is not None)
    return tuple(
        _Left(
            id=change.id,
            action=change.action,
            asked=asked,
            otherwise=tuple(n for n, left in unshown.items() if left[change.id].otherwise),
        )
        for change in plan.changes
        if all(change.id in left for left in unshown.values())
    )


def _unshown(plan: Plan, found: Reviewed) -> tuple[Unshown, ...]:
    if found.changes is not None:
        return plans.unshown(plan, found.changes, found.salt)
    if plans.digest(plan, found.salt) == found.plan:
        return ()
    return plans.unshown(plan, (), found.salt)


def _gap(found: Reviewed) -> Unproven | None:
    """Why a review proves less than it showed."""
    if found.changes is not None:
        return None
    why = f"this is not the whole plan of merge request {found.number}, and {found.lacking}"
    return Unproven(why, _CURE)


_CURE = (
    "have it reviewed again (a merge request shows the plan as it is now), "
    "or deploy once with --binding warn"
)
_TOGETHER = (
    "bring a merge request on top of both, whose plan shows them together (next time update the "
    "later one before it is merged, or deploy the earlier one first), "
    "or deploy once with --binding warn"
)


def _unproven(gap: Unproven) -> Refusal:
    cure = gap.cure if gap.cure is _CURE else f"{gap.cure}; or deploy once with --binding warn"
    return Refusal(rule="not-reviewed", message=gap.why, cure=cure)


def _refusal(one: _Left) -> Refusal:
    said = f"{one.id} would be {one.action.value}d, which {_shown(one)}"
    cure = _TOGETHER if len(one.otherwise) > 1 else _CURE
    return Refusal(rule="not-as-reviewed", message=said, cure=cure, id=one.id)


def _notices(left: Sequence[_Left]) -> Iterator[str]:
    for one in left[:MOST_NOTICES]:
        yield f"not as reviewed: {one.id} is {one.action.value}d, which {_shown(one)}"
    if len(left) > MOST_NOTICES:
        yield f"not as reviewed: {len(left) - MOST_NOTICES} more objects"


def _shown(one: _Left) -> str:
    match one.otherwise, one.asked:
        case (), (number,):
            return f"merge request {number} did not show"
        case (), numbers:
            return f"none of the merge requests {_listed(numbers)} showed"
        case (number,), _:
            return f"merge request {number} showed otherwise"
        case numbers, _:
            return f"merge requests {_listed(numbers)} showed in part or otherwise, none as a whole"


def _listed(numbers: Sequence[int]) -> str:
    *first, last = sorted(numbers)
    return f"{', '.join(map(str, first))} and {last}"


def bound(result: Result, held: Bound) -> Result:
    """The result with what its binding says."""
    return replace(result, notices=(*result.notices, *held.notices))
