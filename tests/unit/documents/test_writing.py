"""What is written is read back as it was, by us and by kubectl."""

from pathlib import Path

import pytest

from pipeline_gitops import documents
from pipeline_gitops.documents import at
from pipeline_gitops.views import Severity
from tests.unit.documents import oracle
from tests.unit.documents.tables import KEYS, SCALARS

# Texts in which writers of YAML get lost, besides all that stand in the table of scalars.
TEXTS = [
    *(
        " ",
        "  ",
        " a",
        "a ",
        " a ",
        "\t",
        "\ta",
        "a\t",
        "a\tb",
        "a\t#b",
        "a #b",
        "#",
        "a#",
        "a:",
        ":",
    ),
    *(
        ": ",
        "a: b",
        "- a",
        "-",
        "--",
        "---",
        "--- a",
        "...",
        "? a",
        "?",
        "! a",
        "!",
        "&a",
        "*a",
        "|",
    ),
    *(">", "'", '"', "''", "\\", "\\n", "a\\", "%a", "@a", "`a", "[a", "{a", "]", "}", ",", "a,b"),
    *("[a]", "{a}", '{"a": "b"}', "it's", "'a'", '"a"', "a'b\"c", "<<", "=", "~", "null", "a  b"),
    *("\n", "\n\n", " \n", "\n ", "a\n", "a\n\n", "a\nb", "a\n\nb", "a\nb\n", "a\nb\n\n\n", "\na"),
    *("\n\na\n", " a\nb", "  a\n b\n", "\ta\nb", "a\n\tb", "a \nb", "a\n \nb", "a\n  ", "a\n  \n"),
    *(
        "a\n#b",
        "#a\nb",
        "a: b\nc: d\n",
        "- a\n- b\n",
        "---\na",
        "a\n---\nb",
        "...\n",
        "|\n",
        "a\n\n ",
    ),
    *(
        "a\r\nb",
        "a\rb",
        "\r",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "\xa0",
        "a\xa0b",
        "\ufeff",
        "\ufeffa",
    ),
    *(
        "a\x00b",
        "\x01",
        "\x7f",
        "\x80",
        "\x9f",
        "\ufffd",
        "\ue000",
        "é",
        "日本",
        "\U0001f600",
        "\uffff",
    ),
    *(
        "é\nè\n",
        "\U0001f600\na",
        "a\n\x07",
        "\u200b",
        "\u202e",
        "x" * 5000,
        "y " * 2000,
        "k: " * 400,
    ),
    *("-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n", "#!/bin/sh\nset -e\n"),
    *(text for text in SCALARS.values() if isinstance(text, str)),
    *(text for text in SCALARS if "\n" not in text),
    *KEYS,
]


def body(value: object) -> dict[str, object]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Probe",
        "metadata": {"name": "p"},
        "v": value,
    }


def in_all_positions(text: str) -> dict[str, object]:
    return body({"a": text, "b": [text, [text, [text]], {"c": text}], "d": {"e": {"f": [[text]]}}})


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_text(number: int) -> None:
    """A text is read back as itself, wherever it stands."""
    expected = in_all_positions(TEXTS[number])

    written = documents.write([expected])

    (document,), findings = documents.read(written.encode(), "f.yaml")
    assert document.body == expected
    assert all(finding.severity is Severity.WARNING for finding in findings)


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_text_as_a_key(number: int) -> None:
    """A text is read back as itself as a key too, unless nobody could see what is in it."""
    text = TEXTS[number]
    expected = body({text: {text: text}, "z": [{text: [text]}]})

    written = documents.write([expected])

    read, findings = documents.read(written.encode(), "f.yaml")
    if any(finding.severity is Severity.ERROR for finding in findings):
        assert {finding.rule for finding in findings} == {"yaml-hidden-character"}
    else:
        assert [document.body for document in read] == [expected]


def test_texts_in_kubectl(tmp_path: Path) -> None:
    """kubectl reads all of them back as well, in one stream."""
    bodies = [in_all_positions(text) for text in TEXTS]
    bodies += [body({text: [{text: text}]}) for text in TEXTS]

    found = oracle.objects(documents.write(bodies).encode(), tmp_path)

    wrong = [
        (one, other)
        for one, other in zip(bodies, found, strict=True)
        if not oracle.same(one, other)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, -1, 2**63 - 1, -(2**63), 0.1, 1e22, 1e-7, -2.5e300),
        *([], {}, [[]], [{}], [[], [[]], {"a": []}], {"a": {}, "b": [None, {"c": {}}]}),
        {"a": [{"b": [{"c": 1}]}]},
    ],
)
def test_value(value: object) -> None:
    """A value of any other kind is read back as itself, with its type."""
    (document,), findings = documents.read(documents.write([body(value)]).encode(), "f.yaml")

    assert findings == ()
    assert oracle.same(document.body["v"], value)


def test_style() -> None:
    """Documents look as kubectl and kustomize write them, with the keys in their order."""
    first = {
        "kind": "A",
        "apiVersion": "v1",
        "spec": {"args": ["--port=80", "yes"], "script": "#!/bin/sh\nexit 1\n"},
        "list": [{"a": 1, "b": "8080"}, ["x", {"c": "d: e"}], {}],
        "json": '{"a": "b"}',
    }

    written = documents.write([first, {}])

    assert written == (
        "kind: A\n"
        "apiVersion: v1\n"
        "spec:\n"
        "  args:\n"
        "  - --port=80\n"
        '  - "yes"\n'
        "  script: |\n"
        "    #!/bin/sh\n"
        "    exit 1\n"
        "list:\n"
        "- a: 1\n"
        '  b: "8080"\n'
        "- - x\n"
        '  - c: "d: e"\n'
        "- {}\n"
        'json: \'{"a": "b"}\'\n'
        "---\n"
        "{}\n"
    )


def test_nothing() -> None:
    """No bodies are no text."""
    assert documents.write([]) == ""


def test_long_keys(tmp_path: Path) -> None:
    """A key that is too long for a line of its own is announced, and read back."""
    bodies = [body({"k" * length: ["x", {"a": "b"}], "z": 1}) for length in (999, 1024, 1025, 3000)]

    written = documents.write(bodies).encode()

    assert [document.body for document in documents.read(written, "f.yaml")[0]] == bodies
    assert oracle.objects(written, tmp_path) == bodies


def test_half_characters_become_replacements() -> None:
    """Half a surrogate pair, which no reader takes, becomes what Go makes of it."""
    written = documents.write([body("a\ud800b")])

    assert at(documents.read(written.encode(), "f.yaml")[0][0].body, "v") == "a\ufffdb"
