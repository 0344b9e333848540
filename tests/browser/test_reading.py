"""What people do with the report: find, open, compare, follow; with mouse, keyboard, and a link."""

import itertools

from playwright.sync_api import Page, expect

from tests.browser import samples
from tests.browser.conftest import NARROW, Visits


def changes(page: Page) -> list[str]:
    """The changes that are seen, in a line each."""
    rows = page.locator(".change > summary:visible")
    return [" ".join(text.split()) for text in rows.all_inner_texts()]


def test_the_answer_comes_first(visits: Visits) -> None:
    """Verdict, cause, dangers and the next step are on the first screen."""
    page = visits.open(samples.story())

    expect(page.locator("h1")).to_be_in_viewport()
    cause, danger = (page.locator(".concerns li").nth(number) for number in (0, 1))
    expect(cause).to_contain_text("is not in its registry")
    expect(danger).to_contain_text("is deleted, and with it what it holds")
    expect(danger).to_be_in_viewport()
    expect(page.locator(".next")).to_be_in_viewport()


def test_each_environment_is_a_tab(visits: Visits) -> None:
    """One is seen at a time, the worst one first; arrows go from tab to tab."""
    page = visits.open(samples.story())
    tabs = page.get_by_role("tab")

    assert [text.split()[-2] for text in tabs.all_inner_texts()] == ["prod", "dev", "staging"]
    expect(page.get_by_role("tabpanel")).to_have_count(1)

    tabs.first.focus()
    page.keyboard.press("ArrowLeft")

    expect(page.get_by_role("tabpanel", name="staging")).to_be_visible()
    expect(page.get_by_role("tab", name="staging")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="prod")).to_be_hidden()


def test_a_word_finds_objects_and_text_in_their_diffs(visits: Visits) -> None:
    """Every word has to be there, in whatever order."""
    page = visits.open(samples.story())
    search = page.get_by_role("searchbox", name="Find objects")

    search.fill("secret token")
    assert changes(page) == ["change Secret shop/api-token +1 −1"]

    search.fill("recommendations_url")
    assert len(changes(page)) == 1
    expect(page.get_by_role("status")).to_have_text("1 of 9 changes shown")


def test_kind_and_action_narrow_the_list(visits: Visits) -> None:
    """Together; what is chosen in one is kept by the other."""
    page = visits.open(samples.story())

    page.get_by_label("Any kind").select_option("Deployment.apps")
    assert len(changes(page)) == 3

    page.get_by_label("Any action").select_option("delete")
    assert changes(page) == ["delete Deployment.apps shop/banner −3"]

    page.get_by_role("button", name="Clear").click()
    assert len(changes(page)) == 9


def test_the_address_keeps_what_is_looked_at(visits: Visits) -> None:
    """A link that is passed on shows the same tab, filter, view and object."""
    first = visits.open(samples.story())
    first.get_by_role("button", name="Side by side").click()
    first.get_by_role("searchbox").fill("api")
    first.get_by_label("Any action").select_option("change")
    first.locator("summary", has_text="Deployment.apps").locator("visible=true").click()
    fragment = first.evaluate("location.hash")

    second = visits.open(samples.story(), fragment)

    assert changes(second) == changes(first)
    assert second.get_by_role("searchbox").input_value() == "api"
    expect(second.locator("table.diff")).to_be_in_viewport()
    expect(second.get_by_role("button", name="Side by side")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_plain_anchor_leads_to_its_place(visits: Visits) -> None:
    """Links of the page lead into other tabs, through folds and filters."""
    page = visits.open(samples.story(), "#q=nothing-has-this")

    page.locator(".overview a", has_text="staging").click()
    expect(page.get_by_role("tabpanel", name="staging")).to_be_visible()

    page.locator(".overview a", has_text="prod").click()
    page.locator(".graph a", has_text="worker").click()
    opened = page.locator(".change[open] > summary")
    expect(opened).to_contain_text("shop/worker")
    expect(opened).to_be_focused()


def test_a_diff_is_coloured_and_its_words_are_marked(visits: Visits) -> None:
    """Lines keep their signs: colour is never all there is."""
    page = visits.open(samples.story())

    page.locator("summary", has_text="api-settings").first.click()
    diff = page.locator(".change[open] .diff")

    expect(diff.locator("del")).to_have_text('-  colour: "green"')
    expect(diff.locator("ins")).to_have_text('+  colour: "blue"')
    assert diff.locator("mark").all_inner_texts() == ["green", "blue"]


def test_side_by_side_shows_both_states(visits: Visits) -> None:
    """The same lines, before on the left and after on the right; lines of one key in one row."""
    page = visits.open(samples.story())
    page.locator(".change > summary", has_text="shop/api api:").click()

    page.get_by_role("button", name="Side by side").click()
    rows = page.locator("table.diff tbody tr")

    found = [row.locator("td").all_inner_texts() for row in rows.all()]
    pairs = [[side.strip() for side in cells] for cells in found]
    assert [
        "image: registry.example/shop/api:1.8.2",
        "image: registry.example/shop/api:1.9.0",
    ] in pairs
    assert ["value: debug", "value: info"] in pairs
    assert ["", "- name: RECOMMENDATIONS_URL"] in pairs
    assert ["⋯"] in pairs

    page.get_by_role("button", name="Unified").click()
    expect(page.locator("pre.diff.done")).to_have_count(1)


def test_everything_works_by_keyboard(visits: Visits) -> None:
    """`/` finds, `j` and `k` walk, Enter opens, `u` changes the view, `?` tells all that."""
    page = visits.open(samples.story())

    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("deployment")
    page.keyboard.press("Escape")
    assert len(changes(page)) == 9

    page.locator("h1").click()
    for key in "jjk":
        page.keyboard.press(key)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".change[open]")).to_have_count(1)
    expect(page.locator(".change[open] > summary")).to_be_focused()

    page.keyboard.press("u")
    expect(page.locator("table.diff")).to_have_count(1)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_keys_of_one_letter_can_be_switched_off(visits: Visits) -> None:
    """For people who dictate: WCAG 2.1.4."""
    page = visits.open(samples.story())
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Close").click()

    page.keyboard.press("u")

    expect(page.get_by_role("button", name="Unified")).to_have_attribute("aria-pressed", "true")


