"""Real Chromium, one for the session, a fresh profile for every test, at the size of a phone."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright

from tests.pages.answers import CODE, EXCHANGE, KEY, OPENED, PROOF, key
from tests.pages.site import Site, serving

PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1280, height=800)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium without its window where there is one: the same engine, and half the work."""
    found = shutil.which("chromium-headless-shell") or shutil.which("chromium") or "/usr/bin/chromium"
    path = os.environ.get("CHROMIUM") or found
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, locale="ko-KR", has_touch=True, is_mobile=True)
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(phone: BrowserContext) -> Iterator[Page]:
    """A page whose errors and refused loads fail the test."""
    page = phone.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None
    )
    yield page
    assert wrong == []


def open_link(page: Page, site: Site, code: str = CODE) -> None:
    page.goto(f"{site.url}/k#{code}")
    page.wait_for_selector("#proof:visible")


@pytest.fixture
def at_the_car(page: Page, site: Site) -> Page:
    """A page that has been through the proof and shows the car."""
    site.says(EXCHANGE, OPENED)
    site.says(KEY, key())
    open_link(page, site)
    page.fill("#proof", PROOF)
    page.press("#proof", "Enter")
    page.wait_for_selector("[data-action=unlock]:visible")
    return page
