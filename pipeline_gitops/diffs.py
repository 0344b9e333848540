"""Which differences between two states of an object matter, and how to print them without secrets.

Noise is what only the server or a controller writes: it moves without anybody deploying. The only
place where a body becomes text for people; a Secret's values never get that far.
"""

import base64
import difflib
from collections.abc import Mapping, Sequence

from pipeline_gitops import documents
from pipeline_gitops.documents import Body, Json, at, items, mapping, text
from pipeline_gitops.manifests import EPOCH, FENCE, LAST_APPLIED, SERVER_FIELDS, is_secret

# Written by controllers, by client-side apply (a whole copy of the object, Secret data included),
# or by a deploy to keep others from writing.
_NOISY_ANNOTATIONS = frozenset(
    {
        EPOCH,
        FENCE,
        LAST_APPLIED,
        "deployment.kubernetes.io/revision",
        "deprecated.daemonset.template.generation",
        "autoscaling.alpha.kubernetes.io/conditions",
        "autoscaling.alpha.kubernetes.io/current-metrics",
    }
)

# A label of ours, not of the user: it would be a line in the diff of every new object.
_PART_OF = "applyset.kubernetes.io/part-of"

CONTEXT = 3  # unchanged lines around a change, as in every diff people know
MOST_LINES = 2_000
MOST_PATHS = 20
LONGEST_PATH = 400


def normalize(body: Body) -> Body:
    """The object without noise."""
    kept = {key: value for key, value in body.items() if key != "status"}
    kept["metadata"] = _metadata(at(body, "metadata"))
    return kept


def _metadata(metadata: Json) -> Json:
    if not isinstance(metadata, Mapping):
        return metadata
    kept = {key: value for key, value in metadata.items() if key not in SERVER_FIELDS}
    annotations = kept.get("annotations")
    if isinstance(annotations, Mapping):
        kept["annotations"] = {
            name: value for name, value in annotations.items() if name not in _NOISY_ANNOTATIONS
        }
    # An empty map and no map are the same to the server.
    for key in ("annotations", "labels"):
        if key in kept and not kept[key]:
            del kept[key]
    return kept


def same(before: Body, after: Body) -> bool:
    """Whether two states of an object differ in nothing that matters."""
    return normalize(before) == normalize(after)


def lines(before: Body | None, after: Body | None) -> tuple[str, ...]:
    """A masked unified diff: "+", "-" or " " and the text; "@@" between hunks."""
    old, new = masked(before, after)
    if old is None or new is None:  # nothing to compare: a third of the work of a first install
        sign, whole = ("+", new) if old is None else ("-", old)
        return _bounded([f"{sign}{line}" for line in _text(whole)])
    delta = difflib.unified_diff(
        _text(old), _text(new), fromfile="", tofile="", n=CONTEXT, lineterm=""
    )
    made = [line for line in delta if not line.startswith(("---", "+++"))]
    # The first hunk's position says nothing: the text was made here.
    if made and made[0].startswith("@@"):
        made = made[1:]
    return _bounded(["@@" if line.startswith("@@") else line for line in made])


def _bounded(made: Sequence[str]) -> tuple[str, ...]:
    if len(made) <= MOST_LINES:
        return tuple(made)
    return (*made[:MOST_LINES], f"@@ {len(made) - MOST_LINES} more lines")


def _text(body: Body | None) -> list[str]:
    if body is None:
        return []
    return documents.write([_sorted(body)]).removeprefix("---\n").splitlines()


def _sorted(body: Body) -> Body:
    """Top-level and metadata keys as people write them; the server sorts all others already."""
    first = ("apiVersion", "kind", "metadata")
    ordered = {key: body[key] for key in first if key in body}
    ordered.update((key, documents.ordered(body[key])) for key in sorted(body) if key not in first)
    if "metadata" in ordered:
        ordered["metadata"] = documents.ordered(ordered["metadata"])
    return ordered


