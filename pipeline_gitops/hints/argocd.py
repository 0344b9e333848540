"""Argo CD's annotations, `argocd.argoproj.io/...`.

https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/

>>> of({"metadata": {"annotations": {"argocd.argoproj.io/hook": "PreSync"}}}).hook.phase
<HookPhase.BEFORE: 'before'>
"""

from pipeline_gitops.documents import Body
from pipeline_gitops.hints.values import HookDelete, HookPhase, Reader, Said

PREFIX = "argocd.argoproj.io"

_PHASES = {
    "PreSync": HookPhase.BEFORE,
    "Sync": HookPhase.WITH,
    "PostSync": HookPhase.AFTER,
    "SyncFail": HookPhase.FAILED,
    "Skip": HookPhase.NEVER,
    "PreDelete": HookPhase.NEVER,
    "PostDelete": HookPhase.NEVER,
}
_POLICIES = {
    "BeforeHookCreation": HookDelete.BEFORE,
    "HookSucceeded": HookDelete.SUCCEEDED,
    "HookFailed": HookDelete.FAILED,
}
# What asks a person before it deletes has nobody to ask here: it keeps.
_KEEPING = frozenset({"Prune=false", "Prune=confirm", "Delete=false", "Delete=confirm"})
_REPLACING = frozenset({"Replace=true", "Force=true"})


def of(body: Body) -> Said:
    """What Argo CD's annotations say."""
    reader = Reader(body, PREFIX)
    options = frozenset(reader.words("sync-options"))
    return Said(
        wave=reader.number("sync-wave"),
        hook=reader.hook("hook", _PHASES, "hook-delete-policy", _POLICIES),
        keep=bool(options & _KEEPING) or None,
        replace=bool(options & _REPLACING) or None,
        problems=tuple(reader.problems),
    )
