"""One word out of what several tools' annotations say.

Ours win. Between other tools the first that speaks does, but for what could lose data: an object
that one of them keeps is kept, and what is kept is not replaced unless we are told so ourselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from pipeline_gitops.documents import Body, mapping, text
from pipeline_gitops.hints import argocd, cliutils, flux, helm, kapp, kluctl, krane, ours
from pipeline_gitops.hints.values import Hints, Hook, HookPhase, Problem, Said
from pipeline_gitops.manifests import group_of

_TOOLS: tuple[Callable[[Body], Said], ...] = (
    argocd.of,
    helm.of,
    kluctl.of,
    kapp.of,
    flux.of,
    krane.of,
    cliutils.of,
)
_PREFIXES = frozenset(
    {
        ours.PREFIX,
        argocd.PREFIX,
        helm.PREFIX,
        kluctl.PREFIX,
        kapp.PREFIX,
        flux.PREFIX,
        krane.PREFIX,
        cliutils.PREFIX,
        cliutils.REMOVAL,
        cliutils.LIFECYCLE,
    }
)


_NOTHING = Hints()


def of(body: Body) -> Hints:
    """The hints of one object."""
    if not _is_about_us(body):
        return _NOTHING
    mine, *others = _said(body)
    said = (mine, *others)
    keep = any(one.keep for one in others) if mine.keep is None else mine.keep
    replaced = any(one.replace for one in others) and not keep
    return Hints(
        wave=next((one.wave for one in said if one.wave is not None), 0),
        hook=_hook(said, body),
        after=tuple(dict.fromkeys(chain.from_iterable(one.after for one in said))),
        groups=tuple(chain.from_iterable(one.groups for one in said)),
        after_groups=tuple(chain.from_iterable(one.after_groups for one in said)),
        before_groups=tuple(chain.from_iterable(one.before_groups for one in said)),
        keep=keep,
        replace=replaced if mine.replace is None else mine.replace,
        prune_first=bool(mine.prune_first),
        timeout_s=next((one.timeout_s for one in said if one.timeout_s is not None), None),
        patience_s=mine.patience_s,
        unwatched=next((one.unwatched for one in said if one.unwatched is not None), False),
    )


def problems(body: Body) -> tuple[Problem, ...]:
    """Annotations that do not say what they should."""
    if not _is_about_us(body):
        return ()
    return tuple(chain.from_iterable(one.problems for one in _said(body)))


def _is_about_us(body: Body) -> bool:
    """Whether anything is said at all: most objects have no such annotation."""
    metadata = mapping(body, "metadata")
    for where in ("annotations", "labels"):
        for key in mapping(metadata, where):
            if key.partition("/")[0] in _PREFIXES:
                return True
    return False


def _said(body: Body) -> tuple[Said, ...]:
    return (ours.of(body), *(tool(body) for tool in _TOOLS))


def _hook(said: Sequence[Said], body: Body) -> Hook | None:
    hook = next((one.hook for one in said if one.hook), None)
    if hook is None or hook.phase is HookPhase.NEVER:
        return hook
    return replace(hook, anew=_runs_to_an_end(body))


def _runs_to_an_end(body: Body) -> bool:
    """Jobs and Pods do; of custom resources (a Workflow) it has to be assumed.

    Deleting others at each deploy would take more along than a run: the tokens of a
    ServiceAccount, the data of a volume.
    """
    group, kind = group_of(text(body, "apiVersion")), text(body, "kind")
    if "." in group and not group.endswith(".k8s.io"):
        return True
    return (group, kind) in {("batch", "Job"), ("", "Pod")}
