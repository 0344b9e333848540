"""Which deletion and creation are one change of one object, to whoever reads the plan.

kustomize's generators put a hash of the content into the name, so a changed value is a new object
beside the old one's end. https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/configmapgenerator/
"""

from collections.abc import Iterable, Mapping

from pipeline_gitops.ids import ObjectId
from pipeline_gitops.patterns import pattern
from pipeline_gitops.plans import Change
from pipeline_gitops.views import Action

_GENERATED = frozenset({("", "ConfigMap"), ("", "Secret")})
# Ten hexadecimal digits in letters that spell no words:
# https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go
_HASHED = pattern(r"(.+)-[2456789bcdfghkmt]{10}")


def renamed(changes: Iterable[Change]) -> Mapping[ObjectId, Change]:
    """Deletions by the object that takes the deleted one's place, where just one does."""
    gone: dict[ObjectId, list[Change]] = {}
    made: dict[ObjectId, list[Change]] = {}
    for change in changes:
        family = _family(change.id)
        if family and change.action in (Action.DELETE, Action.CREATE):
            side = gone if change.action is Action.DELETE else made
            side.setdefault(family, []).append(change)
    return {
        new[0].id: gone[family][0]
        for family, new in made.items()
        if len(new) == len(gone.get(family, ())) == 1
    }


def _family(id: ObjectId) -> ObjectId | None:
    """The object without the hash in its name; None where there is none."""
    hashed = _HASHED.fullmatch(id.name)
    if hashed is None or id.group_kind not in _GENERATED:
        return None
    return id._replace(name=hashed[1])
