"""What would happen: an environment rendered, checked, and compared with what is there.

Nothing here writes. A review takes read-only targets, so the type checker proves it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from pipeline_gitops import diffs, manifests, plans
from pipeline_gitops.config import ClusterSpec, Environment
from pipeline_gitops.documents import Body, Document
from pipeline_gitops.errors import Fault, Verdict, worst
from pipeline_gitops.health import PACKED, Rules
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.inventories import Inventory, Owner
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import ManifestSet
from pipeline_gitops.pipeline import renames
from pipeline_gitops.plans import Confirmation, FieldOwner, Plan, Sight, Survey
from pipeline_gitops.ports import Journal, ReadTarget, Render, Tree
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import (
    Action,
    ChangeView,
    FaultView,
    Finding,
    OrderView,
    PlanView,
    Refusal,
    Result,
    Severity,
)

Validate = Callable[[ManifestSet], tuple[Finding, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An environment's objects with settled identities, and what is wrong with them."""

    environment: Environment
    set: ManifestSet
    documents: tuple[Document, ...] = field(default=(), repr=False)
    kinds: Kinds = Kinds()  # that are known, those of the set included
    findings: tuple[Finding, ...] = ()
    places: Mapping[ObjectId, Place] = field(default_factory=dict, repr=False)  # in the sources
    engine: str = ""
    rules: Rules = PACKED  # for the health of custom resources

    @property
    def rejected(self) -> bool:
        """Whether a finding stands against going on."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What it takes to prepare environments: the engine, the checks, the known kinds, the
    journal."""

    render: Render
    validate: Validate
    kinds: Kinds
    journal: Journal
    rules: Rules = PACKED  # for the health of custom resources


def prepare(
    environments: Sequence[Environment],
    tree: Tree,
    workshop: Workshop,
    served: Mapping[str, Kinds] | None = None,
) -> tuple[Prepared, ...]:
    """Every environment rendered, resolved and validated, in the order given.

    *served*: kinds that an environment's target knows beyond the packed ones. Raises UsageFault for
    an environment whose path is missing or leads out of the tree, and for a health rule of another
    tool that cannot be understood.
    """
    rendered = workshop.render([environment.overlay for environment in environments], tree)
    made = []
    for environment, result in zip(environments, rendered, strict=True):
        hide(workshop.journal, (document.body for document in result.documents))
        kinds = (served or {}).get(environment.name, Kinds()).over(workshop.kinds)
        set_, twice = manifests.resolve(result.documents, kinds, namespace_of(environment))
        unknown = manifests.unknown_scope(set_, kinds, result.documents)
        ignored = manifests.ignored_status(set_)
        about = (*twice, *workshop.validate(set_), *plans.findings(set_), *unknown, *ignored)
        traced = workshop.render.trace(environment.overlay, tree, (*about, *_marks(set_)))
        made.append(
            Prepared(
                environment=environment,
                set=set_,
                documents=result.documents,
                kinds=manifests.defined_kinds(result.documents).over(kinds),
                findings=(*result.findings, *traced[: len(about)]),
                places={mark.id: mark.place for mark in traced[len(about) :] if mark.id},
                engine=result.engine,
                rules=workshop.rules.over(
                    (document.body, document.place) for document in result.documents
                ),
            )
        )
    return tuple(made)


def _marks(set_: ManifestSet) -> Iterable[Finding]:
    """Stand-ins for the objects themselves, to be traced together with what is wrong with them."""
    for manifest in set_.manifests:
        yield Finding(rule="", message="", place=manifest.place, id=manifest.id)


def namespace_of(environment: Environment) -> str:
    """Where an environment's objects without a namespace go; "" leaves it open, as files can."""
    target = environment.target
    return target.namespace if isinstance(target, ClusterSpec) else ""


def hide(journal: Journal, bodies: Iterable[Body | None]) -> None:
    """Every value of the Secrets among *bodies* is masked from here on."""
    values = tuple(_secret_values(bodies))
    if values:
        journal.hide(values)


def _secret_values(bodies: Iterable[Body | None]) -> Iterator[str]:
    for body in bodies:
        if body is not None and not manifests.is_encrypted(body):
            yield from manifests.secret_values(body)


