"""What `--report KIND=PATH` knows, and the texts that need no report."""

from dataclasses import replace

from pipeline_gitops import reports
from pipeline_gitops.ids import Place
from pipeline_gitops.views import Finding
from tests.unit.reports.samples import API, change, report, reviewed


def test_the_kinds_are_those_that_are_built() -> None:
    """A kind that is planned only is a usage error of the caller, not an empty file."""
    assert set(reports.KINDS) == {
        "codequality",
        "html",
        "json",
        "junit",
        "markdown",
        "sarif",
        "terraform",
        "text",
    }


def test_every_kind_makes_a_text() -> None:
    """A kind is a function of the sealed report alone."""
    found = Finding(rule="schema", message="wrong", place=Place("api.yaml", 1), id=API)
    shown = report(replace(reviewed(change()), findings=(found,)))

    texts = {kind: make(shown) for kind, make in reports.KINDS.items()}

    counts = texts.pop("terraform")
    assert '"update": 1' in counts
    assert all("Deployment" in text or "api.yaml" in text for text in texts.values())


def test_a_table_is_aligned_and_harmless() -> None:
    """Columns line up; a name with a line end or an escape does not break out of its cell."""
    rows = [("NAME", "PATH"), ("a\nb", "x"), ("long-name", "\x1b[31m")]

    assert reports.table(rows) == "NAME       PATH\na b        x\nlong-name  \\u001b[31m\n"


def test_a_sentence_is_one_line() -> None:
    """Whatever it names."""
    assert reports.sentence("wrote\n::error::x") == "wrote ::error::x\n"


def test_manifests_keep_their_lines() -> None:
    """YAML stays YAML."""
    assert reports.manifests("a: 1\nb: \x1b\n") == "a: 1\nb: \\u001b\n"
