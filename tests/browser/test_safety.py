"""Whatever a manifest, a cluster or a log says, the page only ever shows it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline_gitops import masks, reports
from tests.browser import samples
from tests.browser.conftest import Visits

ATTACKS = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "'\"><svg onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "</pre></details></script><script>document.title='owned'</script><!--",
    "<style>*{display:none}</style><base href=https://evil.example/><meta http-equiv=refresh>",
    "<a href=javascript:alert(1)>x</a>{{7*7}}${alert(1)}",
    "https://evil.example/<iframe srcdoc='<script>alert(1)</script>'>",
)


def open_everything(page: Page) -> None:
    """Every tab, every fold, both views, and a search for what was planted."""
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        for view in ("Side by side", "Unified"):
            page.get_by_role("button", name=view).click()
            page.wait_for_timeout(50)
    page.get_by_role("searchbox").fill("<script>owned")
    for link in page.locator("a").all():
        assert re.match(r"https://(forge|ci)\.example/|#", link.get_attribute("href") or "")


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_hostile_text_in_every_field_is_only_text(attack: str, visits: Visits) -> None:
    """Names, diffs, causes, events, logs, cures, paths, addresses: it is shown, not run."""
    hostile = samples.with_every_text(lambda text: f"{text}{attack}" if text else "")

    page = visits.open(masks.seal(hostile, ()))
    title = page.title()
    open_everything(page)

    assert page.title() == title != "owned"
    expect(page.locator("script, style, base, iframe, img")).to_have_count(2)  # our two
    shown = page.locator("body").inner_text()
    assert " ".join(attack.split()) in " ".join(shown.split())


@pytest.mark.parametrize("attack", ATTACKS[:5])
def test_a_hostile_link_to_the_report_is_only_text(attack: str, visits: Visits) -> None:
    """What stands in the address goes into fields, never into the page."""
    names = ("env", "q", "kind", "ns", "action", "view", "object")

    page = visits.open(samples.story(), "#" + "&".join(f"{name}={attack}" for name in names))

    expect(page.locator("html")).to_have_attribute("data-ready", "yes")
    assert page.title() != "owned"
    expect(page.locator("script")).to_have_count(1)


BREACHES = {
    "a script": "<script>document.title='owned'</script>",
    "a handler": "<img src=x onerror=\"document.title='owned'\">",
    "an image": "<img src=https://evil.example/x.png>",
    "a style": "<style>body{display:none}</style>",
    "a frame": "<iframe src=https://evil.example/></iframe>",
}


@pytest.mark.parametrize("breach", BREACHES)
def test_the_policy_holds_where_escaping_would_not(
    breach: str, visits: Visits, tmp_path: Path
) -> None:
    """The second wall: markup that somehow got into the file neither runs nor loads anything."""
    text = reports.KINDS["html"](samples.story())
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace("<main", f"{BREACHES[breach]}<main", 1))

    page = visits.page(broken.as_uri())

    expect(page.locator("html")).to_have_attribute("data-ready", "yes")
    assert page.title() != "owned"
    expect(page.locator("h1")).to_be_visible()
    assert any("Content Security Policy" in said for said in visits.complaints)
    visits.complaints.clear()


def test_our_own_script_cannot_make_html_of_a_text(visits: Visits) -> None:
    """The browser itself forbids innerHTML on this page, so no later change can bring it in."""
    page = visits.open(samples.story())

    refused = page.evaluate(
        "(() => { try { document.body.innerHTML = '<b>x</b>'; return ''; }"
        " catch (error) { return error.name; } })()"
    )

    assert refused == "TypeError"
    visits.complaints.clear()
