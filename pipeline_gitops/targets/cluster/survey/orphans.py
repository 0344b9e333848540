"""What an environment owns in the cluster and does not want any more.

The inventory is the truth about that: it lists everything before it is written. Only where a run
was killed, or somebody asks for it, what carries our label is looked for as well: one list by label
for each kind and namespace of the inventory. The label alone proves nothing, as controllers copy it
to what they make; our own entry among the field managers does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline_gitops import hints, threads
from pipeline_gitops.documents import Body, at, bodies, text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.plans import Sight
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import FIELD_MANAGER, is_terminating, version_of
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.survey import refusals
from pipeline_gitops.targets.cluster.survey.refusals import PART_OF
from pipeline_gitops.targets.cluster.survey.settings import DEFINITION, Setting
from pipeline_gitops.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Deletions, members that are gone or not ours any more, and groups that cannot be seen."""

    sights: tuple[Sight, ...] = ()
    gone: frozenset[ObjectId] = frozenset()
    blind: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One candidate: its deletion, or why there is none."""

    sight: Sight | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labelled:
    """What carries our label without being a member, in one list."""

    ids: tuple[ObjectId, ...] = ()
    notice: str = ""


def find(setting: Setting, *, thorough: bool = False) -> Orphans:
    """The orphans of one survey. *thorough*: forgotten objects are looked for, too."""
    search = _Search(setting)
    members = setting.inventory.ids - setting.desired.ids
    blind = search.blind(members)
    labelled: list[_Labelled] = []
    if thorough or setting.inventory.claim is not None:
        labelled = threads.each(search.labelled, search.places(), setting.clock)
    forgotten = {id for one in labelled for id in one.ids}
    visible = sorted(id for id in members | forgotten if id.group not in blind)
    previewing = setting.policy.prune and not blind

    def look(id: ObjectId) -> _Found:
        return search.candidate(id, member=id in members, previewing=previewing)

    found = threads.each(look, visible, setting.clock)
    sights = tuple(one.sight for one in found if one.sight is not None)
    notices = (*(one.notice for one in labelled), *(one.notice for one in found))
    return Orphans(
        sights=sights,
        gone=(members & frozenset(visible)) - {sight.id for sight in sights},
        blind=tuple(sorted(blind)),
        notices=tuple(filter(None, notices)),
    )


class _Search:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._objects = setting.objects
        self._apis = setting.apis
        self._apply_set = setting.apply_set

    # -- what can be seen --------------------------------------------------------------------------

    def blind(self, orphans: frozenset[ObjectId]) -> frozenset[str]:
        """API groups that stop a deletion: those of members, and all whose server is away.

        Members of a group can only be told from absent ones while it answers. Others count as well:
        garbage collection and the deletion of namespaces wait for every group.
        """
        groups = {id.group for id in orphans}
        away = self._apis.stale if orphans else frozenset()
        return away | frozenset(group for group in groups if self._is_blind(group))

    def _is_blind(self, group: str) -> bool:
        if group in self._apis.stale:
            return True
        if group in self._apis.groups:
            return False
        # Not served at all: gone with its definitions, or not served yet after a restart.
        resource = self._apis.resource(*DEFINITION)
        if resource is None:
            return True
        try:
            definitions = self._objects.listed(resource, "", metadata_only=True)
        except ForbiddenFault:
            return True
        return any(text(d, "metadata", "name").endswith(f".{group}") for d in definitions)

    # -- what nobody remembers ---------------------------------------------------------------------

    def places(self) -> list[tuple[Resource, str]]:
        """Every kind of the inventory and the set, in each of their namespaces."""
        ids = self._setting.inventory.ids | self._setting.desired.ids
        namespaces = sorted({id.namespace for id in ids} - {""})
        group_kinds = sorted({id.group_kind for id in ids})
        served = [self._apis.resource(*group_kind) for group_kind in group_kinds]
        return [
            (resource, namespace)
            for resource in served
            if resource is not None and resource.kind.group not in self._apis.stale
            for namespace in (namespaces if resource.kind.namespaced else [""])
        ]

    def labelled(self, place: tuple[Resource, str]) -> _Labelled:
        """What carries our label and was applied by us, in one place."""
        resource, namespace = place
        try:
            found = self._objects.listed(
                resource, namespace, labels=f"{PART_OF}={self._apply_set}", metadata_only=True
            )
        except ForbiddenFault as fault:
            return _Labelled(notice=f"objects that no inventory lists were not found: {fault.what}")
        except ApiError as error:
            if not error.is_unserved:
                raise
            return _Labelled()
        known = self._setting.inventory.ids | self._setting.desired.ids
        return _Labelled(ids=tuple(id for id in _ours(resource, found) if id not in known))

    # -- one by one --------------------------------------------------------------------------------

    def candidate(self, id: ObjectId, *, member: bool, previewing: bool) -> _Found:
        """The deletion of an object; none when it is gone, not ours any more, or to be kept."""
        resource = self._apis.resource(id.group, id.kind)
        live = self._objects.read(resource, id) if resource else None
        if resource is None or live is None or is_terminating(live):
            return _Found()
        if text(live, "metadata", "labels", PART_OF) != self._apply_set:
            return _Found()
        spared = _spared(id, live)
        if spared:
            return _Found(notice=spared if member else "")
        sight = Sight(
            id=id,
            before=live,
            version=version_of(live),
            notes=() if member else ("applied by this environment, but not in its inventory",),
        )
        return self._previewed(resource, sight) if previewing else _Found(sight=sight)

    def _previewed(self, resource: Resource, sight: Sight) -> _Found:
        """The deletion as the server would take it: a webhook or a policy may stand against it."""
        try:
            self._objects.delete(resource, sight.id, sight.version, dry_run=True)
        except ApiError as error:
            if error.status == 404 and not error.is_unserved:
                return _Found()
            if not (error.rejects or error.is_stale or error.lacks_method):
                raise
            if not error.is_stale:  # one that moved is looked at again when it is deleted
                refusal = refusals.undeletable(sight.id, error)
                return _Found(sight=replace(sight, refusal=refusal))
        return _Found(sight=sight)


def _ours(resource: Resource, found: Iterable[Body]) -> Iterator[ObjectId]:
    for body in found:
        entries = bodies(body, "metadata", "managedFields")
        if not any(_is_our_apply(entry) for entry in entries) or is_terminating(body):
            continue
        metadata = (text(body, "metadata", "namespace"), text(body, "metadata", "name"))
        yield ObjectId(resource.kind.group, resource.kind.kind, *metadata)


def _is_our_apply(entry: Body) -> bool:
    return (text(entry, "manager"), text(entry, "operation"), text(entry, "subresource")) == (
        FIELD_MANAGER,
        "Apply",
        "",
    )


def _spared(id: ObjectId, live: Body) -> str:
    """Why an object that nobody renders any more stays; "" for one that goes."""
    for owner in bodies(live, "metadata", "ownerReferences"):
        if at(owner, "controller") is True:
            by = f"{text(owner, 'kind')} {text(owner, 'name')}"
            return f"left alone: {id} is controlled by {by}, and no longer ours"
    if hints.of(live).keep:
        return f"kept: {id} is no longer rendered, and annotated to be kept; it is no longer ours"
    return ""
