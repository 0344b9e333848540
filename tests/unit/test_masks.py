"""Secrets leave, and no text acts on its reader."""

import base64
import json
import sys
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline_gitops import encodings, masks
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.views import Action, ChangeView, FaultView, Finding, PlanView, Report, Result
from tests.leaks.encodings import ENCODINGS

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


def test_overlapping_secrets_leave_nothing_between_them() -> None:
    """The end of one is the start of the other, and one mask covers both."""
    redact = masks.Redactor(["abcdefgh", "fghijklm"])

    assert redact("x abcdefghijklm y") == f"x {masks.MASK} y"


@pytest.mark.parametrize(
    "text",
    [
        "aHVudGVy\nMmh1bnRlcjI=",
        "aHVudGVy\n    Mmh1bnRlcjI=",
        "aHVudGVy\n+ Mmh1bnRlcjI=",
        "hunter2hun\n  ter2",
        "hunter2\\\n  hunter2",
    ],
)
def test_a_value_is_found_over_line_ends(text: str) -> None:
    """Encoders, YAML and diffs break lines inside of it."""
    redact = masks.Redactor(["hunter2hunter2"])

    assert redact(f"a {text} b") == f"a {masks.MASK} b"


def test_of_lines_that_share_a_value_one_is_left() -> None:
    """How many lines a value takes says how long it is."""
    redact = masks.Redactor(["hunter2hunter2"])

    assert redact.lines(("a", "x hunter2", "hun", "ter2 y", "b")) == ("a", f"x {masks.MASK} y", "b")


def test_lines_without_a_value_stay_as_they_are() -> None:
    """Each is masked for itself, and none gets lost."""
    redact = masks.Redactor(["hunter2hunter2"])
    lines = ("", "one", "", "is hunter2hunter2", "two", "")

    assert redact.lines(lines) == ("", "one", "", f"is {masks.MASK}", "two", "")


@pytest.mark.parametrize("quoted", ["pa'ss\"wörd", "pa\\'ss\\\\\"wörd", "pa''ss\\\"w\\u00f6rd"])
def test_quotes_at_any_depth_do_not_hide_a_value(quoted: str) -> None:
    """JSON in a shell in YAML writes them in any number."""
    redact = masks.Redactor(["pa'ss\"wörd"])

    assert redact(f"a {quoted} b") == f"a {masks.MASK} b"


@pytest.mark.parametrize("ending", ["", "\\", "'", '"', '\\"'])
def test_a_mask_does_not_say_whether_a_value_ends_in_quotes(ending: str) -> None:
    """In JSON in JSON they are what is left of the value, beside what closes the text."""
    secret = f"{ending}hunter2hunter2{ending}"
    text = json.dumps(json.dumps({"password": secret}))

    shown = masks.Redactor([secret])(text)

    assert shown == '"{\\"password\\": [masked]}"'


def test_a_line_of_a_diff_is_cut_after_it_is_masked() -> None:
    id = ObjectId("", "ConfigMap", "shop", "echo")
    line = "+" + "x" * (masks.LONGEST_LINE - 4) + " hunter2hunter2 and on"
    change = ChangeView(id=id, action=Action.CREATE, lines=(line, "+short"))
    plan = PlanView(compared="cluster", changes=(change,))
    report = Report(command="diff", results=(Result(environment="prod", plans=(plan,)),))

    sealed = masks.seal(report, ["hunter2hunter2"])

    cut, short = sealed.results[0].plans[0].changes[0].lines
    assert cut == "+" + "x" * (masks.LONGEST_LINE - 4) + " [m ..."
    assert short == "+short"


def test_a_base64_text_is_masked_as_a_whole() -> None:
    """Its length, and the characters at the value's ends, would say something about it."""
    long = base64.b64encode(b"user:hunter2hunter2@host and much more").decode()
    redact = masks.Redactor(["hunter2hunter2"])

    assert redact(f"auth={long}.") == f"auth={masks.MASK}."


