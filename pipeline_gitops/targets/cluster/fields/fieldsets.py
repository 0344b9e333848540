"""Which fields a manager owns: the sets in `managedFields`, and what their paths lead to.

A path is a tuple of elements as FieldsV1 writes them: "f:name" a field, "k:{...}" a list item by
its keys, "v:..." an item of a set, "i:0" a place in a list
(https://github.com/kubernetes-sigs/structured-merge-diff, fieldpath/serialize-pe.go).

The server's own text for a path is ambiguous: `.data.app.properties` may be two fields or three. So
it is never parsed, only compared with the text of paths that are known.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from pipeline_gitops.documents import Body, Json, bodies, items, mapping, text

_Tree = dict[str, "_Tree"]

Path = tuple[str, ...]
FieldSet = frozenset[Path]

APPLY, UPDATE = "Apply", "Update"
NOTHING: Final[FieldSet] = frozenset()

# Go's strconv.Quote, which the server writes strings with.
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def parse(fields: Json) -> FieldSet:
    """The paths of a FieldsV1 value."""
    found: set[Path] = set()
    # A loop: nesting is as deep as the object, and that is somebody else's.
    pending: list[tuple[Path, Mapping[str, Json]]] = [((), mapping(fields))]
    while pending:
        path, node = pending.pop()
        for element in node:
            below = mapping(node, element)
            if element == ".":
                found.add(path)
            elif below:
                pending.append(((*path, element), below))
            else:
                found.add((*path, element))
    return frozenset(found)


def write(paths: FieldSet) -> Body:
    """The FieldsV1 value of a set: what `parse` reads."""
    root: _Tree = {}
    for path in sorted(paths, key=len, reverse=True):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        if node:
            node["."] = {}
    return root


def owned(body: Body, manager: str, operation: str = APPLY) -> FieldSet:
    """What a manager owns of an object, not by way of a subresource."""
    return NOTHING.union(
        *(
            parse(entry.get("fieldsV1"))
            for entry in entries(body)
            if (text(entry, "manager"), text(entry, "operation")) == (manager, operation)
            and not text(entry, "subresource")
        )
    )


def entries(body: Body) -> Iterable[Body]:
    """An object's `managedFields`."""
    return bodies(body, "metadata", "managedFields")


# -- paths as text -----------------------------------------------------------------------------


def said(path: Path) -> str:
    """A path in the server's words, as in `.spec.ports[port=80,protocol="TCP"].name`."""
    return "".join(map(_said, path))


def _said(element: str) -> str:
    kind, _, rest = element.partition(":")
    match kind:
        case "f":
            return f".{rest}"
        case "k":
            keys = mapping(json.loads(rest))
            return f"[{','.join(f'{name}={_value(keys[name])}' for name in sorted(keys))}]"
        case "v":
            return f"[={_value(json.loads(rest))}]"
        case _:
            return f"[{rest}]"


def _value(value: Json) -> str:
    match value:
        case str():
            return f'"{"".join(map(_quoted, value))}"'
        case None | bool():
            return json.dumps(value)
        case _:
            return str(value)


def _quoted(sign: str) -> str:
    code = ord(sign)
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign.isprintable():
        return sign
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def resolve(words: str, *known: Body) -> Path | None:
    """The path that the server means by *words*; None where nothing or more than one fits.

    *known*: objects that the path may be about, whoever owns it.
    """
    fitting = {
        path
        for body in known
        for entry in entries(body)
        for path in parse(entry.get("fieldsV1"))
        if said(path) == words
    }
    if not fitting:
        # An owner's entry may be missing in what we have read: fields by name are unique enough.
        fitting = {path for body in known for path in _named(body, words)}
    return fitting.pop() if len(fitting) == 1 else None


def _named(value: Json, words: str, above: Path = ()) -> Iterable[Path]:
    for name in mapping(value):
        if words == f".{name}":
            yield (*above, f"f:{name}")
        elif words.startswith((f".{name}.", f".{name}[")):
            yield from _named(
                mapping(value)[name], words.removeprefix(f".{name}"), (*above, f"f:{name}")
            )


# -- paths in bodies ---------------------------------------------------------------------------


def value(body: Json, path: Path) -> Json:
    """What stands at a path; None where nothing does."""
    for element in path:
        place = _place(body, element)
        if place is None:
            return None
        body = mapping(body)[place] if isinstance(place, str) else items(body)[place]
    return body


def has(body: Body, path: Path) -> bool:
    """Whether anything stands at a path."""
    return value(body, path) is not None


def _place(body: Json, element: str) -> str | int | None:
    """The key or the index that an element stands for in a mapping or a list."""
    kind, _, rest = element.partition(":")
    if kind == "f":
        return rest if rest in mapping(body) else None
    found = items(body)
    match kind:
        case "k":
            return _keyed(found, mapping(json.loads(rest)))
        case "v":
            wanted = json.loads(rest)
            return next((index for index, item in enumerate(found) if item == wanted), None)
        case "i" if rest.isdecimal() and int(rest) < len(found):
            return int(rest)
        case _:
            return None


def _keyed(found: Iterable[Json], keys: Mapping[str, Json]) -> int | None:
    """The item with these keys. A manifest may leave one out that the server has a default for, as
    a port's protocol: then it is the only item that does not say otherwise."""
    absent = object()
    loose: list[int] = []
    for index, item in enumerate(found):
        there = [mapping(item).get(name, absent) for name in keys]
        if there == list(keys.values()):
            return index
        if all(one in (absent, key) for one, key in zip(there, keys.values(), strict=True)):
            loose.append(index)
    return loose[0] if len(loose) == 1 else None


def without(body: Body, path: Path) -> Body:
    """The object without what stands at a path, and without what is empty then."""
    return mapping(_without(body, path))


def _without(body: Json, path: Path) -> Json:
    place = _place(body, path[0])
    if place is None:
        return body
    rest = path[1:]
    old = mapping(body)[place] if isinstance(place, str) else items(body)[place]
    below = _without(old, rest) if rest else None
    if below is old:
        return body
    empty = below in (None, {}, [])
    if isinstance(place, str):
        # In its old place: an order that moved would look like a change.
        changed = {key: below if key == place else each for key, each in mapping(body).items()}
        if empty:
            del changed[place]
        return changed
    found = list(items(body))
    found[place : place + 1] = [] if empty else [below]
    return found


def put(body: Body, path: Path, given: Json) -> Body:
    """The object with a value at a path; maps and items on the way are made where missing."""
    return mapping(_put(body, path, given))


def _put(body: Json, path: Path, given: Json) -> Json:
    if not path:
        return given
    element, rest = path[0], path[1:]
    place = _place(body, element)
    kind, _, named = element.partition(":")
    if kind == "f":
        return {**mapping(body), named: _put(mapping(body).get(named), rest, given)}
    found = list(items(body))
    if isinstance(place, int):
        found[place] = _put(found[place], rest, given)
    else:
        new = json.loads(named) if kind in ("k", "v") else None
        found.append(_put(new, rest, given))
    return found
