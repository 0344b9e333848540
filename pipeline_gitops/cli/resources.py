"""Where the program's data files lie: inside the wheel, or beside the package in a checkout."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def schemas() -> Path:
    """The folder of schemas. A wheel holds it as `_schemas`, a checkout at its top level."""
    packed = _PACKAGE / "_schemas"
    return packed if packed.is_dir() else _PACKAGE.parent / "schemas"