def against_base(prepared: Prepared, base: Prepared | None) -> Plan:
    """The changes between two renders, as a plan; *base* None: the environment is new."""
    before = {m.id: m for m in base.set.manifests} if base else {}
    after = {m.id: m for m in prepared.set.manifests}
    unchanged = {
        id for id in before.keys() & after.keys() if diffs.same(before[id].body, after[id].body)
    }
    sights = [
        Sight(
            id=id,
            before=before[id].body if id in before else None,
            after=after[id].body if id in after else None,
            send=after.get(id),
        )
        for id in sorted(before.keys() | after.keys())
        if id not in unchanged
    ]
    owner = Owner(repository="", environment=prepared.environment.name)
    survey = Survey(
        inventory=Inventory(owner=owner), unchanged=frozenset(unchanged), sights=tuple(sights)
    )
    return plans.compute(survey, prune=True)


def against_target(
    prepared: Prepared, target: ReadTarget, journal: Journal, inventory: Inventory
) -> tuple[Plan, Survey]:
    """The changes that a deploy would make, as the target itself sees them.

    *inventory*: the very one that a decision was made on. Read again, it might be a newer deploy's.
    """
    survey = target.survey(prepared.set, inventory)
    live = [body for sight in survey.sights for body in (sight.before, sight.after)]
    hide(journal, live)
    wanted = (manifest.body for manifest in prepared.set.manifests)
    plan = replace(
        plans.compute(survey, prune=prepared.environment.policy.prune),
        secrets=frozenset(_secret_values((*live, *wanted))),
    )
    # Where nothing runs, hooks are files like others: whoever applies them runs them.
    return (plans.with_hooks(plan, survey) if target.runtime else plan), survey


def view(
    plan: Plan,
    compared: str,
    places: Mapping[ObjectId, Place],
    order: OrderView | None = None,
) -> PlanView:
    """The plan as people see it."""
    renamed = renames.renamed(plan.changes)
    told = {old.id for old in renamed.values()}
    return PlanView(
        compared=compared,
        changes=tuple(
            _change_view(change, places, renamed.get(change.id))
            for change in plan.changes
            if change.id not in told
        ),
        unchanged=len(plan.unchanged),
        order=order,
    )


def _named(shown: PlanView, plan: Plan, prepared: Prepared, commit: str) -> PlanView:
    """The view with digests, so that a deploy can be held to what was shown on *commit*."""
    if not commit:
        return shown
    salt = plans.salt(prepared.environment.name, commit)
    return replace(
        shown, digest=plans.digest(plan, salt), change_digests=plans.change_digests(plan, salt)
    )


def order_of(plan: Plan, prepared: Prepared, target: ReadTarget) -> OrderView | None:
    """In which order a deploy would carry a plan out; files have none."""
    return plans.outline(plan, prepared.set) if target.runtime else None


def _change_view(
    change: plans.Change, places: Mapping[ObjectId, Place], old: plans.Change | None
) -> ChangeView:
    """One change; of an object that takes the place of an *old* one, what differs between them."""
    sight = change.sight
    before, after = (old or change).sight.before, sight.after
    adopted = "taken over: nobody's inventory had it" if sight.adopts else ""
    renamed = f"renamed: content hash, was {old.id.name}" if old else ""
    said = [renamed, diffs.summary(before, after), adopted, *map(_owner, sight.owners)]
    return ChangeView(
        id=change.id,
        action=Action.UPDATE if old else change.action,
        lines=diffs.lines(before, after),
        predicted=sight.predicted,
        note="; ".join(filter(None, [*said, *sight.notes])),
        place=places.get(change.id, Place("")),
        paths=diffs.changed_paths(before, after),
    )


def _owner(owner: FieldOwner) -> str:
    """What follows from a field's owner. A value that is taken is in the diff, others are not."""
    values = [f"{owner.theirs} there"] if owner.theirs else []
    values += [f"{owner.ours} here"] if owner.ours else []
    shown = f", {', '.join(values)}" if values and owner.decision != "taken" else ""
    return f"{owner.path}: {owner.decision} ({owner.owner}{shown})"


