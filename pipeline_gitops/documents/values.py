"""What a document is made of, and what it means that a text cannot become one."""

from collections.abc import Mapping, Sequence

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Body = Mapping[str, Json]


class Unreadable(Exception):
    """A text that kubectl would refuse, or that we will not read.

    *message* never holds a value of the text: a Secret could be in there. *line* and *column* count
    from 0 inside the text; -1 means not known yet.
    """

    def __init__(
        self, rule: str, message: str, cure: str, *, line: int = -1, column: int = 0
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.cure = cure
        self.line = line
        self.column = column
