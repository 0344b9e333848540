"""The HTML report is one harmless file that says everything."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_gitops import masks, reports
from pipeline_gitops.ids import ObjectId, Place
from pipeline_gitops.views import (
    CardView,
    ChangeView,
    EdgeView,
    Finding,
    Health,
    HealthView,
    OrderView,
    PlanView,
    Report,
    Result,
    RolloutView,
    WaveView,
    WrittenView,
)
from tests.campaigns import examples
from tests.unit.reports.samples import (
    API,
    change,
    deployed,
    hostile,
    numbered,
    report,
    reviewed,
    rollout,
)

_VOID = {"meta", "input", "br", "path", "rect"}


class Page(HTMLParser):
    """What a browser makes of a page: its elements, its texts, and what does not close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element of a drawing, which is its own end."""
        self.elements.append((tag, dict(attrs)))

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
    assert all(text in said for text in ("the image is not there", "panic: no database"))
    assert any("+line 1" in text for text in made.texts)


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
    assert "require-trusted-types-for 'script'" in policy
    assert not any({"src", "srcset", "style", "onclick"} & set(named) for _, named in made.elements)


_PARTS = [*"<>&\"'/=! \n\r\x1b`-#", "script", "</pre>", "<script>", " onload=x", "-->", "`kubectl "]
_HOSTILE = st.lists(st.sampled_from(_PARTS), max_size=12).map("".join)


@given(spoilt=hostile)
@settings(max_examples=examples(60))
def test_whatever_is_in_a_report_every_element_is_ours(spoilt: Report) -> None:
    """Tags, names of attributes and addresses come from a closed list."""
    made = Page(reports.KINDS["html"](masks.seal(spoilt, ())))

    assert made.open == []
    assert {tag for tag, _ in made.elements} <= set(TAGS.split())
    assert {name for _, named in made.elements for name in named} <= set(ATTRIBUTES.split())
    assert all(
        re.match(r"#[\w.-]|https://forge\.example/", named["href"] or "")
        for tag, named in made.elements
        if tag == "a"
    )


TAGS = """
html head meta title style body header main footer section article div p h1 h2 h3 ul ol li a b span
strong small code pre time details summary table thead tbody tr th td svg g text rect path script
"""
ATTRIBUTES = """
aria-label aria-labelledby charset class content d data-action data-from data-kind data-label
data-name data-namespace data-node data-object data-to data-tone datetime height hidden href
http-equiv id lang name open rel role rx scope tabindex viewbox width x y
"""


@given(name=_HOSTILE, line=_HOSTILE, message=_HOSTILE, file=_HOSTILE)
@settings(max_examples=examples(100))
def test_foreign_text_is_only_text(name: str, line: str, message: str, file: str) -> None:
    """Names, diffs, messages and paths come out of the page as they went in."""
    found = Finding(rule="r", message=f"m{message}", place=Place(f"f{file}", 3))
    view = ChangeView(
        id=ObjectId("", "X", "", f"n{name}"), action=change().action, lines=(f"+{line}",)
    )
    sealed = masks.seal(Report(command="run", results=(reviewed(view),)), ())
    sealed = masks.seal(
        replace(sealed, results=(replace(sealed.results[0], findings=(found,)),)), ()
    )

    said = "".join(Page(reports.KINDS["html"](sealed)).texts)

    for text in (f"n{name}", f"+{line}", f"f{file}:3"):
        assert masks.clean(text) in said


def test_addresses_lead_to_the_forge_only() -> None:
    """A link is made of an address that is one."""
    found = Finding(rule="r", message="m", place=Place("base/api.yaml", 3))
    made = page(replace(reviewed(), findings=(found,)))

    links = [named["href"] or "" for tag, named in made.elements if tag == "a"]
    assert any(link.endswith("/base/api.yaml#L3") for link in links)
    assert all(re.match(r"https://forge\.example/|#", link) for link in links)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "https://a@b/", "//x"])
def test_what_is_no_address_is_not_linked(url: str) -> None:
    """Not even where the CI itself said it."""
    found = Finding(rule="r", message="m", place=Place("base/api.yaml", 3))
    sealed = report(replace(reviewed(), findings=(found,)))
    sealed = masks.seal(replace(sealed, run_url=url, files_url=url), ())

    made = Page(reports.KINDS["html"](sealed))

    links = [named["href"] or "" for tag, named in made.elements if tag == "a"]
    assert all(link.startswith("#") for link in links)
    assert "base/api.yaml:3" in made.texts


def test_two_thousand_objects_are_one_list() -> None:
    """Each with its kind, its namespace and what is done with it, to be filtered by."""
    made = page(reviewed(*numbered(2_000)))

    found = [named for _, named in made.elements if "data-action" in named]
    assert len(found) == 2_000
    assert found[-1]["data-kind"] == "Deployment.apps"
    assert found[-1]["data-namespace"] == "shop"
    assert found[-1]["data-action"] == "change"


def test_what_two_comparisons_share_stands_once() -> None:
    """Against the target and against the merge base most changes are the same."""
    result = reviewed(change())
    more = change(id=API._replace(name="other"))
    base = PlanView(compared="merge base", changes=(change(), more))

    made = page(replace(result, plans=(*result.plans, base)))

    assert sum("data-action" in named for _, named in made.elements) == 2
    assert "1 change as above." in made.texts


def test_a_diff_is_one_text() -> None:
    """So two thousand of them cost no more than their characters, until they are looked at."""
    made = page(reviewed(change(lines=500)))

    (diff,) = [text for text in made.texts if "+line 1\n" in text]
    assert diff.strip("\n").split("\n") == [f"+line {number}" for number in range(500)]


def test_a_wait_is_drawn() -> None:
    """A bar for each object that was waited for; none for what ran from the start."""
    slow = HealthView(id=API, health=Health.CURRENT, started=2.0, seconds=8.0)
    ready = HealthView(id=API._replace(name="ready"), health=Health.CURRENT)
    waited = RolloutView(objects=(ready, slow), seconds=10.0)

    made = page(deployed(rollout=waited))

    bars = [named for tag, named in made.elements if tag == "rect" and named["class"] == "good"]
    assert [(bar["x"], bar["width"]) for bar in bars] == [("20%", "80%")]
    assert "1 object ran within a second" in made.texts


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1 s"), (4.25, "4.2 s"), (59.9, "59.9 s"), (200, "3 min 20 s"), (7260, "2 h 1 min")],
)
def test_a_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    """Seconds, then minutes, then hours."""
    waited = HealthView(id=API, health=Health.CURRENT, seconds=seconds)

    made = page(deployed(rollout=RolloutView(objects=(waited,), seconds=seconds)))

    assert said in made.texts


def test_an_order_is_drawn_with_its_edges() -> None:
    """A box for each object that links to its change, and a line from what comes first."""
    other = API._replace(kind="ConfigMap", group="", name="settings")
    order = OrderView(
        waves=(WaveView(ids=(other,)), WaveView(ids=(API,), needs=(other,))),
        edges=(EdgeView(user=API, needed=other, waits=True),),
    )
    result = reviewed(change(), change(id=other))
    result = replace(result, plans=(replace(result.plans[0], order=order),))

    made = page(result)

    nodes = [named for _, named in made.elements if named.get("class") == "node"]
    assert [node["data-node"] for node in nodes] == ["0-0", "1-0"]
    (edge,) = [named for tag, named in made.elements if tag == "path"]
    assert (edge["data-from"], edge["data-to"], edge["class"]) == ("0-0", "1-0", "waits")
    assert {"#change-0-0", "#change-0-1"} <= {named.get("href") for _, named in made.elements}


def test_one_wave_is_no_order() -> None:
    """What is sent together needs no picture."""
    result = reviewed(change())
    order = OrderView(waves=(WaveView(ids=(API,)),))

    made = page(replace(result, plans=(replace(result.plans[0], order=order),)))

    assert not any(named.get("class") == "graph" for _, named in made.elements)


def test_what_was_not_written_is_said() -> None:
    """With the server's reason."""
    undone = WrittenView(id=API, action=change().action, state="refused", message="no quota")

    made = page(replace(deployed(change(), rollout=None), written=(undone,)))

    assert "refused: no quota" in made.texts
