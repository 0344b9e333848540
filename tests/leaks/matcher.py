"""Finds whatever is left of a secret: any eight characters in a row of any of its forms."""

import base64
import re
from collections.abc import Iterable, Mapping

from tests.leaks.encodings import ENCODINGS

WINDOW = 8
# Line ends with what stands around them: an indent, the sign of a diff, the markup of a page.
_BREAKS = re.compile(r"\s*(?:<[^>]*>)*\n(?:<[^>]*>)*[-+ >]*")


class Matcher:
    """Knows all forms of some secrets."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._windows: dict[str, str] = {}
        for secret in secrets:
            for name, encode in ENCODINGS.items():
                form = "".join(encode(secret).split())
                ours = _own(secret, name)
                for start in range(len(form) - WINDOW + 1):
                    window = form[start : start + WINDOW]
                    if ours is None or window in ours:
                        self._windows.setdefault(window, f"{name} of {secret[:4]}...")

    def hits(self, text: str) -> list[str]:
        """The windows that *text* has, each with the form that it belongs to."""
        found = {}
        for version in (text, _BREAKS.sub("", text)):
            for start in range(len(version) - WINDOW + 1):
                window = version[start : start + WINDOW]
                if window in self._windows:
                    found[window] = self._windows[window]
        return [f"{window!r} ({form})" for window, form in found.items()]


def _own(secret: str, name: str) -> str | None:
    """Of forms that say more than the secret, the part that is the secret's; None: all is."""
    if name == "inside a word":
        return secret
    if name.startswith("base64, offset"):
        offset = int(name[-1])
        before = {1: "u", 2: "us", 3: "user:"}[offset]
        whole = base64.b64encode((before + secret).encode()).decode().rstrip("=")
        return whole[-(-8 * len(before) // 6) : -1]
    if name == "JSON in JSON":
        return ENCODINGS["JSON in JSON"](secret)[len('"{\\"password\\": \\"') :]
    return None


def report(hits: Mapping[str, list[str]]) -> str:
    """What leaked where, one sink a line."""
    return "\n".join(f"{sink}: {'; '.join(found[:5])}" for sink, found in hits.items())
