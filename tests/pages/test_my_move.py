"""Another time or place for an appointment: previewed, then done with one press."""

import re

from playwright.sync_api import Page, expect

from tests.pages.answers_my import (
    ACTIVE,
    ADDRESS,
    GET_VISITS,
    ID,
    LATER,
    MOVE,
    MOVE_PREVIEW,
    MOVED,
    NOW,
    QUOTE,
    SLOT,
    VISIT,
    enter,
    knows,
    malformed,
    slots,
    visits,
)
from tests.pages.site import LOST, Reply, Site, problem

FRIDAY = "2026-11-27"
SLOTS = f"GET /v1/slots?which=handover&day={FRIDAY}"


def choose(page: Page) -> None:
    """Friday, 14:00."""
    page.get_by_label("11월 27일 (금)").check()
    page.get_by_label("13:00~15:00").check()
    page.get_by_role("button", name="바뀌는 내용 보기").click()


def press_until(page: Page, key: str, focused: str) -> None:
    page.wait_for_selector(focused, state="attached")
    for _ in range(40):
        if page.evaluate("(selector) => document.activeElement.matches(selector)", focused):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never reached {focused}")


def test_the_handover_is_moved_with_the_keyboard_alone(page: Page, site: Site) -> None:
    knows(site)
    site.says(MOVE, Reply(body=MOVED))
    enter(page, site, f"#{ID}")
    press_until(page, "Tab", "#move-handover")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="차 받는 약속 바꾸기")).to_be_focused()
    press_until(page, "Tab", "[name=day]")
    press_until(page, "ArrowDown", f"[value='{FRIDAY}']")
    page.wait_for_selector("#slot input")
    press_until(page, "Tab", "[name=slot]")
    page.keyboard.press("Space")
    press_until(page, "ArrowDown", f"[value='{FRIDAY}T04:00:00Z']")
    press_until(page, "Tab", "#task form:first-of-type [type=submit]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="이렇게 바뀌어요")).to_be_focused()
    press_until(page, "Tab", ".offer [type=submit]")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="바꿨어요")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    (asked,) = site.asked(MOVE)
    assert asked.body == {"which": "handover", "at": f"{FRIDAY}T04:00:00Z", "quote": "q-1"}


def test_the_money_is_shown_line_by_line_before_the_one_button(page: Page, site: Site) -> None:
    knows(site)
    enter(page, site, f"#{ID}/move/handover")
    choose(page)
    rows = page.locator(".offer .bill div")
    expect(rows).to_have_count(2)
    numbers = [int(re.sub(r"[^\d]", "", text)) for text in page.locator(".offer .bill dd").all_inner_texts()]
    assert numbers == [30_000, 30_000]
    expect(page.locator(".offer .bill dd").first).to_have_text("−30,000원")
    expect(page.get_by_role("button", name="30,000원 내고 바꾸기")).to_be_visible()
    assert site.asked(MOVE) == []
    page.get_by_label("11월 28일 (토)").check()
    expect(page.locator(".offer")).to_have_count(0)


def test_only_the_address_changes_when_the_time_is_kept(page: Page, site: Site) -> None:
    knows(site)
    same = {**MOVED, "at": SLOT["starts_at"], "slot": SLOT, "charge": 0, "lines": []}
    site.says(MOVE_PREVIEW, Reply(body={**same, **QUOTE}))
    site.says(MOVE, Reply(body=same))
    enter(page, site, f"#{ID}/move/handover")
    page.get_by_role("button", name="바뀌는 내용 보기").click()
    expect(page.locator(".whole").first).to_contain_text("아직 바꾼 것이 없어요")
    page.get_by_label("어디로 가져다드릴까요?").fill("부산시 해운대구 우동 1")
    page.get_by_role("button", name="바뀌는 내용 보기").click()
    expect(page.locator(".offer")).to_contain_text("부산시 해운대구 우동 1")
    expect(page.locator(".offer")).to_contain_text("지금 낼 돈은 없어요")
    page.get_by_role("button", name="이대로 바꾸기").click()
    expect(page.locator("#news")).to_contain_text("바꿨어요")
    assert site.asked(MOVE)[0].body == {
        "which": "handover",
        "at": SLOT["starts_at"],
        "address": "부산시 해운대구 우동 1",
        "quote": "q-1",
    }


def test_taken_slots_cannot_be_chosen_and_a_full_day_is_said_so(page: Page, site: Site) -> None:
    knows(site)
    site.says("GET /v1/slots?which=handover&day=2026-11-28", slots("2026-11-28", taken=5))
    enter(page, site, f"#{ID}/move/handover")
    page.get_by_label("11월 27일 (금)").check()
    expect(page.get_by_label("09:00~11:00")).to_be_disabled()
    page.get_by_label("11월 28일 (토)").check()
    expect(page.locator("#slots [role=status]")).to_contain_text("이날은 모두 찼어요")
    page.get_by_role("button", name="더 뒤의 날 보기").click()
    expect(page.locator("[value='2026-11-29']")).to_be_focused()
    expect(page.locator("[name=day]")).to_have_count(17)


