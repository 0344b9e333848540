"""How a body becomes YAML that every reader reads back as it was.

Block style, keys in their order, lists not indented under their key, as kubectl and kustomize
write them.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from pipeline_gitops.documents import scalars
from pipeline_gitops.documents.values import Body, Json
from pipeline_gitops.patterns import pattern

_INDENT = "  "
# A longer key must be announced with "? "; go-yaml counts to 1024 with the quotes and escapes.
_LONGEST_KEY = 1000
_ESCAPES = {"\0": "\\0", "\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SPECIAL = pattern(r'["\\\x00-\x1f\x7f-\xa0]|[^\x00-\xa0]')


def write(bodies: Iterable[Body]) -> str:
    """One YAML document for each body, with a line '---' between two."""
    return "---\n".join(_document(body) for body in bodies)


def _document(body: Body) -> str:
    lines: list[str] = []
    if body:
        _mapping(body, "", "", lines)
    else:
        lines.append("{}")
    lines.append("")
    return "\n".join(lines)


def _mapping(mapping: Mapping[str, Json], first: str, indent: str, lines: list[str]) -> None:
    """Appends the lines of a mapping; the first starts with *first*, the others with *indent*."""
    start = first
    for key, value in mapping.items():
        name = _name(key)
        if len(name) > _LONGEST_KEY:
            lines.append(f"{start}? {name}")
            start = indent
            _value(value, f"{indent}:", indent, lines)
        else:
            _value(value, f"{start}{name}:", indent, lines)
        start = indent


def _value(value: Json, start: str, indent: str, lines: list[str]) -> None:
    """Appends the lines of a value, of which *start*, the key, is there; *indent* is the key's."""
    if isinstance(value, str):
        lines.append(f"{start} {_text(value, indent)}")
    elif isinstance(value, Mapping) and value:
        lines.append(start)
        _mapping(value, indent + _INDENT, indent + _INDENT, lines)
    elif isinstance(value, Sequence) and value:
        lines.append(start)
        _list(value, indent, indent, lines)
    else:
        lines.append(f"{start} {_short(value)}")


def _list(values: Sequence[Json], first: str, indent: str, lines: list[str]) -> None:
    start = first
    deeper = indent + _INDENT
    for value in values:
        if isinstance(value, str):
            lines.append(f"{start}- {_text(value, indent)}")
        elif isinstance(value, Mapping) and value:
            _mapping(value, f"{start}- ", deeper, lines)
        elif isinstance(value, Sequence) and value:
            _list(value, f"{start}- ", deeper, lines)
        else:
            lines.append(f"{start}- {_short(value)}")
        start = indent


def _short(value: Json) -> str:
    """A value of one word."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            raise ValueError("infinity and NaN do not exist in JSON")
        case int() | float():
            return repr(value)
    return "{}" if isinstance(value, Mapping) else "[]"


def _name(key: str) -> str:
    return key if key[:1] != "-" and scalars.plain(key) else _quoted(key)


def _text(text: str, indent: str) -> str:
    if scalars.plain(text):
        return text
    if "\n" in text and _is_literal(text):
        return _literal(text, indent + _INDENT)
    return _quoted(text)


def _is_literal(text: str) -> bool:
    """Whether a literal block can hold *text*: visible characters, spaces and tabs in lines."""
    visible = text.replace("\n", "").replace("\t", "")
    return visible.isprintable() and not visible.isspace() and visible != ""


def _literal(text: str, indent: str) -> str:
    """*text*, of more than one line, as a literal block."""
    if text.endswith("\n\n"):
        body, chomping = text[:-1], "+"
    elif text.endswith("\n"):
        body, chomping = text[:-1], ""
    else:
        body, chomping = text, "-"
    # Readers guess the indentation from the first line, unless it is told.
    told = str(len(_INDENT)) if text[0] in " \t\n" else ""
    lines = [indent + line if line else "" for line in body.split("\n")]
    return "\n".join((f"|{told}{chomping}", *lines))


def _quoted(text: str) -> str:
    if not _SPECIAL.search(text):
        return f'"{text}"'
    if text.isprintable() and ('"' in text or "\\" in text):
        return "'" + text.replace("'", "''") + "'"
    return '"' + _SPECIAL.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"  # half a character: what Go makes of it in JSON, and no reader takes it
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
