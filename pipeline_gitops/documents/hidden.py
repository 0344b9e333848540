"""Which characters let a reviewer see something else than what is applied (https://trojansource.codes)."""

from collections.abc import Iterator, Mapping

from pipeline_gitops.documents.values import Json
from pipeline_gitops.patterns import pattern

# Without width, or turning the direction of what follows. In a value the former have their uses
# (emoji, some scripts); the latter could show another image than the one that runs.
_INVISIBLE = pattern("[\u200b-\u200f\u2060\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\u00ad]")
_TURNING = pattern("[\u202a-\u202e\u2066-\u2069]")
# The same in a text, or as escapes in it: most texts need no second look.
_SUSPECT = pattern(
    rb"\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0\xa6-\xa9]|\xef\xbb\xbf|\xc2\xad"
    rb"|\\u(?:20[26]|[fF][eE]|00[aA][dD])|\\U|\\x[aA][dD]|\\[LP]|!!binary|!<"
)

Path = tuple[str, ...]


def suspect(text: bytes) -> bool:
    """Whether *text* can hold any such character."""
    return _SUSPECT.search(text) is not None


def keys(value: Json) -> Iterator[Path]:
    """The paths of all keys that hold an invisible character."""
    return (path for path, _ in _walk(value, ()) if path and _INVISIBLE.search(path[-1]))


def values(value: Json) -> Iterator[Path]:
    """The paths of all strings that hold a character which turns the direction."""
    return (
        path for path, part in _walk(value, ()) if isinstance(part, str) and _TURNING.search(part)
    )


def _walk(value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    yield path, value
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _walk(part, (*path, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _walk(part, (*path, str(index)))
