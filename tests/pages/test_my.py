"""/my: signing in, which contract, and how it stands at a glance, the problem first."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from chalicelib.kernel.settings import SETTINGS
from chalicelib.pages.store import PageFiles
from tests.pages.answers import SIGN_IN
from tests.pages.answers_my import (
    ACTIVE,
    GET_CONTRACT,
    GET_CONTRACTS,
    GET_VISITS,
    ID,
    VISIT,
    contract,
    enter,
    knows,
    summary,
    visits,
)
from tests.pages.site import LOST, Reply, Site, problem

FIRST_VIEW_BYTES = 40 * 1024
STATES = {
    "applied": "운전면허를 확인하고 있어요",
    "awaiting_payment": "결제하면 계약이 확정돼요",
    "confirmed": "차가 도착해요",
    "ready": "차가 도착해요",
    "active": "2027년 5월 26일까지 이용해요",
    "swap_pending": "다른 차로 바꿔 드릴게요",
    "cancel_scheduled": "2027년 5월 26일에 끝나요",
    "return_scheduled": "5월 26일 수요일 12:00에 차를 반납해요",
    "return_overdue": "반납 시간이 지났어요",
    "inspection": "차를 점검하고 있어요",
    "settling": "정산을 하고 있어요",
    "cancelled": "취소된 계약이에요",
    "closed": "모두 끝났어요",
    "expired": "만료됐어요",
    "rejected": "계약이 진행되지 않았어요",
    "terminated": "해지된 계약이에요",
}
TROUBLES: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"state": "at_risk"}, {}, "열쇠가 제때 오지 않을 수 있어요", "스마트키 열기"),
    ({"billing": "past_due"}, {}, "이번 달 요금이 결제되지 않았어요", "카드 바꾸기"),
    ({"billing": "blocked"}, {}, "요금이 밀려", "카드 바꾸기"),
    ({}, {"state": "locked_out"}, "차는 왔는데 열쇠가 없어요", "스마트키 열기"),
    ({}, {"state": "missed_partner"}, "약속한 시간에 가지 못했어요", "새 시간 고르기"),
    ({}, {"state": "missed_customer"}, "약속에서 만나지 못했어요", "새 시간 고르기"),
]


def say(page: Page) -> Any:
    return page.locator("#glance")


def test_signing_in_leads_to_the_one_contract(page: Page, site: Site) -> None:
    knows(site)
    page.goto(f"{site.url}/my")
    page.get_by_label("아이디").fill("hana")
    page.get_by_label("비밀번호").fill("correct horse")
    page.get_by_role("button", name="로그인").click()
    expect(say(page)).to_contain_text("11월 26일 목요일 10:00~12:00에 차가 도착해요")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_contain_text("12가 3456")
    assert site.asked(GET_CONTRACT)[0].headers["authorization"] == "Bearer an.id.token"
    assert page.evaluate("JSON.stringify(localStorage)").count("token") == 0


def test_a_wrong_password_is_refused_in_words(page: Page, site: Site) -> None:
    knows(site)
    site.says(SIGN_IN, Reply(400, {"__type": "NotAuthorizedException"}))
    page.goto(f"{site.url}/my")
    page.get_by_label("아이디").fill("hana")
    page.get_by_label("비밀번호").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-error")).to_have_text("아이디 또는 비밀번호가 맞지 않아요.")
    expect(page.get_by_label("비밀번호")).to_be_focused()


def test_signing_out_leaves_nothing_of_the_contract(page: Page, site: Site) -> None:
    knows(site)
    enter(page, site, f"#{ID}")
    expect(say(page)).to_be_visible()
    page.get_by_role("button", name="로그아웃").click()
    expect(page.get_by_label("아이디")).to_be_visible()
    assert "3456" not in page.content()
    assert page.evaluate("sessionStorage.getItem('handover.token')") is None
    assert page.url.endswith("/my")


def test_an_ended_sign_in_comes_back_to_where_it_was(page: Page, site: Site) -> None:
    knows(site)
    site.says(GET_CONTRACT, problem(401, "UNAUTHENTICATED"))
    enter(page, site, f"#{ID}/payments")
    expect(page.locator("#sign-in-error")).to_contain_text("로그인 시간이 끝났어요")
    site.says(GET_CONTRACT, contract())
    page.get_by_label("아이디").fill("hana")
    page.get_by_label("비밀번호").fill("correct horse")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="결제 내역", level=1)).to_be_visible()


def test_several_contracts_are_a_list_to_choose_from(page: Page, site: Site) -> None:
    knows(site)
    first = Reply(body={"contracts": [summary(ID), summary("con_2", "closed", car=None)], "cursor": "c/2"})
    second = Reply(body={"contracts": [summary("con_3", "cancelled")], "cursor": None})
    site.says(GET_CONTRACTS, first)
    site.says(f"{GET_CONTRACTS}?cursor=c%2F2", second)
    enter(page, site)
    rows = page.locator("#list li")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="더 보기").click()
    expect(rows).to_have_count(3)
    expect(page.get_by_role("link", name="Avante 12가 3456 취소됨")).to_be_focused()
    rows.first.get_by_role("link").click()
    expect(say(page)).to_be_visible()
    page.get_by_role("link", name="다른 계약").click()
    expect(rows).to_have_count(2)


def test_nobody_without_a_contract_is_left_standing(page: Page, site: Site) -> None:
    knows(site)
    site.says(GET_CONTRACTS, Reply(body={"contracts": [], "cursor": None}))
    enter(page, site)
    expect(page.get_by_role("heading", name="아직 계약이 없어요")).to_be_focused()
    expect(page.get_by_role("link", name="요금제 보기").last).to_have_attribute("href", "plans")


def test_somebody_elses_contract_is_not_found(page: Page, site: Site) -> None:
    knows(site)
    enter(page, site, "#con_of_another")
    expect(page.get_by_role("heading", name="계약을 찾을 수 없어요")).to_be_visible()
    page.get_by_role("link", name="내 계약 보기").click()
    expect(say(page)).to_be_visible()


def test_without_an_answer_the_page_says_so_and_tries_again(page: Page, site: Site) -> None:
    knows(site)
    site.says(GET_CONTRACT, LOST, LOST, LOST, contract())
    page.clock.install()
    page.add_init_script("sessionStorage.setItem('handover.token', 'an.id.token')")
    page.goto(f"{site.url}/my#{ID}")
    trouble = page.get_by_role("heading", name="잠시 연결되지 않아요")
    for _ in range(60):  # each try is a real request between two waits of the page's own clock
        page.clock.run_for(1000)
        if trouble.is_visible():
            break
    expect(trouble).to_be_visible()
    page.get_by_role("button", name="다시 시도").click()
    expect(say(page)).to_be_visible()


def test_a_problem_is_said_first_and_with_its_next_step(page: Page, site: Site) -> None:
    knows(site)
    site.says(GET_CONTRACT, *[contract(**changed) for changed, _, _, _ in TROUBLES])
    site.says(GET_VISITS, *[visits({**VISIT, **changed}) for _, changed, _, _ in TROUBLES])
    enter(page, site, f"#{ID}")
    for _, _, first, way in TROUBLES:
        expect(page.locator("#home h2").first).to_contain_text(first)
        expect(page.locator(".worry").get_by_role("link", name=way)).to_be_visible()
        page.reload()


def test_every_state_has_plain_words(page: Page, site: Site) -> None:
    back = {"at": "2027-05-26T03:00:00Z", "address": "서울"}
    knows(site)
    site.says(GET_VISITS, visits())
    site.says(
        GET_CONTRACT,
        *[contract(**{**ACTIVE, "state": state, "return": back, "actions": []}) for state in STATES],
    )
    enter(page, site, f"#{ID}")
    for state, text in STATES.items():
        expect(say(page), state).to_contain_text(text)
        assert len(page.locator("#glance + p").inner_text()) > 5, state
        page.reload()


def test_buttons_come_from_what_the_service_allows(page: Page, site: Site) -> None:
    knows(site, **{**ACTIVE, "actions": ["renew"]})
    enter(page, site, f"#{ID}")
    menu = page.get_by_role("navigation")
    expect(menu.get_by_role("link", name="연장하기")).to_be_visible()
    expect(menu.get_by_role("link", name="해지하기")).to_have_count(0)
    expect(menu.get_by_role("link", name="차 열기")).to_have_attribute("href", f"#{ID}/smartkey")


def test_an_appointment_is_confirmed_with_one_press(page: Page, site: Site) -> None:
    knows(site)
    confirm = f"POST /v1/contracts/{ID}/appointments/apt_1/confirm"
    site.says(confirm, Reply(body={"appointment_id": "apt_1", "state": "confirmed"}))
    enter(page, site, f"#{ID}")
    page.get_by_role("button", name="이 시간 좋아요").wait_for()
    site.says(GET_VISITS, visits({**VISIT, "state": "confirmed", "actions": ["reschedule"]}))
    page.get_by_role("button", name="이 시간 좋아요").click()
    expect(page.get_by_role("status").filter(has_text="약속을 확정했어요")).to_be_visible()
    expect(page.get_by_role("button", name="이 시간 좋아요")).to_have_count(0)


def test_the_first_view_is_small_and_needs_nothing_more(page: Page, site: Site) -> None:
    """The key, the appointments and the foot are loaded after it; without them it still stands."""
    knows(site)
    loaded: dict[str, int] = {}
    page.on("response", lambda answer: loaded.update({answer.url: len(answer.body())}))
    for after in ("my-parts.js", "wallet.js"):
        page.route(f"**/{after}", lambda route: route.abort())
    enter(page, site, f"#{ID}")
    expect(say(page)).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_visible()
    page.wait_for_timeout(300)
    assert len(loaded) >= 10
    assert sum(loaded.values()) < FIRST_VIEW_BYTES


def test_nothing_in_the_page_is_inline_or_at_the_root() -> None:
    html = str(PageFiles().template("my.html").body)
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r'(?:href|src)="(?:/|https?:)', html)


def test_the_page_may_call_the_sign_in_and_the_payment_service_and_ask_for_camera_and_place(
    api: Any,
) -> None:
    answer = api.get("/my")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    allowed = " ".join(filter(None, ("'self'", SETTINGS.cognito_endpoint, SETTINGS.payments_url)))
    assert f"connect-src {allowed};" in policy
    assert "'unsafe" not in policy
    expected = "camera=(self), microphone=(), geolocation=(self)"
    assert answer.headers["Permissions-Policy"] == expected
