"""How a secret leaves a text, and how a text is kept from acting on whoever reads it.

The only maker of `Sealed`: a report in which no known secret value and no live control sequence is
left. Structure hides first (diffs of Secrets carry no values at all, see `diffs`); replacing known
values here is the second wall, for messages of servers, engines and plugins.
"""

import base64
import dataclasses
import json
import re
from collections.abc import Iterable
from operator import is_
from typing import Any, NewType
from urllib.parse import quote

from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.views import Report

Sealed = NewType("Sealed", Report)

MASK = "[masked]"
# Shorter values cannot be replaced wherever they occur without tearing ordinary words apart; they
# are hidden by structure only.
SHORTEST = 6

# Control characters but newline and tab, halves of surrogate pairs, separators of lines and
# paragraphs, and what turns the direction of writing or has no width.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)


class Redactor:
    """Replaces every known secret value, in the forms in which values travel."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first, so that a secret inside another does not leave the rest standing.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """*text* without any known secret value."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    candidates = [secret, quote(secret, safe=""), json.dumps(secret)[1:-1]]
    candidates += [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    # Inside a longer base64 text the value starts at one of three offsets; the middle is enough.
    for pad in (b"\0", b"\0\0"):
        candidates.append(base64.b64encode(pad + raw).decode()[4:-4])
    candidates += [line.strip() for line in secret.splitlines()]
    return (form for form in candidates if len(form) >= SHORTEST)


def clean(text: str) -> str:
    r"""*text* with control characters made visible, but for newline and tab.

    A carriage return, an escape or a bidirectional mark in an object's name could otherwise rewrite
    a terminal, start a CI command or show a reviewer something else than what is there.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def seal(report: Report, secrets: Iterable[str]) -> Sealed:
    """The report as it may leave the program."""
    return Sealed(_sealed(report, Redactor(secrets)))


def _sealed(value: Any, redact: Redactor) -> Any:
    """*value*, or one like it without what must not be shown: most of a report stays as it is."""
    if isinstance(value, str) and type(value) is str:
        return clean(redact(value))
    if isinstance(value, tuple):
        items = [_sealed(item, redact) for item in value]
        return value if all(map(is_, items, value)) else tuple(items)
    if isinstance(value, ObjectId):
        parts = (value.group, value.kind, value.namespace, value.name)
        shown = tuple([clean(part) for part in parts])
        return value if shown == parts else ObjectId(*shown)
    if isinstance(value, Place):
        file = clean(value.file)
        return value if file == value.file else dataclasses.replace(value, file=file)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {}
        for field in dataclasses.fields(value):
            plain = getattr(value, field.name)
            sealed = _sealed(plain, redact)
            if sealed is not plain:
                fields[field.name] = sealed
        return dataclasses.replace(value, **fields) if fields else value
    return value