def masked(before: Body | None, after: Body | None) -> tuple[Body | None, Body | None]:
    """Both states without noise, a Secret's values replaced by whether they change.

    Nothing of a value comes through: no length, no hash, no common prefix.
    """
    old = None if before is None else _without_ours(normalize(before))
    new = None if after is None else _without_ours(normalize(after))
    if not any(body is not None and is_secret(body) for body in (old, new)):
        return old, new
    return _masked(old, new, "[before]"), _masked(new, old, "[after]")


def _without_ours(body: Body) -> Body:
    labels = at(body, "metadata", "labels")
    if not isinstance(labels, Mapping) or _PART_OF not in labels:
        return body
    kept = {key: value for key, value in labels.items() if key != _PART_OF}
    metadata = {**mapping(body, "metadata"), "labels": kept}
    if not kept:
        del metadata["labels"]
    return {**body, "metadata": metadata}


def _masked(body: Body | None, other: Body | None, changed: str) -> Body | None:
    if body is None:
        return None
    values = _values(body)
    others = {} if other is None else _values(other)
    kept = {key: value for key, value in body.items() if key not in ("data", "stringData", "sops")}
    if values:
        kept["data"] = {
            name: _sign(value, others.get(name, None), changed) for name, value in values.items()
        }
    annotations = at(body, "metadata", "annotations")
    if isinstance(annotations, Mapping):
        theirs = mapping(other, "metadata", "annotations")
        signs = {k: _sign(v, theirs.get(k), changed) for k, v in annotations.items()}
        kept["metadata"] = {**mapping(body, "metadata"), "annotations": signs}
    return kept


def _sign(value: Json, other: Json, changed: str) -> str:
    return "[masked]" if other is None or value == other else f"[masked] {changed}"


def _values(body: Body) -> Mapping[str, Json]:
    """data and stringData by key, in one form: the server turns one into the other."""
    encoded = dict(mapping(body, "data"))
    for name, value in mapping(body, "stringData").items():
        encoded[name] = _base64(value) if isinstance(value, str) else value
    return encoded


def _base64(value: str) -> str:
    return base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()


def changed_fields(before: Body | None, after: Body | None) -> Sequence[tuple[str, Json]]:
    """Pointer and new value of every field that changes; a Secret's values show only that they do.

    Lists count as one value: their items have no identity here.
    """
    old, new = masked(before, after)
    found: list[tuple[str, Json]] = []
    _collect("", old if old is not None else {}, new if new is not None else {}, found)
    return found


def changed_paths(before: Body | None, after: Body | None) -> tuple[str, ...]:
    """Pointers of the first fields that change; () where the object comes or goes as a whole."""
    if before is None or after is None:
        return ()
    found = changed_fields(before, after)
    return tuple(pointer for pointer, _ in found[:MOST_PATHS] if len(pointer) <= LONGEST_PATH)


def _collect(pointer: str, old: Json, new: Json, found: list[tuple[str, Json]]) -> None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            escaped = key.replace("~", "~0").replace("/", "~1")
            if key not in new:
                found.append((f"{pointer}/{escaped}", None))
            elif key not in old:
                found.append((f"{pointer}/{escaped}", new[key]))
            else:
                _collect(f"{pointer}/{escaped}", old[key], new[key], found)
    elif old != new:
        found.append((pointer, new))


def summary(before: Body | None, after: Body | None) -> str:
    """The one change people look for first: images, then replicas; "" when neither moves."""
    if before is None or after is None:
        return ""
    old, new = _images(before), _images(after)
    moved = [
        f"{name}: {old[name]} -> {new[name]}"
        for name in sorted(old)
        if new.get(name, old[name]) != old[name]
    ]
    replicas = (at(before, "spec", "replicas"), at(after, "spec", "replicas"))
    if replicas[0] != replicas[1] and all(isinstance(count, int) for count in replicas):
        moved.append(f"replicas: {replicas[0]} -> {replicas[1]}")
    return ", ".join(moved)


def _images(body: Body) -> Mapping[str, str]:
    template = at(body, "spec", "template", "spec") or at(
        body, "spec", "jobTemplate", "spec", "template", "spec"
    )
    found: dict[str, str] = {}
    for key in ("initContainers", "containers"):
        found |= {text(item, "name"): text(item, "image") for item in items(template, key)}
    return found
