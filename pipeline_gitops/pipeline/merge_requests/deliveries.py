"""What a finished report does at the forge: statuses, deployments, notes, then annotations.

The deploy's result is settled before anything here runs and is never changed by it. Statuses go
first: they are the truth per environment, the note is a view (forges throttle notes first).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from pipeline_gitops import ci, masks
from pipeline_gitops.errors import Fault, LackingFault, Verdict
from pipeline_gitops.masks import Sealed
from pipeline_gitops.pipeline.merge_requests import milestones, notes, origins
from pipeline_gitops.pipeline.merge_requests.milestones import Milestone, Recorder
from pipeline_gitops.pipeline.merge_requests.notes import Posting
from pipeline_gitops.pipeline.merge_requests.origins import Carried
from pipeline_gitops.ports import Annotation, Check, Clock, Commit, Forge, Surface
from pipeline_gitops.reports import recoveries, words
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, Finding, Result, Severity

INDEXED_S = 10.0  # after a merge, until the forge knows which merge request brought the commit
MOST_ANNOTATIONS = 500  # ten requests; the report names the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a report goes. *merge_request* 0: those that brought the commit, if any.

    *brought*: by environment the commits that were deployed with this one, newest first.
    """

    sha: str
    merge_request: int = 0
    subject: str = ""  # the commit's first line
    sharing: notes.Sharing = notes.Sharing()  # of the note, with other jobs
    run_url: str = ""
    note_only: bool = False  # for the word of others: no status may come of it
    brought: Mapping[str, Sequence[Commit]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of one surface of the forge: delivered, or why not; or a word about it."""

    surface: Surface
    fault: Fault | None = None
    said: str = ""

    @property
    def is_missed(self) -> bool:
        """Whether the report was not delivered. Deployment and annotations come on top of it: that
        the token may not write them is worth a word and no more."""
        extra = self.surface in (Surface.DEPLOYMENT, Surface.CHECK)
        return self.fault is not None and not (extra and isinstance(self.fault, LackingFault))


def deliver(
    report: Sealed,
    address: Address,
    stamp: notes.Stamp,
    recorder: Recorder,
    forge: Forge,
    clock: Clock,
) -> Iterator[Told]:
    """Tells the forge, and as it goes what came of it. Raises no fault."""
    if address.note_only:
        yield from _notes(report, address, stamp, forge, clock)
        return
    recorder.end(milestone(result) for result in report.results)
    for surface, fault in recorder.missed.items():
        yield Told(surface=surface, fault=fault)
    yield from _notes(report, address, stamp, forge, clock)
    yield from _annotated(report, address, forge)


# -- notes ---------------------------------------------------------------------------------------


def _notes(
    report: Sealed, address: Address, stamp: notes.Stamp, forge: Forge, clock: Clock
) -> Iterator[Told]:
    try:
        found = _merge_requests(report, address, forge, clock)
        lack = forge.lacks(Surface.NOTE)
    except Fault as fault:
        yield Told(surface=Surface.NOTE, fault=fault)
        return
    if not found:
        said = (
            f"no merge request brought {address.sha[:7]}: "
            "its commit status and this job are the report"
        )
        yield Told(surface=Surface.NOTE, said=said)
    elif lack:
        yield Told(surface=Surface.NOTE, fault=lack)
    else:
        for one in found:
            yield from _noted(report, one, address, stamp, forge, clock)


def _noted(
    report: Sealed,
    one: Carried,
    address: Address,
    stamp: notes.Stamp,
    forge: Forge,
    clock: Clock,
) -> Iterator[Told]:
    """Writes one note, and tells what is worth a word. One that is not taken, for its merge request
    is locked, say, keeps no other from its own."""
    part = masks.narrowed(report, one.environments)
    try:
        posted = notes.report_on(one.merge_request, part, stamp, forge, clock, address.sharing)
    except Fault as fault:
        yield Told(surface=Surface.NOTE, fault=fault)
        return
    if posted.how is Posting.OUTDATED:
        said = f"the note on merge request {one.merge_request.number} has newer reports: it stays"
        yield Told(surface=Surface.NOTE, said=said)


def _merge_requests(
    report: Sealed, address: Address, forge: Forge, clock: Clock
) -> tuple[Carried, ...]:
    """Whom it concerns, and which environments of it; first the one that brought the commit."""
    everything = frozenset(result.environment for result in report.results)
    if address.merge_request:
        return (Carried(forge.merge_request(address.merge_request), everything),)
    # A run that took longer has given the forge its time already.
    wait_s = max(0.0, INDEXED_S - report.seconds)
    own = origins.origin(address.sha, address.subject, forge, clock, wait_s)
    others = origins.carried(address.brought, forge)
    if own is None:
        return others
    rest = [one for one in others if one.merge_request.number != own.number]
    return (Carried(own, everything), *rest)


# -- annotations -----------------------------------------------------------------------------------


def _annotated(report: Sealed, address: Address, forge: Forge) -> Iterator[Told]:
    """What is beside lines of source files, where the forge shows such."""
    if forge.lacks(Surface.CHECK):
        return
    wanted = check(report, address)
    if not wanted.annotations:
        return
    try:
        forge.set_check(wanted)
    except Fault as fault:
        yield Told(surface=Surface.CHECK, fault=fault)
    else:
        yield Told(surface=Surface.CHECK)


def check(report: Sealed, address: Address) -> Check:
    """The findings that have a place, each once, errors first."""
    found = dict.fromkeys(
        finding for result in report.results for finding in result.findings if finding.place.file
    )
    ordered = sorted(found, key=lambda finding: [*Severity].index(finding.severity))
    count = dict.fromkeys(Severity, 0)
    for finding in ordered:
        count[finding.severity] += 1
    names = ", ".join(result.environment for result in report.results)
    shown = ordered[:MOST_ANNOTATIONS]
    return Check(
        sha=address.sha,
        # Not the name of a status: a branch rule that asks for that one must not find this.
        name=f"pipeline-gitops findings: {names}"[:100],
        title=", ".join(words.counted(many, severity.value) for severity, many in count.items()),
        summary=f"{len(shown)} of {len(ordered)} findings are beside their lines. "
        "Whether they reject the manifests is told by the commit status.",
        url=address.run_url,
        annotations=tuple(map(_annotation, shown)),
    )


def _annotation(finding: Finding) -> Annotation:
    return Annotation(
        path=finding.place.file,
        line=max(finding.place.line, 1),
        severity=finding.severity,
        title=finding.rule,
        message=ci.told(finding),
    )


# -- commit statuses and deployments ---------------------------------------------------------------


def milestone(result: Result) -> Milestone:
    """How an environment ended. The plan's digest is what later deploys are held to."""
    return Milestone(
        environment=result.environment,
        state=milestones.ended(result.verdict),
        description=_description(result),
        plan=result.plans[0].digest if result.plans else "",
    )


def _description(result: Result) -> str:
    """Counts of what matters most, in the length of a commit status."""
    if result.fault:
        return result.fault.message
    if result.verdict is Verdict.SUPERSEDED:
        return "not deployed: " + (result.notices[-1] if result.notices else "superseded")
    errors = words.errors(result)
    if errors:
        return f"{words.counted(len(errors), 'error')} in the manifests"
    if result.refusals:
        return f"refused: {result.refusals[0].message}"
    if result.rollout and result.verdict is Verdict.UNHEALTHY:
        back = f"; {recoveries.phrase(result.rollback)}" if result.rollback else ""
        return f"{len(result.cards)} of {len(result.rollout.objects)} objects do not run{back}"
    if result.written:
        done = sum(written.state == "done" for written in result.written)
        return f"{done} of {len(result.written)} objects written"
    if not result.plans or not result.plans[0].changes:
        return "no changes"
    plan = result.plans[0]
    counts = [(plan.count(action), action.value) for action in Action]
    return ", ".join(f"{count} to {action}" for count, action in counts if count)
