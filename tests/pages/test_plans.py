"""The plans page: choosing, signing up, paying; and everything that can go wrong on the way."""

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from chalicelib.kernel.settings import SETTINGS
from chalicelib.pages.store import HERE, PageFiles, version
from tests.pages.answers import SIGN_IN, signed_in
from tests.pages.answers_plans import (
    ADDRESS,
    CAPTURE,
    CARD,
    CARD_TOKENS,
    CHECKOUT,
    CHECKOUTS,
    CONFIRM,
    CONTRACT,
    CONTRACTS,
    DRIVER,
    EMAIL,
    PASSWORD,
    PLANS,
    QUOTES,
    SIGN_UP,
    agree,
    begin,
    checkout,
    choose_handover,
    come_back_to_card,
    contract,
    days,
    make_account,
    name_drivers,
    open_shop,
    pay,
    quote,
    slots,
    up_to_card,
)
from tests.pages.conftest import DESK, PHONE
from tests.pages.site import LOST, Reply, Site, problem
from tests.pages.test_axe import violations

FIRST_VIEW_BYTES = 40 * 1024
DONE = "#done-title:visible"


@pytest.fixture
def shop(page: Page, site: Site) -> Page:
    open_shop(site)
    return page


def test_the_page_may_call_the_sign_in_and_the_payment_company_and_nobody_else(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = api.get("/plans")
    others = " ".join(filter(None, (SETTINGS.cognito_endpoint, SETTINGS.payments_url)))
    assert f"connect-src 'self' {others};" in answer.headers["Content-Security-Policy"]
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_first_view_is_small_even_uncompressed(shop: Page, site: Site) -> None:
    loaded: dict[str, int] = {}
    shop.on("response", lambda answer: loaded.update({answer.url: len(answer.body())}))
    shop.goto(f"{site.url}/plans")
    shop.wait_for_selector("[data-plan]")
    shop.wait_for_timeout(300)
    assert len(loaded) >= 8
    assert sum(loaded.values()) < FIRST_VIEW_BYTES


def test_the_term_changes_every_price_and_the_quote(shop: Page, site: Site) -> None:
    site.says(QUOTES, quote(12, 430_000))
    shop.goto(f"{site.url}/plans")
    expect(shop.locator("[data-plan=first-car] .price")).to_have_text("월 460,000원")
    shop.get_by_label("12개월").check()
    expect(shop.locator("[data-plan=first-car] .price")).to_have_text("월 430,000원")
    shop.get_by_role("button", name="첫 차, 월 430,000원, 견적 보기").click()
    expect(shop.locator("#quote-total")).to_have_text("5,160,000원")
    expect(shop.get_by_text("24시간 전까지는 전액을")).to_be_visible()
    assert site.asked(QUOTES)[0].body == {"plan_id": "first-car", "months": 12}
    site.says(QUOTES, quote(3, 490_000))
    shop.locator("#quote-terms").get_by_label("3개월").check()
    expect(shop.locator("#quote-total")).to_have_text("1,470,000원")


def test_a_quote_that_does_not_come_can_be_asked_for_again(shop: Page, site: Site) -> None:
    site.says(QUOTES, LOST, quote())
    shop.goto(f"{site.url}/plans")
    shop.locator("[data-plan=first-car] button").click()
    expect(shop.locator("#quote-lost")).to_be_visible()
    expect(shop.locator("#start")).to_be_disabled()
    shop.click("#quote-again")
    expect(shop.locator("#quote-first")).to_have_text("460,000원")
    expect(shop.locator("#quote-lost")).to_be_hidden()


def test_plans_that_do_not_come_are_said_with_a_way_on(shop: Page, site: Site) -> None:
    site.says(PLANS, problem(503, "BUSY"), *[Reply(body={"plans": []})])
    shop.goto(f"{site.url}/plans")
    expect(shop.get_by_role("heading", name="응답을 받지 못했어요")).to_be_visible()
    open_shop(site)
    shop.click("#again")
    shop.wait_for_selector("[data-plan]")


def test_the_guide_for_a_first_car_opens_in_both_languages(shop: Page, site: Site) -> None:
    shop.goto(f"{site.url}/plans")
    shop.get_by_text("열쇠가 안 오면 어떻게 하나요?").click()
    expect(shop.get_by_text("휴대폰으로 차를 여는 ‘스마트키’를")).to_be_visible()
    shop.get_by_role("button", name="English").click()
    expect(shop.get_by_text("text you a smart key")).to_be_visible()


@pytest.mark.parametrize(("locale", "last"), [("ko-KR", "계약이 끝났어요"), ("en-GB", "You are all set")])
def test_from_the_plans_to_a_paid_contract(browser: Browser, site: Site, locale: str, last: str) -> None:
    open_shop(site)
    site.says(CONTRACT, contract("applied"), contract("awaiting_payment"))
    context = browser.new_context(viewport=PHONE, locale=locale, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(10_000)
    up_to_card(page, site)
    pay(page)
    page.wait_for_selector(DONE)
    expect(page.get_by_role("heading", level=1)).to_contain_text(last)
    (signed,) = site.asked(CONTRACTS)
    assert signed.body == {
        "plan_id": "first-car",
        "months": 6,
        "handover": {"at": f"{days()[2]}T14:00:00+09:00", "address": ADDRESS},
        "drivers": [{**DRIVER, "birth_date": "1999-01-31", "language": locale[:2]}],
        "card_token": "tok_1",
    }
    (reserved,) = site.asked(CHECKOUTS)
    assert reserved.body == {"order_id": "con_1", "items": [{"kind": "contract_fee", "ref": "con_1"}]}
    (captured,) = site.asked(CAPTURE)
    assert captured.body == {"card_token": "tok_1"}
    keys = {seen.headers["idempotency-key"] for seen in (signed, reserved, captured)}
    assert len(keys) == 3
    assert all(seen.headers["authorization"] == "Bearer an.id.token" for seen in (signed, reserved))
    expect(page.get_by_role("link", name=re.compile("내 계약 보기|See my contract"))).to_have_attribute(
        "href", "my"
    )
    assert "김지우" not in page.evaluate("JSON.stringify(sessionStorage)")
    context.close()


def test_our_servers_never_see_the_card_and_nothing_keeps_it(shop: Page, site: Site) -> None:
    site.says(CAPTURE, Reply(202, {"checkout_id": "chk_1", "state": "CAPTURING"}))
    site.says(CHECKOUT, checkout("RESERVED"), checkout("CAPTURING"))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.locator("#working-more")).to_contain_text("은행이 아직 답하지 않았어요")
    (asked,) = site.asked(CARD_TOKENS)
    assert asked.body == {
        "number": "4111111111111111",
        "expiry": "08/39",
        "birth_or_business_no": "990131",
    }
    ours = [json.dumps(seen.body) for seen in site.seen if "/pay/" not in seen.path]
    kept = shop.evaluate("JSON.stringify([sessionStorage, localStorage])")
    for number in ("4111111111111111", CARD, PASSWORD):
        assert number not in kept
        assert not any(number in body for body in ours if PASSWORD not in body)
    assert "tok_1" not in kept
    assert shop.input_value("#number") == ""


def tab_to(page: Page, selector: str) -> None:
    """By the Tab key alone."""
    page.wait_for_selector(selector, state="attached")
    for _ in range(60):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached with Tab")


def test_the_keyboard_alone_signs_up(shop: Page, site: Site) -> None:
    def type_into(selector: str, text: str) -> None:
        tab_to(shop, selector)
        shop.keyboard.type(text)

    shop.goto(f"{site.url}/plans")
    expect(shop.get_by_role("heading", level=1)).to_be_focused()
    tab_to(shop, "[data-plan=first-car] button")
    shop.keyboard.press("Enter")
    expect(shop.locator("#start")).to_be_enabled()
    expect(shop.locator("#quote-title")).to_be_focused()
    tab_to(shop, "#quote-terms input")
    shop.keyboard.press("ArrowRight")
    shop.keyboard.press("ArrowLeft")
    tab_to(shop, "#start")
    shop.keyboard.press("Enter")
    expect(shop.locator("#account-title")).to_be_focused()
    type_into("#email", EMAIL)
    type_into("#password", PASSWORD)
    shop.keyboard.press("Enter")
    expect(shop.locator("#code-title")).to_be_focused()
    type_into("#code", "123456")
    shop.keyboard.press("Enter")
    expect(shop.locator("#drivers-title")).to_be_focused()
    for field, text in DRIVER.items():
        type_into(f"#driver-0-{field}", text)
    shop.keyboard.press("Enter")
    expect(shop.locator("#handover-title")).to_be_focused()
    tab_to(shop, "#days input")
    shop.keyboard.press("ArrowRight")
    shop.wait_for_selector(f"#slots input[value^='{days()[1]}']")
    assert shop.evaluate("document.activeElement.value") == days()[1]
    tab_to(shop, "#slots input")
    shop.keyboard.press("Space")
    type_into("#address", ADDRESS)
    shop.keyboard.press("Enter")
    expect(shop.locator("#review-title")).to_be_focused()
    tab_to(shop, "#agree")
    shop.keyboard.press("Space")
    tab_to(shop, "#review-form button")
    shop.keyboard.press("Enter")
    expect(shop.locator("#card-title")).to_be_focused()
    type_into("#number", CARD)
    type_into("#expiry", "0839")
    type_into("#holder", "990131")
    shop.keyboard.press("Enter")
    shop.wait_for_selector(DONE)
    expect(shop.locator("#done-title")).to_be_focused()


def test_going_back_and_reloading_lose_nothing(shop: Page, site: Site) -> None:
    begin(shop, site)
    make_account(shop)
    name_drivers(shop)
    choose_handover(shop)
    shop.click("#back")
    expect(shop.locator("#address")).to_have_value(ADDRESS)
    expect(shop.locator("#slots input:checked")).to_have_count(1)
    shop.click("#back")
    expect(shop.locator("#driver-0-name")).to_have_value(DRIVER["name"])
    shop.go_back()
    expect(shop.locator("#address")).to_have_value(ADDRESS)
    shop.reload()
    expect(shop.locator("#address")).to_have_value(ADDRESS)
    expect(shop.locator("#slots input:checked")).to_have_count(1)
    shop.press("#address", "Enter")
    shop.get_by_role("link", name="운전자 고치기").click()
    expect(shop.locator("#driver-0-licence_no")).to_have_value(DRIVER["licence_no"])


def test_no_step_can_be_skipped(shop: Page, site: Site) -> None:
    begin(shop, site)
    make_account(shop)
    shop.evaluate("location.hash = 'card'")
    expect(shop.locator("#drivers-title")).to_be_visible()
    expect(shop.locator("#progress")).to_have_text("2/5 운전자")


def test_what_a_driver_typed_wrong_is_said_at_its_field(shop: Page, site: Site) -> None:
    begin(shop, site)
    make_account(shop)
    shop.fill("#driver-0-name", "김지우")
    for field, text, said in (
        ("phone", "02-123-4567", "010으로 시작하는"),
        ("birth_date", "19990231", "생년월일을 8자리로"),
        ("birth_date", "20200101", "만 18세부터"),
        ("licence_no", "12", "면허증에 있는 번호"),
    ):
        shop.fill(f"#driver-0-{field}", text)
        shop.press(f"#driver-0-{field}", "Enter")
        expect(shop.locator(f"#driver-0-{field}-error")).to_contain_text(said)
        expect(shop.locator(f"#driver-0-{field}")).to_be_focused()
        shop.fill(f"#driver-0-{field}", DRIVER[field])


def test_up_to_five_drivers_are_named_and_taken_out_again(shop: Page, site: Site) -> None:
    begin(shop, site)
    make_account(shop)
    for number in range(1, 5):
        shop.click("#driver-add")
        expect(shop.locator(f"#driver-{number}-name")).to_be_focused()
    expect(shop.locator("#driver-add")).to_be_hidden()
    shop.fill("#driver-4-name", "이서연")
    shop.get_by_role("button", name="운전자 2 빼기").click()
    expect(shop.locator("fieldset.driver")).to_have_count(4)
    expect(shop.locator("#driver-3-name")).to_have_value("이서연")


def test_what_the_service_refuses_is_shown_at_its_field(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    wrong = Reply(
        400,
        {"code": "MALFORMED", "errors": [{"pointer": "/drivers/0/licence_no", "detail": "not a licence"}]},
    )
    site.says(CONTRACTS, wrong, Reply(201, {"contract_id": "con_1", "state": "applied"}))
    pay(shop)
    expect(shop.locator("#driver-0-licence_no-error")).to_contain_text("면허증에 있는 번호")
    expect(shop.locator("#driver-0-licence_no")).to_be_focused()
    shop.press("#driver-0-licence_no", "Enter")
    shop.wait_for_selector("#slots input:enabled")
    shop.press("#address", "Enter")
    expect(shop.locator("#review-title")).to_be_focused()
    shop.press("#agree", "Enter")
    shop.locator("#card-form .primary").click()
    shop.wait_for_selector(DONE)
    assert len(site.asked(CARD_TOKENS)) == 1


def test_a_slot_that_somebody_else_took_is_chosen_anew(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    site.says(CONTRACTS, problem(422, "SLOT_FULL"))
    pay(shop)
    expect(shop.locator("#slot-error")).to_contain_text("방금 다른 분이")
    expect(shop.locator("#slots input:checked")).to_have_count(0)


def test_a_day_without_a_free_slot_says_so(shop: Page, site: Site) -> None:
    site.says(f"GET /v1/slots?which=handover&day={days()[0]}", Reply(body={"day": days()[0], "slots": []}))
    site.says(f"GET /v1/slots?which=handover&day={days()[1]}", LOST, slots(days()[1]))
    begin(shop, site)
    make_account(shop)
    for field, text in DRIVER.items():
        shop.fill(f"#driver-0-{field}", text)
    shop.press("#driver-0-name", "Enter")
    expect(shop.locator("#slots-say")).to_contain_text("이날은 자리가 없어요")
    shop.check(f"#day-{days()[1]}")
    expect(shop.locator("#slot-error")).to_contain_text("응답을 받지 못했어요")
    shop.click("#slots-again")
    expect(shop.locator("#slots input")).to_have_count(4)
    expect(shop.locator("#slots input").nth(1)).to_be_disabled()


def test_a_declined_card_loses_nothing(shop: Page, site: Site) -> None:
    site.says(CAPTURE, Reply(422, {"code": "CARD_DECLINED", "reason": "limit"}), checkout("CAPTURED"))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.locator("#card-news")).to_contain_text("다른 카드로")
    expect(shop.locator("#card-news")).to_contain_text("한도 초과")
    expect(shop.locator("#number")).to_be_focused()
    expect(shop.locator("#number")).to_have_value("")
    site.says(CARD_TOKENS, Reply(201, {"card_token": "tok_2", "brand": "MC", "last4": "4444"}))
    pay(shop, "5555 5555 5555 4444")
    shop.wait_for_selector(DONE)
    assert len(site.asked(CONTRACTS)) == 1
    assert [seen.body["card_token"] for seen in site.asked(CAPTURE)] == ["tok_1", "tok_2"]
    assert len({seen.headers["idempotency-key"] for seen in site.asked(CAPTURE)}) == 2


def test_a_bank_that_does_not_answer_is_waited_for(shop: Page, site: Site) -> None:
    site.says(CAPTURE, Reply(202, {"checkout_id": "chk_1", "state": "CAPTURING"}))
    site.says(CHECKOUT, checkout("RESERVED"), checkout("CAPTURING"), checkout("CAPTURED"))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.locator("#working-more")).to_contain_text("다시 결제하지 마세요")
    shop.wait_for_selector(DONE)
    assert len(site.asked(CAPTURE)) == 1


def test_a_payment_cut_off_by_a_reload_is_not_made_again(shop: Page, site: Site) -> None:
    site.says(CAPTURE, Reply(202, {"checkout_id": "chk_1", "state": "CAPTURING"}))
    site.says(CHECKOUT, checkout("RESERVED"), checkout("CAPTURING"))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.locator("#working-more")).to_contain_text("은행이 아직")
    site.says(CHECKOUT, checkout("CAPTURED"))
    shop.reload()
    shop.wait_for_selector(DONE)
    assert len(site.asked(CAPTURE)) == 1


