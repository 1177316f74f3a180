"""Ending, taking it back, going on, and another car: what is shown is what is done."""

from typing import Any

from playwright.sync_api import Page, expect

from tests.pages.answers_my import (
    ACTIVE,
    CANCEL,
    CANCEL_PREVIEW,
    CANCELLED,
    GET_CONTRACT,
    ID,
    NOW,
    QUOTE,
    RENEW,
    RENEW_PREVIEW,
    contract,
    enter,
    knows,
)
from tests.pages.site import LOST, Reply, Site, problem
from tests.pages.test_my_move import press_until

RENEWED: dict[str, Any] = {
    "contract_id": ID,
    "state": "active",
    "ends_at": "2027-08-26T03:00:00Z",
    "monthly_fee": 452_000,
    "refund": 0,
    "charge": 0,
    "lines": [],
}


def test_cancelling_takes_two_presses_with_the_keyboard_and_asks_nothing(page: Page, site: Site) -> None:
    knows(site)
    site.says(CANCEL, Reply(body=CANCELLED))
    enter(page, site, f"#{ID}")
    press_until(page, "Tab", "#menu-cancel")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="해지하기", level=1)).to_be_focused()
    expect(page.locator(".bill")).to_contain_text("+412,000원")
    expect(page.locator(".bill")).to_contain_text("−247,200원")
    expect(page.locator(".bill .total")).to_contain_text("164,800원")
    press_until(page, "Tab", ".offer [type=submit]")
    site.says(GET_CONTRACT, contract(state="cancelled", actions=[]))
    page.keyboard.press("Enter")
    expect(page.locator("#news")).to_contain_text("해지했어요")
    expect(page.locator("#glance")).to_have_text("취소된 계약이에요")
    assert site.asked(CANCEL)[0].body == {"quote": "q-1"}
    assert site.asked(CANCEL)[0].headers["idempotency-key"]


def test_an_old_amount_is_worked_out_again_before_anything_is_done(page: Page, site: Site) -> None:
    knows(site)
    later = {**CANCELLED, "refund": 0, "lines": [], "quote": "q-2", "quote_until": QUOTE["quote_until"]}
    site.says(CANCEL, problem(422, "PREVIEW_EXPIRED"), Reply(body=CANCELLED))
    enter(page, site, f"#{ID}/cancel")
    site.says(CANCEL_PREVIEW, Reply(body=later))
    page.get_by_role("button", name="해지하고 164,800원 돌려받기").click()
    expect(page.locator(".offer .banner")).to_contain_text("금액을 다시 계산했어요")
    page.locator(".offer").get_by_role("button", name="해지하기").click()
    expect(page.locator("#news")).to_contain_text("해지했어요")
    assert [asked.body["quote"] for asked in site.asked(CANCEL)] == ["q-1", "q-2"]
    assert len({asked.headers["idempotency-key"] for asked in site.asked(CANCEL)}) == 2


def test_an_end_that_lies_ahead_can_be_taken_back(page: Page, site: Site) -> None:
    knows(site, **ACTIVE)
    ends = {**CANCELLED, "state": "cancel_scheduled", "effective_at": "2026-12-26T03:00:00Z"}
    ends |= {"refund": 0, "charge": 206_000, "lines": [{"what": "early_end", "amount": -206_000}]}
    site.says(CANCEL_PREVIEW, Reply(body={**ends, **QUOTE}))
    site.says(CANCEL, Reply(body=ends))
    uncancel = f"POST /v1/contracts/{ID}/uncancel"
    site.says(uncancel, LOST, Reply(body={"contract_id": ID, "state": "active"}))
    enter(page, site, f"#{ID}/cancel")
    ending = contract(**{**ACTIVE, "state": "cancel_scheduled", "actions": ["uncancel"]})
    site.says(GET_CONTRACT, ending)
    page.get_by_role("button", name="해지하고 206,000원 내기").click()
    expect(page.locator("#news")).to_contain_text("12월 26일 토요일 12:00에 끝나고")
    page.get_by_role("link", name="해지 되돌리기").click()
    page.get_by_role("button", name="해지 되돌리기").click()
    expect(page.locator("#news")).to_contain_text("해지를 되돌렸어요", timeout=10_000)
    assert len({asked.headers["idempotency-key"] for asked in site.asked(uncancel)}) == 1


