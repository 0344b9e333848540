"""kapp's form of rules: waitRules of its Config documents.

https://carvel.dev/kapp/docs/latest/apply-waiting/#custom-waiting-behaviour
"""

from collections.abc import Iterator

from pipeline_gitops.documents import Body, at, bodies, mapping, read_value, text
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.health.signs import Rule, Sign
from pipeline_gitops.ids import Place
from pipeline_gitops.manifests import group_of

_CURE = "say the same under health: in .pipeline-gitops.yaml (docs/health.md)"


def rules(body: Body, place: Place) -> tuple[Rule, ...]:
    """The rules in a kapp Config, or in a ConfigMap that holds one; none in anything else.

    Raises UsageFault for a rule that only kapp understands.
    """
    return tuple(rule for config in _configs(body, place) for rule in _rules(config, place))


def _configs(body: Body, place: Place) -> Iterator[Body]:
    api, kind = text(body, "apiVersion"), text(body, "kind")
    if (api, kind) == ("kapp.k14s.io/v1alpha1", "Config"):
        yield body
    labelled = "kapp.k14s.io/config" in mapping(body, "metadata", "labels")
    if labelled and (api, kind) == ("v1", "ConfigMap"):
        document, _ = read_value(text(body, "data", "config.yml").encode(), place.file)
        if document:
            yield document.body


def _rules(config: Body, place: Place) -> Iterator[Rule]:
    for written in bodies(config, "waitRules"):
        matchers = tuple(bodies(written, "conditionMatchers"))
        if not matchers:
            raise UsageFault(
                f"{place}: a waitRule without conditionMatchers: that is Starlark", _CURE
            )
        current = tuple(_sign(item) for item in matchers if item.get("success") is True)
        failed = tuple(_sign(item) for item in matchers if item.get("failure") is True)
        observes = at(written, "supportsObservedGeneration") is True
        for group, kind in _kinds(written, "resourceMatchers", place):
            yield Rule(group=group, kind=kind, failed=failed, current=current, observes=observes)


def _sign(matcher: Body) -> Sign:
    return Sign(conditions=((text(matcher, "type"), text(matcher, "status")),))


def _kinds(written: Body, key: str, place: Place) -> Iterator[tuple[str, str]]:
    for matcher in bodies(written, key):
        if found := mapping(matcher, "apiVersionKindMatcher"):
            yield group_of(text(found, "apiVersion")), text(found, "kind")
        elif found := mapping(matcher, "apiGroupKindMatcher"):
            yield text(found, "apiGroup"), text(found, "kind")
        elif found := mapping(matcher, "anyMatcher"):
            yield from _kinds(found, "matchers", place)
        else:
            name = next(iter(matcher), "nothing")
            raise UsageFault(f"{place}: a waitRule selects by {name}", _CURE)
