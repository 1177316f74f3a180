"""The pages on the deployed stack: the gateway's paths, the real cookie, a real car, the real sign-in."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.conftest import DESK, PHONE, chromium
from tests.stack.cars import BIRTH_DATE, Garage, until

SLOW = 30_000
"""Milliseconds: the first request to every route waits for a cold Lambda."""


@pytest.fixture(scope="module")
def garage(stack: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Garage:
    return Garage(stack, Path(tmp_path_factory.mktemp("things")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, locale="ko-KR", is_mobile=True, has_touch=True)
    context.set_default_timeout(SLOW)
    yield context.new_page()
    context.close()


def open_with(page: Page, base: str, code: str) -> None:
    page.goto(f"{base}/k#{code}")
    page.fill("#proof", BIRTH_DATE.replace("-", "")[2:])
    page.press("#proof", "Enter")
    page.wait_for_selector("[data-action=unlock]:visible")


@pytest.mark.parametrize("address", ["site_url", "api_url"])
def test_from_the_text_message_to_an_open_car(
    garage: Garage, stack: dict[str, Any], phone: Page, address: str
) -> None:
    drive = garage.make()
    with drive.on_air() as car:
        open_with(phone, stack[address], drive.new_code())
        expect(phone.locator("#plate")).to_have_text("12가 3456")
        expect(phone.locator("#seen")).to_have_text("차와 연결됨")
        phone.locator("[data-action=unlock]").click()
        expect(phone.locator("#say")).to_have_text("문이 열렸어요", timeout=SLOW)
        phone.locator("[data-action=lock]").click()
        expect(phone.locator("#say")).to_have_text("문을 잠갔어요", timeout=SLOW)
        assert car.unit.executed == ["unlock", "lock"]
    (cookie,) = phone.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"]) == ("__Host-smartkey", True, True)
    assert cookie["sameSite"] == "Strict"


def test_a_car_that_is_not_connected_is_said_to_be_out_of_reach(
    garage: Garage, stack: dict[str, Any], phone: Page
) -> None:
    drive = garage.make()
    with drive.on_air():
        pass
    until(lambda: not drive.online())
    open_with(phone, stack["site_url"], drive.new_code())
    expect(phone.locator("#seen")).to_contain_text("차와 연결되지 않음")
    phone.locator("[data-action=unlock]").click()
    expect(phone.locator("#say")).to_have_text("차와 연결할 수 없어요", timeout=SLOW)


def test_operations_sign_in_and_see_figures_that_add_up(browser: Browser, stack: dict[str, Any]) -> None:
    context = browser.new_context(viewport=DESK, locale="en-US")
    context.set_default_timeout(SLOW)
    page = context.new_page()
    page.goto(f"{stack['site_url']}/ops")
    page.fill("#user", stack["users"]["ops"]["username"])
    page.fill("#password", stack["users"]["ops"]["password"])
    page.press("#password", "Enter")
    page.wait_for_selector("#issued:visible")
    expect(page.locator("#sum")).to_have_text(re.compile(r"^\d+ = "))
    context.close()
