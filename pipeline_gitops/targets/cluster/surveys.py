"""What is in the cluster against what is wanted.

Several objects of a kind and a namespace are read by one list; each is then compared on its own.
"""

from collections import Counter
from collections.abc import Sequence

from pipeline_gitops.documents import Body, at, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.kinds import Kinds
from pipeline_gitops.manifests import Manifest, defined_kinds
from pipeline_gitops.plans import Sight, Survey
from pipeline_gitops.targets.cluster import orphans, refusals, threads
from pipeline_gitops.targets.cluster.apis import Resource
from pipeline_gitops.targets.cluster.comparisons import Comparison, refused
from pipeline_gitops.targets.cluster.refusals import PART_OF
from pipeline_gitops.targets.cluster.settings import DEFINITION, Setting
from pipeline_gitops.targets.cluster.statuses import ApiError, ForbiddenFault

LISTED_FROM = 4  # objects of one kind and namespace; below, a list could hold much that is not ours


class Surveyor:
    """Surveys one environment once."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._objects = setting.objects
        self._apis = setting.apis
        self._target = setting.target
        self._defined = setting.defined
        self._listed: dict[tuple[Resource, str], dict[str, Body]] = {}

    def survey(self) -> Survey:
        """What differs. Raises UnreachableFault where the cluster does not say."""
        desired = self._setting.desired
        self._list(desired.manifests)
        first = [m for m in desired.manifests if m.id.group_kind == DEFINITION]
        rest = [m for m in desired.manifests if m.id.group_kind != DEFINITION]
        sights = self._wanted(first, Kinds())
        changing = [m.document for m in first if m.id in {sight.id for sight in sights}]
        sights += self._wanted(rest, defined_kinds(changing))
        changed = {sight.id for sight in sights}
        found = orphans.find(self._setting)
        return Survey(
            inventory=self._setting.inventory,
            unchanged=frozenset(desired.ids - changed),
            sights=tuple(sorted([*sights, *found.sights], key=lambda sight: sight.id)),
            blind=found.blind,
            gone=found.gone,
        )

    def _wanted(self, manifests: Sequence[Manifest], changing: Kinds) -> list[Sight]:
        comparison = Comparison(self._setting, changing)

        def sight(manifest: Manifest) -> Sight | None:
            return self._sight(manifest, comparison)

        found = threads.each(sight, manifests, self._setting.clock)
        return [sight for sight in found if sight is not None]

    def _sight(self, manifest: Manifest, comparison: Comparison) -> Sight | None:
        """How an object differs; None when it does not."""
        id = manifest.id
        if at(manifest.body, "metadata", "labels", PART_OF) is not None:
            return refused(manifest, None, refusals.reserved_label(manifest))
        resource = self._resource(manifest)
        if resource is None:
            return comparison.unserved(manifest)
        if resource.kind.namespaced != bool(id.namespace):
            return refused(manifest, None, refusals.wrong_scope(id, resource, self._target))
        try:
            live = self._live(resource, id)
        except ApiError as error:
            if not error.is_unserved:
                raise
            return comparison.unserved(manifest)
        return comparison.sight(manifest, resource, live)

    def _list(self, manifests: Sequence[Manifest]) -> None:
        """Reads what stands together in one request; where that is not allowed, one by one later.

        Only in namespaces: all definitions or roles of a cluster would be far more than is wanted.
        """
        wanted = Counter(
            (resource, manifest.id.namespace)
            for manifest in manifests
            if manifest.id.namespace
            and (resource := self._resource(manifest)) is not None
            and resource.kind.namespaced
        )
        places = [place for place, count in wanted.items() if count >= LISTED_FROM]
        found = threads.each(self._list_one, places, self._setting.clock)
        self._listed = {
            place: live for place, live in zip(places, found, strict=True) if live is not None
        }

    def _list_one(self, place: tuple[Resource, str]) -> dict[str, Body] | None:
        try:
            return {text(b, "metadata", "name"): b for b in self._objects.listed(*place)}
        except (ApiError, ForbiddenFault):
            return None  # reading one by one says what is wrong, with the object's name

    def _live(self, resource: Resource, id: ObjectId) -> Body | None:
        listed = self._listed.get((resource, id.namespace))
        return self._objects.read(resource, id) if listed is None else listed.get(id.name)

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
