"""Packs the JSON schemas of Kubernetes' own kinds, and the table of those kinds.

    python schemas/kubernetes/pack.py

fetches the pinned wheels with pip, checks their digests, and writes beside itself

    schemas.json.zlib   the schemas of all versions: each distinct definition once
    kinds.json          {"<group>/<Kind>": ["<plural>", namespaced, ["v1", ...]]}
    SOURCES.md          where they come from, with digests

To take in a new Kubernetes version: raise the two pins, run it, read the diff of SOURCES.md.

The unpacked blob is lines of JSON. The first is the index:

    versions      the Kubernetes versions, oldest first
    kinds         {"apps/v1/Deployment": "io.k8s.api.apps.v1.Deployment"}: what can be created
    definitions   {name: [[n, line], ...]}: from version number n on the definition is on that line;
                  line 0 = the version has none

Every other line is one definition, with references of the form "#/$defs/<name>".
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

SCHEMAS = (
    "kubernetes-validate",
    "1.37.0",
    "85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9",
)
CLIENT = (
    "kubernetes",
    "37.0.2",
    "d72683392fc10f59fb78b89bd91cb3be60a05d6ff0bbb2150966a224af6edc03",
)

_MEMBER = re.compile(
    r"kubernetes_validate/kubernetes-json-schema/v(\d+\.\d+)\.\d+-local-strict/_definitions\.json"
)
# The client's API modules, generated from the OpenAPI document: method, response and path.
_RESPONSE = re.compile(r"_param = self\._(create_\w+)_serialize\(.*?'200': \"(\w+)\"", re.DOTALL)
_PATH = re.compile(
    r"def _(create_\w+)_serialize\(.*?method='POST',\s*resource_path='([^']+)'", re.DOTALL
)
_COLLECTION = re.compile(
    r"/apis?/(?:(?P<group>[^/]+)/)?(?P<version>v\w+)"
    r"(?P<namespace>/namespaces/\{namespace\})?/(?P<plural>\w+)"
)
# Alpha kinds that were gone before the pinned client was made; the API reference of the version in
# which each was last served has them.
_GONE = {
    ("networking.k8s.io", "ClusterCIDR"): ("clustercidrs", False),
    ("resource.k8s.io", "PodScheduling"): ("podschedulings", True),
    ("resource.k8s.io", "PodSchedulingContext"): ("podschedulingcontexts", True),
    ("resource.k8s.io", "ResourceClaimParameters"): ("resourceclaimparameters", True),
    ("resource.k8s.io", "ResourceClass"): ("resourceclasses", False),
    ("resource.k8s.io", "ResourceClassParameters"): ("resourceclassparameters", True),
}

_BOUNDS = {"int32": 2**31, "int64": 2**63}
# Written as `oneOf` of nullable types, of which null matches both: refused by every validator.
_UNIONS = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number", "null"]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer", "null"]},
}

# Required by the documents, insisted on by no server: found by leaving one required field after
# the other out of objects that Kubernetes 1.36 takes, and sending them to it as a dry run.
_NOT_INSISTED = {
    "io.k8s.api.batch.v1.PodFailurePolicy": {"rules"},
    "io.k8s.api.core.v1.HTTPHeader": {"value"},
    "io.k8s.api.core.v1.LimitRangeSpec": {"limits"},
    "io.k8s.api.core.v1.PreferredSchedulingTerm": {"preference"},
    "io.k8s.api.core.v1.SleepAction": {"seconds"},
    "io.k8s.api.core.v1.Sysctl": {"value"},
    "io.k8s.api.discovery.v1.ForNode": {"name"},
    "io.k8s.api.discovery.v1.ForZone": {"name"},
    "io.k8s.api.resource.v1.Counter": {"value"},
    "io.k8s.api.resource.v1.DeviceCapacity": {"value"},
    "io.k8s.api.resource.v1.ResourcePool": {"generation"},
    "io.k8s.api.storage.v1.CSIDriver": {"spec"},
    "io.k8s.api.storage.v1.CSINode": {"spec"},
    "io.k8s.api.storage.v1.CSINodeSpec": {"drivers"},
    "io.k8s.api.storage.v1.TokenRequest": {"audience"},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion": {
        "served",
        "storage",
    },
}

Definition = dict[str, Any]
Definitions = dict[str, Definition]
GroupVersionKind = tuple[str, str, str]


def main() -> None:
    """Fetches, packs and writes."""
    with tempfile.TemporaryDirectory() as folder:
        definitions = _definitions(_fetch(SCHEMAS, folder))
        resources = {**_GONE, **_resources(_fetch(CLIENT, folder))}
    kinds = _kinds(definitions, resources)
    unpacked = _unpacked(definitions, kinds)
    packed = zlib.compress(unpacked, 9)
    table = _table(kinds, resources)
    (HERE / "schemas.json.zlib").write_bytes(packed)
    (HERE / "kinds.json").write_bytes(table)
    (HERE / "SOURCES.md").write_text(_sources(list(definitions), unpacked, table), "utf-8")
    sys.stdout.write(f"{len(unpacked)} bytes of schemas, packed into {len(packed)}\n")


def _fetch(pin: tuple[str, str, str], folder: str) -> zipfile.ZipFile:
    name, version, digest = pin
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--only-binary", ":all:", "--dest", folder]
    subprocess.run([*pip, *options, f"{name}=={version}"], check=True)
    (wheel,) = Path(folder).glob(f"{name.replace('-', '_')}-{version}-*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"{wheel.name}: sha256 is {found}, pinned is {digest}")
    return zipfile.ZipFile(wheel)


def _definitions(wheel: zipfile.ZipFile) -> dict[str, Definitions]:
    """Definitions by Kubernetes version, oldest first."""
    members = {found[1]: name for name in wheel.namelist() if (found := _MEMBER.fullmatch(name))}
    versions = sorted(members, key=lambda version: [int(part) for part in version.split(".")])
    return {version: json.loads(wheel.read(members[version]))["$defs"] for version in versions}


def _resources(wheel: zipfile.ZipFile) -> dict[tuple[str, str], tuple[str, bool]]:
    """Plural and scope of all that the pinned client can create, by group and kind."""
    resources = {}
    for name in wheel.namelist():
        if not re.fullmatch(r"kubernetes/client/api/\w+_v\w+_api\.py", name):
            continue
        source = wheel.read(name).decode()
        responses = dict(_RESPONSE.findall(source))
        for method, path in _PATH.findall(source):
            collection = _COLLECTION.fullmatch(path)
            if collection:  # else it is a subresource
                kind = re.sub(r"^.*?V\d+((alpha|beta)\d+)?(?=[A-Z])", "", responses[method])
                key = (collection["group"] or "", kind)
                resources[key] = (collection["plural"], bool(collection["namespace"]))
    return resources


def _kinds(
    definitions: Mapping[str, Definitions], resources: Iterable[tuple[str, str]]
) -> dict[GroupVersionKind, str]:
    """The definition of each kind that can be created, in any version."""
    known = set(resources)
    kinds: dict[GroupVersionKind, str] = {}
    for version in definitions.values():
        for name, definition in version.items():
            marks = definition.get("x-kubernetes-group-version-kind", [])
            for mark in marks:
                key = (mark["group"], mark["version"], mark["kind"])
                if len(marks) == 1 and (mark["group"], mark["kind"]) in known:
                    _insist(kinds.setdefault(key, name) == name, f"{key} has two definitions")
    missing = known - {(group, kind) for group, _, kind in kinds}
    _insist(not missing, f"no schema for {missing}")
    return kinds


def _unpacked(
    definitions: Mapping[str, Definitions], kinds: Mapping[GroupVersionKind, str]
) -> bytes:
    tops = frozenset(kinds.values())
    required = _required(definitions)
    corrected = [
        {name: _corrected(name, body, tops, required) for name, body in version.items()}
        for version in definitions.values()
    ]
    packed = [_reachable(version, tops) for version in corrected]
    lines: list[str] = []
    history: dict[str, list[tuple[int, int]]] = {}
    for name in sorted(set().union(*packed)):
        numbers: dict[str, int] = {}
        history[name] = []
        for number, version in enumerate(packed):
            text = _json(version[name]) if name in version else ""
            if text and text not in numbers:
                lines.append(text)
                numbers[text] = len(lines)
            line = numbers.get(text, 0)
            if line != (history[name][-1][1] if history[name] else 0):
                history[name].append((number, line))
    index = {
        "versions": list(definitions),
        "kinds": {"/".join(part for part in key if part): kinds[key] for key in sorted(kinds)},
        "definitions": history,
    }
    return "\n".join([_json(index), *lines]).encode()


def _required(definitions: Mapping[str, Definitions]) -> dict[str, set[str]]:
    """Required fields by definition, as the newest version sees them.

    A server checks them in code of its own; the schemas of older versions list some that no server
    ever insisted on (apiGroup of a roleRef, podSelector of a NetworkPolicy).
    """
    required: dict[str, set[str]] = {}
    for version in definitions.values():
        for name, definition in version.items():
            required[name] = set(definition.get("required", ())) - {"status"}
    for name, fields in _NOT_INSISTED.items():
        _insist(fields <= required[name], f"{name} no longer requires {fields}")
        required[name] -= fields
    return required


def _corrected(
    name: str, definition: Definition, tops: frozenset[str], required: Mapping[str, set[str]]
) -> Definition:
    if name in _UNIONS:
        return _UNIONS[name]
    insisted = sorted(required[name] & set(definition.get("required", ())))
    kept = _schema(definition)
    properties = kept.get("properties", {})
    for key in properties.keys() - set(insisted):
        properties[key] = _nullable(properties[key])
    if name in tops:
        # Which kind it is decides which schema is asked; inside a template they may say anything.
        properties |= {key: {"type": ["string", "null"]} for key in ("apiVersion", "kind")}
        if "status" in properties:  # never sent: only controllers say it
            properties["status"] = {}
    return {**kept, "required": insisted} if insisted else kept


def _schema(schema: Definition) -> Definition:
    """*schema* without what does not decide, and with the bounds that its number format means."""
    kept: Definition = {key: schema[key] for key in ("$ref", "type") if key in schema}
    bound = _BOUNDS.get(schema.get("format", ""))
    if bound:
        kept |= {"minimum": -bound, "maximum": bound - 1}
    if "properties" in schema:
        kept["properties"] = {key: _schema(part) for key, part in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = _nullable(_schema(schema["items"]))
    if "additionalProperties" in schema:
        part = schema["additionalProperties"]
        kept["additionalProperties"] = _nullable(_schema(part)) if part else part
    unknown = set(schema) - set(kept) - {"description", "format", "required", "enum"}
    surprise = {key for key in unknown if not key.startswith("x-kubernetes-")}
    _insist(not surprise, f"keywords that would get lost: {surprise}")
    return kept


def _nullable(schema: Definition) -> Definition:
    """*schema*, and null: to the server an explicit null is a field or an item left empty."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return schema