def test_the_tabulator_goes_through_the_page_in_its_order(visits: Visits) -> None:
    """Every stop is seen and stands below or right of the one before, down to the first change."""
    page = visits.open(samples.story())
    stops = []

    for _ in range(60):
        page.keyboard.press("Tab")
        stops.append(
            page.evaluate(
                "(() => { const e = document.activeElement, b = e.getBoundingClientRect();"
                " return { text: e.textContent, change: e.matches('.change > summary'),"
                " top: Math.round(b.top + scrollY), seen: b.width > 0 && b.height > 0 }; })()"
            )
        )
        if stops[-1]["change"]:
            break

    assert stops[0]["text"] == "Skip to the environments"
    assert stops[-1]["change"]
    assert all(stop["seen"] for stop in stops)
    tops = [stop["top"] for stop in stops[1:]]
    assert all(later >= earlier - 40 for earlier, later in itertools.pairwise(tops))


def test_a_command_can_be_copied(visits: Visits) -> None:
    """The next thing to type is one click away."""
    page = visits.open(samples.story(), permissions=["clipboard-read", "clipboard-write"])

    page.locator(".next button.copy").click()

    expect(page.locator(".next button.copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "kubectl describe pod api-7c9d8-x2x4k --namespace shop"


def test_the_rollout_is_drawn(visits: Visits) -> None:
    """A bar for each object that was waited for, where it began and as long as it took."""
    page = visits.open(samples.story())
    bars = page.locator(".environment:visible > .rollout .timeline tbody tr")

    expect(bars).to_have_count(4)
    calm = page.locator(".environment > .rollout summary")
    expect(calm).to_have_text("24 objects ran within a second")
    widths = page.evaluate(
        "[...document.querySelectorAll('.environment > .rollout .bar rect:not(.track)')]"
        ".map(e => e.getBoundingClientRect().width)"
    )
    failed, _, database, worker = widths
    assert failed > database > worker
    expect(bars.first).to_contain_text("not ready")


def test_the_way_back_is_told(visits: Visits) -> None:
    """Where the failed deploy went back to, what it left, and that the commit is held."""
    page = visits.open(samples.story())
    back = page.locator(".rollback")

    expect(back).to_contain_text("rolled back to 77aa425, 1 object running")
    expect(back).to_contain_text("banner-data is left as it is")
    expect(back).to_contain_text("9f284253b1c0 is held")


def test_the_order_is_drawn(visits: Visits) -> None:
    """A column for each wave, a box for each object, a line for each edge; solid where it waits."""
    page = visits.open(samples.story())

    expect(page.locator(".graph .wave")).to_have_count(7)
    expect(page.locator(".graph .node")).to_have_count(9)
    expect(page.locator(".graph path")).to_have_count(5)
    expect(page.locator(".graph path.waits")).to_have_count(1)

    page.locator(".graph .node", has_text="api-settings").hover()
    expect(page.locator(".graph path.lit")).to_have_count(2)


def test_without_scripts_everything_is_there(visits: Visits) -> None:
    """CI servers show artifacts in a sandbox: https://www.jenkins.io/doc/book/security/configuring-content-security-policy/."""
    page = visits.open(samples.story(), java_script_enabled=False)

    page.locator("summary", has_text="api-settings").first.click()

    expect(page.locator(".environment")).to_have_count(3)
    expect(page.locator(".environment").nth(2)).to_be_visible()
    expect(page.locator(".change[open] pre")).to_contain_text('-  colour: "green"')
    expect(page.locator(".tools")).to_be_hidden()


def test_a_narrow_screen_needs_no_scrolling_sideways(visits: Visits) -> None:
    """360 pixels wide, with everything open."""
    page = visits.open(samples.story(), size=NARROW)

    for name in ("prod", "dev", "staging"):
        page.get_by_role("tab", name=name).click()
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        page.wait_for_timeout(100)

        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW[0]


def test_paper_shows_every_environment_and_every_diff(visits: Visits) -> None:
    """Printing opens what is folded, and closes it again."""
    page = visits.open(samples.story())
    page.emulate_media(media="print")

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".environment:visible")).to_have_count(3)
    expect(page.locator(".change:not([open])")).to_have_count(0)
    expect(page.locator(".tools")).to_be_hidden()

    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".change[open]")).to_have_count(0)
