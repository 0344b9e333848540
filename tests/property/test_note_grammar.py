"""Whatever a text holds, it reads as text in a note: nobody is called, nothing runs or ends."""

from collections.abc import Callable

import pytest

from pipeline_gitops import masks
from pipeline_gitops.ids import Place
from pipeline_gitops.reports import fences
from tests.campaigns import examples
from tests.grammars.markdown import live
from tests.grammars.texts import MARKDOWN, texts

COUNT = 6_000  # of each way

WAYS: dict[str, Callable[[str], str]] = {
    "inline": fences.inline,
    "inline, after words": lambda text: f"Cause: {fences.inline(text)}",
    "inline, in a list": lambda text: f"Cause: {fences.inline(text)} and {fences.inline(text)}",
    "code": fences.code,
    "code, after words": lambda text: f"in {fences.code(text)}: {fences.code(text)}",
    "fence": lambda text: fences.fence(text, "diff"),
    "fence, then words": lambda text: f"{fences.fence(text)}\n\nwords",
    "cell": lambda text: f"| a | b |\n|---|---|\n| {fences.cell(text)} | {fences.cell(text)} |",
    "place": lambda text: fences.place(Place(text, 3), ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_text_is_live(way: str) -> None:
    """GitHub's own parser makes nothing of it but text, and no reference is left in that."""
    for text in texts(examples(COUNT), MARKDOWN):
        made = WAYS[way](masks.clean(text))

        assert list(live(made)) == [], ascii(text)


def test_the_same_texts_are_live_when_nobody_touches_them() -> None:
    """The recogniser sees what it is there for."""
    count = examples(2_000)

    obeyed = sum(any(True for _ in live(masks.clean(text))) for text in texts(count, MARKDOWN))

    assert obeyed > count / 2
