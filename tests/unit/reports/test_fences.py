"""Foreign text in Markdown reads as text, and as the text that it was."""

import pytest

from pipeline_gitops.ids import Place
from pipeline_gitops.reports import fences

FILES_URL = "https://forge.example/shop/deploy/blob/9f28425"


def test_a_fence_is_longer_than_any_run_inside() -> None:
    """A block with four backticks is fenced with five: its own cannot end it."""
    assert fences.fence("```\n````", "diff") == "`````diff\n```\n````\n`````"


@pytest.mark.parametrize("line", ["/merge", "<!-- pipeline-gitops:end review -->"])
def test_no_fenced_line_is_a_command_or_a_marker(line: str) -> None:
    """A log line that starts like a quick action or like our own marker moves one column."""
    assert fences.fence(f"first\n{line}") == f"```\nfirst\n {line}\n```"


def test_code_with_backticks_is_held_by_more() -> None:
    """A name with a backtick stays inside its code span."""
    assert fences.code("a`b") == "`` a`b ``"


def test_code_is_one_line() -> None:
    """A line end in a name does not end the paragraph that it stands in."""
    assert fences.code("a\n\n/merge") == "`a /merge`"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ask @team", "ask @\u200bteam"),
        ("see #12", "see #\u200b12"),
        ("<img src=x>", "&lt;img src=x>"),
        ("[x](y)", "\\[x\\](y)"),
        ("https://evil.example", "https:\u200b//evil.example"),
        ("/merge", "\u200b/merge"),
        ("# title", "\u200b# title"),
        ("a | b", "a &#124; b"),
        ("a\nb", "a b"),
        ("& <", "&amp; &lt;"),
    ],
)
def test_running_text_acts_on_nobody(text: str, written: str) -> None:
    """Mentions, references, elements, links, commands, headings and cells are torn or escaped."""
    assert fences.inline(text) == written


def test_plain_sentences_stay_as_they_are() -> None:
    """What needs no escape gets none: a note is also read as a mail."""
    sentence = "api: shop/api:1.8 -> shop/api:1.9, 3 of 4 (75 %) since 10:20:30"

    assert fences.inline(sentence) == sentence


def test_a_command_in_a_cure_is_code() -> None:
    """Our own cures put commands between backticks."""
    assert fences.inline("see `run --help` now") == "see `run --help` now"


def test_a_place_links_to_the_line_of_the_commit() -> None:
    """file:line is a permalink where the forge is known."""
    shown = fences.place(Place("base/a b.yaml", 14, 3), FILES_URL)

    assert shown == f"[`base/a b.yaml:14:3`]({FILES_URL}/base/a%20b.yaml#L14)"


@pytest.mark.parametrize(
    ("place", "url"),
    [
        (Place("../../x.yaml", 1), FILES_URL),
        (Place("a.yaml", 1), "javascript:alert(1)//"),
        (Place("a.yaml", 1), ""),
        (Place("a.yaml"), FILES_URL),
    ],
)
def test_a_place_without_a_safe_address_is_code(place: Place, url: str) -> None:
    """No way out of the repository's files, and no address but a web address."""
    assert fences.place(place, url) == f"`{place}`"
