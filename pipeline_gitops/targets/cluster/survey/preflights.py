"""What a dry run does not tell, and would only show once it is too late.

A workload is taken whose pods never start, because their ServiceAccount or PriorityClass is not
there; ten objects are taken one by one that do not fit together; an object is taken that the store
then refuses. All that is looked at before the first write. A count that does not fit is refused; of
processors and memory there is only a notice, as other pods may go meanwhile.

What cannot be read is not judged: none of these lists is a demand on the account.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from pipeline_gitops import threads
from pipeline_gitops.documents import Body, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.plans import Sight, references
from pipeline_gitops.targets.cluster.api import payloads
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.survey import quotas, refusals
from pipeline_gitops.targets.cluster.survey.quotas import QUOTA, Amounts
from pipeline_gitops.targets.cluster.survey.settings import Setting
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Refusal

# The store takes 1.5 MiB, and what the server adds (owners of fields, status) comes on top.
LARGEST = 1_400_000

_ACCOUNT = ("", "ServiceAccount")
_PRIORITY = ("scheduling.k8s.io", "PriorityClass")
_WORKLOADS = frozenset(
    {
        ("", "Pod"),
        ("apps", "DaemonSet"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("batch", "CronJob"),
        ("batch", "Job"),
    }
)

_Place = tuple[str, str, str]  # API group, kind, namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The sights, with refusals where something is missing, and what is worth knowing."""

    sights: tuple[Sight, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the cluster has in the places that were looked at."""

    listed: Mapping[_Place, Sequence[Body]] = field(default_factory=dict)
    plurals: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def names(self, id: ObjectId) -> frozenset[str] | None:
        """The names of what there is beside an object; None: not known."""
        found = self.listed.get((*id.group_kind, id.namespace))
        return None if found is None else frozenset(text(b, "metadata", "name") for b in found)


def check(setting: Setting, sights: Sequence[Sight]) -> Checked:
    """The sights of one survey, looked at together."""
    return judged(sights, setting.desired.ids, _learnt(setting, sights), target=setting.target)


def _learnt(setting: Setting, sights: Sequence[Sight]) -> Facts:
    """Reads what the judgement needs: at most one list for a kind and a namespace."""
    group_kinds = {sight.id.group_kind for sight in sights}
    plurals = {gk: kind.plural for gk in group_kinds if (kind := setting.apis.kinds.get(*gk))}
    places = sorted(needed(sights, setting.desired.ids, plurals))

    def read(place: _Place) -> Sequence[Body] | None:
        group, kind, namespace = place
        resource = setting.apis.resource(group, kind)
        if resource is None:
            return None
        names_only = (group, kind) != QUOTA
        try:
            return setting.objects.listed(resource, namespace, metadata_only=names_only)
        except (ApiError, ForbiddenFault):
            return None

    found = threads.each(read, places, setting.clock)
    listed = {
        place: bodies for place, bodies in zip(places, found, strict=True) if bodies is not None
    }
    return Facts(listed=listed, plurals=plurals)


# -- pure ------------------------------------------------------------------------------------------


def needed(
    sights: Iterable[Sight], wanted: frozenset[ObjectId], plurals: Mapping[tuple[str, str], str]
) -> frozenset[_Place]:
    """What has to be listed; nothing for a deploy that changes nothing of the kind."""
    places: set[_Place] = set()
    for sight in sights:
        for id in _requirements(sight):
            if id not in wanted:
                places.add((*id.group_kind, id.namespace))
        plural = plurals.get(sight.id.group_kind, "")
        if quotas.counted(sight, plural) or quotas.asked_of_pods(sight):
            places.add((*QUOTA, sight.id.namespace))
    return frozenset(places)


def judged(
    sights: Sequence[Sight], wanted: frozenset[ObjectId], facts: Facts, *, target: str
) -> Checked:
    """The sights with refusals; what is refused already stays so."""
    going = frozenset(sight.id for sight in sights if sight.after is None)
    found: dict[ObjectId, Refusal] = {}
    for sight in sights:
        refusal = _too_large(sight) or _incomplete(sight, wanted, going, facts, target)
        if refusal and not sight.refusal:
            found[sight.id] = refusal
    notices: list[str] = []
    for namespace in sorted({sight.id.namespace for sight in sights} - {""}):
        there = tuple(_quotas(namespace, sights, facts))
        here = [sight for sight in sights if sight.id.namespace == namespace]
        _judge_counts(there, here, facts, found)
        notices += _compute_notices(namespace, there, here)
    return Checked(
        sights=tuple(
            replace(sight, refusal=found[sight.id]) if sight.id in found else sight
            for sight in sights
        ),
        notices=tuple(notices),
    )


def _too_large(sight: Sight) -> Refusal | None:
    if sight.send is None:
        return None
    size = len(payloads.written(sight.send.body))
    return refusals.too_large(sight.id, size) if size > LARGEST else None


def _requirements(sight: Sight) -> Iterator[ObjectId]:
    """What the pods of a workload cannot start without, beyond what every namespace has."""
    id = sight.id
    if sight.send is None or id.group_kind not in _WORKLOADS:
        return
    spec = references.pod_spec(id, sight.send.body)
    account = text(spec, "serviceAccountName") or text(spec, "serviceAccount")
    if account not in ("", "default"):
        yield ObjectId(*_ACCOUNT, id.namespace, account)
    priority = text(spec, "priorityClassName")
    if priority:
        yield ObjectId(*_PRIORITY, "", priority)


def _incomplete(
    sight: Sight,
    wanted: frozenset[ObjectId],
    going: frozenset[ObjectId],
    facts: Facts,
    target: str,
) -> Refusal | None:
    for id in _requirements(sight):
        names = facts.names(id)
        if id in wanted or names is None:
            continue
        if id.name not in names:
            return refusals.missing_requirement(sight.id, id, target)
        if id in going:
            return refusals.leaving_requirement(sight.id, id)
    return None


def _quotas(namespace: str, sights: Iterable[Sight], facts: Facts) -> Iterator[Body]:
    """A namespace's quotas, with the limits that this deploy sets: quotas come before the rest."""
    changed = {sight.id: sight.after for sight in sights if sight.id.group_kind == QUOTA}
    for quota in facts.listed.get((*QUOTA, namespace), ()):
        after = changed.get(ObjectId(*QUOTA, namespace, text(quota, "metadata", "name")))
        yield {**quota, "spec": after.get("spec")} if after else quota


def _judge_counts(
    there: Sequence[Body], sights: Sequence[Sight], facts: Facts, found: dict[ObjectId, Refusal]
) -> None:
    added: dict[ObjectId, Amounts] = {
        sight.id: quotas.counted(sight, facts.plurals.get(sight.id.group_kind, ""))
        for sight in sights
    }
    refused = {sight.id for sight in sights if sight.refusal}
    for excess in quotas.excesses(there, added):
        for id in excess.by:
            if id not in refused and id not in found:
                found[id] = refusals.quota(id, str(excess))
                break


def _compute_notices(
    namespace: str, there: Sequence[Body], sights: Sequence[Sight]
) -> Iterator[str]:
    added = {sight.id: quotas.asked_of_pods(sight) for sight in sights}
    for excess in quotas.excesses(there, added):
        yield f"namespace {namespace}: {excess}; pods beyond that wait until there is room"
