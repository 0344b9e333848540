"""Which kinds exist, how their resources are called, and whether they live in a namespace.

Three sources, the later wins: the packed table of built-in kinds, the CustomResourceDefinitions of
the same set, and what the target itself serves.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import NamedTuple

from pipeline_gitops.values import dataclass


class Kind(NamedTuple):
    """One kind as an API server serves it. A tuple, as it is a part of many keys."""

    group: str
    kind: str
    plural: str
    namespaced: bool
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kinds:
    """A table of kinds by group and kind."""

    table: Mapping[tuple[str, str], Kind] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )

    @classmethod
    def of(cls, kinds: Iterable[Kind]) -> "Kinds":
        """A table of *kinds*; of two with one group and kind the last stays."""
        return cls(MappingProxyType({(kind.group, kind.kind): kind for kind in kinds}))

    def get(self, group: str, kind: str) -> Kind | None:
        """The entry, or None for a kind nobody told us about."""
        return self.table.get((group, kind))

    def over(self, other: "Kinds") -> "Kinds":
        """This table laid over *other*."""
        return Kinds(MappingProxyType({**other.table, **self.table}))


def parse(packed: bytes) -> Kinds:
    """The packed table (schemas/kubernetes/kinds.json).

    Shape: {"<group>/<Kind>": ["<plural>", namespaced, ["v1", ...]]}, the group "" for the core.
    """
    table = json.loads(packed)
    return Kinds.of(
        Kind(
            group=key.rpartition("/")[0],
            kind=key.rpartition("/")[2],
            plural=plural,
            namespaced=namespaced,
            versions=tuple(versions),
        )
        for key, (plural, namespaced, versions) in table.items()
    )
