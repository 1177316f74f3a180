"""Where the holder stands goes with a press only when they allow it, and never holds a press up."""

import pytest
from playwright.sync_api import BrowserContext, Geolocation, Page, expect

from tests.pages.answers import COMMANDS, command
from tests.pages.site import Site
from tests.pages.test_car import LOCK, press, says

SEOUL = Geolocation(latitude=37.566312, longitude=126.977943, accuracy=18.4)
POSITION = {"lat": 37.56631, "lon": 126.97794, "accuracy_m": 18}


@pytest.fixture
def pressed(phone: BrowserContext, at_the_car: Page, site: Site) -> Page:
    """After a first unlock, in a browser that would tell where it is."""
    phone.grant_permissions(["geolocation"])
    phone.set_geolocation(SEOUL)
    site.says(COMMANDS, command("SUCCEEDED"))
    press(at_the_car)
    says(at_the_car, "문이 열렸어요")
    return at_the_car


def bodies(site: Site) -> list[object]:
    return [sent.body for sent in site.asked(COMMANDS)]


def test_nobody_is_asked_before_a_press_and_then_only_once(pressed: Page, site: Site) -> None:
    assert bodies(site) == [{"action": "unlock"}]
    press(pressed, "보내지 않기")
    expect(pressed.locator("#place-ask")).to_be_hidden()
    pressed.reload()
    press(pressed)
    says(pressed, "문이 열렸어요")
    expect(pressed.locator("#place-ask")).to_be_hidden()
    assert bodies(site) == [{"action": "unlock"}] * 2


def test_it_goes_with_every_press_but_a_lock_until_it_is_taken_back(pressed: Page, site: Site) -> None:
    press(pressed, "함께 보내기")
    for name, said in (
        ("문 열기", "문이 열렸어요"),
        ("경적 울리기", "경적을 울렸어요"),
        (LOCK, "문을 잠갔어요"),
    ):
        press(pressed, name)
        says(pressed, said)
    press(pressed, "내 위치는 보내지 않기")
    press(pressed)
    says(pressed, "문이 열렸어요")
    assert bodies(site)[1:] == [
        {"action": "unlock", "position": POSITION},
        {"action": "horn", "position": POSITION},
        {"action": "lock"},
        {"action": "unlock"},
    ]


def test_a_phone_that_does_not_know_where_it_is_opens_the_car_all_the_same(pressed: Page, site: Site) -> None:
    pressed.evaluate("void (navigator.geolocation.getCurrentPosition = () => {})")
    press(pressed, "함께 보내기")
    press(pressed)
    says(pressed, "문이 열렸어요")
    assert bodies(site)[1:] == [{"action": "unlock"}]


def test_what_the_browser_is_refused_is_not_asked_for_again(pressed: Page, site: Site) -> None:
    pressed.evaluate(
        "void (navigator.geolocation.getCurrentPosition ="
        " (found, lost) => setTimeout(() => lost({ code: 1 }), 0))"
    )
    press(pressed, "함께 보내기")
    press(pressed)
    says(pressed, "문이 열렸어요")
    assert pressed.evaluate("localStorage.getItem('handover.place')") == "no"
