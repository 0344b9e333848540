"""The shape of an object: what it has fields for, and of which types, whatever their values are.

Whether the API server knows all fields of an object, and whether each is of the right type, depends
on nothing else. Items of lists are merged by a key, so which of them are equal belongs to the shape
(https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy).
"""

from collections.abc import Mapping, Sequence

from pipeline_gitops.documents import Body, Json
from pipeline_gitops.targets.cluster.api import payloads

Shape = tuple[object, ...]


def of(body: Body) -> Shape:
    """The shape of *body*; objects of one API version and kind that share it fail or pass alike."""
    said = (body.get("apiVersion"), body.get("kind"))
    return (*said, _shape(body))


def _shape(value: Json) -> object:
    if isinstance(value, str):
        return str
    if isinstance(value, Mapping):
        return tuple([(key, _shape(value[key])) for key in sorted(value)])
    if isinstance(value, Sequence):
        equals = _equals(value) if len(value) > 1 else ()
        return (list, tuple([_shape(item) for item in value]), equals)
    return type(value)


def _equals(values: Sequence[Json]) -> object:
    """Which of *values*, or of their fields, are equal: each as the number of its first like."""
    bodies = [value for value in values if isinstance(value, Mapping)]
    if len(bodies) < len(values):
        return _numbers(values)
    keys = sorted({key for body in bodies for key in body})
    return tuple([(key, _numbers([body.get(key) for body in bodies])) for key in keys])


def _numbers(values: Sequence[Json]) -> tuple[int, ...]:
    first: dict[bytes, int] = {}
    written = map(payloads.canonical, values)
    return tuple([first.setdefault(text, number) for number, text in enumerate(written)])
