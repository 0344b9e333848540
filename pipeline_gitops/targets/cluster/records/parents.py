"""Whose inventory a mark on an object stands for.

The label on a member is a digest. Its parent carries the same digest as a label of its own, and
says in annotations which environment of which repository it belongs to.
"""

from collections.abc import Sequence
from threading import Lock

from pipeline_gitops.documents import Body, text
from pipeline_gitops.targets.cluster.api.apis import Apis
from pipeline_gitops.targets.cluster.api.objects import Objects
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.records.applysets import parent_label, said_owner

# Kinds that may be parents (https://kep.k8s.io/3659); custom ones are not looked for.
_KINDS = (("", "ConfigMap"), ("", "Secret"))


class Parents:
    """Finds parents by the mark of their members; each is looked for once."""

    def __init__(self, objects: Objects, apis: Apis) -> None:
        self._objects = objects
        self._apis = apis
        self._known: dict[tuple[str, str], str] = {}
        self._lock = Lock()

    def name(self, mark: str, namespace: str) -> str:
        """How people know that inventory; "" where it is gone, or may not be seen.

        It is looked for where the member is, and everywhere as far as that is allowed.
        """
        with self._lock:
            if (mark, namespace) not in self._known:
                places = dict.fromkeys([namespace, ""])
                found = (self._found(mark, place) for place in places)
                self._known[mark, namespace] = next(filter(None, found), "")
            return self._known[mark, namespace]

    def _found(self, mark: str, namespace: str) -> str:
        for group_kind in _KINDS:
            for parent in self._listed(group_kind, mark, namespace):
                name = f"{text(parent, 'metadata', 'namespace')}/{text(parent, 'metadata', 'name')}"
                owner = said_owner(parent)
                return f"{name}, {owner}" if owner else name
        return ""

    def _listed(self, group_kind: tuple[str, str], mark: str, namespace: str) -> Sequence[Body]:
        resource = self._apis.resource(*group_kind)
        if resource is None:
            return ()
        try:
            return self._objects.listed(
                resource, namespace, labels=parent_label(mark), metadata_only=True
            )
        except (ApiError, ForbiddenFault):
            return ()  # the refusal stands without the name
