"""What an object will look like, said so that the same plan always reads the same.

A dry run also makes up what only the real write decides: addresses, node ports, uids in labels. Two
dry runs of one plan differ in them, and so would what was shown and what is done.
"""

from collections.abc import Mapping

from pipeline_gitops.documents import Body, Json, at, bodies, mapping, text

_IDENTITY = frozenset({"apiVersion", "kind", "metadata", "status"})
_METADATA = ("annotations", "finalizers", "labels", "ownerReferences")
_ALLOCATED = ("clusterIP", "clusterIPs", "healthCheckNodePort")


def created(sent: Body, stored: Body) -> Body:
    """A new object: every field that is sent, as the server would store it, and no default."""
    return {key: _as_stored(value, stored.get(key)) for key, value in sent.items()}


def _as_stored(sent: Json, stored: Json) -> Json:
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return {key: _as_stored(value, stored.get(key)) for key, value in sent.items()}
    mine, theirs = _items(sent), _items(stored)
    if mine is not None and theirs is not None and len(mine) == len(theirs):
        return [_as_stored(*pair) for pair in zip(mine, theirs, strict=True)]
    # Write-only fields (stringData) and empty ones do not come back.
    return sent if stored is None else stored


def _items(value: Json) -> list[Json] | None:
    return list(value) if isinstance(value, list | tuple) else None


def updated(live: Body, stored: Body, sent: Body) -> Body:
    """An existing object after the apply, without what the dry run allocated."""
    if text(stored, "kind") != "Service" or text(stored, "apiVersion") != "v1":
        return stored
    spec = dict(mapping(stored, "spec"))
    for key in _ALLOCATED:
        if at(live, "spec", key) is None and at(sent, "spec", key) is None:
            spec.pop(key, None)
    known = _node_ports(live) | _node_ports(sent)
    if "ports" in spec:
        spec["ports"] = [_unallocated(port, known) for port in bodies(spec, "ports")]
    return {**stored, "spec": spec}


def _node_ports(service: Body) -> set[int]:
    ports = (at(port, "nodePort") for port in bodies(service, "spec", "ports"))
    return {port for port in ports if isinstance(port, int)}


def _unallocated(port: Body, known: set[int]) -> Body:
    if at(port, "nodePort") in known:
        return port
    return {key: value for key, value in port.items() if key != "nodePort"}


def overlaid(live: Body, sent: Body) -> Body:
    """A guess at an existing object after an apply that cannot be tried: *sent* over *live*."""
    merged = dict(live)
    for key, value in sent.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = overlaid(mapping(old), mapping(value)) if both else value
    return merged


def replacing(old: Body, new: Body) -> tuple[Body, ...]:
    """The JSON patch (RFC 6902) that makes *new* out of *old*, but for what only the server
    sets."""
    found: list[Body] = []
    pairs = [("", key, old.get(key), new.get(key)) for key in sorted({*old, *new} - _IDENTITY)]
    before, after = mapping(old, "metadata"), mapping(new, "metadata")
    pairs += [("/metadata", key, before.get(key), after.get(key)) for key in _METADATA]
    for above, key, was, value in pairs:
        pointer = f"{above}/{key.replace('~', '~0').replace('/', '~1')}"
        if value is None and was is not None:
            found.append({"op": "remove", "path": pointer})
        elif value != was:
            found.append({"op": "add", "path": pointer, "value": value})
    return tuple(found)


def covers(live: Json, wanted: Json) -> bool:
    """Whether every field of *wanted* stands in *live* with that value."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and covers(live[key], value) for key, value in wanted.items()
        )
    theirs, mine = _items(live), _items(wanted)
    if theirs is not None and mine is not None:
        return len(theirs) == len(mine) and all(
            covers(*pair) for pair in zip(theirs, mine, strict=True)
        )
    return live == wanted
