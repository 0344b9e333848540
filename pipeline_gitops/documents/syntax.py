"""What the YAML parser complains about, in words that help."""

from yaml import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from pipeline_gitops.documents.composing import too_deep
from pipeline_gitops.documents.values import Unreadable

_DIRECTIVE = "did not find expected <document start>"
# By the parser's own words: what is wrong, and the cure. Its words never quote the text.
_KNOWN = {
    "mapping values are not allowed in this context": (
        "a ': ' stands where no key can be",
        "quote the value that contains ': ', or correct the indentation",
    ),
    "did not find expected key": (
        "a key was expected here",
        "align the line with its neighbours, or close the quotes or brackets before it",
    ),
    "did not find expected '-' indicator": (
        "a list item was expected here",
        "align the line with the list, or start it with '- '",
    ),
    "could not find expected ':'": (
        "a key without ':'",
        "add ': ' after the key, or indent the line if it belongs to the text before",
    ),
    "found character that cannot start any token": (
        "a character that cannot start a value, such as a tab, '@' or '`'",
        "indent with spaces; quote values that start with a sign",
    ),
    "found unexpected end of stream": (
        "the text ends inside quotes",
        "add the closing quote",
    ),
    "found undefined tag handle": (
        "a '!' tag that is not declared",
        "quote the value that starts with '!'",
    ),
    _DIRECTIVE: (
        "a %YAML or %TAG line, which kubectl cuts from its document",
        "remove the line",
    ),
    "block sequence entries are not allowed in this context": (
        "a list starts where none can be",
        "start the list in the line after its key",
    ),
    "did not find expected ',' or '}'": ("a '{' is not closed", "add ',' or '}'"),
    "did not find expected ',' or ']'": ("a '[' is not closed", "add ',' or ']'"),
    "found unexpected ':'": (
        "a ':' without a space behind it, inside brackets",
        "put a space behind it, or quote the text",
    ),
    "found unknown escape character": (
        "an escape that YAML does not know, in double quotes",
        "write '\\\\' for a backslash, or use single quotes",
    ),
    "control characters are not allowed": ("a control character", "remove it, or escape it"),
}
_DEEP = "exceeded maximum nesting depth"


def explained(error: YAMLError | UnicodeError, text: bytes) -> Unreadable:
    """What *error* means, and where in *text*."""
    line, column = 0, 0
    words = ""
    if isinstance(error, ReaderError):
        words = str(error.reason)
        before = text[: error.position]
        line, column = (
            before.count(b"\n"),
            len(before.rpartition(b"\n")[2].decode("utf-8", "replace")),
        )
    elif isinstance(error, MarkedYAMLError):
        words = str(error.problem)
        if mark := error.problem_mark or error.context_mark:
            line, column = mark.line, mark.column
    if words == _DEEP:
        deep = too_deep()
        deep.line, deep.column = line, column
        return deep
    message, cure = _KNOWN.get(words, (words, "correct the syntax"))
    rule = "yaml-syntax"
    if words == _DIRECTIVE:  # found missing in the line after the directive
        rule, line = "yaml-directive", text[: text.find(b"%")].count(b"\n")
    return Unreadable(rule, message or "no YAML", cure, line=line, column=column)
