"""What is in the cluster against what is wanted.

It costs what changed: an object whose receipt still holds is unchanged, and nothing but its list is
read. Every other is read and compared on its own, as the API server itself would decide.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter

from pipeline_gitops import hints, threads
from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Receipt
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import Manifest, defined_kinds, vanishes
from pipeline_gitops.plans import Sight, Survey
from pipeline_gitops.ports import Snapshot
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.records import receipts
from pipeline_gitops.targets.cluster.records.receipts import Terms
from pipeline_gitops.targets.cluster.survey import node_ports, orphans, preflights, refusals
from pipeline_gitops.targets.cluster.survey.comparisons import Comparison, refused, sendable
from pipeline_gitops.targets.cluster.survey.readings import Readings
from pipeline_gitops.targets.cluster.survey.refusals import PART_OF
from pipeline_gitops.targets.cluster.survey.settings import DEFINITION, Setting


class Surveyor:
    """Surveys one environment once. *thorough*: every object is compared, receipt or not."""

    def __init__(self, setting: Setting, *, thorough: bool) -> None:
        self._setting = setting
        self._thorough = thorough
        self._apis = setting.apis
        self._target = setting.target
        self._defined = setting.defined
        self._readings = Readings(setting, self._resource)
        self._terms = Terms(field_owners=setting.policy.field_owners)
        self._receipts = {member.id: member.receipt for member in setting.inventory.members}
        self._learnt: dict[ObjectId, Receipt] = {}

    @property
    def terms(self) -> Terms:
        """Under which terms receipts of this survey's objects can be made."""
        return self._terms

    def survey(self) -> Survey:
        """What differs. Raises UnreachableFault where the cluster does not say."""
        desired = self._setting.desired
        self._terms = replace(self._terms, definitions=self._definitions(desired.manifests))
        self._readings.look(desired.manifests)
        first = [m for m in desired.manifests if m.id.group_kind == DEFINITION]
        rest = [m for m in desired.manifests if m.id.group_kind != DEFINITION]
        sights = self._wanted(first, Kinds())
        changing = [m.document for m in first if m.id in {sight.id for sight in sights}]
        sights += self._wanted(rest, defined_kinds(changing))
        changed = {sight.id for sight in sights}
        found = orphans.find(self._setting, thorough=self._thorough)
        if self._setting.policy.prune and not found.blind:
            sights = node_ports.taken_over(self._setting, sights, found.sights)
        checked = preflights.check(self._setting, (*sights, *found.sights))
        return Survey(
            inventory=self._setting.inventory,
            unchanged=frozenset(desired.ids - changed),
            sights=tuple(sorted(checked.sights, key=lambda sight: sight.id)),
            blind=found.blind,
            receipts=tuple(sorted(self._learnt.items())),
            gone=found.gone,
            notices=(*found.notices, *checked.notices),
            completed=frozenset(
                m.id for m in rest if m.id not in changed and self._has_completed(m)
            ),
        )

    def seen(self) -> Snapshot:
        """The wanted objects as they were read, as far as they were."""
        return self._readings.seen(self._setting.desired.manifests)

    # -- receipts ----------------------------------------------------------------------------------

    def _definitions(self, manifests: Sequence[Manifest]) -> Mapping[tuple[str, str], str]:
        """Uid and generation of what defines the custom kinds; nothing where that is not said."""
        plurals = {
            f"{resource.kind.plural}.{resource.kind.group}": manifest.id.group_kind
            for manifest in manifests
            if receipts.is_custom(manifest.body) and (resource := self._resource(manifest))
        }
        resource = self._apis.resource(*DEFINITION)
        if not plurals or resource is None:
            return {}
        try:
            found = self._setting.objects.listed(resource, "", metadata_only=True)
        except (ApiError, ForbiddenFault):
            return {}
        return {
            plurals[name]: f"{text(body, 'metadata', 'uid')}/{at(body, 'metadata', 'generation')}"
            for body in found
            if (name := text(body, "metadata", "name")) in plurals
        }

    def _is_proven(self, manifest: Manifest, live: Body | None, changing: Kinds) -> bool:
        """Whether a receipt says that nothing would change."""
        receipt = self._receipts.get(manifest.id)
        if self._thorough or not receipt or live is None:
            return False
        if _is_created_anew(manifest) or _is_reserved(manifest):
            return False
        if changing.get(*manifest.id.group_kind):
            return False
        sent = sendable(manifest.body, self._setting.apply_set)
        return receipts.holds(receipt, sent, live, self._terms)

    def _has_completed(self, manifest: Manifest) -> bool:
        """Whether this very Job has completed before. Its receipt is recorded only then."""
        receipt = self._receipts.get(manifest.id)
        if not receipt or not vanishes(manifest.body):
            return False
        sent = sendable(manifest.body, self._setting.apply_set)
        return receipts.is_of(receipt, sent, self._terms)

    def _learn(self, send: Manifest, live: Body, after: Body) -> None:
        """Takes down that a dry run changed nothing."""
        receipt = receipts.proven(send.body, live, after, self._terms)
        if receipt != self._receipts.get(send.id):
            self._learnt[send.id] = receipt

    # -- one by one --------------------------------------------------------------------------------

    def _wanted(self, manifests: Sequence[Manifest], changing: Kinds) -> list[Sight]:
        comparison = Comparison(self._setting, changing, self._learn)

        def sight(manifest: Manifest) -> Sight | None:
            return self._sight(manifest, comparison, changing)

        open_ = [
            manifest
            for manifest in manifests
            if not self._is_proven(manifest, self._readings.glimpse(manifest), changing)
        ]
        self._readings.complete(open_)
        at_once = self._setting.objects.at_once
        turns = _in_turn(open_)
        made = threads.each(sight, turns, self._setting.clock, at_once=at_once)
        found = {manifest.id: one for manifest, one in zip(turns, made, strict=True) if one}
        return [found[manifest.id] for manifest in open_ if manifest.id in found]

    def _sight(self, manifest: Manifest, comparison: Comparison, changing: Kinds) -> Sight | None:
        """How an object differs; None when it does not."""
        id = manifest.id
        if _is_reserved(manifest):
            return refused(manifest, None, refusals.reserved_label(manifest))
        resource = self._resource(manifest)
        if resource is None:
            return comparison.unserved(manifest)
        if resource.kind.namespaced != bool(id.namespace):
            return refused(manifest, None, refusals.wrong_scope(id, resource, self._target))
        try:
            live = self._readings.whole(resource, id)
        except ApiError as error:
            if error.lacks_method:
                return refused(manifest, None, refusals.not_applicable(manifest, self._target))
            if not error.is_unserved:
                raise
            return comparison.unserved(manifest)
        if _is_created_anew(manifest):
            return comparison.creation(manifest, resource, live)
        if live is None and self._has_completed(manifest):
            return None
        if self._is_proven(manifest, live, changing):  # one that stood alone, so in no list
            return None
        return comparison.sight(manifest, resource, live)

    def _resource(self, manifest: Manifest) -> Resource | None:
        """Where an object is found: as the server says, else as the set itself defines its kind.

        Discovery lags seconds behind a new definition while its objects are served already; taking
        them for absent would plan to create what is there.
        """
        id, version = manifest.id, manifest.api_version.rpartition("/")[2]
        kind = self._defined.get(*id.group_kind)
        if kind and version in kind.versions and id.group not in self._apis.stale:
            return self._apis.resource(id.group, id.kind, version) or Resource(kind, version)
        return self._apis.resource(id.group, id.kind, version)


def _in_turn(manifests: Iterable[Manifest]) -> list[Manifest]:
    """Kinds by turns: what is learnt of the first of a kind then spares those like it."""
    counts: Counter[tuple[str, str]] = Counter()
    numbered = []
    for manifest in manifests:
        counts[manifest.id.group_kind] += 1
        numbered.append((counts[manifest.id.group_kind], manifest))
    return [manifest for _, manifest in sorted(numbered, key=itemgetter(0))]


def _is_created_anew(manifest: Manifest) -> bool:
    """Whether each deploy that runs hooks creates the object again."""
    hook = hints.of(manifest.body).hook
    return hook is not None and hook.anew


def _is_reserved(manifest: Manifest) -> bool:
    """Whether a manifest sets the label that is the target's to set."""
    return at(manifest.body, "metadata", "labels", PART_OF) is not None
