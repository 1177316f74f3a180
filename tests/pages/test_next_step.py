"""Whatever a press comes to, the page says what happened in plain words and what to do now."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from chalicelib.doors.model import ADVICE, Reason
from tests.pages.answers import COMMANDS, KEY, SIGN_OUT, STEP_UP, command, key, refusal
from tests.pages.answers import PROOF as DIGITS
from tests.pages.site import LOST, Reply, Site, problem
from tests.pages.test_car import LOCK, UNLOCK, idle, press, says

NOT_A_FAILURE = {Reason.ALREADY_DONE, Reason.SEEN_IN_STATE}
NOT_LIKE_THE_OTHERS = {Reason.STEP_UP_REQUIRED, Reason.RATE_LIMITED, Reason.REASON_NEEDED}
"""The first ends in a question, the second in a pause, and the third is for staff."""

ANYTHING = "지금은 할 수 없어요"


def forty_minutes_ago() -> str:
    return (datetime.now(UTC) - timedelta(minutes=40, seconds=5)).isoformat()


PROVE = "본인 확인하기"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_reason_has_its_own_headline_and_a_next_step(
    at_the_car: Page, site: Site, language: str
) -> None:
    if language == "en":
        at_the_car.get_by_role("button", name="English").click()
    unlock = at_the_car.locator("[data-action=unlock]")
    for reason in [reason for reason in Reason if reason not in NOT_A_FAILURE | NOT_LIKE_THE_OTHERS]:
        unsure = ADVICE[reason].may_have_executed
        told = {"ko": ADVICE[reason].ko, "en": ADVICE[reason].en}
        site.says(COMMANDS, command("NOT_SENT", reason, may_have_executed=unsure, messages=told))
        unlock.click(force=True)
        phase = "notsure" if unsure else "unreachable" if reason.startswith("VEHICLE_") else "refused"
        at_the_car.wait_for_selector(f"[data-phase={phase}]")
        said, more = at_the_car.locator("#say").inner_text(), at_the_car.locator("#more").inner_text()
        assert said not in ("", ANYTHING, "Not possible right now"), reason
        assert more == told[language] if phase == "refused" else len(more) > 20, reason
        if unsure:
            at_the_car.locator("#looked").click()


def test_a_silent_car_names_when_it_was_heard_and_where_to_go(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, command("NOT_SENT", "VEHICLE_OFFLINE", last_seen=forty_minutes_ago()))
    press(at_the_car)
    more = at_the_car.locator("#more")
    expect(more).to_contain_text("차의 마지막 신호: 40분 전")
    expect(more).to_contain_text("입구 쪽에서 1분 뒤에 다시 눌러 주세요")
    expect(more).to_contain_text("고객센터에 전화해 주세요")
    at_the_car.get_by_role("button", name="English").click()
    expect(more).to_contain_text("last heard 40 minutes ago")
    expect(more).to_contain_text("go near the entrance")


def test_once_the_car_is_heard_again_the_page_says_so(page: Page, site: Site) -> None:
    page.clock.install()
    site.says(KEY, key(online=False))
    site.says(COMMANDS, command("NOT_SENT", "VEHICLE_OFFLINE"))
    page.goto(f"{site.url}/k")
    press(page)
    says(page, "차와 연결할 수 없어요")
    site.says(KEY, key(online=True))
    page.clock.run_for(21_000)
    says(page, "차와 다시 연결됐어요")


def test_a_reason_that_is_new_to_the_page_is_still_explained(at_the_car: Page, site: Site) -> None:
    messages = {"ko": "차를 물로 식혀 주세요.", "en": "Please cool the car with water."}
    site.says(COMMANDS, Reply(403, {"code": "TOO_HOT", "messages": messages}))
    press(at_the_car)
    says(at_the_car, ANYTHING)
    expect(at_the_car.locator("#more")).to_have_text("차를 물로 식혀 주세요.")


def test_too_far_shows_where_the_car_stands(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, refusal(403, "TOO_FAR"))
    press(at_the_car, "경적 울리기")
    says(at_the_car, "차에서 너무 멀리 있어요")
    expect(at_the_car.locator("#map")).to_be_visible()


def test_a_stopped_car_says_so_before_and_after_a_press(page: Page, site: Site) -> None:
    site.says(KEY, key(stopped=True))
    site.says(
        COMMANDS, Reply(403, {"code": "STOPPED", "messages": {"ko": "전화해 주세요.", "en": "Call us."}})
    )
    page.goto(f"{site.url}/k")
    expect(page.locator("#state")).to_contain_text("고객센터에 전화해 주세요")
    press(page)
    says(page, "이 차는 지금 원격으로 열 수 없어요")
    idle(page, LOCK, is_disabled=False)


def test_an_ended_grant_offers_a_new_link(at_the_car: Page, site: Site) -> None:
    site.says(COMMANDS, command("NOT_SENT", "GRANT_EXPIRED"))
    press(at_the_car)
    says(at_the_car, "스마트키 기간이 끝났어요")
    press(at_the_car, "새 링크 받기")
    expect(at_the_car.locator("#phone")).to_be_visible()


def test_after_too_many_presses_the_button_rests_and_locking_does_not(page: Page, site: Site) -> None:
    page.clock.install()
    site.says(KEY, key())
    site.says(COMMANDS, refusal(429, "RATE_LIMITED", Retry_After="17"))
    page.goto(f"{site.url}/k")
    press(page)
    expect(page.locator("#more")).to_contain_text("17초")
    idle(page, UNLOCK, is_disabled=True)
    idle(page, LOCK, is_disabled=False)
    page.clock.run_for(17_100)
    says(page, "이제 다시 누를 수 있어요")
    idle(page, UNLOCK, is_disabled=False)
    site.says(COMMANDS, refusal(429, "RATE_LIMITED", Retry_After="1790"))
    press(page)
    expect(page.locator("#more")).to_contain_text("30분 뒤에 다시 눌러 주세요. 문 잠그기는 지금도 돼요.")


@pytest.fixture
def asked_again(at_the_car: Page, site: Site) -> Page:
    """The press was refused until its holder has proved it once more."""
    site.says(COMMANDS, refusal(403, "STEP_UP_REQUIRED"), command("SUCCEEDED"))
    press(at_the_car)
    at_the_car.wait_for_selector("#answer")
    return at_the_car


def answer(page: Page, digits: str = DIGITS) -> None:
    page.fill("#answer", digits)
    page.press("#answer", "Enter")


def test_r09_proving_it_once_more_offers_the_same_press_as_a_new_one(asked_again: Page, site: Site) -> None:
    site.says(STEP_UP, problem(422, "PROOF_WRONG"), LOST, Reply(204))
    expect(asked_again.get_by_role("dialog", name="본인 확인")).to_be_visible()
    expect(asked_again.locator("#answer")).to_be_focused()
    answer(asked_again, "12")
    expect(asked_again.locator("#answer-error")).to_contain_text("숫자 6자리")
    answer(asked_again, "000000")
    expect(asked_again.locator("#answer-error")).to_contain_text("다섯 번 틀리면")
    answer(asked_again)
    expect(asked_again.locator("#answer-error")).to_contain_text("응답을 받지 못했어요")
    answer(asked_again)
    says(asked_again, "확인했어요")
    expect(asked_again.locator("[data-action=unlock]")).to_be_focused()
    assert len(site.asked(COMMANDS)) == 1
    asked_again.keyboard.press("Enter")
    says(asked_again, "문이 열렸어요")
    first, second = site.asked(COMMANDS)
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert [sent.body for sent in site.asked(STEP_UP)][-1] == {"proof": DIGITS}
    assert DIGITS not in asked_again.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_who_will_not_prove_it_can_still_lock_and_come_back(asked_again: Page, site: Site) -> None:
    asked_again.keyboard.press("Escape")
    says(asked_again, "본인 확인이 한 번 더 필요해요")
    expect(asked_again.locator("#more")).to_contain_text("아무것도 보내지 않았어요")
    idle(asked_again, LOCK, is_disabled=False)
    press(asked_again, PROVE)
    expect(asked_again.get_by_role("dialog")).to_be_visible()


def test_five_wrong_proofs_end_the_session_and_lead_to_a_new_link(asked_again: Page, site: Site) -> None:
    ended = problem(401, "SESSION_ENDED")
    site.says(STEP_UP, ended)
    site.says(KEY, ended)
    answer(asked_again)
    expect(asked_again.locator("#renew-why")).to_contain_text("이 스마트키는 여기서 끝났어요")
    expect(asked_again.get_by_role("dialog")).to_have_count(0)


def test_the_phone_can_be_made_to_forget_the_key(at_the_car: Page, site: Site) -> None:
    site.says(SIGN_OUT, Reply(204))
    expect(at_the_car.get_by_text("이 휴대폰은 기억돼요")).to_be_visible()
    press(at_the_car, "이 휴대폰에서 지우기")
    at_the_car.get_by_role("dialog").get_by_role("button", name="지우기").click()
    expect(at_the_car.locator("#renew-why")).to_contain_text("이 휴대폰에서 스마트키를 지웠어요")
    assert at_the_car.evaluate("localStorage.getItem('handover.opened')") is None
    assert len(site.asked(SIGN_OUT)) == 1


def installed(page: Page) -> None:
    """As when opened from the home screen."""
    page.add_init_script(
        "const real = matchMedia.bind(window);"
        "window.matchMedia = (query) => query.includes('standalone') ? { matches: true } : real(query);"
    )


def test_from_the_home_screen_a_link_can_be_pasted(phone: BrowserContext, page: Page, site: Site) -> None:
    """A home-screen app may have cookies of its own, and a link in a message opens in the browser."""
    installed(page)
    site.says(KEY, problem(401, "SESSION_ENDED"))
    site.says("POST /v1/smart-key/links", Reply(202))
    page.goto(f"{site.url}/k")
    page.fill("#phone", "010 1234 5678")
    page.fill("#renew-proof", DIGITS)
    page.press("#renew-proof", "Enter")
    page.fill("#paste", "https://handover.example/k")
    page.press("#paste", "Enter")
    expect(page.locator("#paste-error")).to_contain_text("링크 전체를 복사했는지")
    page.fill("#paste", f"{site.url}/k#Zk3vQm8sT1uXyA9bC2dEfG")
    page.press("#paste", "Enter")
    page.wait_for_selector("#proof:visible")
    assert page.url == f"{site.url}/k"


def as_said(page: Page) -> Any:
    return page.locator("#state")


def test_doors_and_lock_are_shown_as_the_car_last_said_and_when(page: Page, site: Site) -> None:
    site.says(KEY, key(locked=False, doors_open=True, reported_at=forty_minutes_ago()))
    page.goto(f"{site.url}/k")
    expect(as_said(page)).to_have_text("문 열려 있음 · 잠기지 않음 · 40분 전 차가 알림")
    site.says(KEY, key(locked=None, doors_open=None, reported_at=None, position=None))
    page.reload()
    page.wait_for_selector("#plate:visible")
    expect(as_said(page)).to_be_hidden()
    expect(page.locator("#where")).to_be_hidden()


def test_after_a_press_the_cars_own_word_is_asked_for_again(page: Page, site: Site) -> None:
    page.clock.install()
    site.says(KEY, key())
    site.says(COMMANDS, command("SUCCEEDED"))
    page.goto(f"{site.url}/k")
    press(page)
    says(page, "문이 열렸어요")
    site.says(KEY, key(locked=False))
    page.clock.run_for(2_100)
    expect(as_said(page)).to_contain_text("잠기지 않음")


def test_the_last_known_place_is_a_plain_link_to_a_map(page: Page, site: Site) -> None:
    """The map learns the place when it is opened, never who asks or from where."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    site.says(KEY, key(position={"lat": 37.5663, "lon": 126.9779, "at": forty_minutes_ago()}))
    page.goto(f"{site.url}/k")
    where = page.get_by_role("link", name="마지막 위치 지도 · 40분 전")
    expect(where).to_have_attribute(
        "href", "https://map.kakao.com/link/map/%EB%82%B4%20%EC%B0%A8,37.5663,126.9779"
    )
    assert where.get_attribute("rel") == "noopener noreferrer"
    page.get_by_role("button", name="English").click()
    english = page.get_by_role("link", name="Car on the map · 40 minutes ago")
    expect(english).to_have_attribute(
        "href", "https://www.google.com/maps/search/?api=1&query=37.5663,126.9779"
    )
    assert all(url.startswith(site.origin) for url in asked)


def test_r09_where_the_car_stands_is_shown_for_a_while_after_a_proof_only(page: Page, site: Site) -> None:
    old = key(position=None)
    old.body.update(proven_until="2026-03-01T03:00:00Z", uses_left=3)
    site.says(KEY, old)
    site.says(STEP_UP, Reply(204))
    page.goto(f"{site.url}/k")
    expect(page.locator("#until")).to_contain_text("3번 더 열 수 있어요.")
    expect(page.locator("#where")).to_be_hidden()
    press(page, "본인 확인하고 차 위치 보기")
    site.says(KEY, key())
    answer(page)
    expect(page.locator("#where")).to_be_visible()


def test_when_the_key_ends_nothing_of_the_car_stays_in_the_page(at_the_car: Page, site: Site) -> None:
    for problem_ in (problem(401, "SESSION_ENDED"), problem(403, "GRANT_REVOKED")):
        site.says(KEY, problem_)
        at_the_car.evaluate("dispatchEvent(new Event('online'))")
        expect(at_the_car.locator("#plate")).to_be_hidden()
        left = at_the_car.content()
        assert "3456" not in left
        assert "37.5663" not in left
        site.says(KEY, key())
        at_the_car.reload()
        at_the_car.wait_for_selector("#plate:visible")
