"""Our own annotations, `pipeline-gitops.dev/...` (docs/order.md).

>>> of({"metadata": {"annotations": {"pipeline-gitops.dev/wave": "-1"}}}).wave
-1
"""

import difflib
from collections.abc import Iterator

from pipeline_gitops.documents import Body, text
from pipeline_gitops.hints.values import HookDelete, HookPhase, Reader, Said
from pipeline_gitops.ids import ObjectId

PREFIX = "pipeline-gitops.dev"

KEYS = (
    "after",
    "hook",
    "hook-delete",
    "keep",
    "patience",
    "prune-first",
    "replace",
    "timeout",
    "watch",
    "wave",
)
_PHASES = {phase.value: phase for phase in HookPhase}
_POLICIES = {policy.value: policy for policy in HookDelete}


def of(body: Body) -> Said:
    """What our annotations say."""
    reader = Reader(body, PREFIX)
    for key in reader.given():
        near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75)
        if key not in KEYS and near:
            reader.wrong(key, f"did you mean {PREFIX}/{near[0]}?")
    watch = reader.truth("watch")
    return Said(
        wave=reader.number("wave"),
        hook=reader.hook("hook", _PHASES, "hook-delete", _POLICIES),
        after=tuple(_after(reader, text(body, "metadata", "namespace"))),
        keep=reader.truth("keep"),
        replace=reader.truth("replace"),
        prune_first=reader.truth("prune-first"),
        timeout_s=reader.seconds("timeout"),
        patience_s=reader.seconds("patience"),
        unwatched=None if watch is None else not watch,
        problems=tuple(reader.problems),
    )


def _after(reader: Reader, namespace: str) -> Iterator[ObjectId]:
    """`Kind.group/name` in the same namespace, or `Kind.group/namespace/name`."""
    for word in reader.words("after"):
        kind, *rest = word.split("/")
        name, group = kind.partition(".")[::2]
        if not kind or len(rest) not in (1, 2) or not all(rest):
            reader.wrong("after", "write Kind/name or Kind.group/namespace/name, with commas")
            continue
        yield ObjectId(group, name, rest[0] if len(rest) == 2 else namespace, rest[-1])
