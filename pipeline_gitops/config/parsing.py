"""The format of `.pipeline-gitops.yaml`: its schema, its defaults, and how a mistake in it is
told."""

import difflib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pipeline_gitops.config.values import (
    Binding,
    BranchSpec,
    ClusterSpec,
    Config,
    Deletes,
    DirectorySpec,
    Engine,
    EngineSpec,
    Environment,
    FieldRule,
    Overlay,
    Policy,
    Rollback,
    Scope,
    TargetSpec,
)
from pipeline_gitops.documents import (
    Body,
    Document,
    Json,
    at,
    bodies,
    items,
    mapping,
    read_value,
    text,
)
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.ids import Place
from pipeline_gitops.patterns import pattern

_Number = TypeVar("_Number", int, float)

_DURATION = pattern(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_EDITOR_CURE = "see docs/configuration.md, or let your editor check it against config.schema.json"


def parse(content: bytes, file: str, schema: Mapping[str, Any]) -> Config:
    """The configuration in *content*.

    *schema* is schemas/config.schema.json. Raises UsageFault for the first mistake, with file, line
    and, for an unknown key, the nearest known one.
    """
    document, findings = read_value(content, file)
    if findings:
        first = findings[0]
        raise UsageFault(f"{first.place}: {first.message}", first.cure)
    if document is None:
        raise UsageFault(f"{file}: the file is empty", "write 'version: 1' into it, or remove it")
    _check(document, schema)
    return _config(document, file)


def _check(document: Document, schema: Mapping[str, Any]) -> None:
    # Imported here, so that a command without a configuration file pays for neither. The second
    # takes 50 ms, and only has to say where a mistake is.
    import jsonschema_rs

    if jsonschema_rs.Draft202012Validator(dict(schema)).is_valid(document.body):
        return
    from jsonschema import Draft202012Validator

    errors = sorted(
        Draft202012Validator(schema).iter_errors(document.body),
        key=lambda error: (document.locate(_pointer(error.absolute_path)), str(error.validator)),
    )
    if not errors:
        return
    error = errors[0]
    place = document.locate(_pointer(error.absolute_path))
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = sorted(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in known)
        place = document.locate_key(_pointer([*error.absolute_path, unknown]))
        raise UsageFault(f"{place}: unknown key '{unknown}'", _suggestion(unknown, known))
    where = ".".join(map(str, error.absolute_path)) or "the file"
    raise UsageFault(f"{place}: {where}: {_sentence(error)}", _EDITOR_CURE)


# JSON Schema's words that people who write YAML do not use.
_IN_YAML = {"object": "a mapping", "array": "a list", "integer": "an integer"}


def _sentence(error: Any) -> str:
    """What is wrong, without the value: a token pasted into the wrong place must not be printed."""
    match error.validator:
        case "required":
            missing = next(key for key in error.validator_value if key not in error.instance)
            return f"'{missing}' is missing"
        case "type":
            kind = error.validator_value
            return f"must be {_IN_YAML.get(kind, f'a {kind}')}"
        case "enum":
            return "must be one of " + ", ".join(map(str, error.validator_value))
        case "const":
            return f"must be {error.validator_value}"
        case "minProperties" | "maxProperties":
            return "needs exactly one of " + ", ".join(error.schema.get("properties", {}))
        case "pattern" if error.schema.get("pattern") == error.validator_value:
            return f"does not have the form {error.validator_value}"
        case _:
            return str(error.schema.get("description", f"breaks the rule {error.validator}"))


def _pointer(path: Iterable[str | int]) -> str:
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in escaped)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or ""."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else ""


def _suggestion(unknown: str, known: Sequence[str]) -> str:
    meant = nearest(unknown, known)
    return f"did you mean '{meant}'?" if meant else "known keys: " + ", ".join(known)


def duration(written: str) -> float:
    """Seconds of "8s", "10m", "1h30m". Raises ValueError for anything else, and for zero."""
    found = _DURATION.fullmatch(written)
    seconds = 0.0
    if found:
        hours, minutes, rest = (int(part or 0) for part in found.groups())
        seconds = float(hours * 3600 + minutes * 60 + rest)
    if not seconds:
        raise ValueError("a duration looks like 8s, 10m or 1h30m")
    return seconds


def _config(document: Document, file: str) -> Config:
    body = document.body
    environments = mapping(body, "environments")
    made = tuple(
        _environment(name, value, document)
        for name, value in environments.items()
        if isinstance(value, Mapping)
    )
    _check_inventories(made)
    return Config(
        environments=made,
        kubernetes_version=text(body, "kubernetesVersion"),
        engine=EngineSpec(kustomize=text(body, "render", "kustomize")),
        health=tuple(items(body, "health")),
        places=tuple((pointer, document.locate(pointer)) for pointer in _pointers(body, "")),
        source=file,
    )


def _pointers(value: Json, pointer: str) -> Iterable[str]:
    if pointer.startswith("/health"):
        yield pointer  # a rule is told of by the place of its part
        for index, item in enumerate(value) if isinstance(value, list | tuple) else ():
            yield from _pointers(item, f"{pointer}/{index}")
    if not isinstance(value, Mapping):
        yield pointer
        return
    for key, item in value.items():
        yield from _pointers(item, pointer + _pointer([key]))


def _environment(name: str, body: Body, document: Document) -> Environment:
    base = _pointer(["environments", name])
    engine = text(body, "engine")
    target = at(body, "target")
    return Environment(
        name=name,
        overlay=Overlay(
            path=inside(text(body, "path"), document.locate(f"{base}/path")),
            engine=Engine(engine) if engine else None,
        ),
        target=_target(target, document, base) if isinstance(target, Mapping) else None,
        policy=_policy(mapping(body, "policy"), document, base),
        branch=text(body, "branch"),
        protected=at(body, "protected") is True,
        promote_from=text(body, "promoteFrom"),
        rule="config",
        place=document.locate(base),
    )


