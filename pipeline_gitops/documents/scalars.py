"""What a YAML scalar means to kubectl, and which texts may therefore stand without quotes.

kubectl reads YAML with sigs.k8s.io/yaml: go-yaml v2 resolves the scalar, the result goes through
JSON (https://github.com/yaml/go-yaml/blob/v2.4.3/resolve.go, function resolve). PyYAML's own rules
differ in both directions: to kubectl `y` is true, `08` is 8, `72445e2` is 7244500, `1:30` a string.
"""

import base64
import math
import struct
from datetime import date
from decimal import Decimal

from yaml.events import ScalarEvent

from pipeline_gitops.documents.values import Unreadable
from pipeline_gitops.patterns import pattern

Scalar = None | bool | int | float | str

# Only a plain scalar that starts with one of these can be anything but a string.
HINTS = frozenset("+-0123456789.~yYnNtTfFoO")

_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = pattern(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = pattern(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Go's ParseFloat takes an underscore between two digits, and sees it only after a leading point.
_POINT = pattern(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_SIGNED_BINARY = pattern(r"0b([-+][01]+)")
_TIMESTAMP = pattern(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt ]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})"
    r"(?:[.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_BASE64 = pattern(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")

# No indicator in front, nothing that could end the scalar; a leading dash only before a letter.
_PLAIN = pattern(
    r"(?:[A-Za-z0-9_./~+\\^$();]|[^\x00-\x7f]|--?[A-Za-z])"
    r"(?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f:])?"
)
# Strings to kubectl, but dates, base 60 or worse to other readers of YAML.
_ELSEWHERE = pattern(r"[0-9]{4}-[0-9]{1,2}-.*|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\.+")

_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
# No 64-bit number has more characters, and int() refuses very long ones with an exception.
_LONGEST_INTEGER = 70


def resolve(text: str) -> Scalar:
    """The value of a plain scalar without a tag, as go-yaml has it before it becomes JSON."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        return _finite(text.replace("_", ""), text) if _POINT.fullmatch(text) else text
    if first not in "+-0123456789":
        return text
    digits = text.replace("_", "")
    number = _integer(digits)
    if number is not None:
        return number
    if _FLOAT.fullmatch(digits):
        return _finite(digits, text)
    return text


def _integer(digits: str) -> int | None:
    if signed := _SIGNED_BINARY.fullmatch(digits):  # Go reads what follows 0b with its own sign
        digits = signed[1].replace("-", "-0b").replace("+", "0b")
    if len(digits) > _LONGEST_INTEGER or not _INTEGER.fullmatch(digits):
        return None
    sign = -1 if digits[0] == "-" else 1
    size = digits.lstrip("+-")
    octal = size[0] == "0" and size.isdigit()
    number = sign * int(size, 8 if octal else 0)
    # Only a number without a sign may use the 64th bit.
    most = _MOST if digits[0] in "+-" else _MOST_UNSIGNED
    return number if _LEAST <= number <= most else None


def _finite(digits: str, text: str) -> float | str:
    number = float(digits)
    return text if math.isinf(number) else number


def of_event(event: ScalarEvent) -> Scalar:
    """The value of a scalar event: quotes make a string, a tag decides, else `resolve`."""
    if event.tag:
        return tagged(event.tag, event.value)
    return event.value if event.style else resolve(event.value)


def is_merge(event: ScalarEvent) -> bool:
    """Whether this key merges another mapping into its own."""
    return event.value == "<<" and (event.implicit[0] or event.tag == f"{_TAG}merge")


def plain(text: str) -> bool:
    """Whether *text* may stand without quotes: kubectl, and others, read the same string back."""
    if not _PLAIN.fullmatch(text) or ": " in text or " #" in text:
        return False
    if not text.isascii() and not text.isprintable():
        return False
    if text[0] not in HINTS:
        return True
    return type(resolve(text)) is str and not _ELSEWHERE.fullmatch(text)


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag. Tags that go-yaml does not know are ignored."""
    match tag.removeprefix(_TAG) if tag.startswith(_TAG) else "":
        case "binary":
            return _binary(text)
        case "null":
            return _only(resolve(text), tag, type(None))
        case "bool":
            return _only(resolve(text), tag, bool)
        case "int":
            return _only(resolve(text), tag, int)
        case "float":
            value = resolve(text)
            if type(value) is int and value <= _MOST:
                return float(value)
            return _only(value, tag, float)
        case "timestamp":
            return text if _is_timestamp(text) else _only(None, tag, str)
    return text


def _only(value: Scalar, tag: str, wanted: type) -> Scalar:
    if type(value) is wanted:
        return value
    raise Unreadable(
        "yaml-tag",
        f"the value is not what its tag !!{tag.removeprefix(_TAG)} says",
        "correct the value or remove the tag",
    )


def _binary(text: str) -> str:
    packed = text.replace("\n", "").replace("\r", "")
    if not _BASE64.fullmatch(packed):
        raise Unreadable("yaml-binary", "the !!binary value is not base64", "correct the value")
    try:
        return base64.b64decode(packed).decode()
    except UnicodeDecodeError:
        raise Unreadable(
            "yaml-binary",
            "the !!binary value is not text, and kubectl would damage it",
            "remove the tag and put the base64 text where base64 is expected, as in binaryData",
        ) from None


def _is_timestamp(text: str) -> bool:
    found = _TIMESTAMP.fullmatch(text)
    if not found or (found[4] and (" " in text) == bool(found[7])):
        return False
    try:
        date(int(found[1]) or 4, int(found[2]), int(found[3]))  # Go has a year 0, a leap year
    except ValueError:
        return False
    hour, minute, second = (int(part or 0) for part in found.group(4, 5, 6))
    return hour < 24 and minute < 60 and second < 60


def settled(value: Scalar) -> Scalar:
    """The value as it comes out of JSON: the server knows 64-bit integers and finite floats."""
    if type(value) is int:
        return value if _LEAST <= value <= _MOST else float(value)
    if type(value) is float:
        if not math.isfinite(value):
            raise Unreadable(
                "yaml-number", "infinity and NaN do not exist in JSON", "quote it, or use a number"
            )
        if value.is_integer() and abs(value) < 2**64:
            # Go prints the shortest digits that mean the float; those are read as an integer.
            whole = int(Decimal(repr(value)))
            return whole if _LEAST <= whole <= _MOST else value
    return value


def key(value: object) -> str:
    """The name that a key gets in JSON."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value <= _MOST:
            return str(value)
        case float():
            return _short(value)
    if value is None:
        kind = "null"
    else:
        kind = "a number of more than 64 bits" if type(value) is int else "a list or a map"
    raise Unreadable("yaml-key", f"a key is {kind}", "quote the key")


def _short(value: float) -> str:
    """Go's FormatFloat(value, 'g', -1, 32), which sigs.k8s.io/yaml uses for keys."""
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isnan(single):
        return ".nan"
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    shortest = next(
        digits
        for digits in (f"{single:.{precision}e}" for precision in range(9))
        if struct.pack("f", single) == _packed(float(digits))
    )
    mantissa, _, exponent = shortest.partition("e")
    if single == 0:
        return mantissa
    if -4 <= int(exponent) < 6:
        return repr(float(shortest)).removesuffix(".0")
    return shortest


def _packed(value: float) -> bytes:
    try:
        return struct.pack("f", value)
    except OverflowError:
        return b""
