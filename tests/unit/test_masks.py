"""Secrets leave, and no text acts on its reader."""

import base64
import json
import sys
import unicodedata
from urllib.parse import quote

import pytest

from pipeline_gitops import masks
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.views import Action, ChangeView, FaultView, Finding, PlanView, Report, Result

SECRET = 'pa"ss wörd-2024'
FORMS = {
    "raw": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 of a longer text, offset 1": base64.b64encode(b"x" + SECRET.encode() + b"yz").decode(),
    "base64 of a longer text, offset 2": base64.b64encode(b"xy" + SECRET.encode() + b"z").decode(),
    "url": quote(SECRET, safe=""),
    "json": json.dumps(SECRET),
    "json, not ascii": json.dumps(SECRET, ensure_ascii=False),
    "inside a sentence": f"the server said {SECRET!s} is wrong",
}


def report_with(text: str) -> Report:
    """A report that has *text* in every kind of place."""
    id = ObjectId("", "Secret", "shop", "db")
    finding = Finding(rule="schema", message=text, cure=text, place=Place("a.yaml", 3), id=id)
    change = ChangeView(id=id, action=Action.UPDATE, lines=(f"+ {text}",), note=text)
    result = Result(
        environment="prod",
        findings=(finding,),
        plans=(PlanView(compared="cluster", changes=(change,)),),
        notices=(text,),
        dangers=(text,),
        fault=FaultView(message=text, cure=text),
    )
    return Report(command="diff", results=(result,), notices=(text,))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_known_secret_is_in_no_part_of_a_sealed_report(form: str) -> None:
    """Whatever form a value travels in, sealing takes it out of every field."""
    sealed = masks.seal(report_with(form), [SECRET])

    text = repr(sealed)
    middle = base64.b64encode(SECRET.encode()).decode()[4:-4]
    assert SECRET not in text
    assert middle not in text
    assert quote(SECRET, safe="") not in text


def test_a_line_of_a_secret_of_several_lines_is_masked_too() -> None:
    """A private key shows up line by line."""
    redact = masks.Redactor(["first line here\nsecond line here"])

    assert f"x {masks.MASK} y" == redact("x second line here y")


def test_short_values_do_not_tear_words_apart() -> None:
    """Below six characters only structure hides a value."""
    redact = masks.Redactor(["a", "on", "abc12"])

    assert redact("a button on abc12") == "a button on abc12"


def test_a_secret_inside_a_longer_one_leaves_nothing_behind() -> None:
    """The longest form is replaced first."""
    redact = masks.Redactor(["password", "password-with-tail"])

    assert redact("password-with-tail") == masks.MASK


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\rb", "a\\u000db"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028break", "line\\u2028break"),
        ("\ud800", "\\ud800"),
        ("tab\tand\nnewline", "tab\tand\nnewline"),
        ("ümlaut 日本", "ümlaut 日本"),
    ],
)
def test_control_characters_become_visible(text: str, shown: str) -> None:
    """Only newline and tab act; everything else that could is written out."""
    assert shown == masks.clean(text)


def test_every_character_that_acts_is_made_visible() -> None:
    """Controls, half characters, separators and marks of direction; nothing else is touched."""
    marks = set("\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

    for code in range(sys.maxunicode + 1):
        char = chr(code)
        acts = char in marks or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        wanted = f"\\u{code:04x}" if acts and char not in "\n\t" else char
        assert masks.clean(char) == wanted
