"""Coupons and points of a customer: at the foot of every page, looked after on /my, and used at a payment."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.answers_my import CARD_TOKENS, GET_VISITS, ID, enter, knows, visits
from tests.pages.answers_plans import come_back_to_card, open_shop
from tests.pages.answers_plans import pay as pay_sign_up
from tests.pages.answers_wallet import (
    BIRTHDAY,
    CANCEL,
    CAPTURE,
    CHECKOUTS,
    CONSENT,
    CONSENTS,
    CONVERSION,
    CONVERT,
    CONVERTING,
    COUPON,
    COUPONS,
    ENTRIES,
    PURSE,
    REGISTER,
    TAKE,
    TAKEN,
    WALLET,
    box,
    has_means,
    moves,
    priced,
)
from tests.pages.conftest import PHONE
from tests.pages.site import LOST, Reply, Site, problem
from tests.pages.test_axe import violations
from tests.pages.test_my_axe import sound
from tests.pages.test_my_card import TOKEN, type_card

UNPAID: dict[str, Any] = {
    "state": "awaiting_payment",
    "car": None,
    "key": None,
    "actions": ["pay", "cancel"],
}


def foot(page: Page) -> Any:
    return page.get_by_role("navigation", name="내 포인트와 쿠폰")


def test_the_foot_says_what_there_is_and_leads_there(page: Page, site: Site) -> None:
    knows(site)
    has_means(site)
    enter(page, site, f"#{ID}")
    expect(foot(page).get_by_role("link", name="포인트 12,300P")).to_be_visible()
    expect(page.locator("#wallet .hint")).to_have_text("300P는 12월 3일까지 쓸 수 있어요.")
    foot(page).get_by_role("link", name="쓸 수 있는 쿠폰 2장").click()
    expect(page.get_by_role("heading", name="내 쿠폰", level=1)).to_be_focused()
    site.says(WALLET, problem(503, "BUSY"))
    page.get_by_role("link", name="내 계약").click()
    expect(page.locator("#glance")).to_be_visible()
    expect(page.locator("#wallet")).to_be_hidden()


def test_without_a_sign_in_no_page_asks_for_a_wallet(page: Page, site: Site) -> None:
    open_shop(site)
    has_means(site)
    page.goto(f"{site.url}/plans")
    page.wait_for_selector("[data-plan]")
    page.goto(f"{site.url}/k#Zk3vQm8sT1uXyA9bC2dEfG")
    page.wait_for_selector("#proof:visible")
    assert site.asked(WALLET) == []
    assert page.locator("#wallet").count() == 0


def test_a_code_is_read_forgivingly_and_what_is_offered_is_taken_with_one_press(
    page: Page, site: Site
) -> None:
    knows(site)
    has_means(site)
    enter(page, site, "#coupons")
    expect(page.get_by_role("heading", name="쓸 수 있는 쿠폰 3장")).to_be_visible()
    expect(page.locator("[data-is=not_yet]")).to_contain_text("12월 1일 오전 9:00부터")
    code, go = page.get_by_label("쿠폰 코드"), page.get_by_role("button", name="등록하기")
    go.click()
    expect(page.locator("#code-error")).to_have_text("쿠폰 코드를 적어 주세요.")
    assert site.asked(REGISTER) == []
    busy = problem(429, "TOO_MANY_CODES", Retry_After="600")
    site.says(REGISTER, problem(422, "CODE_REFUSED"), busy, LOST, Reply(201, TAKEN))
    code.fill(" k7qm-2x9d 4hwt–8rvb ")
    go.click()
    expect(page.locator("#register .whole")).to_contain_text("글자를 하나씩 확인해 주세요")
    assert site.asked(REGISTER)[0].body == {"code": "K7QM2X9D4HWT8RVB"}
    go.click()
    expect(page.locator("#register .whole")).to_contain_text("10분 뒤에 다시 등록할 수 있어요")
    site.says(COUPONS, box(TAKEN, COUPON))
    go.click()
    expect(page.locator("#news")).to_have_text("등록했어요: 친구와 함께", timeout=10_000)
    expect(page.locator(f"[id='coupon-{TAKEN['coupon_id']}']")).to_be_focused()
    expect(code).to_have_value("")
    assert len({each.headers["idempotency-key"] for each in site.asked(REGISTER)[2:]}) == 1
    site.says(TAKE, Reply(200, TAKEN))
    site.says(COUPONS, LOST)
    page.get_by_role("form", name="친구와 함께 쿠폰 받기").get_by_role("button").click()
    expect(page.locator("#news")).to_have_text("이미 받은 쿠폰이에요: 친구와 함께", timeout=10_000)
    assert len(site.asked(WALLET)) >= 3


def test_points_their_history_birthday_news_and_what_they_become(page: Page, site: Site) -> None:
    knows(site)
    has_means(site)
    enter(page, site, "#points")
    expect(page.locator("#balance + .figure")).to_have_text("12,300포인트")
    expect(page.get_by_text("2026년 12월 3일까지")).to_be_visible()
    rows = page.locator("#entries li")
    expect(rows.nth(2)).to_contain_text("결제에 씀")
    expect(rows.nth(2)).to_contain_text("−1,000")
    page.get_by_role("button", name="더 보기").click()
    expect(rows.nth(4)).to_be_focused()
    expect(rows.nth(4)).to_contain_text("가입 축하")
    page.get_by_label("월", exact=True).fill("2")
    page.get_by_label("일", exact=True).fill("30")
    page.get_by_role("button", name="생일 저장").click()
    expect(page.locator("#day-error")).to_have_text("그 달에 없는 날이에요.")
    site.says(BIRTHDAY, Reply(body={"month": 2, "day": 29}))
    site.says("GET /v1/me/points", Reply(body={**PURSE, "birthday": {"month": 2, "day": 29}}))
    page.get_by_label("일", exact=True).fill("29")
    page.get_by_role("button", name="생일 저장").click()
    expect(page.get_by_text("2월 29일")).to_be_visible()
    night = page.get_by_label("밤 9시부터 아침 8시 사이에도 괜찮아요")
    expect(night).to_be_disabled()
    site.says(f"PUT {CONSENTS}", problem(422, "REFUSED"), Reply(body=CONSENT))
    texts = page.get_by_label("혜택 문자를 받을게요 (광고)")
    texts.click()
    expect(page.locator("#consents .whole")).to_contain_text("바뀐 것은 없어요")
    expect(texts).not_to_be_checked()
    texts.click()
    expect(page.locator("#news")).to_have_text("바꿨어요.")
    expect(night).to_be_enabled()
    assert site.asked(f"PUT {CONSENTS}")[0].body == {"marketing": True, "night": False}

    site.says(CONVERT, Reply(202, CONVERTING))
    site.says(CONVERSION, Reply(body=CONVERTING), Reply(body={**CONVERTING, "state": "DONE"}))
    page.get_by_label("소라마일").check(force=True)
    page.get_by_label("그곳의 회원 번호").fill("1234-5678")
    amount = page.get_by_label("바꿀 포인트")
    amount.fill("2,010")
    page.get_by_role("button", name="바꾸기", exact=True).click()
    expect(page.locator("#amount-error")).to_contain_text("바꾸는 단위에 맞게")
    amount.fill("2,000")
    expect(page.get_by_text("소라마일 100포인트가 돼요.")).to_be_visible()
    site.says(ENTRIES, moves())
    page.get_by_role("button", name="바꾸기", exact=True).click()
    expect(page.locator("#news")).to_have_text("2,000P를 바꿨어요.", timeout=10_000)
    assert site.asked(CONVERT)[0].body == {"partner": "sora", "account": "1234-5678", "points": 2_000}


def convert(page: Page, site: Site) -> None:
    """Two thousand points, and the partner takes a while."""
    knows(site)
    has_means(site)
    site.says(CONVERT, Reply(202, CONVERTING))
    site.says(CONVERSION, Reply(body=CONVERTING), Reply(body={**CONVERTING, "state": "DONE"}))
    enter(page, site, "#points")
    page.get_by_label("그곳의 회원 번호").fill("1234-5678")
    page.get_by_label("바꿀 포인트").fill("2,000")
    page.get_by_role("button", name="바꾸기", exact=True).click()
    page.get_by_text("바꾸고 있어요").wait_for()


def test_a_conversion_that_ends_after_signing_out_shows_nothing(page: Page, site: Site) -> None:
    convert(page, site)
    page.get_by_role("button", name="로그아웃").click()
    page.wait_for_selector("#user:visible")
    page.wait_for_timeout(4_000)
    assert "12,300" not in page.content()


def test_a_conversion_that_ends_later_leaves_the_next_page_alone(page: Page, site: Site) -> None:
    convert(page, site)
    page.evaluate("() => { location.hash = 'coupons'; }")
    page.wait_for_selector("#register")
    expect(page.locator("#news")).to_have_text("2,000P를 바꿨어요.", timeout=10_000)
    expect(page.locator("#register")).to_be_visible()
    expect(page.locator("#balance")).to_have_count(0)


@pytest.fixture
def at_the_till(page: Page, site: Site) -> Page:
    """A contract to be paid, two coupons that fit it and points."""
    knows(site, **UNPAID)
    has_means(site)
    site.says(GET_VISITS, visits())
    site.says(CARD_TOKENS, TOKEN)
    enter(page, site, f"#{ID}/pay")
    page.wait_for_selector("#means")
    return page


def choose(page: Page) -> None:
    page.get_by_label("겨울 맞이").check(force=True)
    page.get_by_label("쓸 포인트").fill("3,000")


def test_a_coupon_and_points_are_priced_by_the_service_before_the_card(at_the_till: Page, site: Site) -> None:
    page = at_the_till
    expect(page.get_by_label("패밀리만")).to_have_count(0)
    page.get_by_label("쓸 포인트").fill("99999")
    expect(page.locator("#points-error")).to_contain_text("0부터 12,300 사이")
    choose(page)
    expect(page.locator("#means .total")).to_contain_text("389,000원")
    site.says(CHECKOUTS, Reply(201, priced(20_000, 3_000)))
    page.get_by_role("button", name="결제 금액 확인하기").click()
    expect(page.get_by_role("heading", name="이 금액으로 결제해요")).to_be_focused()
    expect(page.locator("#left")).to_have_text("15분 동안 이 금액을 잡아 두었어요 (12:15까지).")
    asked = site.asked(CHECKOUTS)[0].body
    assert (asked["coupon_id"], asked["points"]) == ("cmp_3.BBBB", 3_000)
    site.says("GET /v1/checkouts/chk_1", Reply(body=priced(20_000, 3_000)))
    page.reload()
    expect(page.locator("#price .total")).to_contain_text("389,000원")
    site.says(CANCEL, Reply(body=priced(20_000, 3_000, state="CANCELLED", actions=[])))
    page.get_by_role("button", name="쿠폰·포인트 다시 고르기").click()
    page.wait_for_selector("#means")
    choose(page)
    page.get_by_role("button", name="결제 금액 확인하기").click()
    site.says(CAPTURE, Reply(200, priced(20_000, 3_000, state="CAPTURED", actions=[])))
    type_card(page, "389,000원 결제하기")
    expect(page.locator("#news")).to_contain_text("결제했어요")
    assert len(site.asked(CANCEL)) == 1


def test_a_smaller_discount_is_confirmed_and_nothing_is_paid_without_a_card(
    at_the_till: Page, site: Site
) -> None:
    page = at_the_till
    short = problem(422, "BUDGET_SHORT")
    short.body["offered"] = 7_000
    gone = problem(422, "BUDGET_EXHAUSTED")
    everything = priced(7_000, 405_000)
    site.says(CHECKOUTS, gone, short, Reply(201, everything))
    choose(page)
    price = page.get_by_role("button", name="결제 금액 확인하기")
    price.click()
    expect(page.locator("#refused")).to_contain_text("이 쿠폰은 지금 쓸 수 없어요")
    choose(page)
    price.click()
    expect(page.locator("#refused")).to_contain_text("지금은 7,000원까지만 할인돼요")
    expect(page.locator("#means .total")).to_contain_text("402,000원")
    price.click()
    assert site.asked(CHECKOUTS)[2].body["least_discount"] == 7_000
    site.says(CAPTURE, Reply(200, {**everything, "state": "CAPTURED"}))
    page.get_by_role("button", name="카드 없이 결제 마치기").click()
    expect(page.locator("#news")).to_contain_text("결제했어요")
    assert site.asked(CAPTURE)[0].body == {}


def test_points_that_are_not_there_are_not_cut_to_their_first_digits(at_the_till: Page, site: Site) -> None:
    page = at_the_till
    points = page.get_by_label("쓸 포인트")
    points.press_sequentially("99999")
    expect(points).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="결제 금액 확인하기").click()
    expect(points).to_be_focused()
    expect(page.locator("#points-error")).to_contain_text("0부터 12,300 사이")
    assert site.asked(CHECKOUTS) == []


def test_the_sign_up_takes_no_points_that_are_not_there(page: Page, site: Site) -> None:
    open_shop(site)
    has_means(site)
    site.says(CHECKOUTS, Reply(201, priced()))
    come_back_to_card(page, site)
    points = page.get_by_label("쓸 포인트")
    points.press_sequentially("99999")
    pay_sign_up(page)
    expect(points).to_be_focused()
    assert site.asked(CHECKOUTS) == []


def test_the_sign_up_pays_with_a_coupon_at_a_price_that_was_seen(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=PHONE, locale="ko-KR")
    page = context.new_page()
    open_shop(site)
    has_means(site)
    short = problem(422, "BUDGET_SHORT")
    short.body["offered"] = 7_000
    fewer = {"total": 460_000, "discount": 7_000, "payable": 453_000, "expires_at": "2099-01-01T00:00:00Z"}
    site.says(CHECKOUTS, short, Reply(201, priced() | fewer))
    site.says("GET /v1/checkouts/chk_1", Reply(body=priced() | fewer))
    come_back_to_card(page, site)
    expect(foot(page)).to_be_visible()
    page.get_by_label("겨울 맞이").check(force=True)
    expect(page.locator("#card-go")).to_have_text("440,000원 결제하기")
    pay_sign_up(page)
    expect(page.locator("#card-news")).to_contain_text("지금은 7,000원까지만 할인돼요")
    assert site.asked(CAPTURE) == []
    page.get_by_role("button", name="453,000원 결제하기").click()
    page.wait_for_selector("[data-view=done]:visible")
    sent = [each.body for each in site.asked(CHECKOUTS)]
    assert [each["coupon_id"] for each in sent] == ["cmp_3.BBBB", "cmp_3.BBBB"]
    assert sent[1]["least_discount"] == 7_000
    assert len(site.asked(CAPTURE)) == 1
    context.close()


def test_axe_finds_nothing(browser: Browser, site: Site) -> None:
    context = browser.new_context(viewport=PHONE, locale="ko-KR", reduced_motion="reduce")
    context.set_default_timeout(10_000)
    page = context.new_page()
    knows(site, **UNPAID)
    has_means(site)
    site.says(CHECKOUTS, Reply(201, priced(20_000, 3_000)))
    enter(page, site, "#coupons")
    page.get_by_role("button", name="등록하기").click()
    page.locator("details.over").evaluate("each => { each.open = true; }")
    sound(page, "coupons")
    page.evaluate("() => { location.hash = 'points'; }")
    page.wait_for_selector("#consents")
    assert violations(page) == []
    page.evaluate("here => { location.hash = here; }", f"{ID}/pay")
    page.wait_for_selector("#means")
    choose(page)
    sound(page, "choosing")
    page.get_by_role("button", name="결제 금액 확인하기").click()
    page.wait_for_selector("#price")
    assert violations(page) == []
    context.close()
