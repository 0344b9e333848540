"""How a file becomes documents and findings, so that one bad document does not hide the others."""

import codecs
from collections.abc import Iterator

from yaml import YAMLError

from pipeline_gitops.documents import composing, hidden, objects, syntax
from pipeline_gitops.documents.chunks import Chunk, chunks
from pipeline_gitops.documents.composing import EVENTS, Budget, Composed, Twice
from pipeline_gitops.documents.objects import Lack
from pipeline_gitops.documents.places import Document, Marks
from pipeline_gitops.documents.values import Body, Json, Unreadable
from pipeline_gitops.ids import Place
from pipeline_gitops.values import dataclass
from pipeline_gitops.views import Finding, Severity

# A server takes no request over 3 MiB; a file may hold a few objects, not the whole cluster.
FILE_BYTES = 4 * 1024 * 1024
# Each costs a request or more at deploy; a larger set belongs into several environments.
DOCUMENTS = 10_000
# A message names a key; no key that means something is longer.
_LONGEST_KEY = 80

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # 32 LE starts as 16 LE
_ENCODE = "save the file as UTF-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """The value of one document."""

    value: Json
    place: Place
    number: int
    marks: Marks


def read(
    text: bytes, file: str, *, largest: int = FILE_BYTES
) -> tuple[tuple[Document, ...], tuple[Finding, ...]]:
    """The objects in a file as kubectl would send them, and what keeps others from being read.

    A List counts as its items. A file of more than *largest* bytes is refused; what an engine has
    rendered may be larger than what one person writes.
    """
    documents: list[Document] = []
    findings: list[Finding] = []
    for found in _values(text, file, largest):
        if isinstance(found, Finding):
            findings.append(found)
            continue
        for path, part in objects.parts(found.value):
            if isinstance(part, Lack):
                findings.append(_lacking(found, part))
            else:
                documents.append(_document(found, path, part))
        if len(documents) > DOCUMENTS:
            return (), (_too_many(found.place, found.number),)
    return tuple(documents), tuple(findings)


def read_value(text: bytes, file: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """The one mapping in a file of configuration; None when the file is empty or cannot be read."""
    document: Document | None = None
    findings: list[Finding] = []
    for found in _values(text, file, FILE_BYTES):
        if isinstance(found, Finding):
            findings.append(found)
        elif not isinstance(found.value, dict):
            wrong = Unreadable("document-not-object", "no mapping", "write 'key: value' lines")
            findings.append(_finding(wrong, found.place, found.number))
        elif document:
            wrong = Unreadable(
                "yaml-documents", "more than the one document", "remove it, with the '---' before"
            )
            findings.append(_finding(wrong, found.place, found.number))
        else:
            document = _document(found, (), found.value)
    return document, tuple(findings)


def _document(found: _Value, path: objects.Path, body: Body) -> Document:
    place = _place(found, found.marks.value(path)) if path else found.place
    return Document(body=body, place=place, number=found.number, marks=found.marks, prefix=path)


def _values(text: bytes, file: str, largest: int) -> Iterator[_Value | Finding]:
    """The values in a file, and what is wrong with those that cannot be read, in their order."""
    try:
        decoded = _decoded(text, largest)
    except Unreadable as error:
        place = Place(file, error.line + 1, error.column + 1) if error.line >= 0 else Place(file)
        yield _finding(error, place, 0)
        return
    budget = Budget(events=EVENTS * max(1, largest // FILE_BYTES))
    number = 0
    for index, chunk in enumerate(chunks(decoded)):
        if index >= DOCUMENTS:
            yield _too_many(Place(file, chunk.line + 1, 1), number + 1)
            return
        try:
            composed = _composed(chunk, budget)
        except Unreadable as error:
            number += 1
            line = chunk.line + max(error.line, 0) + 1
            yield _finding(error, Place(file, line, error.column + 1), number)
            continue
        if composed is None or composed.value is None:
            continue  # kubectl passes over comments and null
        number += 1
        place = Place(file, chunk.line + composed.line + 1, composed.column + 1)
        marks = Marks(chunk.text, chunk.line)
        found = _Value(value=composed.value, place=place, number=number, marks=marks)
        yield from _judged(found, composed, is_suspect=hidden.suspect(chunk.text))


def _judged(found: _Value, composed: Composed, *, is_suspect: bool) -> Iterator[_Value | Finding]:
    """The value, unless something is wrong with its keys."""
    wrong = [_repeated(found, twice) for twice in composed.twice]
    if is_suspect:
        wrong += [_invisible(found, path) for path in hidden.keys(found.value)]
    if wrong:
        yield from wrong
        return
    yield found
    if is_suspect:
        yield from (_turning(found, path) for path in hidden.values(found.value))


def _decoded(text: bytes, largest: int) -> str:
    """The characters of a file. kubectl would replace what it cannot decode, and so damage it."""
    if len(text) > largest:
        raise Unreadable("yaml-size", f"larger than {largest // 2**20} MiB", "split the file")
    if text.startswith(_WIDE):
        raise Unreadable("yaml-encoding", "the file is UTF-16 or UTF-32", _ENCODE, line=0)
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = text[: error.start]
        raise Unreadable(
            "yaml-encoding", "a byte that is no UTF-8", _ENCODE, line=before.count(b"\n")
        ) from None
    nul = decoded.find("\0")
    if nul >= 0:
        line = decoded.count("\n", 0, nul)
        raise Unreadable("yaml-nul", "a NUL character", f"remove it; {_ENCODE}", line=line)
    return decoded


def _composed(chunk: Chunk, budget: Budget) -> Composed | None:
    if chunk.wrong:
        raise chunk.wrong
    if chunk.value:
        return Composed(chunk.value[0], 0, 0, [])
    try:
        return composing.compose(chunk.text, budget)
    except (YAMLError, UnicodeError) as error:
        raise syntax.explained(error, chunk.text) from None


def _place(found: _Value, position: tuple[int, int]) -> Place:
    return Place(found.place.file, *position)


def _finding(wrong: Unreadable, place: Place, number: int) -> Finding:
    """*number* 0 means the whole file."""
    document = f"document {number}: " if number else ""
    return Finding(rule=wrong.rule, message=document + wrong.message, cure=wrong.cure, place=place)


def _lacking(found: _Value, lack: Lack) -> Finding:
    item = (
        f"item {int(lack.path[1]) + 1}: " if lack.path[:1] == ("items",) and lack.path[1:] else ""
    )
    wrong = Unreadable(lack.rule, item + lack.message, lack.cure)
    return _finding(wrong, _place(found, found.marks.value(lack.path)), found.number)


def _repeated(found: _Value, twice: Twice) -> Finding:
    first = found.marks.key(twice.path)[0]
    second = found.marks.line(twice.line)
    wrong = Unreadable(
        "yaml-duplicate-key",
        f"the key {_quoted(twice.path[-1])} stands in line {first} and again in line {second}",
        "remove one of them",
    )
    return _finding(wrong, Place(found.place.file, second, twice.column + 1), found.number)


def _invisible(found: _Value, path: hidden.Path) -> Finding:
    wrong = Unreadable(
        "yaml-hidden-character",
        f"the key {_quoted(path[-1])} holds an invisible character",
        "type the key anew",
    )
    return _finding(wrong, _place(found, found.marks.key(path)), found.number)


def _turning(found: _Value, path: hidden.Path) -> Finding:
    name = _quoted(path[-1]) if path else "the document"
    return Finding(
        rule="yaml-hidden-character",
        message=f"document {found.number}: the value of {name} holds a character that changes the "
        "direction of writing: it may show something else than what it is",
        cure="remove the character",
        severity=Severity.WARNING,
        place=_place(found, found.marks.value(path)),
    )


def _too_many(place: Place, number: int) -> Finding:
    wrong = Unreadable(
        "yaml-documents", f"more than {DOCUMENTS} objects in one file", "split the file"
    )
    return _finding(wrong, place, number)


def _quoted(key: str) -> str:
    return repr(key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…")
