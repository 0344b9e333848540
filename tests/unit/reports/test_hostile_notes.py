"""Whatever a name, a message or a log line holds, a note only ever shows it.

The recogniser here is written from the rules of Markdown and of the forges, not from `fences`.
"""

import re
from collections.abc import Iterator
from html import unescape

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import masks, reports
from pipeline_gitops.views import Report
from tests.campaigns import examples
from tests.unit.reports.samples import FILES_URL, RUN_URL, hostile

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
RUN = re.compile(r"`+")


def outside_fences(text: str) -> Iterator[str]:
    """Lines of Markdown that are not in a fenced block; fails where a fence stays open."""
    opened = ""
    for line in text.split("\n"):
        fence = FENCE.fullmatch(line)
        if opened:
            closes = fence and fence[1].startswith(opened) and not fence[2].strip()
            opened = "" if closes else opened
        elif fence and not (fence[1][0] == "`" and "`" in fence[2]):
            opened = fence[1]
        else:
            yield line
    assert opened == ""


def without_code(line: str) -> str:
    """A line without its code spans: a run of backticks ends at the next run of the same length."""
    kept, at = "", 0
    while at < len(line):
        if line[at] == "\\" and line[at + 1 : at + 2] == "`":
            kept, at = kept + "\\`", at + 2
        elif line[at] == "`":
            run = RUN.match(line, at)
            assert run is not None
            closing = next((m for m in RUN.finditer(line, run.end()) if m[0] == run[0]), None)
            kept, at = kept + ("" if closing else run[0]), (closing or run).end()
        else:
            kept, at = kept + line[at], at + 1
    return kept


def live(text: str) -> list[str]:
    """What in a note would act: mentions, references, elements, links that are not ours."""
    found = []
    for line in outside_fences(text):
        prose = without_code(line)
        prose = re.sub(
            rf"\]\(({re.escape(FILES_URL)}/|{re.escape(RUN_URL)})[^()\s<>]*\)", "]", prose
        )
        prose = re.sub(r"</?(details|summary|sub)>", "", prose)
        found += re.findall(r"[@!#%$~&][\w\"']|GH-\d", unescape(prose))
        found += re.findall(r"(?i)<[a-z/!?]|://|www\.|(?<!\\)\[.*?(?<!\\)\]\(", prose)
    return found


def sealed(report: Report) -> masks.Sealed:
    return masks.seal(report, ())


@given(hostile)
def test_nothing_foreign_is_live(report: Report) -> None:
    """No mention, reference, link, image or element comes out of data."""
    note = reports.markdown(sealed(report))

    assert live(note) == []


@given(hostile)
def test_no_line_is_a_quick_action_or_a_marker(report: Report) -> None:
    """GitLab obeys lines that start with a slash; the note's own sections are HTML comments."""
    note = reports.markdown(sealed(report))

    assert [line for line in note.split("\n") if line.startswith(("/", "<!--"))] == []


@given(hostile, st.integers(0, 6_000))
@settings(max_examples=examples(300))
def test_a_cut_note_is_whole(report: Report, limit: int) -> None:
    """Whatever the limit, the note keeps to it, and every fence and fold that opens is closed."""
    note = reports.markdown(sealed(report), limit=limit)

    depth = 0
    for line in outside_fences(note):
        prose = without_code(line)
        depth += prose.count("<details>") - prose.count("</details>")
        assert depth >= 0
    assert depth == 0
    assert len(note) <= limit


@given(hostile)
def test_a_table_keeps_its_columns(report: Report) -> None:
    """A pipe in a name does not make a cell."""
    note = reports.markdown(sealed(report))

    rows = [line for line in outside_fences(note) if line.startswith("| ")]
    assert len({row.count("|") for row in rows}) <= 1


@given(hostile)
def test_the_first_lines_are_ours(report: Report) -> None:
    """A note starts with our heading, and has no second one of its rank."""
    note = reports.markdown(sealed(report))

    headings = [line for line in outside_fences(note) if re.match(r" {0,3}#{1,3}(\s|$)", line)]
    assert headings == [note.split("\n")[0]]
