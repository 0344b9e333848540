"""What an environment owns in the cluster and does not want any more."""

from dataclasses import dataclass

from pipeline_gitops.documents import text
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.plans import Sight
from pipeline_gitops.targets.cluster import threads
from pipeline_gitops.targets.cluster.objects import is_terminating, version_of
from pipeline_gitops.targets.cluster.refusals import PART_OF
from pipeline_gitops.targets.cluster.settings import DEFINITION, Setting
from pipeline_gitops.targets.cluster.statuses import ForbiddenFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphans:
    """Deletions, members that are gone or not ours any more, and groups that cannot be seen."""

    sights: tuple[Sight, ...] = ()
    gone: frozenset[ObjectId] = frozenset()
    blind: tuple[str, ...] = ()


def find(setting: Setting) -> Orphans:
    """The orphans of one survey."""
    search = _Search(setting)
    orphans = setting.inventory.ids - setting.desired.ids
    blind = search.blind(orphans)
    visible = sorted(id for id in orphans if id.group not in blind)
    found = threads.each(search.sight, visible, setting.clock)
    sights = tuple(sight for sight in found if sight is not None)
    return Orphans(
        sights=sights,
        gone=frozenset(visible) - {sight.id for sight in sights},
        blind=tuple(sorted(blind)),
    )


class _Search:
    def __init__(self, setting: Setting) -> None:
        self._objects = setting.objects
        self._apis = setting.apis
        self._apply_set = setting.apply_set

    def blind(self, orphans: frozenset[ObjectId]) -> frozenset[str]:
        """API groups of members of which nobody can say now whether they are there."""
        groups = {id.group for id in orphans}
        return frozenset(group for group in groups if self._is_blind(group))

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

    def sight(self, id: ObjectId) -> Sight | None:
        """The deletion of a member; None when it is gone, or not ours any more."""
        resource = self._apis.resource(id.group, id.kind)
        live = self._objects.read(resource, id) if resource else None
        if live is None or is_terminating(live):
            return None
        if text(live, "metadata", "labels", PART_OF) != self._apply_set:
            return None
        return Sight(id=id, before=live, version=version_of(live))
