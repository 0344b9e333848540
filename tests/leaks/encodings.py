"""How a planted secret is written where it is planted, without a line of the program under test."""

import base64
import html
import json
import shlex
import textwrap
from collections.abc import Callable, Mapping
from urllib.parse import quote, quote_plus

import yaml

Encode = Callable[[str], str]


def _base64(before: str = "", after: str = "") -> Encode:
    return lambda secret: base64.b64encode(f"{before}{secret}{after}".encode()).decode()


def _wrapped(encode: Encode, width: int) -> Encode:
    return lambda secret: "\n  ".join(textwrap.wrap(encode(secret), width))


def _hex(secret: str) -> str:
    return secret.encode().hex()


ENCODINGS: Mapping[str, Encode] = {
    "raw": lambda secret: secret,
    "inside a word": lambda secret: f"x{secret}y",
    "base64": _base64(),
    "base64, unpadded": lambda secret: _base64()(secret).rstrip("="),
    "base64 for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64, offset 1": _base64("u", "tail"),
    "base64, offset 2": _base64("us", "tail"),
    "base64, offset 3": _base64("user:", "@host"),
    "base64 twice": lambda secret: _base64()(_base64()(secret)),
    "hex": _hex,
    "hex, upper case": lambda secret: _hex(secret).upper(),
    "URL": lambda secret: quote(secret, safe=""),
    "URL, lower case": lambda secret: (
        quote(secret, safe="").lower()
        if secret.islower()
        else "".join(
            part.lower() if part.startswith("%") else part
            for part in (quote(sign, safe="") for sign in secret)
        )
    ),
    "URL path": quote,
    "form": quote_plus,
    "JSON": json.dumps,
    "JSON as Go writes it": lambda secret: (
        json.dumps(secret).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    ),
    "JSON in JSON": lambda secret: json.dumps(json.dumps({"password": secret})),
    "YAML": lambda secret: yaml.safe_dump(secret, width=10_000).removesuffix("\n...\n").strip(),
    "YAML, double quotes": lambda secret: yaml.safe_dump(
        secret, default_style='"', width=10_000
    ).strip(),
    "HTML": html.escape,
    "HTML, text only": lambda secret: html.escape(secret, quote=False),
    "shell": shlex.quote,
    "base64 on several lines": _wrapped(_base64(), 12),
    "raw on several lines": _wrapped(lambda secret: secret, 11),
}
