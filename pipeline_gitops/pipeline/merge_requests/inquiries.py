"""What a forge is asked about reviews of what a deploy carries, and how much of it at most.

A deploy carries the commits since the last one: mostly those of one merge request, of several after
a merge queue, or where deploys in between were superseded. The newest is asked about first, by 4
requests; the others only as far as somebody goes on asking: one request for a commit, two for a
merge request.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from pipeline_gitops import plans
from pipeline_gitops.errors import ReportFault
from pipeline_gitops.pipeline.merge_requests import milestones, origins
from pipeline_gitops.pipeline.merge_requests.origins import MOST_CARRIED, MOST_COMMITS
from pipeline_gitops.ports import Clock, Commit, CommitStatus, Forge, MergeRequest, Note
from pipeline_gitops.reports import notes
from pipeline_gitops.reports.notes import Section
from pipeline_gitops.reports.states import EnvironmentState
from pipeline_gitops.values import dataclass

_REVIEW = 0  # the phase of a stamp
LONGEST_S = 30.0  # a forge that takes longer, over all that is asked, is not asked any further
LONGEST_PAUSE_S = 5.0  # what it may ask us to wait before it answers


@dataclass(frozen=True, slots=True)
class Unproven:
    """Why nothing counts as shown, and what would help."""

    why: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a forge knows of the review of a commit. *unknown*: why it could not be asked."""

    commit: str = ""
    merge_request: MergeRequest | None = None
    me: str = ""  # whom our own token speaks for
    notes: tuple[Note, ...] = ()
    statuses: tuple[CommitStatus, ...] = ()  # of the reviewed commits, newest first
    unknown: Unproven | None = None

    @property
    def sections(self) -> Iterator[Section]:
        """Those of the notes."""
        return (section for note in self.notes for section in notes.sections(note.body))

    @property
    def states(self) -> Iterator[EnvironmentState]:
        """What the notes remember of environments."""
        return (one.state for one in self.sections if one.state is not None)


class Look(Protocol):
    """Asks what was reviewed, each thing once, however often it is called."""

    def own(self) -> Evidence:
        """Of the merge request that brought the deployed commit."""
        ...

    def carried(self, since: str) -> Iterator[Evidence]:
        """Of the others that came since that revision, newest first; asks as it goes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Whose review is looked for. *wait_s*: how long the forge may take to index the merge."""

    commit: str
    subject: str = ""  # its first line
    identities: Collection[str] = ()  # that may have reviewed, beside our own
    ask_me: bool = True  # whether our own counts anywhere
    wait_s: float = 0.0


Since = Callable[[str], Sequence[Commit]]  # up to the deployed commit, newest first; () = unknown


def silent(what: str) -> Evidence:
    """That of a forge that does not answer."""
    cure = "run the deploy again once the forge answers"
    return Evidence(unknown=Unproven(f"the forge could not say what was reviewed ({what})", cure))


