"""Reading a CI job's variables: an empty one counts as unset, a broken one ends the run."""

import re
from collections.abc import Iterator, Mapping, Sequence

from pipeline_gitops import encodings
from pipeline_gitops.errors import UsageFault
from pipeline_gitops.patterns import pattern

# The CI's own, and what people call theirs. `..._FILE`, `..._ID` and `..._URL` name no secret.
_SECRET = pattern(
    r"(?i).*(token|password|passwd|passphrase|secret|credentials?|(?<!cache)_key)"
    r"(_?(b64|base64|data|json))?"
)
_SHORTEST = 8  # of a value under such a name: "required" and the like are settings

_COMMIT = pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")


def number(environ: Mapping[str, str], name: str) -> int:
    """A variable that holds a number; 0 where it is unset. Raises UsageFault."""
    text = environ.get(name, "")
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise UsageFault(
            f"the CI's variable {name} is not a number",
            f"leave {name} as the CI sets it: something before this step has overwritten it",
        )
    return int(text)


def commit(environ: Mapping[str, str], name: str) -> str:
    """A variable that holds a whole commit hash; "" where it is unset. Raises UsageFault."""
    text = environ.get(name, "")
    if text and not _COMMIT.fullmatch(text):
        raise UsageFault(
            f"the variable {name} is not a commit", f"give {name} all 40 digits of a commit's hash"
        )
    return text


def first(environ: Mapping[str, str], *names: str) -> str:
    """The first of the variables that is set; "" for none."""
    return next((environ[name] for name in names if environ.get(name)), "")


def token(environ: Mapping[str, str], names: Sequence[str]) -> tuple[str, str]:
    """The token in the first of the variables that is set, and that variable's name.

    Without the line end that a file or a web form has left behind it.
    """
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return value, name
    return "", ""


def secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Values that must not show up anywhere: of variables so named, and passwords in addresses."""
    for name, value in environ.items():
        if _SECRET.fullmatch(name) and len(value) >= _SHORTEST:
            yield from dict.fromkeys((value, value.strip()))
        password = encodings.password(value)
        if password:
            yield password
