"""What makes a value one Kubernetes object, and how a List comes apart into its items."""

from collections.abc import Iterator, Mapping

from pipeline_gitops.documents.access import at
from pipeline_gitops.documents.values import Body, Json
from pipeline_gitops.values import dataclass

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What a value lacks to be an object, at *path* or where that would be."""

    rule: str
    message: str
    cure: str
    path: Path


def parts(value: Json) -> Iterator[tuple[Path, Body | Lack]]:
    """The objects in a document, each with its path: itself, or the items of a List.

    As kubectl does, an item with neither apiVersion nor kind gets those of its list: a Service in a
    ServiceList needs none
    (https://github.com/kubernetes/apimachinery/blob/master/pkg/apis/meta/v1/unstructured/helpers.go).
    """
    kind = at(value, "kind")
    if not isinstance(value, Mapping) or not _is_list(value, kind):
        yield (), _checked(value, ())
        return
    items = value["items"]
    if items is None:
        return
    if not isinstance(items, list):
        lack = Lack(
            rule="list-items",
            message="the items of the list are no list",
            cure="start each item with '- '",
            path=("items",),
        )
        yield (), lack
        return
    for index, item in enumerate(items):
        path = ("items", str(index))
        if isinstance(item, Mapping) and not item.get("kind") and not item.get("apiVersion"):
            inherited = {"apiVersion": value.get("apiVersion"), "kind": str(kind)[: -len("List")]}
            item = {
                **inherited,
                **{key: part for key, part in item.items() if key not in inherited},
            }
        if isinstance(item, Mapping) and _is_list(item, item.get("kind")):
            lack = Lack(
                rule="list-in-list",
                message="a list inside a list, which kubectl refuses",
                cure="make its items items of the outer list",
                path=path,
            )
            yield path, lack
        else:
            yield path, _checked(item, path)


def _is_list(value: Body, kind: Json) -> bool:
    return isinstance(kind, str) and kind.endswith("List") and "items" in value


def _checked(value: Json, path: Path) -> Body | Lack:
    """*value* when it is an object that can be applied."""
    if not isinstance(value, Mapping):
        return Lack(
            rule="document-not-object",
            message="no mapping with apiVersion, kind and metadata",
            cure="write 'key: value' lines, or remove it",
            path=path,
        )
    for key in ("apiVersion", "kind"):
        if not _is_name(value.get(key)):
            return Lack(
                rule=f"document-no-{key.lower()}",
                message=_missing(value, key),
                cure=f"add {key}" if key not in value else f"make {key} a string",
                path=(*path, key),
            )
    metadata = value.get("metadata")
    if isinstance(metadata, Mapping) and _is_name(metadata.get("name")):
        return value
    if isinstance(metadata, Mapping) and "name" not in metadata and "generateName" in metadata:
        return Lack(
            rule="document-generate-name",
            message="only a generateName: each deploy would create another object",
            cure="give it a name; a Job that is to run at each deploy is a hook with a name",
            path=(*path, "metadata", "generateName"),
        )
    if not isinstance(metadata, Mapping):
        message = "metadata is missing" if metadata is None else "metadata is no mapping"
        path = (*path, "metadata")
    else:
        message, path = _missing(metadata, "metadata.name"), (*path, "metadata", "name")
    return Lack(rule="document-no-name", message=message, cure="give it a metadata.name", path=path)


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and value != ""


def _missing(mapping: Body, name: str) -> str:
    value = mapping.get(name.rpartition(".")[2])
    if value is None:
        return f"{name} is missing"
    return f"{name} is empty" if value == "" else f"{name} is no string; quote it"
