"""/my in Korean and English, from one catalogue in parts that are loaded when they are needed."""

import re
from typing import Any

from playwright.sync_api import Browser, Page, expect

from chalicelib.pages.store import HERE, version
from tests.pages.answers_my import ID, enter, knows
from tests.pages.conftest import PHONE
from tests.pages.site import Site

STATIC = HERE / "static"
PARTS = sorted(path.name for path in STATIC.glob("words-my*.js"))


def catalogue(page: Page, site: Site) -> dict[str, Any]:
    page.goto(f"{site.url}/my")
    found: dict[str, Any] = {}
    for name in PARTS:
        address = f"{site.url}/assets/{version()}/{name}"
        words = page.evaluate("async address => (await import(address)).words", address)
        assert set(words) & set(found) - {"title"} == set(), name
        found |= words
    return found


def test_every_text_is_there_in_both_languages_with_the_same_gaps(page: Page, site: Site) -> None:
    knows(site)
    for entry, (korean, english) in catalogue(page, site).items():
        assert sorted(re.findall(r"\{\w+\}", korean)) == sorted(re.findall(r"\{\w+\}", english)), entry
        assert not re.search("[가-힣]", english), entry
        assert re.search("[가-힣]", korean) or not re.search(r"[a-z]{2}", re.sub(r"\{\w+\}", "", english)), (
            entry
        )


def imported(name: str) -> set[str]:
    """This module and all that it imports before it runs."""
    found, new = set(), {name}
    while new:
        found |= new
        code = "".join((STATIC / each).read_text(encoding="utf-8") for each in new)
        new = set(re.findall(r'from "\./([\w-]+\.js)"', code)) - found
    return found


def test_every_part_brings_the_texts_that_it_asks_for() -> None:
    html = (HERE / "templates" / "my.html").read_text(encoding="utf-8")
    at_once = {"words-my.js", "words-my-late.js"}
    for path in STATIC.glob("my*.js"):
        code = path.read_text(encoding="utf-8")
        asked = set(re.findall(r'word\("([^"]+)"', code))
        asked |= {f"field.{name}" for name in re.findall(r'field\("(\w+)"', code)}
        if path.name == "my.js":
            asked |= set(re.findall(r'data-t(?:-label)?="([^"]+)"', html))
        parts = {each for each in imported(path.name) if each.startswith("words-my")} | at_once
        there = "".join((STATIC / part).read_text(encoding="utf-8") for part in parts)
        assert asked - set(re.findall(r'^  "?([\w.]+)"?: \[', there, re.MULTILINE)) == set(), path.name


def test_english_reads_as_english_and_the_switch_redraws_what_is_open(browser: Browser, site: Site) -> None:
    knows(site)
    context = browser.new_context(viewport=PHONE, locale="en-GB", timezone_id="America/New_York")
    page = context.new_page()
    enter(page, site, f"#{ID}")
    expect(page.locator("#glance")).to_have_text(
        re.compile("Your car comes on Thursday 26.November, 10:00.–.12:00")
    )
    assert page.get_attribute("html", "lang") == "en"
    page.get_by_role("link", name="Change time or place").click()
    page.get_by_label("Where shall we bring it?").fill("1 Udong, Busan")
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", name="차 받는 약속 바꾸기")).to_be_visible()
    expect(page.get_by_label("어디로 가져다드릴까요?")).to_have_value("1 Udong, Busan")
    expect(page.get_by_role("link", name="내 계약")).to_be_visible()
    page.get_by_role("link", name="내 계약").click()
    expect(page.get_by_role("heading", name="내 열쇠")).to_be_visible()
    assert page.title() == "내 계약"
    context.close()