def inside(path: str, place: Place) -> str:
    """*path* in its shortest form. Raises UsageFault when it leaves the repository."""
    normal = posixpath.normpath(path)
    if posixpath.isabs(path) or normal == ".." or normal.startswith("../"):
        raise UsageFault(
            f"{place}: the path leaves the repository",
            "write it relative to the repository root, without '..'",
        )
    return normal


def _target(body: Body, document: Document, base: str) -> TargetSpec:
    cluster, directory, branch = (at(body, key) for key in ("cluster", "directory", "branch"))
    if isinstance(directory, Mapping):
        place = document.locate(f"{base}/target/directory/path")
        path = inside(text(directory, "path"), place)
        if path == ".":
            raise UsageFault(
                f"{place}: the target directory is the repository itself",
                "choose a directory of its own, such as rendered/",
            )
        return DirectorySpec(path=path)
    if isinstance(branch, Mapping):
        place = document.locate(f"{base}/target/branch/path")
        return BranchSpec(
            name=text(branch, "name"), path=inside(text(branch, "path") or ".", place)
        )
    return ClusterSpec(
        context=text(cluster, "context"),
        kubeconfig=text(cluster, "kubeconfig"),
        namespace=text(cluster, "namespace") or "default",
        inventory_name=text(cluster, "inventory", "name"),
        inventory_namespace=text(cluster, "inventory", "namespace"),
    )


def _policy(body: Body, document: Document, base: str) -> Policy:
    default = Policy()
    where = f"{base}/policy"
    deletes = at(body, "maxDeletes")
    object_timeout_s = _seconds(body, "objectTimeout", document, where)
    return Policy(
        prune=at(body, "prune") is not False,
        max_deletes=default.max_deletes if deletes is None else max_deletes(deletes),
        timeout_s=_seconds(body, "timeout", document, where) or default.timeout_s,
        object_timeout_s=object_timeout_s,
        retry_s=_seconds(body, "retry", document, where) or default.retry_s,
        wait=at(body, "wait") is not False,
        # Without quotes, off is false: that is how YAML reads it.
        rollback=Rollback(text(body, "rollback") or Rollback.OFF),
        binding=_binding(at(body, "binding")),
        binding_identity=_words(body, "bindingIdentity") or (),
        replace=at(body, "replace") is True,
        adopt_from=_words(body, "adoptFrom") or (),
        field_owners=tuple(map(_field_rule, bodies(body, "fieldOwners"))),
        scope=Scope(
            namespaces=_words(body, "scope", "namespaces"),
            cluster_kinds=_words(body, "scope", "clusterKinds"),
        ),
        stability_s=_stability(body, document, where),
        patience_restarts=_amount(body, "restarts", default.patience_restarts),
        patience_s=_amount(body, "seconds", default.patience_s),
    )


def _binding(written: Json) -> Binding:
    if isinstance(written, str):
        return Binding(written)
    # Without quotes, off is false: that is how YAML reads it.
    return Policy().binding if written is None else Binding.OFF


def _stability(body: Body, document: Document, where: str) -> float:
    # The one duration that may be none at all.
    if text(body, "stability") == "0s":
        return 0.0
    written = _seconds(body, "stability", document, where)
    return Policy().stability_s if written is None else written


def _amount(body: Body, key: str, usual: _Number) -> _Number:
    """A number of `policy.patience`. The schema has checked its form."""
    written = at(body, "patience", key)
    return type(usual)(written) if isinstance(written, int) else usual


def _seconds(body: Body, key: str, document: Document, where: str) -> float | None:
    written = text(body, key)
    if not written:
        return None
    try:
        return duration(written)
    except ValueError as error:
        place = document.locate(f"{where}/{key}")
        raise UsageFault(f"{place}: policy.{key}: {error}", _EDITOR_CURE) from None


def _words(body: Body, *path: str) -> tuple[str, ...] | None:
    """A list of words as the schema has checked it; None where it is not written."""
    return tuple(map(str, items(body, *path))) if at(body, *path) is not None else None


def _field_rule(body: Body) -> FieldRule:
    return FieldRule(
        manager=text(body, "manager"),
        decision=text(body, "decision"),
        fields=_words(body, "fields") or ("*",),
        kind=text(body, "kind"),
    )


def max_deletes(written: Json) -> Deletes:
    """`policy.maxDeletes` as written: 5 or "25%". The schema has checked its form."""
    if isinstance(written, str):
        return Deletes(percent=int(written.removesuffix("%")))
    if isinstance(written, int):
        return Deletes(number=written)
    raise ValueError("maxDeletes is a number or a percentage")


def _check_inventories(environments: Sequence[Environment]) -> None:
    """Two environments must not own the same inventory: each would delete the other's objects."""
    seen: dict[tuple[str, ...], Environment] = {}
    for environment in environments:
        key = _inventory_key(environment)
        other = seen.setdefault(key, environment) if key else environment
        if other is not environment:
            raise UsageFault(
                f"{environment.place}: environments {other.name} and {environment.name} have the "
                "same target and inventory",
                "give them different paths, or different inventories",
            )


def _inventory_key(environment: Environment) -> tuple[str, ...]:
    target = environment.target
    match target:
        case DirectorySpec():
            return ("directory", target.path)
        case BranchSpec():
            return ("branch", target.name, target.path)
        case ClusterSpec() if target.inventory_name:
            namespace = target.inventory_namespace or target.namespace
            return ("cluster", target.kubeconfig, target.context, namespace, target.inventory_name)
        case _:
            # A cluster inventory's default name holds the environment's, and that is unique.
            return ()
