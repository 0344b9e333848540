"""The encodings in which a secret value travels, and the secrets that one value holds.

A server quotes a value as JSON, a proxy as a URL, a shell traces it quoted, a Secret holds it in
base64. Whoever looks for a value has to look for all of these. Compression and encryption are not
among them: what is compressed shows nothing to anybody who does not ask for it.
"""

import base64
import html
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pipeline_gitops.patterns import pattern
from pipeline_gitops.values import dataclass

# Shorter ones cannot be replaced wherever they occur without tearing ordinary words apart; they are
# hidden by structure only.
SHORTEST = 6
# A line of a value of several lines is hidden on its own from here on: `kind: Config` in a Secret
# must not black out every manifest.
SHORTEST_LINE = 16

QUOTES = frozenset("\"'\\")

_ARMOUR = pattern(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
_SENSITIVE = pattern(r"(?i)pass|pwd|token|secret|auth|credential|(api|access|private)[_.-]?key")
_SETTING = pattern(r"\s*[\"']?(?P<name>[\w.-]+)[\"']?\s*[:=]\s*(?P<value>\S.*)")


class Alphabet(StrEnum):
    """What a form is written in: a text in base64 or hex is masked as a whole.

    Its first and last characters may hold bits of the value beside bits of a neighbour.
    """

    TEXT = "text"
    BASE64 = "base64"
    HEX = "hex"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a value down."""

    text: str
    alphabet: Alphabet = Alphabet.TEXT


def forms(value: str) -> Iterator[Form]:
    """Every form of a value, and of what it holds, that is long enough to be looked for."""
    for part in {value, *parts(value)}:
        if len(part) >= SHORTEST:
            yield from (Form(text) for text in _written(part) if len(text) >= SHORTEST)
        raw = part.encode("utf-8", "surrogatepass")
        # A Secret's data is base64 already, and may travel in base64 again.
        for core in (*_base64(raw), *_base64(base64.b64encode(raw))):
            if len(core) >= SHORTEST + 2:
                yield Form(core, Alphabet.BASE64)
        if len(raw) >= SHORTEST - 1:
            yield Form(raw.hex(), Alphabet.HEX)
            yield Form(raw.hex().upper(), Alphabet.HEX)


def parts(value: str) -> Iterator[str]:
    """Secrets inside a value: lines of a key, passwords of a URL or of a file of settings."""
    lines = [line.strip() for line in value.splitlines()]
    least = SHORTEST if _ARMOUR.search(value) else SHORTEST_LINE
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= least and not _ARMOUR.fullmatch(line))
    yield from _settings(lines)
    yield from _members(value)
    for line in lines:
        yield from filter(None, [password(line)])


def password(address: str) -> str:
    """The password, or the token in its place, of a URL; "" for none."""
    if "://" not in address or "@" not in address:
        return ""
    try:
        parts_ = urlsplit(address)
    except ValueError:  # "[" without its end
        return ""
    return unquote(parts_.password or "")


def _settings(lines: list[str]) -> Iterator[str]:
    """Values of lines like `password: x` and `TOKEN=x`."""
    for line in lines:
        found = _SETTING.fullmatch(line)
        if found and _SENSITIVE.search(found["name"]):
            yield found["value"].strip().strip("\"',;")


def _members(value: str) -> Iterator[str]:
    """Values of members like "password" in JSON, such as the logins of a registry."""
    if not value.lstrip().startswith(("{", "[")):
        return
    try:
        yield from _leaves(json.loads(value))
    except (ValueError, RecursionError):
        return


def _leaves(node: Any, name: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, inner in node.items():
            yield from _leaves(inner, key)
    elif isinstance(node, list):
        for inner in node:
            yield from _leaves(inner, name)
    elif isinstance(node, str) and _SENSITIVE.search(name):
        yield node


def _written(value: str) -> set[str]:
    """As text: raw, and escaped by the rules of whoever quotes it, but for quotes and backslashes.

    Those are left out on both sides, see `bare`: so each rule covers every depth of quotation.
    """
    found = {value, *_in_html(value), re.sub(r"\s", "", value)}
    found.add(json.dumps(value)[1:-1])
    found.add(json.dumps(value, ensure_ascii=False)[1:-1])
    # Go escapes what HTML would read.
    found |= {re.sub("[<>&]", lambda sign: f"u{ord(sign[0]):04x}", text) for text in set(found)}
    found |= {re.sub(r"[^ -~]", escape, value) for escape in (_escaped, _capital)}
    url = quote(value, safe="", errors="replace")
    found |= {url, url.replace("%20", "+"), url.replace("%2F", "/")}  # in a query, in a path
    found.add(re.sub("%..", lambda code: code[0].lower(), url))
    return set(map(bare, found))


def _escaped(found: re.Match[str]) -> str:
    """A character between double quotes of YAML: "\\xe9", "\\u20ac", "\\U0001f600"."""
    sign = ord(found[0])
    width, letter = (2, "x") if sign < 0x100 else (4, "u") if sign < 0x10000 else (8, "U")
    return f"\\{letter}{sign:0{width}x}"


def _capital(found: re.Match[str]) -> str:
    return _escaped(found)[:2] + _escaped(found)[2:].upper()


def bare(text: str) -> str:
    """*text* without what quotes are made of: JSON in a shell in YAML has them in any number."""
    for sign in QUOTES:
        text = text.replace(sign, "")  # much faster than a table of three characters
    return text


def _in_html(value: str) -> set[str]:
    escaped = html.escape(value, quote=False)
    return {
        escaped.replace('"', double).replace("'", single)
        for double in ('"', "&quot;", "&#34;")
        for single in ("'", "&#x27;", "&#39;", "&apos;")
    }


def _base64(raw: bytes) -> Iterator[str]:
    """What is the same whatever stands around the value, at the three offsets it can start at."""
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + raw + bytes(-(offset + len(raw)) % 3)).decode()
        core = whole[-(-8 * offset // 6) : 8 * (offset + len(raw)) // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")
