"""Whether what a deploy wrote is still what stands, or somebody has changed it since.

A higher generation alone says nothing: an autoscaler that scales and a controller that annotates
raise it too. What counts is a field that was sent and has another value now.
"""

from collections.abc import Mapping, Sequence

from pipeline_gitops.documents import Body, Json, at, bodies, text

_OURS = "pipeline-gitops"
# What others set while the version stays the same: autoscalers, queues, people who pause a rollout.
_CONTROLS = frozenset({"parallelism", "paused", "replicas", "suspend"})


def changed(sent: Body, after: Body, live: Body) -> str:
    """The first path below spec that was sent, and is not as the server stored it; "" if none.

    *after*: the object as the server stored what was *sent*, with its defaults and in its form.
    """
    return _changed(at(sent, "spec"), at(after, "spec"), at(live, "spec"), "spec")


def writer(live: Body) -> str:
    """Who wrote to its fields last, but for us; "" where nobody is known."""
    entries = [
        (text(entry, "time"), text(entry, "manager"))
        for entry in bodies(live, "metadata", "managedFields")
        if not text(entry, "subresource") and not text(entry, "manager").startswith(_OURS)
    ]
    return max(entries, default=("", ""))[1]


def _changed(sent: Json, after: Json, live: Json, where: str) -> str:
    if after is None:
        return ""  # the server does not keep it
    if isinstance(sent, Mapping) and isinstance(after, Mapping):
        if not isinstance(live, Mapping):
            return where
        for key, value in sent.items():
            if where == "spec" and key in _CONTROLS:
                continue
            found = _changed(value, after.get(key), live.get(key), f"{where}.{key}")
            if found:
                return found
        return ""
    if _is_list(sent) and _is_list(after):
        if not _is_list(live) or len(live) < len(after):  # type: ignore[arg-type]
            return where
        pairs = zip(sent, after, live, strict=False)  # type: ignore[arg-type]
        parts = (_changed(*three, f"{where}[{index}]") for index, three in enumerate(pairs))
        return next(filter(None, parts), "")
    return "" if after == live else where


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
