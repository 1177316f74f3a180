"""Usable with a keyboard, a screen reader, poor eyes, and without movement."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from chalicelib.pages.store import HERE
from tests.pages.answers import COMMAND, COMMANDS, KEY, command, key, refusal
from tests.pages.conftest import PHONE
from tests.pages.site import Site

READABLE = 4.5
"""WCAG 2.2, 1.4.3: contrast of text; 3 for the edge of an input (1.4.11)."""

PAIRS = [
    ("ink", "ground"),
    ("ink", "surface"),
    ("soft", "ground"),
    ("soft", "surface"),
    ("on-accent", "accent"),
    ("accent", "ground"),
    ("accent", "surface"),
    ("bad", "surface"),
    ("good", "surface"),
    ("warn", "surface"),
    ("good", "good-ground"),
    ("warn", "warn-ground"),
    ("bad", "bad-ground"),
    ("ink", "good-ground"),
    ("ink", "warn-ground"),
    ("ink", "bad-ground"),
]


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def colours() -> list[dict[str, str]]:
    """Of the light and the dark scheme."""
    sheet = (HERE / "static" / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", sheet, flags=re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in blocks]


def test_text_stands_out_in_both_schemes() -> None:
    light, dark = colours()
    for scheme in (light, dark):
        assert contrast(scheme["edge"], scheme["surface"]) >= 3
        for text, ground in PAIRS:
            assert contrast(scheme[text], scheme[ground]) >= READABLE, (text, ground)


def test_every_button_is_large_enough_for_a_thumb(at_the_car: Page) -> None:
    for button in at_the_car.locator("button:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44, button.inner_text()
    for action in at_the_car.locator("[data-action]").all():
        box = action.bounding_box()
        assert box is not None
        assert (box["height"] >= 80, box["width"] >= 150) == (True, True)


def test_the_four_buttons_fit_on_the_screen_and_nothing_scrolls_sideways(at_the_car: Page) -> None:
    horn = at_the_car.locator("[data-action=horn]").bounding_box()
    assert horn is not None
    assert horn["y"] + horn["height"] <= PHONE["height"]
    assert at_the_car.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_buttons_stay_where_they_are_while_the_story_changes(at_the_car: Page, site: Site) -> None:
    unlock = at_the_car.locator("[data-action=unlock]")
    before = unlock.bounding_box()
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("SUCCEEDED"))
    unlock.click()
    at_the_car.wait_for_selector("[data-phase=done]")
    assert unlock.bounding_box() == before


def test_the_keyboard_alone_opens_the_car(page: Page, site: Site) -> None:
    site.says(KEY, key())
    site.says(COMMANDS, command("SUCCEEDED"))
    page.goto(f"{site.url}/k")
    page.wait_for_selector("#plate:visible")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    names: list[str] = []
    for _ in range(5):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert names[1:] == ["문 열기", "문 잠그기", "비상등 켜기", "경적 울리기"]
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.dataset.action") == "unlock":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_have_text("문이 열렸어요")


def test_headings_labels_and_live_regions_have_names(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/k#Zk3vQm8sT1uXyA9bC2dEfG")
    page.wait_for_selector("#proof:visible")
    expect(page.get_by_label("생년월일 6자리 또는 운전면허번호 끝 4자리").first).to_have_attribute(
        "inputmode", "numeric"
    )
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    described = page.get_attribute("#proof", "aria-describedby") or ""
    assert all(page.locator(f"#{each}").count() == 1 for each in described.split())


@pytest.mark.parametrize("name", ["smart-key.html", "ops.html"])
def test_no_id_is_used_twice_and_every_label_finds_its_input(name: str) -> None:
    html = (HERE / "templates" / name).read_text(encoding="utf-8")
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert all(one != other for one, other in pairwise(sorted(ids)))
    named = re.findall(r'(?:for|aria-labelledby|href)="#?([\w-]+)"(?! data-room)', html)
    assert set(named) - {"car-title"} <= set(ids)  # car.js builds that one
    assert '<html lang="ko">' in html


def test_nothing_moves_for_those_who_ask_for_stillness(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=PHONE, locale="ko-KR", reduced_motion="reduce")
    page = context.new_page()
    site.says(KEY, key())
    site.says(COMMANDS, command("SENT"))
    site.says(COMMAND, command("SENT"))
    page.goto(f"{site.url}/k")
    page.locator("[data-action=unlock]").click()
    page.wait_for_selector("[data-phase=sent]")
    assert page.evaluate("document.getAnimations().length") == 0
    context.close()


LOST_TO_SIGHT = """() => [...document.querySelectorAll("body *")].filter((each) => {
  const box = each.getBoundingClientRect();
  const cut = each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible";
  return box.width && (cut || box.left < -1 || box.right > innerWidth + 1);
}).map((each) => each.outerHTML.slice(0, 80))"""
"""What sticks out of the page, or is cut off, from side to side."""


@pytest.mark.parametrize("locale", ["ko-KR", "en-GB"])
def test_at_twice_the_size_nothing_is_lost(browser: Browser, site: Site, locale: str) -> None:
    """Zoomed to 200 % on a phone (180 pixels wide), and with letters twice as large."""
    narrow, wide = ViewportSize(width=180, height=370), ViewportSize(width=360, height=740)
    site.says(KEY, key(online=False))
    for size, letters in ((narrow, "112.5%"), (wide, "225%")):
        site.says(COMMANDS, command("NOT_SENT", "VEHICLE_OFFLINE"), refusal(403, "STEP_UP_REQUIRED"))
        context = browser.new_context(viewport=size, locale=locale, reduced_motion="reduce")
        page = context.new_page()
        page.goto(f"{site.url}/k")
        page.wait_for_selector("#plate:visible")
        page.evaluate("size => { document.documentElement.style.fontSize = size; }", letters)
        for phase in ("unreachable", "prove"):
            page.locator("[data-action=unlock]").click()
            page.wait_for_selector(f"[data-phase={phase}]")
            assert page.evaluate(LOST_TO_SIGHT) == [], (letters, phase)
        page.locator("#answer").fill("990131")
        page.get_by_role("dialog").get_by_role("button").last.click()
        page.goto(f"{site.url}/k#Zk3vQm8sT1uXyA9bC2dEfG")
        page.wait_for_selector("#proof:visible")
        assert page.evaluate(LOST_TO_SIGHT) == [], (letters, "proof")
        context.close()


def test_the_dark_scheme_is_really_dark(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme="dark")
    page = context.new_page()
    page.goto(f"{site.url}/k#Zk3vQm8sT1uXyA9bC2dEfG")
    page.wait_for_selector("#proof:visible")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 22, 25)"
    context.close()
