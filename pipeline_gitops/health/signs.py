"""What a rule for a custom resource is, and what it makes of a live object.

Conditions alone are not enough: most operators say something else too, and many say nothing at
first. So each kind has a rule that rests on its operator's documentation, and what holds for every
operator is said once, here:

- an object that is being deleted is Terminating;
- one that its user suspended is Current, since nothing more will happen to it;
- one whose controller has not seen its newest generation is neither Current nor Failed, and a
  condition that was observed for an older generation counts as Unknown;
- one of which no sign is seen yet is InProgress.
"""

from collections.abc import Iterator

from pipeline_gitops import expressions
from pipeline_gitops.documents import Body, Json, at, bodies, text
from pipeline_gitops.expressions import Expression
from pipeline_gitops.health.facts import Judged, leaving
from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Health

Path = tuple[str | int, ...]

_LONGEST_SENTENCE = 400
_UNSEEN: Judged = (Health.IN_PROGRESS, "its controller has not seen this version yet")
_GENERATION = pattern(r"[0-9]{1,18}(?=-|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What is to be seen on an object, all of it at once."""

    conditions: tuple[tuple[str, str], ...] = ()  # type and status
    reasons: frozenset[str] = frozenset()  # of these conditions; empty: any
    severities: frozenset[str] = frozenset()  # the same
    path: Path = ()
    values: tuple[Json, ...] = ()  # the value at *path* is one of them
    excluded: tuple[Json, ...] = ()  # ... is there and none of them
    reaches: Path | int | None = None  # ... is a number, and at least this one, or the one there
    differs: Path = ()  # ... is there, and not what is there
    observed: Path = ()  # the generation that was seen, and it is that of the object
    parts: tuple["Sign", ...] = ()  # all of them
    expression: Expression | None = None
    say: Path = ()  # where the sentence is
    words: str = ""  # the sentence itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When objects of one kind are well. Signs are asked from top to bottom; the first decides."""

    group: str  # "*.example.io" is any group below example.io
    kind: str  # "*" is any, "*Template" any that ends so
    suspended: tuple[Sign, ...] = ()
    failed: tuple[Sign, ...] = ()
    in_progress: tuple[Sign, ...] = ()
    current: tuple[Sign, ...] = ()
    otherwise: Health = Health.IN_PROGRESS
    observed: Path = ("status", "observedGeneration")
    observes: bool = False  # it always writes the generation that it observed
    means: str = ""  # what Current means, for the documentation
    source: str = ""  # where the operator says so

    def covers(self, group: str, kind: str) -> bool:
        """Whether it judges objects of this kind."""
        # "*Template" is any kind that ends so.
        if self.kind != kind and not (self.kind[:1] == "*" and kind.endswith(self.kind[1:])):
            return False
        if self.group.startswith("*."):
            return group == self.group[2:] or group.endswith(self.group[1:])
        return group == self.group


def judge(body: Body, rule: Rule) -> Judged:
    """What *rule* makes of *body*."""
    if text(body, "metadata", "deletionTimestamp"):
        return leaving(body)
    seen = _Seen(body)
    # First: a controller that was told to stop does not look at newer generations either.
    if any(seen.shows(sign) for sign in rule.suspended):
        return Health.CURRENT, "it is suspended: its controller does nothing until it is resumed"
    if _is_stale(body, rule):
        return _UNSEEN
    for signs, word in (
        (rule.failed, Health.FAILED),
        (rule.in_progress, Health.IN_PROGRESS),
        (rule.current, Health.CURRENT),
    ):
        for sign in signs:
            if seen.shows(sign):
                return word, seen.sentence(sign)
    if rule.otherwise is not Health.CURRENT:
        return rule.otherwise, seen.missing(rule.current)
    # No sign is as good as a good one only while there is no answer about an older version.
    return _UNSEEN if seen.has_old_condition() else (Health.CURRENT, "")


def _is_stale(body: Body, rule: Rule) -> bool:
    seen, generation = _generation(body, rule.observed), at(body, "metadata", "generation")
    if seen is None:
        return rule.observes
    return isinstance(generation, int) and seen < generation


def _generation(body: Body, path: Path) -> int | None:
    """The generation that is kept at *path*: a number, or a text that starts with it."""
    match at(body, *path):
        case bool():
            return None
        case int() as number:
            return number
        # Argo Rollouts keeps it as a text, External Secrets as "1-" and a hash.
        case str() as written if found := _GENERATION.match(written):
            return int(found[0])
        case _:
            return None


class _Seen:
    """One object as signs are looked for on it."""

    __slots__ = ("_body", "_conditions", "_variables")

    def __init__(self, body: Body) -> None:
        self._body = body
        self._conditions = dict(_conditions(body))
        self._variables: expressions.Variables | None = None

    def shows(self, sign: Sign) -> bool:
        """Whether all of *sign* is there."""
        for name, status in sign.conditions:
            found = self._conditions.get(name)
            if not found or self._status(found) != status:
                return False
            if sign.reasons and text(found, "reason") not in sign.reasons:
                return False
            if sign.severities and text(found, "severity") not in sign.severities:
                return False
        if sign.path and not self._shows_value(sign):
            return False
        if sign.observed and not self._observed(sign.observed):
            return False
        if not all(map(self.shows, sign.parts)):
            return False
        return sign.expression is None or self._holds(sign.expression)

    def has_old_condition(self) -> bool:
        """Whether a condition was observed for an older generation."""
        return any(map(self._is_old, self._conditions.values()))

    def sentence(self, sign: Sign) -> str:
        """What the object says of itself where *sign* was seen."""
        said = sign.words or (text(self._body, *sign.say) if sign.say else "")
        if said:
            return _line(said)
        for name, status in sign.conditions:
            found = self._conditions.get(name, {})
            said = text(found, "message") or text(found, "reason")
            return _line(said) if said else f"{name} is {status}"
        if sign.parts:
            return self.sentence(sign.parts[0])
        return _line(text(self._body, "status", "message")) or self._told(sign)

    def missing(self, signs: tuple[Sign, ...]) -> str:
        """Why none of *signs*, which would make the object current, is seen."""
        if not at(self._body, "status"):
            return "it has no status yet"
        for sign in signs:
            if said := self._lacking(sign):
                return said
        return "its controller has not said yet that it is ready"

    def _lacking(self, sign: Sign) -> str:
        if sign.parts:
            return next(
                filter(None, (self._lacking(p) for p in sign.parts if not self.shows(p))), ""
            )
        for name, status in sign.conditions:
            found = self._conditions.get(name, {})
            if found and self._status(found) != status:
                said = text(found, "message") or text(found, "reason")
                return _line(f"{name} is {self._status(found)}" + (f": {said}" if said else ""))
        if sign.say and (said := text(self._body, *sign.say)):
            return _line(said)
        return self._told(sign)

    def _told(self, sign: Sign) -> str:
        """The value that *sign* looks at, in words."""
        if not sign.path:
            return ""
        value, name = at(self._body, *sign.path), str(sign.path[-1])
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            return ""
        if sign.reaches is None:
            return _line(f"{name} is {value}")
        return _line(f"{name} is {value} of {self._wanted(sign.reaches)}")

    def _shows_value(self, sign: Sign) -> bool:
        value = at(self._body, *sign.path)
        if sign.reaches is not None:
            wanted = self._wanted(sign.reaches)
            number = 0 if value is None else value
            return _is_number(number) and _is_number(wanted) and number >= wanted  # type: ignore[operator]
        if sign.differs:
            other = at(self._body, *sign.differs)
            return value is not None and other is not None and not _equal(value, other)
        if sign.excluded:
            return value is not None and not any(_equal(value, other) for other in sign.excluded)
        if sign.values:
            return any(_equal(value, other) for other in sign.values)
        return value is not None and value not in ("", False)

    def _observed(self, path: Path) -> bool:
        generation = at(self._body, "metadata", "generation")
        seen = _generation(self._body, path)
        return seen is not None and isinstance(generation, int) and seen >= generation

    def _wanted(self, reaches: Path | int) -> Json:
        return reaches if isinstance(reaches, int) else at(self._body, *reaches)

    def _holds(self, expression: Expression) -> bool:
        if self._variables is None:
            self._variables = expressions.variables(self._body)
        return expression.holds(self._variables)

    def _status(self, condition: Body) -> str:
        if self._is_old(condition):
            return "Unknown"
        status = at(condition, "status")
        # Some write a truth value; Keycloak did for years.
        return str(status) if isinstance(status, bool) else text(condition, "status")

    def _is_old(self, condition: Body) -> bool:
        observed = at(condition, "observedGeneration")
        generation = at(self._body, "metadata", "generation")
        return isinstance(observed, int) and isinstance(generation, int) and observed < generation


def _conditions(body: Body) -> Iterator[tuple[str, Body]]:
    for item in bodies(body, "status", "conditions"):
        yield text(item, "type"), item


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(value: Json, other: Json) -> bool:
    # 1 is not True, as it would be in Python.
    return isinstance(value, bool) is isinstance(other, bool) and value == other


def _line(said: str) -> str:
    return " ".join(said[: 2 * _LONGEST_SENTENCE].split())[:_LONGEST_SENTENCE]
