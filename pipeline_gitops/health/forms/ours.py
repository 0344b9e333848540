"""Our form of rules, in the packed files and in the configuration. docs/health.md explains it.

A text where a sign is expected is an expression, so that Flux' healthCheckExprs are rules too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pipeline_gitops.documents import Body, Json, read_value, text
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.expressions import expression
from pipeline_gitops.health.signs import Path, Rule, Sign
from pipeline_gitops.ids import Place
from pipeline_gitops.manifests import group_of
from pipeline_gitops.patterns import pattern
from pipeline_gitops.views import Health

Locate = Callable[[str], Place]

_RULE = {
    *("group", "apiVersion", "kind", "kinds", "source", "means", "observed", "otherwise"),
    *("suspended", "failed", "inProgress", "current"),
}
_SIGNS = ("suspended", "failed", "inProgress", "current")
_SIGN = {
    *("condition", "reason", "severity", "path", "is", "not", "reaches", "differs"),
    *("observed", "all", "cel", "say"),
}
_NAMED = {"condition", "path", "observed", "all", "cel"}
_STEP = pattern(r"\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\[['\"]([^'\"]+)['\"]\]")
_CURE = "docs/health.md shows how a rule is written"


def parse(written: Json, locate: Locate) -> tuple[Rule, ...]:
    """The rules in a list of them, of the form of schemas/health.schema.json.

    *locate* finds the place of a pointer below the list. Raises UsageFault for the
    first mistake.
    """
    return tuple(_rules(written, locate))


def packed(content: bytes, file: str) -> tuple[Rule, ...]:
    """The rules of a packed file: its first document. The second one holds their cases."""
    document, _ = read_value(content.partition(b"\n---\n")[0], file)
    if document is None:
        return ()
    locate = document.locate
    return parse(document.body["rules"], lambda pointer: locate(f"/rules{pointer}"))


def path(written: str) -> Path:
    """The steps of "status.parts[0]['a.b/c']". Raises ValueError if it is no path."""
    steps: list[str | int] = []
    position = 0
    while position < len(written):
        found = _STEP.match(written, position)
        if not found:
            raise ValueError(written)
        name, index, quoted = found.groups()
        steps.append(int(index) if index else name or quoted)
        position = found.end()
    if not steps:
        raise ValueError(written)
    return tuple(steps)


def _rules(written: Json, locate: Locate) -> Iterator[Rule]:
    if not isinstance(written, Sequence) or isinstance(written, str):
        raise UsageFault(f"{locate('')}: health must be a list of rules", _CURE)
    for number, item in enumerate(written):
        yield from _Reading(item, f"/{number}", locate).rules()


class _Reading:
    """One written rule."""

    def __init__(self, item: Json, pointer: str, locate: Locate) -> None:
        self._pointer = pointer
        self._locate = locate
        self._item = self._mapping(item, "", _RULE)

    def rules(self) -> Iterator[Rule]:
        """A rule for each of its kinds."""
        item = self._item
        kinds = self._texts(item.get("kinds", item.get("kind")), "/kinds")
        group = text(item, "group") or group_of(text(item, "apiVersion"))
        if not kinds or not (group or text(item, "apiVersion")):  # "v1" names the group ""
            raise self._wrong("", "a rule names its group and its kind")
        signs = {key: self._signs(item.get(key), f"/{key}") for key in _SIGNS}
        otherwise = Health.CURRENT if item.get("otherwise") == "Current" else Health.IN_PROGRESS
        if not signs["current"] and otherwise is not Health.CURRENT:
            raise self._wrong("", "a rule says when an object is current")
        observed = item.get("observed", "status.observedGeneration")
        for kind in kinds:
            yield Rule(
                group=group,
                kind=kind,
                suspended=signs["suspended"],
                failed=signs["failed"],
                in_progress=signs["inProgress"],
                current=signs["current"],
                otherwise=otherwise,
                observed=self._path(observed, "/observed"),
                means=" ".join(text(item, "means").split()),
                source=text(item, "source"),
            )

    def _signs(self, written: Json, at_: str) -> tuple[Sign, ...]:
        if isinstance(written, Sequence) and not isinstance(written, str):
            return tuple(self._sign(one, f"{at_}/{number}") for number, one in enumerate(written))
        return () if written is None else (self._sign(written, at_),)

    def _sign(self, written: Json, at_: str) -> Sign:
        if isinstance(written, str):
            return Sign(expression=expression(written, self._place(at_)))
        sign = self._mapping(written, at_, _SIGN)
        if not sign.keys() & _NAMED:
            raise self._wrong(at_, "a sign names a condition, a path or an expression")
        cel = text(sign, "cel")
        reaches = sign.get("reaches")
        return Sign(
            conditions=tuple(map(_condition, self._texts(sign.get("condition"), at_))),
            reasons=frozenset(self._texts(sign.get("reason"), at_)),
            severities=frozenset(self._texts(sign.get("severity"), at_)),
            path=self._path(sign["path"], at_) if "path" in sign else (),
            values=_listed(sign.get("is")),
            excluded=_listed(sign.get("not")),
            reaches=self._path(reaches, at_) if isinstance(reaches, str) else _whole(reaches),
            differs=self._path(sign["differs"], at_) if "differs" in sign else (),
            observed=self._path(sign["observed"], at_) if "observed" in sign else (),
            parts=self._signs(sign.get("all"), f"{at_}/all"),
            expression=expression(cel, self._place(f"{at_}/cel")) if cel else None,
            say=self._path(sign["say"], at_) if "say" in sign else (),
        )

    def _mapping(self, written: Json, at_: str, known: set[str]) -> Body:
        if not isinstance(written, Mapping):
            raise self._wrong(at_, "a mapping is expected here")
        for key in written:
            if key not in known:
                raise self._wrong(at_, f"unknown key '{key}', known are {', '.join(sorted(known))}")
        return written

    def _texts(self, written: Json, at_: str) -> tuple[str, ...]:
        listed = _listed(written)
        texts = tuple(item for item in listed if isinstance(item, str))
        if len(texts) != len(listed):
            raise self._wrong(at_, "a text is expected here")
        return texts

    def _path(self, written: Json, at_: str) -> Path:
        try:
            return path(written if isinstance(written, str) else "")
        except ValueError:
            raise self._wrong(at_, "a path is written like status.phase") from None

    def _place(self, at_: str) -> Place:
        return self._locate(self._pointer + at_)

    def _wrong(self, at_: str, problem: str) -> UsageFault:
        return UsageFault(f"{self._place(at_)}: {problem}", _CURE)


def _condition(written: str) -> tuple[str, str]:
    """Type and status of "Ready" or "Ready=False"."""
    name, _, status = written.partition("=")
    return name, status or "True"


def _listed(written: Json) -> tuple[Json, ...]:
    if written is None:
        return ()
    if isinstance(written, Sequence) and not isinstance(written, str):
        return tuple(written)
    return (written,)


def _whole(written: Json) -> int | None:
    return written if isinstance(written, int) and not isinstance(written, bool) else None