def test_a_slot_that_somebody_else_took_is_chosen_anew(page: Page, site: Site) -> None:
    knows(site)
    site.says(MOVE, problem(422, "SLOT_FULL"))
    enter(page, site, f"#{ID}/move/handover")
    choose(page)
    site.says(SLOTS, slots(FRIDAY, taken=3))
    page.locator(".offer").get_by_role("button").click()
    expect(page.locator("#slots [role=alert]")).to_contain_text("방금 그 시간이 찼어요")
    expect(page.get_by_label("13:00~15:00")).to_be_disabled()
    expect(page.locator(".offer")).to_have_count(0)


def test_a_wrong_address_is_said_at_its_field(page: Page, site: Site) -> None:
    knows(site)
    site.says(MOVE_PREVIEW, malformed("/address"))
    enter(page, site, f"#{ID}/move/handover")
    page.get_by_label("어디로 가져다드릴까요?").fill("  ?")
    page.get_by_role("button", name="바뀌는 내용 보기").click()
    expect(page.locator("#address-error")).to_contain_text("200자")
    expect(page.get_by_label("어디로 가져다드릴까요?")).to_be_focused()
    assert page.get_by_label("어디로 가져다드릴까요?").get_attribute("aria-invalid") == "true"


def test_a_lost_answer_is_asked_again_with_the_same_key_and_amount(page: Page, site: Site) -> None:
    knows(site)
    site.says(MOVE, LOST, LOST, LOST, Reply(body=MOVED))
    page.clock.install(time=NOW)
    page.add_init_script("sessionStorage.setItem('handover.token', 'an.id.token')")
    page.goto(f"{site.url}/my#{ID}/move/handover")
    choose(page)
    confirm = page.get_by_role("button", name="30,000원 내고 바꾸기")
    confirm.click()
    for _ in range(3):
        page.wait_for_timeout(100)
        page.clock.run_for(4500)
    expect(page.locator(".offer .whole")).to_contain_text("응답을 받지 못했어요")
    confirm.click()
    expect(page.locator("#news")).to_contain_text("바꿨어요")
    assert len(site.asked(MOVE)) == 4
    assert len({asked.headers["idempotency-key"] for asked in site.asked(MOVE)}) == 1
    assert len({asked.body["quote"] for asked in site.asked(MOVE)}) == 1


def test_a_slow_network_is_said_and_presses_once(page: Page, site: Site) -> None:
    knows(site)
    site.says(MOVE, LOST, LOST, Reply(body=MOVED))
    page.clock.install(time=NOW)
    page.add_init_script("sessionStorage.setItem('handover.token', 'an.id.token')")
    page.goto(f"{site.url}/my#{ID}/move/handover")
    choose(page)
    form = page.locator(".offer")
    form.get_by_role("button").click()
    page.wait_for_timeout(100)
    page.clock.run_for(1100)
    page.wait_for_timeout(100)
    page.clock.run_for(3000)
    expect(form.locator(".slow")).to_contain_text("연결이 느려요")
    expect(form).to_have_attribute("aria-busy", "true")
    form.get_by_role("button").click()
    page.clock.run_for(4500)
    expect(page.locator("#news")).to_contain_text("바꿨어요")
    assert len({asked.headers["idempotency-key"] for asked in site.asked(MOVE)}) == 1


def test_a_return_without_an_appointment_gets_one(page: Page, site: Site) -> None:
    back = {"at": "2026-11-25T01:00:00Z", "address": ADDRESS}
    knows(site, **{**ACTIVE, "state": "return_scheduled", "return": back, "actions": ["reschedule_return"]})
    site.says(GET_VISITS, visits({**VISIT, "state": "handed_over", "actions": []}))
    site.says(f"GET /v1/slots?which=return&day={FRIDAY}", slots(FRIDAY))
    moved = {**MOVED, "which": "return", "charge": 0, "lines": [], "slot": LATER}
    site.says(MOVE_PREVIEW, Reply(body={**moved, **QUOTE}))
    site.says(MOVE, Reply(body=moved))
    enter(page, site, f"#{ID}")
    page.get_by_role("link", name="반납 시간 고르기").click()
    choose(page)
    page.get_by_role("button", name="이대로 바꾸기").click()
    expect(page.locator("#news")).to_contain_text("11월 27일 금요일 14:00~16:00에 반납해요")
    assert site.asked(MOVE)[0].body["which"] == "return"
