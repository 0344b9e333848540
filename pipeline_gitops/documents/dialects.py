"""Where PyYAML's parser, libyaml 0.2, takes what go-yaml's, a translation of libyaml 0.1, refuses.

In each of these kubectl reports an error, or reads something else than other tools; we refuse.
"""

from pipeline_gitops.documents.values import Unreadable
from pipeline_gitops.patterns import pattern

_MARK = b"\xef\xbb\xbf"
# libyaml passes over a byte order mark at the start of any line, go-yaml takes it for text.
_MARKED_LINE = pattern(rb"(?:[\n\r]|\xc2\x85|\xe2\x80[\xa8\xa9])" + _MARK)
_ESCAPED_SLASH = pattern(r"(?<!\\)(?:\\\\)*\\/")


def is_doubtful(text: bytes) -> bool:
    """Whether the scalars of *text* need `check`."""
    return b"\\/" in text or (b"?" in text and (b"[" in text or b"{" in text))


def check_lines(text: bytes) -> None:
    """Raises Unreadable for a byte order mark inside the text that starts a line."""
    found = _MARKED_LINE.search(text) if _MARK in text else None
    if found:
        raise Unreadable(
            "yaml-encoding",
            "a byte order mark inside the text",
            "remove it; it is there because files were joined",
            line=text.count(b"\n", 0, found.end()),
        )


def check(value: str, style: str, source: str, *, in_flow: bool) -> None:
    """Raises Unreadable for a scalar that go-yaml refuses; *source* is how it is written."""
    if style == '"' and _ESCAPED_SLASH.search(source):
        raise Unreadable(
            "yaml-syntax", "the escape '\\/', which is JSON but not YAML 1.1", "write '/'"
        )
    if not style and in_flow and "?" in value:
        raise Unreadable("yaml-syntax", "a '?' inside brackets", "quote the value that holds it")


def check_tag(value: str, style: str, *, in_flow: bool) -> None:
    """Raises Unreadable for a tag that go-yaml reads with the comma behind it."""
    if in_flow and not style and not value:
        raise Unreadable("yaml-syntax", "a tag without a value inside brackets", "write the value")
