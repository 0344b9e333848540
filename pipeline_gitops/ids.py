"""What identifies a Kubernetes object, and where in the files something stands.

The identity leaves the API version out: the server stores one object whichever version it is asked
for (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris).
"""

from typing import NamedTuple

from pipeline_gitops.values import dataclass


class ObjectId(NamedTuple):
    """Group, kind, namespace ("" for cluster-scoped) and name. Ordered, so that output is stable.

    A tuple, since a deploy hashes and compares these more often than anything else.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"

    @property
    def group_kind(self) -> tuple[str, str]:
        """Group and kind, the key of most tables."""
        return (self.group, self.kind)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file, relative to the repository root, with line and column from 1; 0 where unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.column else "")