class Inquiries:
    """A `Look` at one forge. Raises nothing: a forge that does not answer knows nothing."""

    def __init__(self, inquiry: Inquiry, forge: Forge, clock: Clock, since: Since) -> None:
        self._inquiry = inquiry
        self._forge = forge
        self._clock = clock
        self._since = since
        self._spent_s = 0.0  # on questions, not on what was deployed between them
        self._until = 0.0
        self._own: Evidence | None = None
        self._me = ""
        self._origins: dict[str, MergeRequest | None] = {}
        self._evidence: dict[int, Evidence] = {}

    def own(self) -> Evidence:
        """Of the merge request that brought the deployed commit."""
        if self._own is None:
            inquiry = self._inquiry
            self._own = self._answered(Commit(sha=inquiry.commit, subject=inquiry.subject))
        return self._own

    def carried(self, since: str) -> Iterator[Evidence]:
        """Of the others that came since that revision, newest first; asks as it goes."""
        if not since:
            return
        own = self.own().merge_request
        seen = {own.number} if own else set()
        commits = self._since(since)
        most = len(seen) + MOST_CARRIED
        full = len(commits) >= MOST_COMMITS
        for commit in commits:
            if len(seen) == most:
                full = True
                break
            evidence = self._answered(commit, beside=seen)
            if evidence.merge_request or evidence.unknown:
                yield evidence
            if evidence.unknown:
                return
            if evidence.merge_request:
                seen.add(evidence.merge_request.number)
        unknown = _unseen(since, commits, full=full)
        if unknown:
            yield Evidence(unknown=unknown)

    # -- requests ----------------------------------------------------------------------------------

    def _answered(self, commit: Commit, *, beside: Collection[int] = ()) -> Evidence:
        started = self._clock.elapsed()
        self._until = started + LONGEST_S - self._spent_s
        try:
            return self._found(commit, beside)
        except ReportFault as fault:
            return silent(fault.what)
        finally:
            self._spent_s += self._clock.elapsed() - started

    def _found(self, commit: Commit, beside: Collection[int]) -> Evidence:
        """What is known of a commit; nothing where its merge request is one of *beside*."""
        request = self._origin(commit)
        if request is None or request.number in beside:
            return Evidence(commit=commit.sha)
        if request.number not in self._evidence:
            evidence = Evidence(commit=commit.sha, merge_request=request, me=self._author())
            evidence = replace(evidence, notes=self._notes(request))
            self._evidence[request.number] = self._with_statuses(evidence, request)
        return self._evidence[request.number]

    def _origin(self, commit: Commit) -> MergeRequest | None:
        if commit.sha not in self._origins:
            self._in_time()
            # The forge indexes one merge after the other: it has to be waited for the newest only.
            newest = commit.sha == self._inquiry.commit
            wait_s = self._inquiry.wait_s if newest else 0.0
            self._origins[commit.sha] = origins.origin(
                commit.sha, commit.subject, self._forge, self._clock, wait_s
            )
        return self._origins[commit.sha]

    def _author(self) -> str:
        if self._inquiry.ask_me and not self._me:
            self._in_time()
            self._me = self._forge.me()
        return self._me

    def _notes(self, request: MergeRequest) -> tuple[Note, ...]:
        self._in_time()
        authors = logins((self._me, *self._inquiry.identities))
        return tuple(
            note
            for note in self._forge.notes(request)
            if note.author.casefold() in authors and notes.is_marked(note.body)
        )

    def _with_statuses(self, evidence: Evidence, request: MergeRequest) -> Evidence:
        for commit in _reviewed_commits(evidence, request):
            self._in_time()
            found = self._forge.status_history(commit)
            evidence = replace(evidence, statuses=(*evidence.statuses, *found))
            if any(_is_proven(evidence, state) for state in evidence.states):
                break
        return evidence

    def _in_time(self) -> None:
        if self._clock.elapsed() > self._until:
            raise ReportFault(f"it took more than {LONGEST_S:.0f} s to answer")


def _unseen(since: str, commits: Sequence[Commit], *, full: bool) -> Unproven | None:
    """Why there may be merge requests that nobody was asked about."""
    if not commits:
        why = f"Git does not tell here which commits came since {since[:7]}, which is deployed"
        return Unproven(why, "fetch more history (fetch-depth: 0, GIT_DEPTH: 0)")
    if full:
        return Unproven(
            f"of what came since {since[:7]}, which is deployed, only the last {MOST_CARRIED} "
            f"merge requests in {MOST_COMMITS} commits are looked at",
            "bring a merge request on top of all of them: its plan shows them together",
        )
    return None


def _reviewed_commits(evidence: Evidence, request: MergeRequest) -> tuple[str, ...]:
    """Where the status may be, the likely commit first.

    A merge queue reviews the very commit that it merges, everybody else the request's head. Once it
    was deployed, the note does not tell one from the other.
    """
    commit, head = evidence.commit, request.head_sha
    about = [one for one in evidence.sections if one.state and one.state.head == commit]
    if any(one.stamp.phase == _REVIEW for one in about):
        return tuple(dict.fromkeys((commit, head)))
    return tuple(dict.fromkeys((head, commit))) if about else (head,)


def _is_proven(evidence: Evidence, state: EnvironmentState) -> bool:
    """Whether any status, whoever set it, has the digest of a state's list: it is the right one."""
    wanted = milestones.context(state.environment)
    return any(
        plans.summed(state.changes, plans.salt(state.environment, status.sha))
        == milestones.plan_in(status.description)
        for status in evidence.statuses
        if status.context == wanted
    )


def logins(names: Iterable[str]) -> frozenset[str]:
    """To be compared: forges take no account of case in them."""
    return frozenset(name.casefold() for name in names if name)
