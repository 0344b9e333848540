"""krane's form of rules: an annotation of the definition of a custom resource.

https://github.com/Shopify/krane#specifying-passfail-conditions
"""

import json

from pipeline_gitops.documents import Body, Json, bodies, mapping, text
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.health.forms import ours
from pipeline_gitops.health.signs import Path, Rule, Sign
from pipeline_gitops.ids import Place
from pipeline_gitops.patterns import pattern

# The second name is of the days when krane was called kubernetes-deploy.
_ANNOTATIONS = (
    "krane.shopify.io/instance-rollout-conditions",
    "kubernetes-deploy.shopify.io/instance-rollout-conditions",
)
_CONDITION = pattern(
    r"\$\.status\.conditions\[\?\(\s*@\.type\s*==\s*(['\"])([^'\"]+)\1\s*\)\]\.(status|message)"
)
_READY: tuple[Sign, ...] = (Sign(conditions=(("Ready", "True"),)),)
_FAILED: tuple[Sign, ...] = (Sign(conditions=(("Failed", "True"),)),)
_CURE = 'write paths like $.status.phase or $.status.conditions[?(@.type == "Ready")].status'


def rules(definition: Body, place: Place) -> tuple[Rule, ...]:
    """The rule in the definition that is written at *place*; none without the annotation.

    Raises UsageFault if the annotation cannot be understood.
    """
    annotations = mapping(definition, "metadata", "annotations")
    written = next((text(annotations, key) for key in _ANNOTATIONS if key in annotations), "")
    if not written or text(definition, "kind") != "CustomResourceDefinition":
        return ()
    if written == "true":  # its defaults
        failed, current = _FAILED, _READY
    else:
        found = _parsed(written, place)
        current = tuple(_sign(item, place) for item in bodies(found, "success_conditions"))
        failed = tuple(_sign(item, place) for item in bodies(found, "failure_conditions"))
    if not current:
        raise _wrong(place, "it has no success_conditions")
    return (
        Rule(
            group=text(definition, "spec", "group"),
            kind=text(definition, "spec", "names", "kind"),
            failed=failed,
            current=(Sign(parts=current),),
            observes=True,
        ),
    )


def _parsed(written: str, place: Place) -> Json:
    try:
        found: Json = json.loads(written)
    except ValueError:
        raise _wrong(place, "it is no JSON") from None
    return found


def _sign(item: Body, place: Place) -> Sign:
    written, value = text(item, "path"), item.get("value")
    words, say = text(item, "custom_error_msg"), text(item, "error_msg_path")
    # A condition says its own message.
    path = () if words or _CONDITION.fullmatch(say) else _path(say, place) if say else ()
    if found := _CONDITION.fullmatch(written):
        if found[3] != "status" or not isinstance(value, str):
            raise _wrong(place, f"{written} is not understood")
        return Sign(conditions=((found[2], value),), say=path, words=words)
    return Sign(path=_path(written, place), values=(value,), say=path, words=words)


def _path(written: str, place: Place) -> Path:
    try:
        return ours.path(written.removeprefix("$"))
    except ValueError:
        raise _wrong(place, f"{written} is not understood") from None


def _wrong(place: Place, problem: str) -> UsageFault:
    return UsageFault(f"{place}: the annotation {_ANNOTATIONS[0]}: {problem}", _CURE)
