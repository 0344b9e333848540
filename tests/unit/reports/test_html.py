"""The HTML report is one harmless file that says everything."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import masks, reports
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.views import (
    CardView,
    ChangeView,
    Finding,
    Health,
    HealthView,
    Report,
    Result,
    RolloutView,
)
from tests.campaigns import examples
from tests.unit.reports.samples import API, change, deployed, numbered, report, reviewed, rollout

_VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """What a browser makes of a page: its elements, its texts, and what does not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Every end belongs to the last start."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Notes a text."""
        self.texts.append(data)


def page(*results: Result) -> Page:
    return Page(reports.KINDS["html"](report(*results)))


def test_everything_closes_and_is_said() -> None:
    """Verdict, objects, diff lines, causes and log lines."""
    sick = deployed(change(), rollout=rollout(API))
    card = CardView(id=API, cause="the image is not there", log=("panic: no database",))

    made = page(replace(sick, cards=(card,)))

    said = " ".join(made.texts)
    assert made.open == []
    assert all(text in said for text in ("the image is not there", "panic: no database", "+line 1"))


def test_nothing_is_loaded_and_no_foreign_script_runs() -> None:
    """The policy allows our two texts by their hashes; nothing refers to another file."""
    made = page(reviewed(change()))

    (policy,) = (
        attributes["content"]
        for tag, attributes in made.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not any({"src", "srcset", "style", "onclick"} & set(named) for _, named in made.elements)


_PARTS = [*"<>&\"'/=! \n\r\x1b`-#", "script", "</pre>", "<script>", " onload=x", "-->"]
_HOSTILE = st.lists(st.sampled_from(_PARTS), max_size=12).map("".join)


@given(name=_HOSTILE, line=_HOSTILE, message=_HOSTILE, file=_HOSTILE)
@settings(max_examples=examples(150))
def test_foreign_text_is_only_text(name: str, line: str, message: str, file: str) -> None:
    """Names, diffs, messages and paths add no element and no attribute."""
    plain, hostile = (
        Report(
            command="run",
            results=(
                replace(
                    reviewed(
                        ChangeView(
                            id=ObjectId("", "X", "", word), action=change().action, lines=(text,)
                        )
                    ),
                    findings=(Finding(rule="r", message=said, place=Place(path, 3)),),
                ),
            ),
        )
        for word, text, said, path in (("n", "+l", "m", "f"), (name, line, message, file))
    )
    shape = [
        [
            (tag, sorted(named))
            for tag, named in Page(reports.KINDS["html"](masks.seal(one, ()))).elements
        ]
        for one in (plain, hostile)
    ]

    assert _without_lines(shape[0]) == _without_lines(shape[1])


def _without_lines(shape: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """A diff line with or without a sign is the same element."""
    return [(tag, named) for tag, named in shape if tag != "i"]


def test_addresses_lead_to_the_forge_only() -> None:
    """A link is made of an address that is one."""
    found = Finding(rule="r", message="m", place=Place("base/api.yaml", 3))
    made = page(replace(reviewed(), findings=(found,)))

    links = [named["href"] or "" for tag, named in made.elements if tag == "a"]
    assert any(link.endswith("/base/api.yaml#L3") for link in links)
    assert all(re.match(r"https://forge\.example/|#", link) for link in links)


def test_two_thousand_objects_are_one_list_to_search() -> None:
    """Each is found by its kind, its name and what is done with it."""
    made = page(reviewed(*numbered(2_000)))

    found = [named["data-find"] or "" for _, named in made.elements if "data-find" in named]
    assert len(found) == 2_000
    assert "change deployment.apps shop/api-1999" in found[-1].replace("  ", " ")


def test_a_wait_is_drawn() -> None:
    """A bar for each object that was waited for; none for what ran from the start."""
    slow = HealthView(id=API, health=Health.CURRENT, started=2.0, seconds=8.0)
    ready = HealthView(id=replace(API, name="ready"), health=Health.CURRENT)
    waited = RolloutView(objects=(ready, slow), seconds=10.0)

    made = page(deployed(rollout=waited))

    assert f"{API}, 8 s" in made.texts
    assert f"{ready.id}, 0 s" not in made.texts
