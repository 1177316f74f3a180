"""The ops page: who may see it, and figures that add up."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.answers import GET_OVERVIEW, OVERVIEW, SIGN_IN, overview, signed_in
from tests.pages.conftest import DESK, PHONE
from tests.pages.site import LOST, Reply, Site, problem


@pytest.fixture
def desk(browser: Browser, site: Site) -> Any:
    site.says("GET /v1/config", Reply(body={"user_pool_client_id": "c1", "cognito_endpoint": site.origin}))
    site.says(SIGN_IN, signed_in())
    site.says(GET_OVERVIEW, overview())
    context = browser.new_context(viewport=DESK, locale="en-US")
    context.set_default_timeout(10_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None
    )
    page.goto(f"{site.url}/ops")
    page.wait_for_selector("#user:visible")
    yield page
    context.close()
    assert wrong == []


def sign_in(page: Page) -> None:
    page.get_by_label("User name").fill("mina")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Sign in").click()


def test_signing_in_asks_the_pool_itself_and_then_the_overview(desk: Page, site: Site) -> None:
    sign_in(desk)
    expect(desk.locator("#issued")).to_have_text("31")
    (asked,) = site.asked(SIGN_IN)
    assert asked.body == {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": "c1",
        "AuthParameters": {"USERNAME": "mina", "PASSWORD": "correct horse"},
    }
    assert site.asked(GET_OVERVIEW)[0].headers["authorization"] == "Bearer an.id.token"
    assert desk.evaluate("JSON.stringify(localStorage)").count("token") == 0


def test_the_funnel_adds_up_before_the_reader(desk: Page, site: Site) -> None:
    sign_in(desk)
    expect(desk.locator("#sum")).to_contain_text("31 = 27 + 1 + 2 + 1 + 0")
    expect(desk.locator("#stuck")).to_have_text("4")
    expect(desk.locator("#waiting tbody tr")).to_have_count(4)
    expect(desk.locator("#waiting tbody tr").nth(2)).to_contain_text("Link ended by wrong tries")


def test_a_funnel_that_does_not_add_up_is_called_so(desk: Page, site: Site) -> None:
    site.says(GET_OVERVIEW, overview(funnel={**OVERVIEW["funnel"], "issued": 32}))
    sign_in(desk)
    expect(desk.locator("#sum")).to_contain_text("does not add up: 32")


def test_shipments_in_trouble_are_named_in_both_languages(desk: Page, site: Site) -> None:
    sign_in(desk)
    rows = desk.locator("#troubles tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text("Key of another car")
    desk.get_by_role("button", name="한국어").click()
    expect(rows.nth(2)).to_contain_text("다른 차의 열쇠")


def test_handovers_in_trouble_name_what_a_locked_out_car_has_cost(desk: Page, site: Site) -> None:
    sign_in(desk)
    rows = desk.locator("#delayed tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Locked out")
    expect(rows.first).to_contain_text("KRW 4,000")
    desk.get_by_role("button", name="한국어").click()
    expect(rows.first).to_contain_text("4,000원")


def test_on_a_phone_nothing_scrolls_sideways_and_every_cell_says_what_it_is(desk: Page, site: Site) -> None:
    desk.set_viewport_size(PHONE)
    sign_in(desk)
    expect(desk.locator("#delayed tbody tr")).to_have_count(3)
    wide = (
        "[document.body, ...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)"
    )
    assert desk.evaluate(f"{wide}.length") == 0
    assert desk.locator("#delayed td").nth(2).get_attribute("data-head") == "Since"
    bottoms = (
        "[...document.querySelectorAll('.numbers dd')].map(e => Math.round(e.getBoundingClientRect().bottom))"
    )
    assert len(set(desk.evaluate(bottoms))) == 1


def test_nothing_wrong_is_said_in_words(desk: Page, site: Site) -> None:
    quiet = dict.fromkeys(OVERVIEW["funnel"], 0)
    site.says(GET_OVERVIEW, overview(funnel=quiet, stuck=[], troubles=[], delayed=[], oldest_due=None))
    sign_in(desk)
    expect(desk.get_by_text("Everybody's car is open.")).to_be_visible()
    expect(desk.get_by_text("None right now.")).to_be_visible()
    expect(desk.get_by_text("All as agreed.")).to_be_visible()
    expect(desk.locator("#due")).to_have_text("None")


def test_figures_refresh_by_themselves_and_say_when_they_are_old(desk: Page, site: Site) -> None:
    desk.clock.install()
    sign_in(desk)
    expect(desk.locator("#issued")).to_have_text("31")
    site.says(GET_OVERVIEW, overview(funnel={**OVERVIEW["funnel"], "issued": 32, "unlocked": 28}), LOST)
    desk.reload()
    expect(desk.locator("#issued")).to_have_text("32")
    desk.clock.run_for(6000)
    expect(desk.locator("#stale")).to_contain_text("No new figures are arriving")
    expect(desk.locator("#issued")).to_have_text("32")


def test_a_wrong_password_is_refused_in_words(desk: Page, site: Site) -> None:
    site.says(SIGN_IN, Reply(400, {"__type": "NotAuthorizedException"}))
    sign_in(desk)
    expect(desk.locator("#sign-in-error")).to_have_text("The user name or the password is not right.")


def test_somebody_outside_operations_sees_no_figure(desk: Page, site: Site) -> None:
    site.says(GET_OVERVIEW, problem(403, "FORBIDDEN"))
    sign_in(desk)
    expect(desk.locator("#sign-in-error")).to_contain_text("not in the operations group")
    expect(desk.locator("#issued")).to_be_hidden()


def test_an_ended_sign_in_and_signing_out_both_forget_the_token(desk: Page, site: Site) -> None:
    sign_in(desk)
    desk.get_by_role("button", name="Sign out").click()
    expect(desk.get_by_label("User name")).to_be_visible()
    assert desk.evaluate("JSON.stringify(sessionStorage)") == "{}"
    site.says(GET_OVERVIEW, problem(401, "UNAUTHENTICATED"))
    sign_in(desk)
    expect(desk.locator("#sign-in-error")).to_contain_text("has ended")
    assert desk.evaluate("JSON.stringify(sessionStorage)") == "{}"