def test_lost_answers_sign_once_and_charge_once(shop: Page, site: Site) -> None:
    site.says(CONTRACTS, LOST, Reply(201, {"contract_id": "con_1", "state": "applied"}))
    site.says(CHECKOUTS, LOST, checkout("RESERVED", status=201))
    site.says(CAPTURE, LOST, checkout("CAPTURED"))
    come_back_to_card(shop, site)
    pay(shop)
    shop.wait_for_selector(DONE)
    for deed in (CONTRACTS, CHECKOUTS, CAPTURE):
        tried = site.asked(deed)
        assert len(tried) == 2
        assert len({seen.headers["idempotency-key"] for seen in tried}) == 1


def test_when_no_answer_comes_at_all_the_card_is_still_there(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    site.says(CONTRACTS, problem(503, "BUSY"))
    pay(shop)
    expect(shop.locator("#card-error")).to_contain_text("두 번 결제되지 않아요")
    expect(shop.locator("#card-known")).to_have_text("VISA •••• 1111")
    open_shop(site)
    shop.locator("#card-form .primary").click()
    shop.wait_for_selector(DONE)
    assert len({seen.headers["idempotency-key"] for seen in site.asked(CONTRACTS)}) == 1


def test_a_contract_whose_answer_was_lost_is_found_again_with_another_card(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    site.says(CONTRACTS, LOST)
    pay(shop)
    expect(shop.locator("#card-error")).to_contain_text("응답을 받지 못했어요")
    shop.reload()
    shop.wait_for_selector("#number:visible")
    site.says(CONTRACTS, problem(422, "KEY_REUSED"))
    ours = {"contract_id": "con_1", "state": "applied", "plan_id": "first-car", "months": 6}
    site.says("GET /v1/contracts?limit=5", Reply(body={"contracts": [ours], "cursor": None}))
    pay(shop)
    shop.wait_for_selector(DONE)


def test_an_expired_reservation_is_made_anew(shop: Page, site: Site) -> None:
    site.says(CAPTURE, problem(409, "CHECKOUT_OVER"), checkout("CAPTURED"))
    site.says(CHECKOUT, checkout("RESERVED"), checkout("EXPIRED"), checkout("RESERVED"))
    come_back_to_card(shop, site)
    pay(shop)
    shop.wait_for_selector(DONE)
    assert len({seen.headers["idempotency-key"] for seen in site.asked(CHECKOUTS)}) == 2


def test_a_higher_price_is_asked_about_first(shop: Page, site: Site) -> None:
    site.says(CHECKOUTS, checkout("RESERVED", payable=480_000, status=201))
    site.says(CHECKOUT, checkout("RESERVED", payable=480_000))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.locator("#card-news")).to_contain_text("480,000원")
    assert site.asked(CAPTURE) == []
    shop.get_by_role("button", name="480,000원 결제하기").click()
    shop.wait_for_selector(DONE)


def test_a_licence_that_cannot_be_confirmed_says_why_and_can_be_corrected(shop: Page, site: Site) -> None:
    site.says(CONTRACT, contract("applied"), contract("rejected", why="no_licence"))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.get_by_role("heading", name="계약하지 못했어요")).to_be_visible()
    expect(shop.get_by_text("운전면허를 찾을 수 없었어요. 돈은 나가지 않았어요")).to_be_visible()
    assert site.asked(CHECKOUTS) == []
    site.says(CONTRACT, contract("awaiting_payment"))
    shop.get_by_role("button", name="운전자 정보 고치기").click()
    shop.fill("#driver-0-licence_no", "11-12-345678-91")
    shop.press("#driver-0-licence_no", "Enter")
    shop.wait_for_selector("#slots input:enabled")
    shop.press("#address", "Enter")
    shop.check("#agree")
    shop.press("#agree", "Enter")
    shop.locator("#card-form .primary").click()
    shop.wait_for_selector(DONE)
    assert len({seen.headers["idempotency-key"] for seen in site.asked(CONTRACTS)}) == 2


