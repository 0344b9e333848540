"""Hooks in a plan: objects that run at each deploy that changes something.

A hook is no difference by itself: that it is absent, or finished, is how the last deploy left it.
So hooks are in a plan only beside other changes, or where an earlier deploy was not finished. One
that runs to an end is created; what is left of its last run is deleted right before.
"""

from collections.abc import Collection
from dataclasses import replace

from pipeline_gitops import hints
from pipeline_gitops.hints import Hook, HookPhase
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.inventories import Version
from pipeline_gitops.plans.changes import Change, Plan, Sight, Survey

_NOTES = {
    HookPhase.BEFORE: "hook: runs before everything else",
    HookPhase.WITH: "hook: runs with its wave",
    HookPhase.AFTER: "hook: runs when everything else is healthy",
    HookPhase.FAILED: "hook: runs only if the deploy fails",
}


def hook_of(change: Change) -> Hook | None:
    """As which hook a change runs; None for what is not one."""
    send = change.sight.send
    return hints.of(send.body).hook if send else None


def with_hooks(plan: Plan, survey: Survey) -> Plan:
    """The plan with its hooks as they will run, or without any where nothing else is to do."""
    hooks = {change.id: hook for change in plan.changes if (hook := hook_of(change))}
    if not hooks:
        return plan
    unfinished = survey.inventory.claim is not None
    runs = unfinished or any(change.id not in hooks for change in plan.changes)
    never = frozenset(id for id, hook in hooks.items() if hook.phase is HookPhase.NEVER)
    idle = never if runs else frozenset(hooks)
    kept = _without(plan, idle)
    leftovers = tuple(
        Change(Sight(id=change.id, before=change.sight.before, version=change.sight.version))
        for change in kept.changes
        if change.id in hooks and hooks[change.id].anew and change.sight.before is not None
    )
    changes = tuple(
        _as_hook(change, hooks[change.id]) if change.id in hooks else change
        for change in kept.changes
    )
    notices = tuple(
        f"{id} is a hook of an occasion that a deploy does not have: it is not sent"
        for id in sorted(never)
    )
    return replace(
        kept,
        changes=changes,
        leftovers=leftovers,
        unchanged=plan.unchanged | (idle - never),
        notices=(*plan.notices, *notices),
    )


def without_run(plan: Plan, run: Collection[ObjectId]) -> Plan:
    """The plan without the hooks among *run*: a deploy that looks again runs each once."""
    return _without(plan, {c.id for c in plan.changes if c.id in run and hook_of(c)})


def _without(plan: Plan, ids: Collection[ObjectId]) -> Plan:
    changes = tuple(change for change in plan.changes if change.id not in ids)
    dropped = {c.sight.refusal for c in plan.changes if c.id in ids}
    return replace(
        plan,
        changes=changes,
        leftovers=tuple(change for change in plan.leftovers if change.id not in ids),
        refusals=tuple(refusal for refusal in plan.refusals if refusal not in dropped),
    )


def _as_hook(change: Change, hook: Hook) -> Change:
    sight = replace(change.sight, notes=(_NOTES[hook.phase], *change.sight.notes))
    if hook.anew:
        sight = replace(sight, before=None, version=Version(""))
    return Change(sight)
