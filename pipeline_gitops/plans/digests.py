"""What binds a deploy to what was shown: a digest per change, and inclusion between plans.

A digest covers identity, action and every changed field with its new value. A value of a Secret
counts only as changed or not: a digest of it could be guessed from the outside. No
resourceVersions: those move without anybody changing what was shown.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pipeline_gitops import diffs
from pipeline_gitops.ids import ObjectId
from pipeline_gitops.plans.changes import Change, Plan


def digest(plan: Plan) -> str:
    """Twelve hex digits that name this plan."""
    text = "\n".join(f"{id} {value}" for id, value in digests(plan.changes).items())
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def digests(changes: Iterable[Change]) -> Mapping[ObjectId, str]:
    """A digest per change."""
    return {change.id: _digest(change) for change in changes}


def _digest(change: Change) -> str:
    fields = diffs.changed_fields(change.sight.before, change.sight.after)
    text = json.dumps([change.action.value, fields], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def exceeding(shown: Plan, planned: Plan) -> tuple[ObjectId, ...]:
    """Objects that *planned* would change otherwise than *shown* said.

    Inclusion, not equality: a run that resumes after a kill has a smaller plan.
    """
    if shown is planned:
        return ()
    seen = digests(shown.changes)
    return tuple(id for id, value in digests(planned.changes).items() if seen.get(id) != value)


def reshown(shown: Plan, planned: Plan, ids: frozenset[ObjectId]) -> Plan:
    """*shown*, with what is *planned* now for the objects *ids*."""
    changes = {change.id: change for change in shown.changes}
    changes.update((change.id, change) for change in planned.changes if change.id in ids)
    return replace(shown, changes=tuple(changes[id] for id in sorted(changes)))
