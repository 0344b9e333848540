"""The forges' own descriptions of their API, and what about a request is not as described.

A server ignores a misspelt field or parameter; here it is a mistake.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest

FOLDER = Path(__file__).resolve().parent / "openapi"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it was sent: path and query with their percent signs."""

    method: str
    path: str
    query: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Description:
    """One forge's API. *base* is the path that it lives under, such as "/api/v1"."""

    file: str
    base: str
    beside: frozenset[str] = frozenset()  # paths that are no part of it

    def mistake(self, sent: Sent) -> str:
        """What is wrong with a request, in a line; "" when it is as described."""
        if sent.path in self.beside:
            return ""
        return _mistake(self.file, replace(sent, path=sent.path.removeprefix(self.base)))


@functools.lru_cache(maxsize=4096)  # most reads are repeated
def _mistake(file: str, sent: Sent) -> str:
    arguments = parse_qs(sent.query, keep_blank_values=True)
    request = MockRequest(
        "http://forge",
        sent.method,
        sent.path,
        args=arguments,
        data=sent.body,
        content_type=sent.content_type,
    )
    found = _loaded(file).unmarshal_request(request)
    if found.errors:
        return "; ".join(_reason(error) for error in found.errors)
    unknown = sorted(arguments.keys() - found.parameters.query.keys())
    return f"no parameter is called {', '.join(unknown)}" if unknown else ""


@functools.cache
def _loaded(file: str) -> OpenAPI:
    text = (FOLDER / file).read_text()  # JSON is YAML too
    # A test holds the descriptions to OpenAPI's own rules; that takes seconds.
    config = Config(additional_properties_default_policy="forbid", spec_validator_cls=None)
    return OpenAPI.from_dict(yaml.load(text, yaml.CSafeLoader), config=config)


def _reason(error: BaseException) -> str:
    """The rules that are broken, each with its place."""
    found = getattr(error.__cause__, "schema_errors", ())
    broken = [f"{'/'.join(map(str, one.path)) or 'body'}: {one.message[-200:]}" for one in found]
    return "; ".join(broken) or str(error)
