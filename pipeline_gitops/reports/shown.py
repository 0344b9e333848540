"""The type of a text that may leave the program."""

from typing import NewType

Shown = NewType("Shown", str)
