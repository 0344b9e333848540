"""How kubectl cuts a file into documents before it reads any of them.

A file that starts with "{" is a stream of JSON objects, as long as that goes well; all others, and
the rest of that one, are cut at lines that start with "---", whatever YAML thinks of these lines
(https://github.com/kubernetes/apimachinery/blob/master/pkg/util/yaml/decoder.go).
"""

from collections.abc import Iterator

from pipeline_gitops.documents import streams
from pipeline_gitops.documents.values import Json, Unreadable
from pipeline_gitops.values import dataclass

# What Go's unicode.IsSpace takes for space.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_DASHES = b"---"
# kubectl looks no further for the first brace.
_PEEK = 4096
_JSON_SPACE = " \t\r\n"
# kubectl reads four bytes at a time between JSON and YAML, and gives up on less.
_LEAST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The text of one document, which starts in *line*, from 0, of its file.

    When it was read as JSON, *value* is a tuple of its value; when it cannot be read, *wrong* says
    why.
    """

    text: bytes
    line: int
    value: tuple[Json, ...] = ()
    wrong: Unreadable | None = None


def chunks(text: str) -> Iterator[Chunk]:
    """The documents of a file, the empty ones between them included."""
    if not text[:_PEEK].lstrip(_SPACE).startswith("{"):
        yield from _separated(text, 0)
        return
    done, line = 0, 0
    for found in streams.objects(text):
        line += text.count("\n", done, found.begin)
        part = text[found.begin : found.end].encode()
        yield Chunk(text=part, line=line, value=found.value, wrong=found.wrong)
        line += part.count(b"\n")
        done = found.end
    rest = text[done:]
    if rest.strip(_JSON_SPACE):
        yield from _after_objects(rest, line)


def _after_objects(rest: str, line: int) -> Iterator[Chunk]:
    """What follows the JSON objects, as YAML."""
    blank = len(rest) - len(rest.lstrip(_SPACE.replace("\n", "")))
    if len(rest[blank:].encode()) < _LEAST:
        wrong = Unreadable("yaml-syntax", "something follows the JSON object", "remove it", line=0)
        yield Chunk(text=b"", line=line, wrong=wrong)
    elif rest[blank] == "\n":
        yield from _separated(rest[blank + 1 :], line + 1)
    else:
        yield from _separated(rest[blank:], line)


def _separated(characters: str, line: int) -> Iterator[Chunk]:
    text = characters.encode()
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    if text and not text.endswith(b"\n"):
        text += b"\n"  # kubectl does, and a literal block in the last line gains a line break
    begin = 0
    wrong: Unreadable | None = None
    for start, end in _separators(text):
        if start > begin:
            part = text[begin:start]
            yield Chunk(text=part, line=line, wrong=wrong)
            line += part.count(b"\n") + 1
            begin = end
        # Else the separator stays the first line of its document, which means the same.
        wrong = _wrong(text[start + len(_DASHES) : end])
        if wrong and begin == end:
            begin, line = start, line - 1
    if begin < len(text):
        yield Chunk(text=text[begin:], line=line, wrong=wrong)


def _separators(text: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of all lines that start with three dashes."""
    start = 0 if text.startswith(_DASHES) else text.find(b"\n" + _DASHES) + 1 or -1
    while start >= 0:
        end = text.index(b"\n", start) + 1
        yield start, end
        start = text.find(b"\n" + _DASHES, end - 1) + 1 or -1


def _wrong(rest: bytes) -> Unreadable | None:
    """What is wrong with what stands after three dashes."""
    trimmed = rest.decode().lstrip(_SPACE)
    if not trimmed or trimmed[0] == "#":
        return None
    return Unreadable(
        "yaml-separator",
        "something stands after '---' in the same line, and kubectl refuses that",
        "put it into the next line; if the line belongs to a text, indent it",
        line=0,
    )
