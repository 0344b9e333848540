"""The packed schemas of Kubernetes' own kinds: which version has which, and what they look like.

`schemas/kubernetes/pack.py` describes the format. Nothing but the index is parsed until a kind is
asked for.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from pipeline_gitops.errors import UsageFault
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

Schema = Mapping[str, Any]

REFERENCE = "#/$defs/"

_VERSION = pattern(r"v?(\d{1,3})\.(\d{1,3})(?:[.+-].*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Definitions of all packed versions. What was parsed or compiled once is kept."""

    versions: tuple[str, ...]  # oldest first: "1.25" ... "1.37"
    names: Mapping[tuple[str, str], str] = field(repr=False)  # by apiVersion and kind
    _histories: Mapping[str, Sequence[tuple[int, int]]] = field(repr=False)
    _lines: Sequence[bytes] = field(repr=False)
    _parsed: dict[int, Schema] = field(default_factory=dict, repr=False, compare=False)
    compiled: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def parse(cls, packed: bytes) -> "Catalog":
        """The catalog in schemas/kubernetes/schemas.json.zlib."""
        lines = zlib.decompress(packed).split(b"\n")
        index = json.loads(lines[0])
        names = {}
        for key, name in index["kinds"].items():
            api_version, _, kind = key.rpartition("/")
            names[api_version, kind] = name
        return cls(
            versions=tuple(index["versions"]),
            names=names,
            _histories=index["definitions"],
            _lines=lines,
        )

    def nearest(self, asked: str) -> str:
        """The packed version that speaks for *asked*, which may hold a patch ("1.34.2").

        That is the newest for "" and for anything newer. Raises UsageFault for an older one, and
        for what is no version.
        """
        if not asked:
            return self.versions[-1]
        fitting = [version for version in self.versions if _order(version) <= _minor(asked)]
        if not fitting:
            raise UsageFault(
                f"Kubernetes {asked} is older than the oldest known version {self.versions[0]}",
                f"choose a version from {self.versions[0]} to {self.versions[-1]}",
            )
        return fitting[-1]

    def is_older_than(self, asked: str) -> bool:
        """Whether *asked* is newer than all that is packed. Raises UsageFault for no version."""
        return bool(asked) and _minor(asked) > _order(self.versions[-1])

    def definition(self, name: str, version: str) -> Schema | None:
        """The definition *name* as *version* has it, or None."""
        number = self.versions.index(version)
        line = 0
        for since, at in self._histories.get(name, ()):
            if since <= number:
                line = at
        if not line:
            return None
        if line not in self._parsed:
            self._parsed[line] = json.loads(self._lines[line])
        return self._parsed[line]

    def serves(self, api_version: str, kind: str, version: str) -> bool:
        """Whether *version* has the kind in that group and version."""
        name = self.names.get((api_version, kind), "")
        return self.definition(name, version) is not None

    def closure(self, name: str, version: str) -> dict[str, Schema]:
        """The definition *name* and all that it refers to, by name."""
        found: dict[str, Schema] = {}
        waiting = [name]
        while waiting:
            name = waiting.pop()
            definition = None if name in found else self.definition(name, version)
            if definition is not None:
                found[name] = definition
                waiting += _references(definition)
        return found

    def resolve(self, schema: Schema, version: str) -> Schema:
        """*schema*, or what it refers to."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        return self.definition(reference.removeprefix(REFERENCE), version) or {}

    def schema_at(self, name: str, path: Sequence[str | int], version: str) -> Schema:
        """The schema of the value at *path* inside an object of the definition *name*."""
        schema = self.definition(name, version) or {}
        for step in path:
            if isinstance(step, int):
                schema = schema.get("items", {})
            else:
                part = schema.get("properties", {}).get(step, schema.get("additionalProperties"))
                schema = part if isinstance(part, dict) else {}
            schema = self.resolve(schema, version)
        return schema


def _minor(asked: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(asked)
    if found is None:
        raise UsageFault(f"'{asked}' is not a Kubernetes version", "write it as 1.34 or 1.34.2")
    return (int(found[1]), int(found[2]))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _references(schema: Schema) -> Iterator[str]:
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(REFERENCE)
    for part in schema.get("properties", {}).values():
        yield from _references(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _references(schema[key])
