"""How an object is replaced for the sake of a field that cannot change.

In the survey: only where it is allowed, and only after the server has taken the new object in a dry
run under another name. In the deploy: the old one is deleted on the condition that it is the one
that was seen, waited for, and the new one only ever created; what the server does not take then
gives the old one back. A run that is killed in between leaves an absent member, which the next run
creates.
"""

import secrets
from collections.abc import Callable, Sequence

from pipeline_gitops import hints
from pipeline_gitops.documents import Body, items, text
from pipeline_gitops.errors import InterruptedFault, UnreachableFault
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.manifests import Manifest
from pipeline_gitops.plans import Change, Outcome, Sight, State
from pipeline_gitops.ports import Clock
from pipeline_gitops.targets.cluster.api.apis import Resource
from pipeline_gitops.targets.cluster.api.objects import Objects, is_terminating, version_of
from pipeline_gitops.targets.cluster.api.statuses import ApiError, ForbiddenFault
from pipeline_gitops.targets.cluster.records.receipts import is_custom
from pipeline_gitops.targets.cluster.survey import immutables, refusals
from pipeline_gitops.targets.cluster.survey.immutables import NEVER_REPLACED
from pipeline_gitops.targets.cluster.survey.settings import Setting
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Action, Refusal

GONE_S = 60.0  # for finalizers, where neither the object nor the policy says how long
LOOK_S = 0.25

_CLAIM = ("", "PersistentVolumeClaim")
_AGAIN = "the next run creates the new one"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What a dry-run creation told."""

    after: Body
    unproven: str = ""


def foreseen(
    setting: Setting, send: Manifest, resource: Resource, live: Body | None, error: ApiError
) -> Sight | Refusal | None:
    """The replacement that an update's refusal calls for, or why there will be none.

    None: no fixed field is why it was refused. Raises ApiError where the server cannot say.
    """
    id = send.id
    fields = immutables.changed(id, error, live, send.body) if live else ()
    if live is None or not fields:
        return None
    allowed = _is_allowed(setting, send)
    if not is_custom(send.body) and (id.group_kind in NEVER_REPLACED or not allowed):
        return refusals.immutable(id, fields)
    user = immutables.user(live, _pods(setting, id))
    if user:
        return refusals.in_use(id, fields, user)
    tried = _tried(setting.objects, send, resource, live)
    if is_custom(send.body):
        if not isinstance(tried, _Tried) or tried.unproven:
            return None  # its definition's rule is about the value, not about the change
        if not allowed:
            return refusals.immutable(id, fields)
    if isinstance(tried, ApiError):
        return refusals.replacement_refused(id, fields, tried)
    try:
        setting.objects.delete(resource, id, version_of(live), dry_run=True)
    except ApiError as denied:
        if denied.rejects:
            return refusals.undeletable(id, denied)
        if not denied.is_stale and denied.status != 404:  # gone or made anew: seen when written
            raise
    kept = "; its pods stay" if immutables.keeps_pods(live, send.body) else ""
    return Sight(
        id=id,
        before=live,
        after=tried.after,
        send=send,
        version=version_of(live),
        replaces=True,
        predicted=f"unproven: {tried.unproven}" if tried.unproven else "",
        notes=(f"deleted and created anew, because {', '.join(fields)} cannot change{kept}",),
    )


def _is_allowed(setting: Setting, send: Manifest) -> bool:
    """By the object's annotation; by the policy only what the environment owns already."""
    owned = send.id in setting.inventory.ids
    return hints.of(send.body).replace or (setting.policy.replace and owned)


def _pods(setting: Setting, id: ObjectId) -> Sequence[Body]:
    """The pods that may use a claim. Where they cannot be read, nothing is said of them."""
    resource = setting.apis.resource("", "Pod") if id.group_kind == _CLAIM else None
    if resource is None:
        return ()
    try:
        return setting.objects.listed(resource, id.namespace)
    except ForbiddenFault:
        return ()