@pytest.mark.parametrize("text", ["x" * 200 + " hunter2hun", "the rest was cut: hunter2hun ..."])
def test_the_start_of_a_value_is_masked_where_a_text_was_cut(text: str) -> None:
    """The API server cuts messages of events, and so do we."""
    redact = masks.Redactor(["hunter2hunter2"])

    assert "hunter2" not in redact(text)


def test_a_quote_of_a_value_is_masked_where_a_text_was_cut() -> None:
    """With the character before it, it would tell how far the value goes."""
    redact = masks.Redactor(['hunter2"hunter2'])

    assert redact('the rest was cut: hunter2" ...') == f"the rest was cut: {masks.MASK} ..."


def test_the_end_of_a_value_is_masked_where_a_text_was_cut() -> None:
    """The kubelet keeps the end of what a container says."""
    redact = masks.Redactor(["hunter2hunter2"])

    assert redact("it failed: r2hunter2 " + "x" * 200).startswith(f"it failed: {masks.MASK} ")


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        ('{"auths": {"r": {"username": "bot", "password": "hunter2"}}}', "hunter2"),
        ("user: bot\npassword: hunter2", "hunter2"),
        ("API_TOKEN=hunter2", "hunter2"),
        ("postgres://bot:hunter2@db/shop", "hunter2"),
        ("-----BEGIN KEY-----\nMIIabcdef\nxyzxyz\n-----END KEY-----", "xyzxyz"),
    ],
)
def test_secrets_inside_of_a_value_are_masked_too(value: str, inside: str) -> None:
    """A file of settings, a login of a registry, an address and a key hold some."""
    assert masks.Redactor([value])(f"a {inside} b") == f"a {masks.MASK} b"


@pytest.mark.parametrize("line", ["kind: Config", "-----BEGIN KEY-----", "user: shop"])
def test_common_lines_of_a_value_are_no_secrets(line: str) -> None:
    """Or a file of settings in a Secret would black out every manifest."""
    redact = masks.Redactor([f"{line}\npassword: hunter2\nkind: Config"])

    assert redact(f"a {line} b") == f"a {line} b"


@given(
    secret=st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=12, max_size=40),
    encoding=st.sampled_from([name for name in ENCODINGS if "lines" not in name]),
    around=st.tuples(st.text(max_size=10), st.text(max_size=10)),
)
def test_any_value_in_any_encoding_is_masked(
    secret: str, encoding: str, around: tuple[str, str]
) -> None:
    """Whatever it is made of, and whatever stands around it."""
    assume(len("".join(secret.split())) == len(secret))
    assume(len(encodings.bare(secret)) >= encodings.SHORTEST)
    before, after = around
    written = ENCODINGS[encoding](secret)

    shown = masks.Redactor([secret])(f"{before} {written} {after}")

    assert masks.MASK in shown
    assert written not in shown


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
    ranges = [(0xAD, 0xAD), (0x61C, 0x61C), (0x180E, 0x180E), (0x200B, 0x200B), (0x200E, 0x200F)]
    ranges += [(0x202A, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB)]
    ranges += [(0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE007F)]
    marks = {chr(code) for first, last in ranges for code in range(first, last + 1)}

    for code in range(sys.maxunicode + 1):
        char = chr(code)
        acts = char in marks or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        wanted = f"\\u{code:04x}" if acts and char not in "\n\t" else char
        assert masks.clean(char) == wanted


def test_a_sealed_report_can_be_narrowed() -> None:
    """To what concerns one merge request; the rest stays as it is."""
    results = tuple(Result(environment=name) for name in ("staging", "prod", "lab"))
    sealed = masks.seal(Report(command="run", revision="1234567", results=results), ())

    part = masks.narrowed(sealed, {"prod", "lab"})

    assert [one.environment for one in part.results] == ["prod", "lab"]
    assert (part.command, part.revision) == ("run", "1234567")
