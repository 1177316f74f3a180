"""The card and who may drive."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.pages.answers_my import (
    CARD,
    CARD_TOKENS,
    DRIVERS,
    DRIVERS_PREVIEW,
    GET_CONTRACT,
    GET_VISITS,
    ID,
    QUOTE,
    contract,
    enter,
    knows,
    malformed,
    visits,
)
from tests.pages.site import LOST, Reply, Site, problem

TOKEN = Reply(body={"card_token": "tok_1", "brand": "Mastercard", "last4": "4444"})
CHANGED = Reply(body={"card": {"brand": "Mastercard", "last4": "4444"}, "state": "current"})
CHECKOUTS = "POST /v1/checkouts"
CAPTURE = "POST /v1/checkouts/chk_1/capture"
CHECKOUT: dict[str, Any] = {
    "checkout_id": "chk_1",
    "order_id": ID,
    "state": "RESERVED",
    "total": 412_000,
    "discount": 0,
    "points_used": 0,
    "payable": 412_000,
    "expires_at": "2026-11-20T03:15:00Z",
    "declined": None,
    "refunds": [],
    "actions": ["capture", "cancel"],
}
ADDED: dict[str, Any] = {
    "contract_id": ID,
    "number": 3,
    "verified": False,
    "refund": 0,
    "charge": 0,
    "lines": [],
}


def type_card(page: Page, button: str = "카드 바꾸기", number: str = "5555 5555 5555 4444") -> None:
    page.get_by_label("카드 번호").fill(number)
    page.get_by_label("유효 기간").fill("08/29")
    page.get_by_label("생년월일 또는 사업자번호").fill("990131")
    page.get_by_role("button", name=button).click()


def test_a_card_goes_straight_to_the_payment_service(page: Page, site: Site) -> None:
    knows(site)
    site.says(CARD_TOKENS, TOKEN)
    site.says(CARD, CHANGED)
    enter(page, site, f"#{ID}/card")
    expect(page.get_by_text("지금 카드: Visa ··4242")).to_be_visible()
    type_card(page)
    expect(page.locator("#news")).to_have_text("카드를 바꿨어요: Mastercard ··4444")
    (asked,) = site.asked(CARD_TOKENS)
    assert asked.body == {
        "number": "5555555555554444",
        "expiry": "08/29",
        "birth_or_business_no": "990131",
    }
    assert "authorization" not in asked.headers
    assert site.asked(CARD)[0].body == {"card_token": "tok_1"}
    assert [seen for seen in site.seen if "/v1/" in seen.path and "5555" in str(seen.body)] == [asked]


def test_a_declined_card_changes_nothing_and_the_old_one_stays(page: Page, site: Site) -> None:
    knows(site)
    site.says(CARD_TOKENS, TOKEN)
    site.says(CARD, problem(422, "CARD_DECLINED"))
    enter(page, site, f"#{ID}/card")
    type_card(page)
    expect(page.locator(".whole")).to_contain_text("카드사가 승인하지 않았어요. 바뀐 것은 없어요.")
    expect(page.get_by_text("지금 카드: Visa ··4242")).to_be_visible()


def test_what_is_wrong_with_a_card_is_said_at_its_field(page: Page, site: Site) -> None:
    knows(site)
    enter(page, site, f"#{ID}/card")
    type_card(page, number="1234")
    expect(page.locator("#number-error")).to_contain_text("카드 번호를 다시 확인해 주세요")
    expect(page.get_by_label("카드 번호")).to_be_focused()
    assert site.asked(CARD_TOKENS) == []
    site.says(CARD_TOKENS, Reply(400, {"code": "INVALID_CARD_EXPIRATION", "message": "카드 정보"}))
    type_card(page)
    expect(page.locator("#expiry-error")).to_contain_text("월/년")
    expect(page.get_by_label("유효 기간")).to_be_focused()
    assert site.asked(CARD) == []


def test_a_lost_answer_costs_no_second_token_and_no_second_change(page: Page, site: Site) -> None:
    knows(site)
    site.says(CARD_TOKENS, TOKEN)
    site.says(CARD, LOST, CHANGED)
    enter(page, site, f"#{ID}/card")
    type_card(page)
    expect(page.locator("#news")).to_contain_text("카드를 바꿨어요", timeout=10_000)
    assert len(site.asked(CARD_TOKENS)) == 1
    assert len({asked.headers["idempotency-key"] for asked in site.asked(CARD)}) == 1


def test_the_first_month_is_paid_at_the_services_price(page: Page, site: Site) -> None:
    knows(site, state="awaiting_payment", car=None, key=None, actions=["pay", "cancel"])
    site.says(GET_VISITS, visits())
    site.says(CHECKOUTS, Reply(201, CHECKOUT))
    site.says(CARD_TOKENS, TOKEN)
    site.says(CAPTURE, problem(422, "RESERVATION_EXPIRED"), Reply(202, {**CHECKOUT, "state": "CAPTURING"}))
    enter(page, site, f"#{ID}")
    page.get_by_role("link", name="결제하기").click()
    expect(page.locator(".bill .total")).to_contain_text("412,000원")
    type_card(page, "412,000원 결제하기")
    expect(page.locator(".whole")).to_contain_text("결제할 수 있는 시간이 지났어요")
    page.get_by_role("button", name="412,000원 결제하기").click()
    expect(page.locator("#news")).to_contain_text("저절로 끝나니 다시 결제하지 마세요")
    assert len(site.asked(CHECKOUTS)) == 2
    assert len(site.asked(CARD_TOKENS)) == 1


def add_driver(page: Page, birth: str = "1995-05-05") -> None:
    page.get_by_label("이름").fill("이둘")
    page.get_by_label("휴대폰 번호").fill("010-8888-7777")
    page.get_by_label("생년월일").fill(birth)
    page.get_by_label("운전면허번호").fill("11-22-333333-44")
    page.get_by_role("button", name="바뀌는 내용 보기").click()


def test_a_driver_is_added_after_a_preview(page: Page, site: Site) -> None:
    knows(site)
    fee = {"charge": 22_000, "lines": [{"what": "driver", "amount": -22_000}]}
    site.says(DRIVERS_PREVIEW, Reply(body={**ADDED, **fee, **QUOTE}))
    site.says(DRIVERS, Reply(201, {**ADDED, **fee}))
    enter(page, site, f"#{ID}/drivers")
    expect(page.get_by_text("010-8765-4321")).to_be_visible()
    expect(page.get_by_text("면허를 확인하고 있어요. 그때까지는 운전할 수 없어요.")).to_be_visible()
    add_driver(page)
    page.get_by_role("button", name="22,000원 내고 더하기").click()
    expect(page.locator("#news")).to_contain_text("면허가 확인되면 운전할 수 있어요")
    assert site.asked(DRIVERS)[0].body == {
        "name": "이둘",
        "phone": "010-8888-7777",
        "birth_date": "1995-05-05",
        "licence_no": "11-22-333333-44",
        "language": "ko",
        "quote": "q-1",
    }


def test_what_is_wrong_with_a_driver_is_said_at_every_field(page: Page, site: Site) -> None:
    knows(site)
    site.says(DRIVERS_PREVIEW, malformed("/phone", "/licence_no"))
    enter(page, site, f"#{ID}/drivers")
    add_driver(page, birth="1995-02-30")
    expect(page.locator("#birth_date-error")).to_contain_text("8자리")
    expect(page.get_by_label("생년월일")).to_be_focused()
    assert site.asked(DRIVERS_PREVIEW) == []
    add_driver(page)
    expect(page.locator("#phone-error")).to_contain_text("010-1234-5678")
    expect(page.locator("#licence_no-error")).to_contain_text("면허증의 번호")
    expect(page.get_by_label("휴대폰 번호")).to_be_focused()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_label("Mobile number")).to_have_value("010-8888-7777")


def test_a_driver_is_taken_off_with_one_press_also_when_the_answer_is_lost(page: Page, site: Site) -> None:
    knows(site)
    off = f"DELETE /v1/contracts/{ID}/drivers/2"
    site.says(off, LOST, problem(404, "UNKNOWN_HOLDER"))
    enter(page, site, f"#{ID}/drivers")
    expect(page.get_by_role("button", name="빼기")).to_have_count(1)
    site.says(GET_CONTRACT, contract(drivers=[]))
    page.get_by_role("button", name="Sam Lee 님 빼기").click()
    expect(page.locator("#news")).to_contain_text("운전자를 뺐어요", timeout=10_000)
    assert len(site.asked(off)) == 2
