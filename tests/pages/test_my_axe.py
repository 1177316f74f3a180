"""axe-core's rules over every view of /my; its colours in the dark as well."""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page

from tests.pages.answers import command
from tests.pages.answers_my import (
    ACTIVE,
    AT,
    CANCEL_PREVIEW,
    CONTRACT,
    GET_CONTRACT,
    GET_CONTRACTS,
    ID,
    PLACES,
    RECEIPT,
    contract,
    enter,
    knows,
    summary,
)
from tests.pages.conftest import PHONE
from tests.pages.site import Reply, Site, problem
from tests.pages.test_axe import violations
from tests.pages.test_my_move import choose
from tests.pages.test_my_smartkey import KEYS, keys, smart_key

COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
AT_RISK = {"state": "at_risk", "billing": "past_due", "key": {**CONTRACT["key"], "state": "unconfirmed"}}


@pytest.fixture
def still(browser: Browser) -> Iterator[Page]:
    """Without movement, so that every colour is at its end."""
    context = browser.new_context(viewport=PHONE, locale="ko-KR", reduced_motion="reduce")
    context.set_default_timeout(10_000)
    context.grant_permissions(["geolocation"])
    context.set_geolocation({"latitude": 37.57, "longitude": 126.98})
    yield context.new_page()
    context.close()


def sound(page: Page, view: str) -> None:
    page.emulate_media(color_scheme="light")
    assert violations(page) == [], view
    page.emulate_media(color_scheme="dark")
    dark = Axe().run(page, options=COLOURS).response["violations"]
    assert [each["nodes"][0]["html"] for each in dark] == [], view


def test_signing_in_choosing_and_the_contract(still: Page, site: Site) -> None:
    knows(site, **AT_RISK)
    still.goto(f"{site.url}/my")
    still.wait_for_selector("#user:visible")
    sound(still, "sign-in")
    both = [summary(ID), summary("con_2", "closed", car=None)]
    site.says(GET_CONTRACTS, Reply(body={"contracts": both, "cursor": "c"}))
    enter(still, site)
    still.reload()
    still.wait_for_selector("#list li")
    sound(still, "list")
    still.click("#list li a")
    still.wait_for_selector(".visit")
    sound(still, "home")
    site.says(CANCEL_PREVIEW, problem(422, "TOO_LATE"))
    still.get_by_role("link", name="해지하기").click()
    still.wait_for_selector("#again:visible")
    sound(still, "trouble")


def tell_another_key(page: Page) -> None:
    page.get_by_label("열쇠 이름표").fill("tag-2")
    page.get_by_role("button", name="이 열쇠를 받았어요").click()
    page.get_by_role("heading", name="다른 차의 열쇠예요").wait_for()


def as_it_is(page: Page) -> None:
    """Nothing is pressed."""


def press(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("button", name=name).click()


TASKS: dict[str, Callable[[Page], None]] = {
    "smartkey": press("문 열기"),
    "move/handover": choose,
    "cancel": as_it_is,
    "uncancel": as_it_is,
    "swap": as_it_is,
    "renew": press("바뀌는 내용 보기"),
    "card": press("카드 바꾸기"),
    "drivers": press("바뀌는 내용 보기"),
    "documents": as_it_is,
    "payments": as_it_is,
    "timeline": as_it_is,
    "parking": press("내 주변에서 찾기"),
    "key/missing": as_it_is,
    "key": tell_another_key,
}


def test_everything_that_can_be_done_and_looked_up(still: Page, site: Site) -> None:
    """The forms with what is wrong in them."""
    knows(site, **ACTIVE)
    site.says(KEYS, keys(smart_key(), smart_key("2")))
    site.says(f"POST {AT}/commands", command("SUCCEEDED"))
    site.says(RECEIPT, Reply(body={"shipment_id": "shp_1", "state": "wrong_key"}))
    site.says("GET /v1/parking?lat=37.57000&lon=126.98000&radius=1000", Reply(body={"places": PLACES}))
    site.says(GET_CONTRACT, contract(**ACTIVE))
    enter(still, site, f"#{ID}")
    still.wait_for_selector("#glance")
    for task, act in TASKS.items():
        still.evaluate("(task) => { location.hash = task; }", f"#{ID}/{task}")
        still.wait_for_selector("#task > *:visible")
        still.wait_for_function("() => document.activeElement.id === 'task-title'")
        act(still)
        still.wait_for_timeout(100)
        sound(still, task)
        still.evaluate("(home) => { location.hash = home; }", f"#{ID}")
        still.wait_for_selector("#glance:visible")
