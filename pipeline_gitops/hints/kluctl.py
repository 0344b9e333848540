"""kluctl's annotations, `kluctl.io/...`.

https://kluctl.io/docs/kluctl/deployments/annotations/hooks/
https://kluctl.io/docs/kluctl/deployments/annotations/all-resources/

>>> of({"metadata": {"annotations": {"kluctl.io/hook": "post-deploy"}}}).hook.phase
<HookPhase.AFTER: 'after'>
"""

from pipeline_gitops.documents import Body
from pipeline_gitops.hints import helm
from pipeline_gitops.hints.values import HookPhase, Reader, Said

PREFIX = "kluctl.io"

_PHASES = {
    "pre-deploy": HookPhase.BEFORE,
    "pre-deploy-initial": HookPhase.BEFORE,
    "pre-deploy-upgrade": HookPhase.BEFORE,
    "post-deploy": HookPhase.AFTER,
    "post-deploy-initial": HookPhase.AFTER,
    "post-deploy-upgrade": HookPhase.AFTER,
}


def of(body: Body) -> Said:
    """What kluctl's annotations say."""
    reader = Reader(body, PREFIX)
    # How hooks are deleted is said in Helm's words.
    hook = reader.hook("hook", _PHASES, "hook-delete-policy", helm.DELETE_POLICIES)
    return Said(
        wave=reader.number("hook-weight") if hook else None,
        hook=hook,
        keep=reader.truth("skip-delete") or None,
        timeout_s=reader.seconds("hook-timeout") if hook else None,
        unwatched=reader.truth("hook-wait") is False or None,
        problems=tuple(reader.problems),
    )
