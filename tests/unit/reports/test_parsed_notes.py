"""A note is what it seems to be to GitHub's own parser: our elements, our links, and text.

The other forges' parsers agree with it on all that is used here: fences, tables, raw HTML.
"""

import re
from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import masks, reports
from pipeline_gitops.reports import notes
from pipeline_gitops.reports.notes import Section, Stamp
from pipeline_gitops.views import Report
from tests.campaigns import examples
from tests.unit.reports.samples import FILES_URL, RUN_URL, hostile, nasty, numbered, reviewed

LIMITS = {"GitHub": 65_536, "Gitea": 262_144, "GitLab": 1_000_000}
TEXT = frozenset({"h3", "h4", "p", "br", "strong", "em", "code", "pre", "ul", "li", "a", "sub"})
TABLE = frozenset({"table", "thead", "tbody", "tr", "th", "td"})
OURS = TEXT | TABLE | {"details", "summary"}
LIVE = re.compile(r"[@!#%$~&][\w\"']|GH-\d|://|www\.")
MARKER = re.compile(r" pipeline-gitops:(note v1|(begin|state|end) \S.*) ")


class Page(HTMLParser):
    """What a browser gets to see of a note."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[str] = []
        self.strays: list[str] = []  # elements and links that are not ours, or not closed
        self.comments: list[str] = []
        self.prose = ""  # outside of code
        self.rows: list[list[int]] = []  # cells of each row, by table
        self.folds = 0
        self.feed(cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE))
        self.close()
        self.strays += self.opened

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        href = named.pop("href", None) or ""
        named.pop("align", None)
        named.pop("lang", None)
        ours = href in ("", RUN_URL) or href.startswith(f"{FILES_URL}/")
        if tag not in OURS or not ours or named:
            self.strays.append(f"{tag} {attrs}")
        if tag == "table":
            self.rows.append([])
        elif tag == "tr":
            self.rows[-1].append(0)
        elif tag in ("td", "th"):
            self.rows[-1][-1] += 1
        self.folds += tag == "details"
        if tag != "br":
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if not self.opened or self.opened.pop() != tag:
            self.strays.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.opened):
            self.prose += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def note(report: Report, limit: int, *, environments: int = 0) -> tuple[str, list[Section]]:
    """A note with a report's sections, and those sections."""
    sealed = masks.seal(report, ())
    made = notes.sections_of(sealed, Stamp(run=3), limit=limit, environments=environments)
    held = notes.union(made)
    return notes.compose(held, limit=limit, keep=held), list(held.values())


def plain(page: Page) -> None:
    """Fails where anything foreign is more than text."""
    assert page.strays == []
    assert LIVE.findall(page.prose) == []
    assert [one for one in page.comments if not MARKER.fullmatch(one)] == []
    assert all(len(set(cells)) == 1 for cells in page.rows)


@given(hostile, st.sampled_from(sorted(LIMITS.values())))
@settings(max_examples=examples(150))
def test_a_note_holds_our_elements_alone(report: Report, limit: int) -> None:
    """Names, values, diffs and logs are text: no fold, link, mention, marker or cell of theirs."""
    body, made = note(report, limit)

    plain(Page(body))
    assert [line for line in body.split("\n") if line.startswith("/")] == []  # a quick action
    assert len(body) <= limit
    assert set(notes.sections(body)) == set(notes.union(made).values())


@given(hostile, st.integers(200, 14_000), st.integers(1, 4))
@settings(max_examples=examples(150))
def test_a_cut_note_is_still_whole(report: Report, limit: int, environments: int) -> None:
    """Whatever has to go, what stays has its fences and folds closed."""
    body, _ = note(report, limit, environments=environments)

    plain(Page(body))
    assert len(body) <= limit


@given(st.lists(nasty, min_size=1, max_size=30), st.sampled_from(sorted(LIMITS.values())))
@settings(max_examples=examples(20), deadline=None)
def test_a_large_note_is_still_whole(fragments: list[str], limit: int) -> None:
    """Thousands of hostile diffs, more than any forge takes."""
    lines = tuple(f"{sign}{one}" for one in fragments for sign in "+- ")
    many = [
        replace(one, lines=lines * 3, note=fragments[0], paths=tuple(fragments[:3]))
        for one in numbered(2_000)
    ]
    report = Report(command="run", run_url=RUN_URL, files_url=FILES_URL, results=(reviewed(*many),))

    body, _ = note(report, limit)

    plain(Page(body))
    assert len(body) <= limit
    assert "| 🟢 | prod | 0 | 2000 | 0 | 0 | 3 | 0 |" in body


@given(hostile)
@settings(max_examples=examples(50))
def test_a_summary_holds_our_elements_alone(report: Report) -> None:
    """The page of the job follows the same rules."""
    page = Page(reports.summary(masks.seal(report, ())))

    plain(page)


def test_the_parser_sees_what_escapes() -> None:
    """Raw text of a manifest is live: the tests above can fail."""
    raw = "```diff\n   ```\n@team #12\n</details><img src=x>\n"

    page = Page(raw)

    assert page.strays
    assert LIVE.findall(page.prose)


def test_every_fold_of_a_note_is_there() -> None:
    """One per environment with changes, whatever the diffs hold."""
    odd = tuple(f" {line}" for line in ("  ```", "</details>", "~~~", "<!--"))
    changed = [replace(one, lines=odd) for one in numbered(3)]
    results = (reviewed(*changed), reviewed(*changed, environment="staging"))

    page = Page(note(Report(command="run", results=results), 65_536)[0])

    assert page.folds == 2
