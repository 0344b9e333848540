"""How a body becomes JSON and back: on the wire, and where a digest of it is taken.

By orjson, which takes a quarter of the time of `json`. What it reads otherwise is how the API
server reads it too: a number of more than 64 bits is a float, and NaN or half a surrogate pair is
no JSON (https://github.com/kubernetes-sigs/json).
"""

import json
from collections.abc import Mapping

import orjson

from pipeline_gitops.documents import Json


def written(value: object) -> bytes:
    """*value* as JSON. Raises TypeError for what is none."""
    return _dumped(value, 0)


def canonical(value: object) -> bytes:
    """*value* as JSON that is the same for equal values."""
    return _dumped(value, orjson.OPT_SORT_KEYS)


def read(data: bytes) -> Json:
    """The value of a JSON text. Raises ValueError where it is broken."""
    value: Json = orjson.loads(data)
    return value


def _dumped(value: object, options: int) -> bytes:
    try:
        return orjson.dumps(value, default=_plain, option=options)
    except orjson.JSONEncodeError:
        # Half a surrogate pair, or a number of more than 64 bits: the server says what is wrong.
        sort = options == orjson.OPT_SORT_KEYS
        return json.dumps(value, default=_plain, sort_keys=sort, separators=(",", ":")).encode()


def _plain(value: object) -> object:
    """Read-only mappings as JSON knows them."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
