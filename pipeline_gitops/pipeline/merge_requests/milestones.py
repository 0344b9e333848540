"""How far each environment is, as the forge shows it: commit status and deployment, in step.

Both are told the same thing while it happens: it waits, it is being deployed, it ended so. What
cannot be told on the way is told at the end; what the token may not write is left alone from then
on, and why is kept.
"""

import hashlib
from collections.abc import Iterable, Mapping

from pipeline_gitops import plans
from pipeline_gitops.errors import Fault, LackingFault, Verdict
from pipeline_gitops.patterns import pattern
from pipeline_gitops.ports import CommitStatus, Deployment, Forge, StatusState, Surface
from pipeline_gitops.values import dataclass

_CONTEXT = "pipeline-gitops"  # what all our statuses begin with
_LONGEST_CONTEXT = 255  # that every forge takes
_DIGITS = 16

_PLAN = pattern(rf"; plan ([0-9a-f]{{{plans.PLAN_LENGTH}}})$")
UNFINISHED = frozenset({StatusState.PENDING, StatusState.RUNNING})
_AWAY = 2  # environments that could not be told: the next would cost another timeout
_CANCELLED = frozenset({Verdict.SUPERSEDED, Verdict.INTERRUPTED, Verdict.TERMINATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Where one environment is."""

    environment: str
    state: StatusState
    description: str = ""
    plan: str = ""  # the digest of what was shown, where a deploy is to be held to it


def waiting(environment: str) -> Milestone:
    """Its turn comes later in this run."""
    return Milestone(
        environment=environment, state=StatusState.PENDING, description="waits for its turn"
    )


def running(environment: str) -> Milestone:
    """It is being deployed."""
    return Milestone(environment=environment, state=StatusState.RUNNING, description="deploying")


def ended(verdict: Verdict) -> StatusState:
    """The state of what ended so."""
    if verdict is Verdict.OK:
        return StatusState.SUCCESS
    return StatusState.CANCELLED if verdict in _CANCELLED else StatusState.FAILURE


def context(environment: str) -> str:
    """The name of its commit status. Of a very long name the end is told by a digest: two that
    begin alike are two."""
    name = f"{_CONTEXT}/{environment}"
    if len(name) <= _LONGEST_CONTEXT:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{name[: _LONGEST_CONTEXT - _DIGITS - 1]}-{digest}"


def described(milestone: Milestone, limit: int) -> str:
    """What a commit status says of it, on one line. Of what is too long only the end of the
    sentence goes."""
    said = " ".join(milestone.description.split())
    if milestone.plan:
        ending = f"; plan {milestone.plan}"
        return f"{said[: limit - len(ending)]}{ending}"
    said = said[:limit].rstrip()
    # The sentence may end in what a server said, or a stranger: only ours may name a plan.
    return said[:-1] if plan_in(said) else said


def plan_in(description: str) -> str:
    """The digest of the plan that a commit status was set for; "" where it names none."""
    found = _PLAN.search(description)
    return found[1] if found else ""


class Recorder:
    """Keeps status and deployment of a commit's environments where their milestones are."""

    def __init__(self, forge: Forge, sha: str, url: str, *, deploys: bool) -> None:
        self._forge = forge
        self._sha = sha
        self._url = url
        wanted = (Surface.STATUS, Surface.DEPLOYMENT) if deploys else (Surface.STATUS,)
        lacks = {surface: forge.lacks(surface) for surface in wanted}
        self._surfaces = [surface for surface in wanted if lacks[surface] is None]
        self._stands: dict[tuple[Surface, str], Milestone] = {}
        self._left: set[tuple[Surface, str]] = set()
        self._missed: dict[Surface, Fault] = {
            surface: lack for surface, lack in lacks.items() if lack is not None
        }
        self._silent = False

    @property
    def missed(self) -> Mapping[Surface, Fault]:
        """What could not be told, and why."""
        return self._missed

    def tell(self, milestone: Milestone) -> None:
        """Says it on every surface; the first that does not answer silences us until the end."""
        for surface in (*self._surfaces,):
            if self._silent:
                return
            try:
                self._put(surface, milestone)
            except LackingFault as lack:
                self._miss(surface, milestone, lack)
            except Fault:
                self._silent = True  # a forge that is away costs its timeout once, not each time

    def end(self, milestones: Iterable[Milestone]) -> None:
        """Says what is not said yet, statuses first: they are what a merge waits for."""
        last = tuple(milestones)
        for surface in (*self._surfaces,):
            away = 0
            for milestone in last:
                try:
                    self._put(surface, milestone)
                except Fault as fault:
                    self._miss(surface, milestone, fault)
                    away += not isinstance(fault, LackingFault)
                if surface not in self._surfaces or away == _AWAY:
                    break

    def _miss(self, surface: Surface, milestone: Milestone, fault: Fault) -> None:
        """Keeps why. Others may be told there all the same (one environment is protected, say),
        unless nothing ever was."""
        self._missed.setdefault(surface, fault)
        self._left.add((surface, milestone.environment))
        if not any(where is surface for where, _ in self._stands):
            self._surfaces.remove(surface)

    def _put(self, surface: Surface, milestone: Milestone) -> None:
        key = surface, milestone.environment
        if key in self._left or self._stands.get(key) == milestone:
            return
        if surface is Surface.STATUS:
            self._forge.set_status(self._status(milestone))
        else:
            self._forge.set_deployment(self._deployment(milestone))
        self._stands[key] = milestone

    def _status(self, milestone: Milestone) -> CommitStatus:
        limits = self._forge.limits
        return CommitStatus(
            sha=self._sha,
            context=context(milestone.environment),
            state=milestone.state,
            description=described(milestone, limits.description),
            url=self._url if len(self._url) <= limits.url else "",
        )

    def _deployment(self, milestone: Milestone) -> Deployment:
        return Deployment(
            sha=self._sha,
            environment=milestone.environment,
            state=milestone.state,
            description=milestone.description,
            url=self._url,
        )