def dangers(plan: Plan) -> tuple[str, ...]:
    """What would hurt, one sentence each."""
    deleted = tuple(
        f"{change.id} is deleted, and with it what it holds"
        for change in plan.changes
        if plans.is_dangerous(change)
    )
    replaced = tuple(
        f"{change.id} is deleted and created anew"
        for change in plan.changes
        if change.action is Action.REPLACE
    )
    ahead = tuple(
        f"{id} is deleted before anything is written: until its successor runs, nobody serves"
        for id in sorted(plans.prune_first(plan))
    )
    return (*deleted, *replaced, *ahead)


def refusals(
    plan: Plan, survey: Survey, prepared: Prepared, confirmation: Confirmation
) -> tuple[Refusal, ...]:
    """Everything that stands against executing a plan."""
    guarded = plans.guard(
        plan,
        prepared.environment.policy,
        environment=prepared.environment.name,
        members=len(survey.inventory.members),
        wanted=len(prepared.set.manifests),
        confirmation=confirmation,
        kinds=prepared.kinds,
    )
    return (*(_located(refusal, prepared) for refusal in plan.refusals), *guarded)


def _located(refusal: Refusal, prepared: Prepared) -> Refusal:
    """The refusal with the place in the sources of the object that it is about."""
    place = prepared.places.get(refusal.id) if refusal.id else None
    if place is None:
        return refusal
    return replace(refusal, message=f"{refusal.message} ({place})")


def checked(prepared: Prepared) -> Result:
    """The result of rendering and validating alone."""
    environment = prepared.environment
    return Result(
        environment=environment.name,
        target=str(environment.target) if environment.target else "",
        engine=prepared.engine,
        objects=len(prepared.set.manifests),
        findings=prepared.findings,
        verdict=Verdict.REJECTED if prepared.rejected else Verdict.OK,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a review compares with: the target, the merge base, or both."""

    target: ReadTarget | None = None
    base: Prepared | None = None
    base_name: str = ""  # "" = do not compare with a base
    confirmation: Confirmation = Confirmation()
    notices: tuple[str, ...] = ()
    dangers: tuple[str, ...] = ()
    commit: str = ""  # that a merge request shows the answer on; "" = none


def review(prepared: Prepared, question: Question, journal: Journal) -> Result:
    """One environment's whole answer. A fault of the target becomes part of the result."""
    result = replace(checked(prepared), notices=question.notices, dangers=question.dangers)
    if prepared.rejected:
        return result
    if question.base_name:
        plan = against_base(prepared, question.base)
        result = replace(
            result,
            plans=(view(plan, question.base_name, prepared.places),),
            dangers=(*result.dangers, *dangers(plan)),
        )
    if question.target is None:
        return result
    try:
        return _with_target(result, prepared, question.target, question, journal)
    except Fault as fault:
        return failed(result, fault)


def _with_target(
    result: Result,
    prepared: Prepared,
    target: ReadTarget,
    question: Question,
    journal: Journal,
) -> Result:
    plan, survey = against_target(prepared, target, journal, target.inventory())
    refused = refusals(plan, survey, prepared, question.confirmation)
    order = order_of(plan, prepared, target)
    seen = view(plan, target.name, prepared.places, order)
    shown = _named(seen, plan, prepared, question.commit)
    # What the target would really do comes first; both plans name the same dangers.
    return replace(
        result,
        target=target.name,
        plans=(shown, *result.plans),
        dangers=tuple(dict.fromkeys((*result.dangers, *dangers(plan)))),
        refusals=refused,
        notices=(*result.notices, *_held(survey.inventory), *plan_notices(plan)),
        verdict=Verdict.REFUSED if refused else Verdict.OK,
    )


def _held(inventory: Inventory) -> tuple[str, ...]:
    """That differences are meant, as long as a rollback stands."""
    if not inventory.held:
        return ()
    held = inventory.held[:7]
    return (f"held: {held} was rolled back, and is not deployed again until a newer commit is",)


def plan_notices(plan: Plan) -> tuple[str, ...]:
    """What is worth knowing beside the changes; why nothing is pruned, where part is not seen."""
    if not plan.blind:
        return plan.notices
    blind = f"nothing is deleted: {', '.join(plan.blind)} cannot be read at the moment"
    return (blind, *plan.notices)


def failed(result: Result, fault: Fault) -> Result:
    """*result* ended by *fault*."""
    said = FaultView(message=fault.what, cure=fault.cure, verdict=fault.verdict)
    return replace(result, fault=said, verdict=worst([result.verdict, fault.verdict]))
