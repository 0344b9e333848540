"""Regular expressions that are compiled when they are first used.

A command imports a hundred of them, 0.2 ms each, and uses a fifth.
"""

import re
from typing import Any, AnyStr, cast


def pattern(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """`re.compile`, later: a mistake in *source* shows at its first use."""
    return cast(re.Pattern[AnyStr], _Later(source, flags))


class _Later:
    """Stands for a compiled expression: whatever is asked of it is asked of that, and kept."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._source, self._flags), name)  # `re` keeps what it compiled
        setattr(self, name, value)
        return value
