"""What binds a deploy to what was shown: a digest per change, and inclusion between plans.

A digest covers identity, action and what the change does. A value of a Secret counts only as
changed or not: a digest of it could be guessed from the outside. No resourceVersions and no status:
those move without anybody changing what was shown.

    update           every changed field with its new value
    create, replace  the manifest: what the server adds to it depends on when it is asked
    delete           nothing more: an object is gone, whatever it held

Within a run digests are whole. Between jobs they travel in a note and a commit status, so they are
short, masked where another object repeats a value of a Secret, and salted with the commit that was
reviewed: whoever writes a change cannot look for one with the same short digest before its commit
exists, and the commit changes the salt.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline_gitops import diffs
from pipeline_gitops.documents import Json
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.masks import Redactor
from pipeline_gitops.plans.changes import Change, Plan
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action

PLAN_LENGTH = 24  # hex digits: 96 bits
Mask = Callable[[Json], Json]

_TAG, _REST = 3, 12  # base64 digits: 18 bits say which object, 72 bits what happens to it


def salt(environment: str, commit: str) -> str:
    """What the digests of one environment's plan, shown on one commit, are salted with."""
    return f"{environment}@{commit}"


def digest(plan: Plan, salt: str = "") -> str:
    """Names a plan. It follows from the digests of its changes alone."""
    return summed(change_digests(plan, salt), salt)


def summed(shown: Iterable[str], salt: str) -> str:
    """The digest of the plan that has these digests of changes, in any order."""
    return _sha([salt, sorted(shown)]).hex()[:PLAN_LENGTH]


def change_digests(plan: Plan, salt: str = "") -> tuple[str, ...]:
    """A short digest per change, sorted; its first digits are those of the object alone."""
    mask = _mask(plan)
    return tuple(sorted(_short(change, change.action, salt, mask) for change in plan.changes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unshown:
    """A change that was not shown, or not for its object."""

    id: ObjectId
    action: Action
    otherwise: bool  # something else was shown of that object


def unshown(plan: Plan, shown: Iterable[str], salt: str) -> tuple[Unshown, ...]:
    """Changes of *plan* that are not among what was *shown*."""
    known = frozenset(shown)
    tags = frozenset(one[:_TAG] for one in known)
    mask = _mask(plan)
    return tuple(
        Unshown(id=change.id, action=change.action, otherwise=_tag(change.id, salt) in tags)
        for change in plan.changes
        if not any(_short(change, action, salt, mask) in known for action in _shown_as(change))
    )


def digests(changes: Iterable[Change]) -> Mapping[ObjectId, str]:
    """A whole digest per change."""
    return {change.id: _whole(change, change.action) for change in changes}


def exceeding(shown: Plan, planned: Plan) -> tuple[ObjectId, ...]:
    """Objects that *planned* would change otherwise than *shown* said.

    Inclusion, not equality: a run that resumes after a kill has a smaller plan.
    """
    if shown is planned:
        return ()
    seen = digests(shown.changes)
    return tuple(
        change.id
        for change in planned.changes
        if all(seen.get(change.id) != _whole(change, action) for action in _shown_as(change))
    )


def reshown(shown: Plan, planned: Plan, ids: frozenset[ObjectId]) -> Plan:
    """*shown*, with what is *planned* now for the objects *ids*."""
    changes = {change.id: change for change in shown.changes}
    changes.update((change.id, change) for change in planned.changes if change.id in ids)
    return replace(shown, changes=tuple(changes[id] for id in sorted(changes)))


def _shown_as(change: Change) -> Iterator[Action]:
    """The actions that a change may have been shown as."""
    yield change.action
    if change.action is Action.CREATE:
        yield Action.REPLACE  # a run that was killed between deletion and creation


def _short(change: Change, action: Action, salt: str, mask: Mask) -> str:
    return _tag(change.id, salt) + _base64([salt, _whole(change, action, mask)], _REST)


def _mask(plan: Plan) -> Mask:
    """What hides the values of the plan's Secrets, wherever they are repeated."""
    if not plan.secrets:
        return _as_it_is
    redact = Redactor(plan.secrets)

    def masked(value: Json) -> Json:
        if isinstance(value, str):
            return redact(value)
        if isinstance(value, Mapping):
            return {redact(key): masked(inner) for key, inner in value.items()}
        return [*map(masked, value)] if isinstance(value, list) else value

    return masked


def _as_it_is(value: Json) -> Json:
    return value


def _tag(id: ObjectId, salt: str) -> str:
    return _base64([salt, _named(id)], _TAG)


def _whole(change: Change, action: Action, mask: Mask = _as_it_is) -> str:
    fields = _effect(change, action)
    # Sorted when they are masked: the order of keys would tell something of those that are hidden.
    effect = sorted(
        _written([*map(mask, _keys(pointer)), mask(value)]) for pointer, value in fields
    )
    return _sha([_named(change.id), action.value, effect]).hex()


def _keys(pointer: str) -> Iterator[str]:
    """The keys of a path, as they are."""
    return (key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/"))


def _effect(change: Change, action: Action) -> Sequence[tuple[str, Json]]:
    """Pointers and new values of the fields that change."""
    sight = change.sight
    match action:
        case Action.UPDATE:
            return diffs.changed_fields(sight.before, sight.after)
        case Action.CREATE | Action.REPLACE:
            return diffs.changed_fields(None, sight.send.body if sight.send else sight.after)
        case Action.DELETE:
            return ()


def _named(id: ObjectId) -> tuple[str, str, str, str]:
    return (id.group, id.kind, id.namespace, id.name)


def _base64(value: object, length: int) -> str:
    return base64.b64encode(_sha(value)).decode()[:length]


def _sha(value: object) -> bytes:
    return hashlib.sha256(_written(value).encode("utf-8", "surrogatepass")).digest()


def _written(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
