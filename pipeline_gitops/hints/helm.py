"""Helm's annotations, `helm.sh/...`, in charts that were rendered.

https://helm.sh/docs/topics/charts_hooks/
https://helm.sh/docs/howto/charts_tips_and_tricks/#tell-helm-not-to-uninstall-a-resource

>>> of({"metadata": {"annotations": {"helm.sh/hook": "pre-install,pre-upgrade"}}}).hook.phase
<HookPhase.BEFORE: 'before'>
"""

from pipeline_gitops.documents import Body
from pipeline_gitops.hints.values import HookDelete, HookPhase, Reader, Said

PREFIX = "helm.sh"

_PHASES = {
    "pre-install": HookPhase.BEFORE,
    "pre-upgrade": HookPhase.BEFORE,
    "post-install": HookPhase.AFTER,
    "post-upgrade": HookPhase.AFTER,
    "pre-delete": HookPhase.NEVER,
    "post-delete": HookPhase.NEVER,
    "pre-rollback": HookPhase.NEVER,
    "post-rollback": HookPhase.NEVER,
    "test": HookPhase.NEVER,
    "test-success": HookPhase.NEVER,
    "test-failure": HookPhase.NEVER,
}
DELETE_POLICIES = {
    "before-hook-creation": HookDelete.BEFORE,
    "hook-succeeded": HookDelete.SUCCEEDED,
    "hook-failed": HookDelete.FAILED,
}


def of(body: Body) -> Said:
    """What Helm's annotations say."""
    reader = Reader(body, PREFIX)
    # Helm 2's way to have a definition first, which the order of kinds does anyway.
    if reader.text("hook") == "crd-install":
        return Said()
    hook = reader.hook("hook", _PHASES, "hook-delete-policy", DELETE_POLICIES)
    return Said(
        wave=reader.number("hook-weight") if hook else None,
        hook=hook,
        keep=reader.text("resource-policy") == "keep" or None,
        problems=tuple(reader.problems),
    )