def test_another_car_is_another_application(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    site.says(CHECKOUTS, problem(503, "BUSY"))
    pay(shop)
    expect(shop.locator("#card-error")).to_contain_text("두 번 결제되지 않아요")
    site.says(QUOTES, quote(6, 750_000, "family"))
    shop.evaluate("location.hash = ''")
    shop.locator("[data-plan=family] button").click()
    shop.wait_for_selector("#start:enabled")
    shop.click("#start")
    shop.wait_for_selector("#driver-0-name:visible")
    shop.press("#driver-0-name", "Enter")
    shop.wait_for_selector("#slots input:enabled")
    shop.press("#address", "Enter")
    expect(shop.locator("#agree")).not_to_be_checked()
    shop.check("#agree")
    shop.press("#agree", "Enter")
    expect(shop.get_by_role("button", name="750,000원 결제하기")).to_be_visible()
    site.says(CHECKOUTS, checkout("RESERVED", payable=750_000, status=201))
    site.says(CHECKOUT, checkout("RESERVED", payable=750_000))
    shop.locator("#card-form .primary").click()
    shop.wait_for_selector(DONE)
    assert [seen.body["plan_id"] for seen in site.asked(CONTRACTS)] == ["first-car", "family"]


def test_a_contract_that_may_be_paid_already_is_not_left_for_another_car(shop: Page, site: Site) -> None:
    site.says(CAPTURE, problem(503, "BUSY"))
    come_back_to_card(shop, site)
    pay(shop)
    expect(shop.locator("#card-error")).to_contain_text("두 번 결제되지 않아요")
    shop.evaluate("location.hash = ''")
    shop.locator("[data-plan=family] button").click()
    shop.wait_for_selector("#start:enabled")
    shop.click("#start")
    expect(shop.locator("#card-news")).to_contain_text("결제만 남았어요")
    expect(shop.locator("#summary-what")).to_have_text("첫 차 · 6개월")
    assert len(site.asked(CONTRACTS)) == 1


def test_a_sign_in_that_ended_asks_again_and_goes_on(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    site.says(CONTRACTS, problem(401, "UNAUTHENTICATED"))
    pay(shop)
    expect(shop.locator("#account-error")).to_contain_text("로그인 시간이 끝났어요")
    open_shop(site)
    shop.get_by_label("계정이 있어요").check()
    shop.fill("#password", PASSWORD)
    shop.press("#password", "Enter")
    expect(shop.locator("#card-known")).to_have_text("VISA •••• 1111")
    shop.locator("#card-form .primary").click()
    shop.wait_for_selector(DONE)


def test_an_account_that_exists_is_signed_in_to(shop: Page, site: Site) -> None:
    site.says(SIGN_UP, Reply(400, {"__type": "UsernameExistsException"}))
    site.says(SIGN_IN, Reply(400, {"__type": "NotAuthorizedException"}))
    begin(shop, site)
    shop.fill("#email", EMAIL)
    shop.fill("#password", "Another-horse-9")
    shop.press("#password", "Enter")
    expect(shop.locator("#account-error")).to_contain_text("이미 있는 계정")
    expect(shop.get_by_label("계정이 있어요")).to_be_checked()
    site.says(SIGN_IN, Reply(400, {"__type": "UserNotConfirmedException"}), signed_in())
    shop.fill("#password", PASSWORD)
    shop.press("#password", "Enter")
    shop.fill("#code", "123456")
    shop.press("#code", "Enter")
    shop.wait_for_selector("#driver-0-name:visible")


def test_a_wrong_code_is_refused_in_words(shop: Page, site: Site) -> None:
    wrong, old = ({"__type": f"{kind}Exception"} for kind in ("CodeMismatch", "ExpiredCode"))
    site.says(CONFIRM, Reply(400, wrong), Reply(400, old))
    site.says("POST AWSCognitoIdentityProviderService.ResendConfirmationCode", Reply(body={}))
    begin(shop, site)
    shop.fill("#email", EMAIL)
    shop.fill("#password", "short")
    shop.press("#password", "Enter")
    expect(shop.locator("#password-error")).to_contain_text("12자 이상")
    shop.fill("#password", PASSWORD)
    shop.press("#password", "Enter")
    for said in ("번호가 맞지 않아요", "번호의 시간이 지났어요"):
        shop.fill("#code", "000000")
        shop.press("#code", "Enter")
        expect(shop.locator("#code-error")).to_contain_text(said)
    shop.click("#code-again")
    expect(shop.locator("#code-said")).to_have_text("새 번호를 보냈어요.")


def test_a_card_that_cannot_be_right_is_not_sent(shop: Page, site: Site) -> None:
    come_back_to_card(shop, site)
    for field, text, said in (
        ("number", "1234", "카드 번호를"),
        ("expiry", "13/39", "유효기간을"),
        ("expiry", "01/20", "지난 카드"),
        ("holder", "99", "6자리"),
    ):
        for each, right in (("number", CARD), ("expiry", "08/39"), ("holder", "990131")):
            shop.fill(f"#{each}", text if each == field else right)
        shop.press("#holder", "Enter")
        expect(shop.locator(f"#{field}-error")).to_contain_text(said)
        expect(shop.locator(f"#{field}")).to_be_focused()
    assert site.asked(CARD_TOKENS) == []


def test_a_desk_has_two_columns_and_a_summary_that_stays(browser: Browser, site: Site) -> None:
    open_shop(site)
    context = browser.new_context(viewport=DESK, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(10_000)
    come_back_to_card(page, site)
    page.click("#back")
    page.wait_for_selector("#agree:visible")
    page.evaluate("scrollTo(0, 400)")
    aside, form = page.locator("#summary").bounding_box(), page.locator("#review").bounding_box()
    assert aside is not None
    assert form is not None
    assert aside["x"] > form["x"] + form["width"]
    assert aside["y"] >= 0
    expect(page.locator("#summary")).to_contain_text("₩460,000 a month")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def unreadable(page: Page) -> list[Any]:
    """Texts that do not stand out: all that the dark scheme can change. axe is there since `violations`."""
    script = (
        "() => axe.run({runOnly: {type: 'rule', values: ['color-contrast']}}).then(found => found.violations)"
    )
    return list(page.evaluate(script))


def test_axe_finds_nothing_in_light_and_dark(browser: Browser, site: Site) -> None:
    open_shop(site)
    context = browser.new_context(viewport=PHONE, locale="ko-KR", reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(10_000)

    def clean() -> None:
        page.emulate_media(color_scheme="light")
        assert violations(page) == []
        page.emulate_media(color_scheme="dark")
        assert unreadable(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.goto(f"{site.url}/plans")
    page.get_by_text("차는 어떻게 살펴보나요?").click()
    page.wait_for_selector("#guide [open] p")
    clean()
    page.locator("[data-plan=first-car] button").click()
    page.wait_for_selector("#start:enabled")
    clean()
    page.click("#start")
    page.fill("#email", "nobody")
    page.press("#email", "Enter")
    clean()
    make_account(page)
    page.click("#driver-add")
    page.press("#driver-1-name", "Enter")
    clean()
    page.locator("[data-remove='1']").click()
    name_drivers(page)
    clean()
    choose_handover(page)
    clean()
    agree(page)
    clean()
    site.says(CAPTURE, problem(422, "CARD_DECLINED"))
    site.says(CONTRACT, contract("applied"))
    pay(page)
    page.wait_for_selector("#stages:visible")
    clean()
    site.says(CONTRACT, contract("awaiting_payment"))
    page.wait_for_selector("#card-news:visible")
    clean()
    site.says(CAPTURE, checkout("CAPTURED"))
    pay(page)
    page.wait_for_selector(DONE)
    clean()
    context.close()


def test_nothing_in_the_views_is_inline_or_twice() -> None:
    html = (HERE / "templates" / "plans.html").read_text() + (HERE / "static" / "sign-up.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r'(?:href|src)="(?:/|https?:)', html)
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert all(one != other for one, other in pairwise(sorted(ids)))
    named = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', html)
    assert {each for names in named for each in names.split()} <= set(ids)


def words(page: Page, site: Site, *parts: str) -> dict[str, list[str]]:
    """Of the named files, as the page has them together."""
    page.goto(f"{site.url}/ops")
    found: dict[str, list[str]] = {}
    for part in parts:
        address = f"{site.url}/assets/{version()}/{part}.js"
        found |= page.evaluate("async address => Object.values(await import(address))[0]", address)
    return found


def test_every_text_is_there_in_both_languages(page: Page, site: Site) -> None:
    texts = words(page, site, "words-plans", "sign-up-words", "plans-guide")
    for entry, (korean, english) in texts.items():
        assert korean.strip(), entry
        assert english.strip(), entry
        assert sorted(re.findall(r"\{\w+\}", korean)) == sorted(re.findall(r"\{\w+\}", english)), entry
        assert not re.search("[가-힣]", english), entry
        assert len(korean.split("\n")) == len(english.split("\n")), entry
    code = "".join(
        path.read_text(encoding="utf-8")
        for pattern in ("plans*.js", "quote.js", "sign-up*.js")
        for path in (HERE / "static").glob(pattern)
    )
    html = str(PageFiles().template("plans.html").body) + (HERE / "static" / "sign-up.html").read_text()
    asked = set(re.findall(r'data-t(?:-label)?="([^"]+)"', html))
    asked |= set(re.findall(r'word\("([^"]+)"', code)) | set(re.findall(r'fail\([^"]+, "([^"]+)"', code))
    assert asked - set(texts) - {""} == set()