def _tried(objects: Objects, send: Manifest, resource: Resource, live: Body) -> _Tried | ApiError:
    probe = immutables.probe(send.body, live, secrets.token_hex(3)[:5])
    id = send.id
    named = ObjectId(id.group, id.kind, id.namespace, text(probe.body, "metadata", "name"))
    try:
        stored = objects.preview(resource, named, probe.body, force=False)
    except ApiError as error:
        if error.exceeds_quota:
            return _Tried(after=send.body, unproven="the old one fills a quota beside it")
        if error.needs_effects:
            return _Tried(after=send.body, unproven="an admission webhook takes no dry runs")
        if not error.rejects:
            raise
        return error
    return _Tried(after=immutables.successor(send.body, stored), unproven=probe.unproven)


class Replacement:
    """One replacement, from deletion to creation. *held* is told what keeps the old object."""

    def __init__(
        self,
        objects: Objects,
        clock: Clock,
        change: Change,
        resource: Resource,
        *,
        patience_s: float | None,
        held: Callable[[str], None],
    ) -> None:
        self._held = held
        sight = change.sight
        self._objects = objects
        self._clock = clock
        self._resource = resource
        self._id = change.id
        self._old: Body = sight.before or {}
        self._new: Body = sight.send.body if sight.send else {}
        said = hints.of(self._new).timeout_s
        self._patience_s = said or patience_s or GONE_S

    def outcome(self, version: Version, create: Callable[[], Outcome]) -> Outcome:
        """Deletes the old object if *version* still holds, then creates the new one.

        Raises ApiError while nothing has happened, and where somebody else creates the object.
        """
        self._delete(version)
        held = self._until_gone()
        if held:
            return self._outcome(State.UNKNOWN, f"deleted, but {held}: {_AGAIN}")
        try:
            return create()
        except (ApiError, ForbiddenFault) as error:
            if isinstance(error, ApiError) and error.is_stale:
                raise
            said = error.message if isinstance(error, ApiError) else error.what
        except InterruptedFault:
            return self._outcome(State.UNKNOWN, f"deleted, then interrupted: {_AGAIN}")
        except UnreachableFault as fault:
            return self._outcome(State.UNKNOWN, f"deleted, then {fault.what}: {_AGAIN}")
        return self._restored(said)

    def _delete(self, version: Version) -> None:
        orphan = immutables.keeps_pods(self._old, self._new)
        try:
            self._objects.delete(self._resource, self._id, version, orphan=orphan)
        except ApiError as error:
            if error.status == 404 and not error.is_unserved:
                return
            live = self._live() if error.is_stale and error.repeated else None
            if live is None or not is_terminating(live):  # not our own try, its answer lost
                raise

    def _live(self) -> Body | None:
        """The old object, while it is there."""
        live = self._objects.read(self._resource, self._id)
        same = live and text(live, "metadata", "uid") == text(self._old, "metadata", "uid")
        return live if same else None

    def _until_gone(self) -> str:
        """What keeps the old object from going; "" once it is gone."""
        deadline = self._clock.elapsed() + self._patience_s
        interrupted = False
        while True:
            try:
                live = self._live()
            except UnreachableFault as fault:
                return fault.what
            if live is None:
                return ""
            holders = [str(item) for item in items(live, "metadata", "finalizers")]
            held = f"finalizer {', '.join(holders)} holds it" if holders else "it is still there"
            self._held(held)
            if interrupted or self._clock.elapsed() >= deadline:
                return held
            try:
                self._clock.sleep(LOOK_S)
            except InterruptedFault:
                interrupted = True  # one more look: what has begun is ended where it can be

    def _restored(self, said: str) -> Outcome:
        body = immutables.restorable(self._old)
        try:
            self._objects.write(self._resource, self._id, body, Version(""), force=False)
        except UnreachableFault as fault:
            why = fault.message if isinstance(fault, ApiError) else fault.what
            lost = f"the old one could not be put back: {why}"
            return self._outcome(State.UNKNOWN, f"deleted, but not created anew: {said}; {lost}")
        return self._outcome(State.REFUSED, f"not created anew: {said}; the old one was put back")

    def _outcome(self, state: State, message: str) -> Outcome:
        return Outcome(id=self._id, action=Action.REPLACE, state=state, message=message)
