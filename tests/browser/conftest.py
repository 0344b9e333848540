"""A browser without a network, and pages that must not give it anything to complain about."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from pipeline_gitops import reports
from pipeline_gitops.masks import Sealed
from tests.browser import chromium

SCREENSHOTS = Path(__file__).resolve().parents[2] / ".screenshots"
WIDE, NARROW = (1280, 900), (360, 740)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever lies here needs the browser."""
    for item in items:
        if "/tests/browser/" in str(item.path):
            item.add_marker("browser")


class Visits:
    """Opens reports, each in a fresh profile, and remembers what the browser said of them."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(
        self,
        report: Sealed,
        fragment: str = "",
        *,
        size: tuple[int, int] = WIDE,
        **options: Any,
    ) -> Page:
        """The page of a report, ready to use."""
        path = self._folder / f"report-{len(self._contexts)}.html"
        path.write_text(reports.KINDS["html"](report), encoding="utf-8")
        return self.page(f"{path.as_uri()}{fragment}", size=size, **options)

    def page(self, url: str, *, size: tuple[int, int] = WIDE, **options: Any) -> Page:
        """A page by its address."""
        viewport = {"width": size[0], "height": size[1]}
        context = self._browser.new_context(viewport=viewport, **options)
        self._contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("requestfailed", self._failed)
        page.goto(url)
        return page

    def _failed(self, request: Request) -> None:
        """Chromium tells of a request that the page's policy forbids, and never sends it."""
        if request.failure == "csp":
            self.requests.remove(request.url)

    def close(self) -> None:
        """Ends every visit."""
        for context in self._contexts:
            context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with an empty profile; for a module, as its driver holds the thread's event loop."""
    with sync_playwright() as driver:
        program = chromium.executable()
        made = driver.chromium.launch(executable_path=program, args=chromium.arguments())
        yield made
        made.close()


@pytest.fixture
def visits(browser: Browser, tmp_path: Path) -> Iterator[Visits]:
    """Visits that end with nothing on the console, no error, and no request but for the page."""
    made = Visits(browser, tmp_path)
    yield made
    made.close()
    assert made.complaints == []
    assert [url for url in made.requests if not url.startswith(tmp_path.as_uri())] == []


@pytest.fixture
def screenshots() -> Path:
    """Where pictures are kept, to be looked at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS
