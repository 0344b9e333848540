"""Fields of bodies, and who owns them: paths to leaves, as `managedFields` lists them.

Lists are atomic.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]


def leaves(body: Any) -> dict[Path, Any]:
    metadata = {
        key: value
        for key, value in body.get("metadata", {}).items()
        if key in ("labels", "annotations")
    }
    given = {key: value for key, value in body.items() if key not in ("apiVersion", "kind")}
    return dict(_walk({**given, "metadata": metadata}, ()))


def _walk(value: Any, path: Path) -> Any:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from _walk(inner, (*path, key))
        elif not isinstance(inner, dict):
            yield (*path, key), inner


def value(body: Any, path: Path) -> Any:
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def put(body: Any, path: Path, value: Any) -> None:
    for key in path[:-1]:
        body = body.setdefault(key, {})
    body[path[-1]] = value


def remove(body: Any, path: Path) -> None:
    for key in path[:-1]:
        body = body.get(key, {})
    body.pop(path[-1], None)


def managed_fields(owners: dict[str, set[Path]]) -> list[dict[str, Any]]:
    return [_entry(owner, owned) for owner, owned in sorted(owners.items())]


def _entry(owner: str, owned: set[Path]) -> dict[str, Any]:
    manager, operation, *subresource = owner.split("/")
    fields: dict[str, Any] = {}
    for path in sorted(owned):
        node = fields
        for key in path:
            node = node.setdefault(f"f:{key}", {})
    entry = {"manager": manager, "operation": operation, "fieldsV1": fields}
    if subresource:
        return {**entry, "subresource": subresource[0]}
    return {**entry, "time": "2026-01-01T00:00:00Z"}


def owner(entry: Mapping[str, str]) -> str:
    parts = (entry["manager"], entry["operation"], entry.get("subresource", ""))
    return "/".join(filter(None, parts))


def owned(entry: Mapping[str, Any]) -> set[Path]:
    def walk(node: Any, above: Path) -> Iterator[Path]:
        for key, below in node.items():
            path = (*above, key.removeprefix("f:"))
            yield from walk(below, path) if below else [path]

    return set(walk(entry["fieldsV1"], ()))


def conflicts(
    live: Any, wanted: Mapping[Path, Any], owners: Mapping[str, set[Path]], me: str
) -> list[dict[str, str]]:
    """A cause for each field of *wanted* that somebody else owns with another value."""
    causes: list[dict[str, str]] = []
    for other, held in owners.items():
        manager, operation, *subresource = other.split("/")
        text = f'conflict with "{manager}"'
        if subresource:
            text += f' with subresource "{subresource[0]}"'
        if operation == "Update":
            text += " using v1"
        causes += [
            {"reason": "FieldManagerConflict", "message": text, "field": "." + ".".join(path)}
            for path in sorted(held)
            if other != me and path in wanted and value(live, path) != wanted[path]
        ]
    return causes