def _reachable(definitions: Definitions, tops: frozenset[str]) -> Definitions:
    found: Definitions = {}
    waiting = sorted(tops & set(definitions))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting += re.findall(r'"\$ref":"#/\$defs/([^"]+)"', _json(definitions[name]))
    return found


def _table(
    kinds: Iterable[GroupVersionKind], resources: Mapping[tuple[str, str], tuple[str, bool]]
) -> bytes:
    versions: dict[tuple[str, str], list[str]] = {}
    for group, version, kind in kinds:
        versions.setdefault((group, kind), []).append(version)
    rows = [
        f"{_json('/'.join(key))}: {_json([*resources[key], sorted(found, key=_priority)])}"
        for key, found in sorted(versions.items())
    ]
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def _priority(version: str) -> tuple[int, int, int]:
    """Sort key that puts the version a server prefers first: v2, v1, v1beta2, v1beta1, v1alpha1."""
    major, stage, minor = re.fullmatch(r"v(\d+)(alpha|beta)?(\d*)", version).groups()  # type: ignore[union-attr]
    return (["alpha", "beta", None].index(stage) * -1, -int(major), -int(minor or 0))


def _insist(holds: bool, otherwise: str) -> None:
    """Ends the packing when the sources are not what the packing was written for."""
    if not holds:
        raise SystemExit(otherwise)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sources(versions: list[str], unpacked: bytes, table: bytes) -> str:
    rows = "\n".join(
        f"| {use} | {name} | {version} | `{digest}` |"
        for use, (name, version, digest) in (("schemas", SCHEMAS), ("plurals, scopes", CLIENT))
    )
    of_schemas, of_table = (hashlib.sha256(part).hexdigest() for part in (unpacked, table))
    return f"""# Where the packed Kubernetes data comes from

Written by [pack.py](pack.py), which makes the same bytes again from the same wheels.

| for | PyPI package | version | sha256 of the wheel |
|---|---|---|---|
{rows}

Both are under the Apache License 2.0, and both are generated from the OpenAPI documents of
[Kubernetes](https://github.com/kubernetes/kubernetes), Apache License 2.0, Copyright The
Kubernetes Authors.

| file | holds | sha256 |
|---|---|---|
| schemas.json.zlib, unpacked | Kubernetes {versions[0]} to {versions[-1]} | `{of_schemas}` |
| kinds.json | the kinds of all these versions | `{of_table}` |

## What is changed

The schemas are those that refuse unknown fields (`-local-strict`). Each distinct definition is
stored once, and

- descriptions, `x-kubernetes-*` marks and definitions that no kind refers to are left out;
- so are kinds that nobody can create as an object: lists, `Scale`, `Eviction`, `TokenRequest`,
  `ComponentStatus`;
- a field that need not be there may be null, quantities and int-or-string fields included;
- `int32` and `int64` are bounds instead of a format that nobody checks;
- `status` of a kind is not looked at: it is never sent;
- a field is required only where the newest version still requires it and a server insists on it:
  the documents list fields that may be left out, such as `roleRef.apiGroup`, `podSelector` of a
  NetworkPolicy, or `value` of an HTTP header.

That an object has `apiVersion`, `kind` and `metadata` is known before a schema is asked.
"""


if __name__ == "__main__":
    main()
