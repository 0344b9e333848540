"""Amounts as Kubernetes writes them, exactly: "100m", "1.5Gi", "2e3"
(https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).

>>> parse("1500m") + parse("0.5")
Fraction(2, 1)
>>> said(parse("1Gi") * 3)
'3Gi'
"""

from fractions import Fraction

from pipeline_gitops.documents import Json
from pipeline_gitops.patterns import pattern

_BINARY = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4, "Pi": 1024**5, "Ei": 1024**6}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
# No more digits than any amount has: an exponent of nine of them would take all memory.
_QUANTITY = pattern(
    r"(?P<number>[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40}))"
    r"(?:[eE](?P<exponent>[+-]?[0-9]{1,2})|(?P<suffix>[KMGTPE]i|[numkMGTPE]?))"
)


def parse(value: Json) -> Fraction | None:
    """The amount; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = _QUANTITY.fullmatch(str(value).strip())
    if found is None:
        return None
    number = Fraction(found["number"])
    if found["exponent"]:
        return number * Fraction(10) ** int(found["exponent"])
    suffix = found["suffix"] or ""
    if suffix in _BINARY:
        return number * _BINARY[suffix]
    return number * Fraction(10) ** _DECIMAL[suffix]


def said(amount: Fraction) -> str:
    """The amount in the shortest form that is exact, to a thousandth at most."""
    if amount.denominator == 1:
        for suffix in reversed(_BINARY):
            if amount and amount.numerator % _BINARY[suffix] == 0:
                return f"{amount.numerator // _BINARY[suffix]}{suffix}"
        return str(amount.numerator)
    return f"{-(-amount.numerator * 1000 // amount.denominator)}m"