def test_once_the_contract_was_read_anew_the_same_press_is_a_new_deed(page: Page, site: Site) -> None:
    knows(site, **{**ACTIVE, "state": "cancel_scheduled", "actions": ["uncancel"]})
    uncancel = f"POST /v1/contracts/{ID}/uncancel"
    site.says(uncancel, LOST, LOST, LOST, Reply(body={"contract_id": ID, "state": "active"}))
    page.clock.install(time=NOW)
    page.add_init_script("sessionStorage.setItem('handover.token', 'an.id.token')")
    page.goto(f"{site.url}/my#{ID}/uncancel")
    page.get_by_role("button", name="해지 되돌리기").click()
    for _ in range(3):
        page.wait_for_timeout(100)
        page.clock.run_for(4500)
    expect(page.locator(".whole")).to_contain_text("응답을 받지 못했어요")
    with page.expect_response(f"**/v1/contracts/{ID}"):
        page.get_by_role("link", name="내 계약").click()
    page.get_by_role("link", name="해지 되돌리기").click()
    page.get_by_role("button", name="해지 되돌리기").click()
    expect(page.locator("#news")).to_contain_text("해지를 되돌렸어요")
    keys = [asked.headers["idempotency-key"] for asked in site.asked(uncancel)]
    assert (len(set(keys[:3])), len(set(keys))) == (1, 2)


def test_a_contract_that_has_moved_on_is_said_so(page: Page, site: Site) -> None:
    knows(site)
    site.says(CANCEL, problem(409, "ILLEGAL_MOVE"))
    enter(page, site, f"#{ID}/cancel")
    page.locator(".offer").get_by_role("button").click()
    expect(page.locator(".offer .whole")).to_contain_text("그사이 계약이 바뀌었어요")


def test_what_cannot_be_done_now_is_said_with_the_way_back(page: Page, site: Site) -> None:
    knows(site)
    site.says(CANCEL_PREVIEW, problem(422, "TOO_LATE"))
    enter(page, site, f"#{ID}/cancel")
    expect(page.get_by_role("heading", name="지금은 할 수 없어요")).to_be_focused()
    expect(page.locator("#trouble-lead")).to_contain_text("너무 늦어 바꿀 수 없어요")
    page.get_by_role("link", name="내 계약").click()
    expect(page.locator("#glance")).to_be_visible()


def test_renewing_shows_the_new_end_and_fee_first(page: Page, site: Site) -> None:
    knows(site, **ACTIVE)
    site.says(RENEW_PREVIEW, Reply(body={**RENEWED, **QUOTE}))
    site.says(RENEW, Reply(body=RENEWED))
    enter(page, site, f"#{ID}/renew")
    page.get_by_role("button", name="바뀌는 내용 보기").click()
    expect(page.locator(".whole").first).to_have_text("기간을 골라 주세요.")
    page.get_by_label("3개월").check()
    page.get_by_role("button", name="바뀌는 내용 보기").click()
    expect(page.locator(".offer")).to_contain_text("2027년 8월 26일")
    expect(page.locator(".offer")).to_contain_text("452,000원")
    page.locator(".offer").get_by_role("button").click()
    expect(page.locator("#news")).to_have_text("연장했어요. 2027년 8월 26일까지 이용해요.")
    assert site.asked(RENEW)[0].body == {"months": 3, "quote": "q-1"}


def test_another_car_is_asked_for_and_the_wish_withdrawn(page: Page, site: Site) -> None:
    knows(site, **ACTIVE)
    swap = f"POST /v1/contracts/{ID}/swap"
    site.says(swap, Reply(body={"contract_id": ID, "state": "swap_pending"}))
    site.says(f"{swap}/withdraw", Reply(body={"contract_id": ID, "state": "active"}))
    enter(page, site, f"#{ID}/swap")
    page.get_by_role("button", name="교체 신청하기").click()
    expect(page.locator(".whole")).to_have_text("이유를 골라 주세요.")
    page.get_by_label("차에 문제가 있어요").check()
    site.says(GET_CONTRACT, contract(**{**ACTIVE, "state": "swap_pending", "actions": ["withdraw_swap"]}))
    page.get_by_role("button", name="교체 신청하기").click()
    expect(page.locator("#glance")).to_have_text("다른 차로 바꿔 드릴게요")
    assert site.asked(swap)[0].body == {"reason": "defect"}
    page.get_by_role("link", name="차 교체 그만두기").click()
    page.get_by_role("button", name="지금 차를 그대로 쓰기").click()
    expect(page.locator("#news")).to_have_text("지금 차를 그대로 써요.")
