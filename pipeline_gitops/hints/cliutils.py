"""Annotations that kpt and other users of cli-utils follow.

https://kpt.dev/reference/annotations/depends-on/
https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/common/common.go

>>> of({"metadata": {"annotations": {
...     "config.kubernetes.io/depends-on": "/namespaces/shop/ConfigMap/db"}}}).after[0].name
'db'
"""

from collections.abc import Iterator

from pipeline_gitops.documents import Body
from pipeline_gitops.hints.values import Reader, Said
from pipeline_gitops.ids import ObjectId

PREFIX = "config.kubernetes.io"
REMOVAL = "cli-utils.sigs.k8s.io"
LIFECYCLE = "client.lifecycle.config.k8s.io"


def of(body: Body) -> Said:
    """What these annotations say."""
    reader = Reader(body, PREFIX)
    kept = Reader(body, REMOVAL).text("on-remove") == "keep"
    detached = Reader(body, LIFECYCLE).text("deletion") == "detach"
    return Said(
        after=tuple(_depends_on(reader)),
        keep=kept or detached or None,
        problems=tuple(reader.problems),
    )


def _depends_on(reader: Reader) -> Iterator[ObjectId]:
    """`group/namespaces/namespace/Kind/name`, or `group/Kind/name` without a namespace."""
    for word in reader.words("depends-on"):
        match word.split("/"):
            case [group, "namespaces", namespace, kind, name] if namespace and kind and name:
                yield ObjectId(group, kind, namespace, name)
            case [group, kind, name] if kind and name:
                yield ObjectId(group, kind, "", name)
            case _:
                reader.wrong("depends-on", "write group/namespaces/NAMESPACE/Kind/NAME")
