"""Style and script of the page, and the policy under which nothing else counts.

The policy lets nothing load, runs the one script whose hash it names, and forbids that script to
turn text into HTML (https://www.w3.org/TR/trusted-types/), whatever a manifest smuggles in.
"""

import base64
import hashlib
from pkgutil import get_data


def _asset(name: str) -> str:
    content = get_data(__package__, name)
    if content is None:
        raise FileNotFoundError(f"{__package__}/{name}: not packed")
    return content.decode()


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


STYLE = _asset("page.css")
SCRIPT = _asset("page.js")
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; "
    f"style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
)
