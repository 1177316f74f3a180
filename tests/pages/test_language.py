"""Korean first, English second, from one catalogue."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chalicelib.pages.store import HERE, version
from tests.pages.answers import ENDED, KEY, key
from tests.pages.conftest import PHONE
from tests.pages.site import Site

CATALOGUES = {
    "smart-key": ["smart-key", "renew", "link", "car", "commands", "place", "dialog"],
    "ops": ["ops", "ops-keys", "dialog", "sign-in"],
}
BESIDE = {"smart-key": ["car"], "ops": []}
"""Other catalogues that a page loads."""


def words(page: Page, site: Site, name: str) -> dict[str, Any]:
    page.goto(f"{site.url}/k")
    found: dict[str, Any] = {}
    for part in (name, *BESIDE[name]):
        address = f"{site.url}/assets/{version()}/words-{part}.js"
        more = page.evaluate("async address => (await import(address)).words", address)
        assert set(more) & set(found) == set()
        found |= more
    return found


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_text_is_there_in_both_languages_with_the_same_gaps(page: Page, site: Site, name: str) -> None:
    site.says(KEY, ENDED)
    for entry, texts in words(page, site, name).items():
        korean, english = texts
        assert korean.strip(), entry
        assert english.strip(), entry
        assert sorted(re.findall(r"\{\w+\}", korean)) == sorted(re.findall(r"\{\w+\}", english)), entry
        assert re.search("[가-힣]", korean), entry
        assert not re.search("[가-힣]", english), entry


@pytest.mark.parametrize(("name", "scripts"), CATALOGUES.items())
def test_the_page_asks_only_for_texts_that_exist(
    page: Page, site: Site, name: str, scripts: list[str]
) -> None:
    site.says(KEY, ENDED)
    html = (HERE / "templates" / f"{name}.html").read_text(encoding="utf-8")
    code = "".join((HERE / "static" / f"{each}.js").read_text(encoding="utf-8") for each in scripts)
    asked = set(re.findall(r'data-t(?:-label)?="([^"]+)"', html))
    asked |= set(re.findall(r'word\("([^"]+)"', code)) | set(re.findall(r'fail\(\w+, "([^"]+)"', code))
    asked |= set(re.findall(r'"?data-t(?:-label)?"?: "([^"]+)"', code))
    assert asked - set(words(page, site, name)) == set()


@pytest.mark.parametrize(
    ("locale", "language", "unlock"),
    [("ko-KR", "ko", "문 열기"), ("en-GB", "en", "Unlock"), ("ja-JP", "en", "Unlock")],
)
def test_the_browser_chooses_the_first_language(
    browser: Browser, site: Site, locale: str, language: str, unlock: str
) -> None:
    site.says(KEY, key())
    context = browser.new_context(viewport=PHONE, locale=locale)
    page = context.new_page()
    page.goto(f"{site.url}/k")
    expect(page.get_by_role("button", name=unlock, exact=True)).to_be_visible()
    assert page.get_attribute("html", "lang") == language
    assert site.asked(KEY)[0].headers["accept-language"] == language
    context.close()


def test_the_switch_is_remembered(at_the_car: Page) -> None:
    at_the_car.get_by_role("button", name="English").click()
    expect(at_the_car.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    expect(at_the_car.locator("#seen")).to_have_text("Car is online")
    assert at_the_car.title() == "Smart key"
    at_the_car.reload()
    expect(at_the_car.get_by_role("button", name="Unlock", exact=True)).to_be_visible()
    at_the_car.get_by_role("button", name="한국어").click()
    expect(at_the_car.get_by_role("button", name="문 열기")).to_be_visible()
